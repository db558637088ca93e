r"""Pairwise masks: the server sees noise from everyone and learns the sum alone.

Members i < j agree on a stream :math:`m_{ij}` by X25519; i sends :math:`x_i + \sum_{j>i} m_{ij} - \sum_{j<i} m_{ji}`
modulo 2**64, so every mask cancels in the sum, which equals the clear sum bit for bit.

Source: Bonawitz et al. 2017, without the recovery of dropped members: a missing member voids the round.
Streams are AES-128 in counter mode, keyed by HKDF-SHA256 over the shared secret, the round, both names and both keys.
Two colluding members of a group of three know the third's vector: hence at least three, and larger groups are better.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from headwater.errors import Message, Refusal
from headwater.security.protection import PROTECTIONS, Entropy, require_group, require_messages, require_range
from headwater.types import Fixed

__all__ = ["MASKED", "Masked"]

_TAG_BYTES = 32
_CHUNK = 1 << 14
"""Values masked at once: 128 KiB of stream stays in the cache."""


class _MaskedMember:
    """Holds the secret key of one member for one round."""

    def __init__(self, name: str, group: tuple[str, ...], round_id: str, entropy: Entropy) -> None:
        self._name, self._group, self._round = name, group, round_id
        self._secret = X25519PrivateKey.from_private_bytes(entropy(32))
        self._spent = False

    def public(self) -> bytes:
        """Return the 32-byte X25519 public key."""
        return self._secret.public_key().public_bytes_raw()

    def protect(self, values: Fixed, publics: Mapping[str, bytes]) -> bytes:
        """Return tag and masked values; a second vector under the same masks would give both away and is refused."""
        require_range(values, len(self._group))
        self._require_publics(publics)
        if self._spent:
            raise _spent(self._name)
        streams = [(self._name < other, self._stream(other, publics[other])) for other in self._others()]
        self._spent = True
        return _tag(self._round, self._group, self._name) + _masked(values, streams).astype("<u8").tobytes()

    def _others(self) -> list[str]:
        return [member for member in self._group if member != self._name]

    def _require_publics(self, publics: Mapping[str, bytes]) -> None:
        if set(publics) != set(self._group) or publics[self._name] != self.public():
            raise Refusal(
                "E-MASK-KEYS",
                Message("公钥名单与本组成员不符。", "The public keys are not those of this group."),
                Message("请重新交换公钥。", "Exchange the public keys again."),
            )

    def _stream(self, other: str, public: bytes) -> CipherContext:
        try:
            shared = self._secret.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise _bad_key(other) from error
        pair = sorted([(self._name, self.public()), (other, public)])
        info = _framed(b"headwater pairwise mask", self._round.encode(), *(p for n, k in pair for p in (n.encode(), k)))
        key = HKDF(algorithm=hashes.SHA256(), length=16, salt=None, info=info).derive(shared)
        return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()


@dataclass(frozen=True)
class Masked:
    """Vectors travel under pairwise masks."""

    name: str = "masked"
    minimum: int = 3
    reveals: Literal["each", "sum"] = "sum"

    def join(self, name: str, group: Sequence[str], round_id: str, entropy: Entropy) -> _MaskedMember:
        """Return the member called ``name`` with a fresh key; ``round_id`` must be new for every round."""
        return _MaskedMember(name, require_group(name, group, self.minimum), round_id, entropy)

    def combine(self, messages: Mapping[str, bytes], group: Sequence[str], *, round_id: str) -> Fixed:
        """Return the sum of the vectors; a missing member or a message of another round or group is refused."""
        length = require_messages(messages, group)
        members = tuple(sorted(group))
        total = np.zeros(max(0, length - _TAG_BYTES) // 8, dtype=np.uint64)
        for name, message in messages.items():
            if message[:_TAG_BYTES] != _tag(round_id, members, name):
                raise _foreign_round(name)
            total += np.frombuffer(message, dtype="<u8", offset=_TAG_BYTES)
        return total


MASKED = Masked()
PROTECTIONS.register("masked")(MASKED)


def _masked(values: Fixed, streams: Sequence[tuple[bool, CipherContext]]) -> Fixed:
    """Add the streams marked True to the values and subtract the others, modulo 2**64."""
    out = np.array(values, dtype=np.uint64)
    zeros, buffer = bytes(8 * _CHUNK), bytearray(8 * _CHUNK + 15)
    for start in range(0, out.size, _CHUNK):
        part = out[start : start + _CHUNK]
        for adds, stream in streams:
            stream.update_into(memoryview(zeros)[: part.nbytes], buffer)
            mask = np.frombuffer(buffer, dtype="<u8", count=part.size)
            np.add(part, mask, out=part) if adds else np.subtract(part, mask, out=part)
    return out


def _framed(*parts: bytes) -> bytes:
    """Join parts so that no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _tag(round_id: str, group: Sequence[str], name: str) -> bytes:
    """Say which member, group and round a message belongs to; it marks mix-ups and is no signature."""
    return hashlib.sha256(_framed(round_id.encode(), name.encode(), *(member.encode() for member in group))).digest()


def _spent(name: str) -> Refusal:
    return Refusal(
        "E-MASK-SPENT",
        Message(f"“{name}”本轮的掩码已用过。", f"The masks of {name!r} in this round are used up."),
        Message("请开始新的一轮。", "Start a new round."),
    )


def _bad_key(name: str) -> Refusal:
    return Refusal(
        "E-MASK-KEY",
        Message(f"“{name}”的公钥无效。", f"The public key of {name!r} is invalid."),
        Message("请让该成员重新加入。", "Let that member join again."),
    )


def _foreign_round(name: str) -> Refusal:
    return Refusal(
        "E-MASK-ROUND",
        Message(f"“{name}”的消息属于别的轮次或别的组。", f"The message of {name!r} belongs to another round or group."),
        Message("请丢弃该消息并重新开始一轮。", "Discard it and start a new round."),
    )
