"""The seam of every protection: a server tells, members answer, phase by phase, until there is a sum or an abort.

Whoever carries the messages (a loop in this process, a job on real nodes) sees bytes alone and decides when a phase is
over; nobody else's work is done here. A protection of one phase is answered once; one of five phases five times.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from headwater.errors import Message, Refusal
from headwater.registry import Registry
from headwater.security.desk import SEAL_BYTES
from headwater.security.identity import Entropy, Identity
from headwater.security.packing import packed_bytes
from headwater.security.pact import Pact, Span
from headwater.types import Fixed

__all__ = ["Member", "PROTECTIONS", "Played", "Protection", "Server", "Session", "Values", "play", "require_group"]

Values: TypeAlias = Callable[[], Fixed]
"""How to get the vector: called once, in the phase that needs it."""


class Member(Protocol):
    """One member's side of one round; serves a single vector."""

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return the signed answer to what the server tells.

        The same words get the same answer, other words of the same phase are refused. Whoever keeps the state keeps it
        before the answer is sent.
        """
        ...

    def to_bytes(self) -> bytes:
        """Return the state, secrets included."""
        ...


class Server(Protocol):
    """The side that adds. Whatever it refuses leaves its state as it was."""

    def told(self) -> dict[str, bytes]:
        """Return what each member still in the round must be told in this phase; nobody once it is over."""
        ...

    def take(self, sender: str, message: bytes) -> None:
        """Keep an answer. The same again changes nothing; another of the same phase is refused as evidence."""
        ...

    def close(self) -> None:
        """End the phase with those who answered; too few of them end the round by a refusal that reveals nothing."""
        ...

    @property
    def total(self) -> Fixed | None:
        """The sum of the survivors' vectors modulo 2**64, once there is one."""
        ...

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those whose vectors are in the sum."""
        ...

    def to_bytes(self) -> bytes:
        """Return the state; messages under way need not be kept."""
        ...


@dataclass(frozen=True)
class Session:
    """Server and members of one round in one process."""

    server: Server
    members: Mapping[str, Member]


class Protection(Protocol):
    """A way to add vectors of a group while hiding them from whoever adds.

    ``minimum`` is the smallest group in which it hides what it promises to hide; ``reveals`` is what the server learns:
    each member's vector, or their sum alone. ``bears_shares``: with fewer survivors than ``masking.graph.thresholds``
    asks for there is no sum, so that shares of noise are never too few. ``seeded``: all that is random comes from the
    entropy passed in.
    """

    name: ClassVar[str]
    minimum: ClassVar[int]
    reveals: ClassVar[Literal["each", "sum"]]
    bears_shares: ClassVar[bool] = False
    seeded: ClassVar[bool] = True

    def server(self, pact: Pact, *, state: bytes = b"") -> Server:
        """Return the server, at the beginning or at the state that ``to_bytes`` gave."""
        ...

    def member(self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b"") -> Member:
        """Return the member, at the beginning or at the state that ``to_bytes`` gave."""
        ...

    def most_bytes(self, pact: Pact) -> int:
        """Return the most bytes of a message with a vector: the bits of the sum, and a signature."""
        return packed_bytes(pact.length, pact.bits) + SEAL_BYTES

    def open(
        self, group: Iterable[str], *, round_id: str, length: int, entropy: Entropy, span: Span | None = None
    ) -> Session:
        """Return a round in this process, every member under a fresh identity; a group below the minimum is refused."""
        names = require_group(group, self.minimum)
        identities = {name: Identity(entropy(32)) for name in names}
        publics = {name: identity.public for name, identity in identities.items()}
        pact = Pact.of(self.name, publics, round_id=round_id, length=length, span=span)
        members = {name: self.member(pact, name, identities[name], entropy) for name in names}
        return Session(self.server(pact), members)


PROTECTIONS: Registry[Protection] = Registry("protection")
"""Protections by the stem of their file."""


@dataclass(frozen=True)
class Played:
    """What a round gave: the sum, and by member the bytes that it sent and that it was told."""

    total: Fixed
    sent: Mapping[str, int]
    told: Mapping[str, int]


def play(session: Session, values: Mapping[str, Values]) -> Played:
    """Carry all messages of a round in which nobody is lost."""
    sent, told = dict.fromkeys(session.members, 0), dict.fromkeys(session.members, 0)
    while (total := session.server.total) is None:
        for name, words in session.server.told().items():
            message = session.members[name].answer(words, values[name])
            session.server.take(name, message)
            sent[name] += len(message)
            told[name] += len(words)
        session.server.close()
    return Played(total, sent, told)


def require_group(group: Iterable[str], minimum: int) -> tuple[str, ...]:
    """Return the group sorted; too few members, or one twice, is refused."""
    members = tuple(sorted(group))
    if len(members) < minimum:
        raise Refusal(
            "E-GROUP-SMALL",
            Message(
                f"本组只有 {len(members)} 个成员，少于 {minimum} 个。",
                f"The group has {len(members)} of {minimum} members.",
            ),
            Message("请并入上一级，或改用别的保护方式。", "Fold it into the level above, or use another protection."),
        )
    if len(set(members)) != len(members):
        raise Refusal(
            "E-GROUP-MEMBER",
            Message(f"成员重名：{list(members)}。", f"A member stands twice: {list(members)}."),
            Message("请核对名单。", "Check the list of members."),
        )
    return members
