"""No protection: the server sees every vector. Fit for statistics that a source may show.

One phase: each member sends its values, signed, in as few bits as it needs. Whoever is lost is simply not in the
sum, and the server says so.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np

from headwater.security.desk import Desk, Occasion, sealed
from headwater.security.identity import Entropy, Identity, framed, unframed
from headwater.security.packing import pack, packed_bytes, unpack
from headwater.security.pact import Pact
from headwater.security.protection import PROTECTIONS, Protection, Values
from headwater.security.refusals import aborted, foreign, late, odd
from headwater.types import Fixed

__all__ = ["CLEAR", "Clear"]


class _ClearMember:
    def __init__(self, pact: Pact, name: str, identity: Identity, state: bytes) -> None:
        if pact.keys.get(name) != identity.public:
            raise foreign(name)
        self._pact, self._name, self._identity, self._answer = pact, name, identity, state
        self._bits = pact.span.bits(1)

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return the values in the bits that one vector needs, signed."""
        if not self._answer:
            body = pack(self._pact.lifted(self._name, values()), self._bits)
            self._answer = sealed(Occasion(self._pact, 0), self._name, self._identity, body)
        return self._answer

    def to_bytes(self) -> bytes:
        """Return the answer, if there was one."""
        return self._answer


class _ClearServer:
    def __init__(self, pact: Pact, state: bytes) -> None:
        desk, names, total, closed = unframed(state) if state else (b"", b"", bytes(8 * pact.length), b"")
        self._pact, self._desk, self._bits = pact, Desk.from_bytes(desk), pact.span.bits(1)
        self._heard = [name.decode() for name in unframed(names)]
        self._sum = np.frombuffer(total, dtype="<u8").astype(np.uint64)
        self._closed = bool(closed)

    def told(self) -> dict[str, bytes]:
        """Ask everybody."""
        return {} if self._closed else dict.fromkeys(self._pact.group, b"\0")

    def take(self, sender: str, message: bytes) -> None:
        """Add the sender's vector, once."""
        body = self._desk.take([Occasion(self._pact, 0)], sender, message, partial(self._form, sender))
        if body is not None:
            self._sum += unpack(body, self._pact.length, self._bits).astype(np.uint64)
            self._heard.append(sender)

    def close(self) -> None:
        """End the round; with nobody heard there is no sum."""
        if not self._heard:
            raise aborted(0, 1)
        self._closed = True

    @property
    def total(self) -> Fixed | None:
        """The sum of those who were heard."""
        return self._pact.span.lowered(self._sum, len(self._heard)) if self._closed else None

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those who were heard."""
        return tuple(sorted(self._heard))

    def to_bytes(self) -> bytes:
        """Return what was heard."""
        names = framed(*(name.encode() for name in self._heard))
        return framed(self._desk.to_bytes(), names, self._sum.astype("<u8").tobytes(), b"\1" * self._closed)

    def _form(self, sender: str, body: bytes) -> None:
        if self._closed:
            raise late(sender)
        if len(body) != packed_bytes(self._pact.length, self._bits):
            raise odd(sender)


class Clear(Protection):
    """Vectors travel as they are."""

    name: ClassVar[str] = "clear"
    minimum: ClassVar[int] = 1
    reveals: ClassVar[Literal["each", "sum"]] = "each"

    def server(self, pact: Pact, *, state: bytes = b"") -> _ClearServer:
        """Return the server."""
        return _ClearServer(pact, state)

    def member(
        self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b""
    ) -> _ClearMember:
        """Return the member; it needs no secrets."""
        return _ClearMember(pact, name, identity, state)


CLEAR = Clear()
PROTECTIONS.register("clear")(CLEAR)
