"""TenSEAL: vectors travel encrypted, the tier adds what it cannot read, and who holds the key opens sums alone.

One phase, no word between members, and whoever is lost is simply not in the sum: what masks need five phases for. The
price is trust: the holder and the tier that adds must not be one, nor act as one, for together they read every vector.
Where nobody may be trusted so far, use masks. CKKS with N = 4096 and moduli of 50 and 40 bits (128-bit security),
additions only; sums are exact to the bit (:mod:`headwater.security.limbs`).

Encryption draws from SEAL's own generator, seeded by the operating system, not from the entropy passed in.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import tenseal as ts

from headwater.errors import Message, Refusal
from headwater.security.desk import SEAL_BYTES, Desk, Occasion, sealed
from headwater.security.identity import Entropy, Identity, framed, unframed
from headwater.security.limbs import DEGREE, Limbs
from headwater.security.pact import Pact
from headwater.security.protection import PROTECTIONS, Protection, Values, require_group
from headwater.security.refusals import aborted, foreign, late, odd
from headwater.types import Fixed, Vector

__all__ = ["CKKS", "Ckks", "ElsewhereHolder", "Holder", "KeyHolder"]

_SLOTS = DEGREE // 2
_MODULI = [50, 40]
_FEWEST = 3
_LARGEST_PART = 2 * DEGREE * 8 + 512
"""Bytes of two polynomials of 64-bit coefficients, with headers; what is packed is smaller."""


class Holder(Protocol):
    """Who holds the secret key. Its public key is registered like a source's, and stands in every signature."""

    @property
    def public(self) -> bytes:
        """The public key with its parameters."""
        ...

    def opened(self, pact: Pact, summed: bytes, members: int) -> Fixed:
        """Return the sum of so many members' vectors; of fewer than three it is refused."""
        ...


@dataclass(frozen=True)
class ElsewhereHolder:
    """A holder on another node: its registered public key, and how to ask it."""

    public: bytes
    opened: Callable[[Pact, bytes, int], Fixed]


class KeyHolder:
    """A holder in this process; its key is made when it is first needed."""

    def __init__(self, state: bytes = b"") -> None:
        self._state = state

    @cached_property
    def public(self) -> bytes:
        """The public key with its parameters, without the secret key."""
        return bytes(self._context.serialize(True, False, False, False))

    def to_bytes(self) -> bytes:
        """Return the key, its secret included."""
        return bytes(self._context.serialize(True, True, False, False))

    def opened(self, pact: Pact, summed: bytes, members: int) -> Fixed:
        """Return the sum of so many members' vectors.

        Raises
        ------
        Refusal
            ``E-ROUND-ABORT`` for fewer than three members or more than the pact has, ``E-CKKS-CIPHERTEXT`` for what is
            no ciphertext, ``E-LIMBS-INEXACT`` when it holds no sum of whole numbers
        """
        if not _FEWEST <= members <= len(pact.group):
            raise aborted(members, _FEWEST)
        limbs = Limbs.of(pact)
        slots = [number for part in _parts(self._context, pact, summed) for number in part.decrypt()]
        return pact.span.lowered(limbs.joined(np.asarray(slots, dtype=np.float64), members, pact.length), members)

    @cached_property
    def _context(self) -> Any:
        if self._state:
            return ts.context_from(self._state, 1)
        return ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=_MODULI, n_threads=1)


