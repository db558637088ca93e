r"""An append-only log as a tree of hashes: every head commits to all entries before it, and is signed.

The tree is that of Certificate Transparency (RFC 9162, sections 2.1.1 to 2.1.4): a leaf is
:math:`H(0 \| \text{entry})`, a node :math:`H(1 \| \text{left} \| \text{right})` with SHA-256. Whoever keeps one
head can tell whether any earlier entry was changed, taken out or put in; one entry is proved by the hashes beside its
path.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headwater.errors import Message, Refusal

__all__ = ["Head", "Peaks", "Proof", "Tree", "leaf", "sign"]

_DOMAIN = b"headwater audit head 1\n"
_HASH = 32


def leaf(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry as it stands in the tree."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _bagged(peaks: Sequence[bytes]) -> bytes:
    """Return the root over the roots of whole subtrees, the largest first."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = _node(peak, root)
    return root


@dataclass(frozen=True)
class Peaks:
    """As much of a tree as adding to it takes: the roots of its whole subtrees, the largest first.

    >>> Peaks().add(leaf(b"a")).root == leaf(b"a")
    True
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.hashes) != self.size.bit_count() or any(len(one) != _HASH for one in self.hashes):
            raise ValueError(f"a tree of {self.size} entries has not the peaks given")

    @property
    def root(self) -> bytes:
        """Return the root of the tree."""
        return _bagged(self.hashes)

    def add(self, hashed: bytes) -> "Peaks":
        """Return the tree with one more leaf, in steps that grow with the logarithm of its size."""
        hashes, size = [*self.hashes, hashed], self.size
        while size & 1:
            right = hashes.pop()
            hashes.append(_node(hashes.pop(), right))
            size >>= 1
        return Peaks(self.size + 1, tuple(hashes))


@dataclass(frozen=True)
class Head:
    """What the log was when it had ``size`` entries, signed.

    Parameters
    ----------
    key : 32-byte Ed25519 public key
    signature : 64 bytes over size and root
    """

    size: int
    root: bytes
    key: bytes
    signature: bytes

    def holds(self) -> bool:
        """Return whether the signature is that of the key over size and root."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(self.signature, _signed(self.size, self.root))
        except (InvalidSignature, ValueError):
            return False
        return True


def sign(peaks: Peaks, key: Ed25519PrivateKey) -> Head:
    """Return the signed head of a tree."""
    public = key.public_key().public_bytes_raw()
    return Head(peaks.size, peaks.root, public, key.sign(_signed(peaks.size, peaks.root)))


def _signed(size: int, root: bytes) -> bytes:
    return _DOMAIN + size.to_bytes(8, "big") + root


@dataclass(frozen=True)
class Proof:
    """That an entry is the one at ``place`` (from 0) of the log with this head.

    Parameters
    ----------
    path : hashes beside the way from the leaf to the root, lowest first
    """

    place: int
    path: tuple[bytes, ...]
    head: Head

    def holds(self, entry: bytes) -> bool:
        """Return whether the entry leads to the head, and the head is signed by its own key; which is for you to know.

        Source: RFC 9162, section 2.1.3.2.
        """
        if not 0 <= self.place < self.head.size:
            return False
        place, last, found, left = self.place, self.head.size - 1, leaf(entry), list(self.path)
        while last:
            if place & 1 or place == last:
                if not left:
                    return False
                found = _node(left.pop(0), found)
                while not place & 1 and place:
                    place, last = place >> 1, last >> 1
            else:
                if not left:
                    return False
                found = _node(found, left.pop(0))
            place, last = place >> 1, last >> 1
        return not left and found == self.head.root and self.head.holds()

    def to_bytes(self) -> bytes:
        """Return place, size, key, signature, root and path: 144 bytes and 32 a level, 784 for a million entries."""
        head = self.head
        numbers = self.place.to_bytes(8, "big") + head.size.to_bytes(8, "big")
        return numbers + head.key + head.signature + head.root + b"".join(self.path)

    @staticmethod
    def from_bytes(raw: bytes) -> "Proof":
        """Read what ``to_bytes`` gave; other bytes are refused with E-AUDIT-PROOF."""
        if len(raw) < 144 or (len(raw) - 144) % _HASH or len(raw) > 144 + 64 * _HASH:
            raise Refusal(
                "E-AUDIT-PROOF",
                Message(f"{len(raw)} 字节，不是审计证明。", f"{len(raw)} bytes are no proof of an audit log."),
                Message("请用 headwater audit prove 重新导出。", "Export it again: headwater audit prove."),
            )
        head = Head(int.from_bytes(raw[8:16], "big"), raw[112:144], raw[16:48], raw[48:112])
        path = tuple(raw[at : at + _HASH] for at in range(144, len(raw), _HASH))
        return Proof(int.from_bytes(raw[:8], "big"), path, head)


class Tree:
    """The whole tree over leaves that are at hand: its root at every earlier size, and proofs.

    Building takes one hash a leaf and memory of twice the leaves; a root or a proof then some hashes a level.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs])

    def __len__(self) -> int:
        return len(self._levels[0])

    def peaks(self, size: int) -> Peaks:
        """Return the tree as it was with ``size`` entries."""
        hashes, start = [], 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                hashes.append(self._levels[level][start >> level])
                start += 1 << level
        return Peaks(size, tuple(hashes))

    def path(self, place: int, size: int) -> tuple[bytes, ...]:
        """Return the hashes beside the way from the leaf at ``place`` to the root of the first ``size``, lowest first.

        Source: RFC 9162, section 2.1.3.1.
        """
        if not 0 <= place < size <= len(self):
            raise ValueError(f"there is no entry {place} among the first {size} of {len(self)}")
        return self._path(place, 0, size)

    def _path(self, place: int, start: int, end: int) -> tuple[bytes, ...]:
        if end - start == 1:
            return ()
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if place < middle:
            return (*self._path(place, start, middle), self._root(middle, end))
        return (*self._path(place, middle, end), self._root(start, middle))

    def _root(self, start: int, end: int) -> bytes:
        """Return the root over leaves of which the first stands where a subtree as large as the range may begin."""
        hashes = []
        while start < end:
            level = (end - start).bit_length() - 1
            hashes.append(self._levels[level][start >> level])
            start += 1 << level
        return _bagged(hashes)
