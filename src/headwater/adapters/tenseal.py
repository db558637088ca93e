"""TenSEAL: vectors travel encrypted, the tier adds what it cannot read, and who holds the key opens sums alone.

One phase, no word between members, and whoever is lost is simply not in the sum: what masks need five phases for. The
price is trust: the holder and the tier that adds must not be one, nor act as one, for together they read every vector.
Where nobody may be trusted so far, use masks. CKKS with N = 4096 and moduli of 50 and 40 bits (128-bit security),
additions only; sums are exact to the bit (:mod:`headwater.security.limbs`).

Encryption draws from SEAL's own generator, seeded by the operating system, not from the entropy passed in.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import tenseal as ts

from headwater.errors import Message, Refusal
from headwater.security.desk import SEAL_BYTES
from headwater.security.identity import Entropy, Identity, digest_of, framed, unframed
from headwater.security.limbs import DEGREE, Limbs
from headwater.security.pact import KeyOf, Pact
from headwater.security.protection import PROTECTIONS, Protection, other_holder
from headwater.security.refusals import aborted
from headwater.security.single import SingleMember, SingleServer
from headwater.types import Fixed, Vector

__all__ = ["CKKS", "Ckks", "ElsewhereHolder", "Holder", "KeyHolder"]

_SLOTS = DEGREE // 2
_MODULI = [50, 40]
_FEWEST = 3
_DIGEST = 32
_LARGEST_PART = 2 * DEGREE * 8 + 512
"""Bytes of two polynomials of 64-bit coefficients, with headers; what is packed is smaller."""


class Holder(Protocol):
    """Who holds the secret key. Name and public key are registered like a source's, and stand in every pact."""

    @property
    def name(self) -> str:
        """What it is called in pacts."""
        ...

    @property
    def public(self) -> bytes:
        """The public key with its parameters."""
        ...

    def opened(self, pact: Pact, summed: bytes, members: int) -> Fixed:
        """Return the sum of so many members' vectors, one sum a pact; of fewer than three it is refused."""
        ...


@dataclass(frozen=True)
class ElsewhereHolder:
    """A holder on another node: its registered name and public key, and how to ask it."""

    name: str
    public: bytes
    opened: Callable[[Pact, bytes, int], Fixed]


class KeyHolder:
    """A holder in this process; its key is made when it is first needed.

    It opens one sum a pact, and the same again; its state says which. A tier that could have two opened, one with a
    member and one without, would read that member's vector.
    """

    def __init__(self, name: str, state: bytes = b"") -> None:
        self.name = name
        self._key, *opened = unframed(state) or [b""]
        self._opened = {entry[:_DIGEST]: entry[_DIGEST:] for entry in opened}

    @cached_property
    def public(self) -> bytes:
        """The public key with its parameters, without the secret key."""
        return bytes(self._context.serialize(True, False, False, False))

    def to_bytes(self) -> bytes:
        """Return the key, its secret included, and what was opened."""
        key = bytes(self._context.serialize(True, True, False, False))
        return framed(key, *(pact + asked for pact, asked in self._opened.items()))

    def opened(self, pact: Pact, summed: bytes, members: int) -> Fixed:
        """Return the sum of so many members' vectors.

        Raises
        ------
        Refusal
            ``E-PACT-HOLDER`` for a pact that does not name this holder and its key, ``E-ROUND-ABORT`` for fewer than
            three members or more than the pact has, ``E-CKKS-TWICE`` for a second sum of one pact,
            ``E-CKKS-CIPHERTEXT`` for what is no ciphertext, ``E-LIMBS-INEXACT`` when it holds no sum of whole numbers
        """
        if pact.holder != (own := KeyOf.of(self.name, self.public)):
            raise other_holder(pact.holder, own)
        if not _FEWEST <= members <= len(pact.group):
            raise aborted(members, _FEWEST)
        limbs, parts = Limbs.of(pact), _parts(self._context, pact, summed)
        asked = digest_of([summed, members.to_bytes(8, "big")])
        if self._opened.setdefault(pact.digest, asked) != asked:
            raise _twice(pact)
        slots = [number for part in parts for number in part.decrypt()]
        return pact.span.lowered(limbs.joined(np.asarray(slots, dtype=np.float64), members, pact.length), members)

    @cached_property
    def _context(self) -> Any:
        if self._key:
            return ts.context_from(self._key, 1)
        return ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=_MODULI, n_threads=1)