class _Member:
    def __init__(self, occasion: Occasion, name: str, identity: Identity, public: Any, state: bytes) -> None:
        if occasion.pact.keys.get(name) != identity.public:
            raise foreign(name)
        self._occasion, self._name, self._identity = occasion, name, identity
        self._public, self._answer = public, state

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return the encrypted values, signed."""
        if not self._answer:
            body = _encrypted(self._public, self._occasion.pact, self._occasion.pact.lifted(self._name, values()))
            self._answer = sealed(self._occasion, self._name, self._identity, body)
        return self._answer

    def to_bytes(self) -> bytes:
        """Return the answer, if there was one."""
        return self._answer


class _Server:
    def __init__(self, occasion: Occasion, holder: Holder, public: Any, state: bytes) -> None:
        desk, names, summed, total, closed = unframed(state) if state else (b"",) * 5
        self._occasion, self._pact, self._holder, self._public = occasion, occasion.pact, holder, public
        self._desk, self._heard = Desk.from_bytes(desk), [name.decode() for name in unframed(names)]
        self._sum = list(_parts(public, self._pact, summed)) if summed else []
        self._total = np.frombuffer(total, dtype="<u8").astype(np.uint64) if total else None
        self._closed = bool(closed)

    def told(self) -> dict[str, bytes]:
        """Ask everybody."""
        return {} if self._closed else dict.fromkeys(self._pact.group, b"\0")

    def take(self, sender: str, message: bytes) -> None:
        """Add the sender's vector, once."""
        parts: list[Any] = []
        body = self._desk.take([self._occasion], sender, message, partial(self._form, sender, parts))
        if body is None:
            return
        self._sum = [one + other for one, other in zip(self._sum, parts, strict=True)] if self._sum else parts
        self._heard.append(sender)

    def close(self) -> None:
        """Have the holder open the sum; with fewer than three it is not asked, and the round ends."""
        if self._closed:
            return
        if len(self._heard) < _FEWEST:
            self._closed = True
            raise aborted(len(self._heard), _FEWEST)
        self._total = self._holder.opened(self._pact, _written(self._sum), len(self._heard))
        self._closed = True

    @property
    def total(self) -> Fixed | None:
        """The sum of those heard, once the holder has opened it."""
        return self._total

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those who were heard."""
        return tuple(sorted(self._heard))

    def to_bytes(self) -> bytes:
        """Return what was heard: traces, names, the sum under encryption."""
        names = framed(*(name.encode() for name in self._heard))
        total = b"" if self._total is None else self._total.astype("<u8").tobytes()
        return framed(self._desk.to_bytes(), names, _written(self._sum), total, b"\1" * self._closed)

    def _form(self, sender: str, parts: list[Any], body: bytes) -> None:
        if self._closed:
            raise late(sender)
        try:
            parts.extend(_parts(self._public, self._pact, body))
        except Refusal as refusal:
            raise odd(sender) from refusal


class Ckks(Protection):
    """Vectors travel encrypted to a holder's key.

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

    def server(self, pact: Pact, *, state: bytes = b"") -> _Server:
        """Return the server; it has the public key alone."""
        require_group(pact.group, self.minimum)
        return _Server(self._occasion(pact), self.holder, self._public, state)

    def member(self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b"") -> _Member:
        """Return the member; ``entropy`` is not used, see above."""
        require_group(pact.group, self.minimum)
        return _Member(self._occasion(pact), name, identity, self._public, state)

    def most_bytes(self, pact: Pact) -> int:
        """Return the most bytes of a message with a vector."""
        return SEAL_BYTES + _count(pact) * (8 + _LARGEST_PART)

    def _occasion(self, pact: Pact) -> Occasion:
        return Occasion(pact, 0, hashlib.sha256(self.holder.public).digest())

    @cached_property
    def _public(self) -> Any:
        try:
            context = ts.context_from(self.holder.public, 1)
        except (ValueError, RuntimeError) as error:
            raise _bad_key() from error
        if context.is_private() or not context.has_public_key():
            raise _bad_key()
        return context


def _encrypted(public: Any, pact: Pact, lifted: Fixed) -> bytes:
    limbs = Limbs.of(pact)
    slots = limbs.cut(lifted)
    return _written([ts.ckks_vector(public, part, limbs.scale) for part in _pieces(slots)])


def _pieces(slots: Vector) -> Iterator[list[float]]:
    # Longer vectors would be cut by TenSEAL itself, which then prints a warning for each.
    for start in range(0, len(slots), _SLOTS):
        yield slots[start : start + _SLOTS].tolist()


def _count(pact: Pact) -> int:
    return -(-Limbs.of(pact).slots(pact.length) // _SLOTS)


def _written(parts: Sequence[Any]) -> bytes:
    return framed(*(part.serialize() for part in parts))


def _parts(context: Any, pact: Pact, data: bytes) -> Iterator[Any]:
    """Read ciphertexts from outside: what is not of just the form that this pact has is refused."""
    limbs = Limbs.of(pact)
    slots, count = limbs.slots(pact.length), _count(pact)
    try:
        bodies = unframed(data)
        if len(bodies) != count or max(map(len, bodies), default=0) > _LARGEST_PART:
            raise ValueError("another number of ciphertexts, or too long")
        for place, body in enumerate(bodies):
            yield _read(context, body, min(_SLOTS, slots - place * _SLOTS), limbs.scale)
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


CKKS = Ckks(KeyHolder())
"""Under a key of this process: for trees that are folded in one process."""
PROTECTIONS.register("ckks")(CKKS)
