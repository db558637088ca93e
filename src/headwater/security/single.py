"""Rounds of one phase: each member sends its vector once, signed; whoever is lost is simply not in the sum.

How a vector travels, and how a sum of such vectors is read, is all that protections of one phase differ in.
"""

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np

from headwater.security.desk import Desk, Occasion, sealed
from headwater.security.identity import Identity, framed, unframed
from headwater.security.pact import Pact
from headwater.security.protection import Values
from headwater.security.refusals import aborted, foreign, late, odd, other_words
from headwater.types import Fixed

__all__ = ["SingleMember", "SingleServer", "Travel"]

Part = TypeVar("Part")

_ASKS = b"\0"
_OPEN, _ASKED, _OVER, _DONE = b"", b"asked", b"over", b"done"


class Travel(Protocol[Part]):
    """How vectors of one pact are read and added. ``Part`` is a vector, or a sum of some, as it travels."""

    def read(self, body: bytes) -> Part:
        """Return the vector that a member wrote; ValueError for what is none of this pact."""
        ...

    def added(self, one: Part, other: Part) -> Part:
        """Return the sum of two parts."""
        ...

    def kept(self, summed: Part) -> bytes:
        """Return a sum as bytes."""
        ...

    def restored(self, kept: bytes) -> Part:
        """Return the sum that was kept."""
        ...

    def opened(self, summed: Part, members: int) -> Fixed:
        """Return the sum of so many members' values."""
        ...


class SingleMember:
    """A member; ``written`` makes of its lifted values what travels."""

    def __init__(
        self, pact: Pact, name: str, identity: Identity, written: Callable[[Fixed], bytes], state: bytes
    ) -> None:
        if pact.keys.get(name) != identity.public:
            raise foreign(name)
        self._pact, self._name, self._identity = pact, name, identity
        self._written, self._answer = written, state

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return the values as they travel, signed; it is said once, and to nothing but the question."""
        if told != _ASKS:
            raise other_words(self._name)
        if not self._answer:
            body = self._written(self._pact.lifted(self._name, values()))
            self._answer = sealed(Occasion(self._pact, 0), self._name, self._identity, body)
        return self._answer

    def to_bytes(self) -> bytes:
        """Return the answer, if there was one."""
        return self._answer


class SingleServer(Generic[Part]):
    """The side that adds, and has a sum of ``fewest`` or more opened, once.

    From the moment it asks for the sum nobody else's vector is taken, also if the answer is lost on its way: two sums
    that differ in one vector would tell it.
    """

    def __init__(self, pact: Pact, travel: Travel[Part], *, fewest: int, state: bytes) -> None:
        desk, names, summed, total, self._stage = unframed(state) if state else (b"",) * 5
        self._pact, self._travel, self._fewest, self._desk = pact, travel, fewest, Desk.from_bytes(desk)
        self._heard = [name.decode() for name in unframed(names)]
        self._sum = travel.restored(summed) if summed else None
        self._total = np.frombuffer(total, dtype="<u8").astype(np.uint64) if self._stage == _DONE else None

    def told(self) -> dict[str, bytes]:
        """Ask everybody, until the phase is closed."""
        return dict.fromkeys(self._pact.group, _ASKS) if self._stage == _OPEN else {}

    def take(self, sender: str, message: bytes) -> None:
        """Add the sender's vector, once."""
        parts: list[Part] = []
        body = self._desk.take([Occasion(self._pact, 0)], sender, message, partial(self._form, sender, parts))
        if body is not None:
            self._sum = parts[0] if self._sum is None else self._travel.added(self._sum, parts[0])
            self._heard.append(sender)

    def close(self) -> None:
        """Have the sum opened; with too few nobody is asked, and the round ends. What failed may be asked again."""
        if self._stage in (_OVER, _DONE):
            return
        if self._sum is None or len(self._heard) < self._fewest:
            self._stage = _OVER
            raise aborted(len(self._heard), self._fewest)
        self._stage = _ASKED
        self._total = self._travel.opened(self._sum, len(self._heard))
        self._stage, self._sum = _DONE, None

    @property
    def total(self) -> Fixed | None:
        """The sum of those heard, once it is open."""
        return self._total

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those who were heard."""
        return tuple(sorted(self._heard))

    def to_bytes(self) -> bytes:
        """Return what was heard: traces, names, and the sum."""
        names = framed(*(name.encode() for name in self._heard))
        summed = b"" if self._sum is None else self._travel.kept(self._sum)
        total = b"" if self._total is None else self._total.astype("<u8").tobytes()
        return framed(self._desk.to_bytes(), names, summed, total, self._stage)

    def _form(self, sender: str, parts: list[Part], body: bytes) -> None:
        if self._stage != _OPEN:
            raise late(sender)
        try:
            parts.append(self._travel.read(body))
        except ValueError as error:
            raise odd(sender) from error