@dataclass(frozen=True)
class _Encrypted:
    """Vectors under a holder's key."""

    pact: Pact
    holder: Holder
    public: Any

    def written(self, lifted: Fixed) -> bytes:
        """Return a member's vector as it travels."""
        limbs = Limbs.of(self.pact)
        return self.kept([ts.ckks_vector(self.public, part, limbs.scale) for part in _pieces(limbs.cut(lifted))])

    def read(self, body: bytes) -> list[Any]:
        """See ``Travel``."""
        try:
            return _parts(self.public, self.pact, body)
        except Refusal as refusal:
            raise ValueError("no ciphertexts of this pact") from refusal

    def added(self, one: list[Any], other: list[Any]) -> list[Any]:
        """See ``Travel``."""
        return [left + right for left, right in zip(one, other, strict=True)]

    def kept(self, summed: list[Any]) -> bytes:
        """See ``Travel``."""
        return framed(*(part.serialize() for part in summed))

    def restored(self, kept: bytes) -> list[Any]:
        """See ``Travel``."""
        return _parts(self.public, self.pact, kept)

    def opened(self, summed: list[Any], members: int) -> Fixed:
        """Have the holder open it."""
        return self.holder.opened(self.pact, self.kept(summed), members)


class Ckks(Protection):
    """Vectors travel encrypted to a holder's key, which the pact names.

    Parameters
    ----------
    holder : who opens sums; never the tier that adds
    """

    name: ClassVar[str] = "ckks"
    minimum: ClassVar[int] = _FEWEST
    reveals: ClassVar[Literal["each", "sum"]] = "sum"
    seeded: ClassVar[bool] = False

    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    @property
    def key_of(self) -> KeyOf:
        """The holder and its key, as they must stand in every pact."""
        return KeyOf.of(self.holder.name, self.holder.public)

    def server(self, pact: Pact, *, state: bytes = b"") -> SingleServer[list[Any]]:
        """Return the server; it has the public key alone."""
        self.require(pact)
        return SingleServer(pact, self._travel(pact), fewest=_FEWEST, state=state)

    def member(
        self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b""
    ) -> SingleMember:
        """Return the member; ``entropy`` is not used, see above."""
        self.require(pact)
        return SingleMember(pact, name, identity, self._travel(pact).written, state)

    def most_bytes(self, pact: Pact) -> int:
        """Return the most bytes of a message with a vector."""
        return SEAL_BYTES + _count(pact) * (8 + _LARGEST_PART)

    def _travel(self, pact: Pact) -> _Encrypted:
        return _Encrypted(pact, self.holder, self._public)

    @cached_property
    def _public(self) -> Any:
        try:
            context = ts.context_from(self.holder.public, 1)
        except (ValueError, RuntimeError) as error:
            raise _bad_key() from error
        if context.is_private() or not context.has_public_key():
            raise _bad_key()
        return context


def _pieces(slots: Vector) -> Iterator[list[float]]:
    # Longer vectors would be cut by TenSEAL itself, which then prints a warning for each.
    for start in range(0, len(slots), _SLOTS):
        yield slots[start : start + _SLOTS].tolist()


def _count(pact: Pact) -> int:
    return -(-Limbs.of(pact).slots(pact.length) // _SLOTS)


def _parts(context: Any, pact: Pact, data: bytes) -> list[Any]:
    """Read ciphertexts from outside: what is not of just the form that this pact has is refused."""
    limbs = Limbs.of(pact)
    slots, count = limbs.slots(pact.length), _count(pact)
    try:
        bodies = unframed(data)
        if len(bodies) != count or max(map(len, bodies), default=0) > _LARGEST_PART:
            raise ValueError("another number of ciphertexts, or too long")
        return [
            _read(context, body, min(_SLOTS, slots - place * _SLOTS), limbs.scale) for place, body in enumerate(bodies)
        ]
    except (ValueError, RuntimeError, struct.error) as error:
        raise Refusal(
            "E-CKKS-CIPHERTEXT",
            Message("密文无法识别，或与约定不符。", "These are no ciphertexts of this pact."),
            Message("请丢弃，并核查发送方。", "Discard them, and examine the sender."),
        ) from error


def _read(context: Any, body: bytes, size: int, scale: float) -> Any:
    # SEAL checks every coefficient against the parameters; the form is checked here. TenSEAL writes its scale last.
    part = ts.ckks_vector_from(context, body)
    forms = [(one.size(), one.scale) for one in part.ciphertext()]
    if part.size() != size or forms != [(2, scale)] or body[-8:] != struct.pack("<d", scale):
        raise ValueError("a ciphertext of another form")
    return part


def _bad_key() -> Refusal:
    return Refusal(
        "E-CKKS-KEY",
        Message("密钥持有方的公钥无效，或含有私钥。", "The holder's public key is invalid, or holds the secret key."),
        Message("请重新登记持有方的公钥。", "Register the holder's public key anew."),
    )


def _twice(pact: Pact) -> Refusal:
    return Refusal(
        "E-CKKS-TWICE",
        Message(
            f"轮次“{pact.round_id}”已解开过另一个和；两个和之差会泄露成员的向量。",
            f"Another sum of the round {pact.round_id!r} was opened: the difference of two would tell a vector.",
        ),
        Message("请以新的轮次重新开始，并核查求和方。", "Start a new round, and examine who adds."),
    )


CKKS = Ckks(KeyHolder("this process"))
"""Under a key of this process: for trees that are folded in one process."""
PROTECTIONS.register("ckks")(CKKS)
