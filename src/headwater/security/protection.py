"""The seam of every protection: a server tells, members answer, phase by phase, until there is a sum or an abort.

Whoever carries the messages (a loop in this process, a job on real nodes) sees bytes alone and decides when a phase is
over; nobody else's work is done here. A protection of one phase is answered once; one of five phases five times.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, Protocol, TypeAlias

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.transport import SourceFault
from headwater.registry import Registry
from headwater.security.desk import SEAL_BYTES
from headwater.security.identity import Entropy, Identity
from headwater.security.packing import packed_bytes
from headwater.security.pact import KeyOf, Pact, Span
from headwater.security.refusals import ENDS
from headwater.types import Fixed

__all__ = [
    "Asking",
    "Carry",
    "Member",
    "PROTECTIONS",
    "Played",
    "Protection",
    "Server",
    "Session",
    "Values",
    "in_turn",
    "other_holder",
    "play",
    "require_group",
    "straight",
]

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
    """Server and members of one round in one process, and what they agreed on."""

    server: Server
    members: Mapping[str, Member]
    pact: Pact


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

    @property
    def key_of(self) -> KeyOf | None:
        """Whose key sums are encrypted to, as it must stand in a pact; None where there is no such key."""
        return None

    def server(self, pact: Pact, *, state: bytes = b"") -> Server:
        """Return the server, at the beginning or at the state that ``to_bytes`` gave."""
        ...

    def member(self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b"") -> Member:
        """Return the member, at the beginning or at the state that ``to_bytes`` gave."""
        ...

    def require(self, pact: Pact) -> None:
        """Refuse a pact that is not for this protection.

        Raises
        ------
        Refusal
            ``E-PACT-PROTECTION`` for one of another protection, ``E-PACT-HOLDER`` for one that names another holder,
            another key of it, none where there must be one, or one where there is none; ``E-GROUP-SMALL``
        """
        if pact.protection != self.name:
            raise _other_protection(pact.protection, self.name)
        if pact.holder != self.key_of:
            raise other_holder(pact.holder, self.key_of)
        require_group(pact.group, self.minimum)

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
        pact = Pact.of(self.name, publics, round_id=round_id, length=length, span=span, holder=self.key_of)
        members = {name: self.member(pact, name, identities[name], entropy) for name in names}
        return Session(self.server(pact), members, pact)


PROTECTIONS: Registry[Protection] = Registry("protection")
"""Protections by the stem of their file."""


Carry: TypeAlias = Callable[[str, Member, bytes, Values], bytes]
"""How a member, by name, is told and its answer comes back; who cannot be reached raises a ``SourceFault``."""


def straight(name: str, member: Member, told: bytes, values: Values) -> bytes:
    """Carry as within one process: everybody is reached."""
    return member.answer(told, values)


Asking: TypeAlias = Callable[[Mapping[str, Callable[[], bytes]]], Iterable[tuple[str, bytes | HeadwaterError]]]
"""How all members of a phase are asked: each answer, or the fault in its place, as it comes, and none twice."""


def in_turn(asked: Mapping[str, Callable[[], bytes]]) -> Iterator[tuple[str, bytes | HeadwaterError]]:
    """Ask one after another, in their order: for members of this process, who draw from one entropy."""
    for name, ask in asked.items():
        try:
            yield name, ask()
        except SourceFault as fault:
            yield name, _kept(fault)


@dataclass(frozen=True)
class Played:
    """What a round gave.

    Parameters
    ----------
    total : the sum of the survivors' vectors; None of a round that ended, which reveals nothing
    survivors : whose vectors are in the sum
    lost : by member whose vector is not in a sum, why
    sent, told : by member, the bytes that it sent and that it was told
    """

    total: Fixed | None
    survivors: tuple[str, ...]
    lost: Mapping[str, HeadwaterError]
    sent: Mapping[str, int]
    told: Mapping[str, int]


def play(
    session: Session, values: Mapping[str, Values], *, carry: Carry = straight, asking: Asking = in_turn
) -> Played:
    """Carry all messages of a round. Whoever cannot be reached once is lost from then on.

    So is a member of whom the server refuses an answer. With too many lost the round ends as the server refuses to
    close a phase. What a member itself refuses, its own values or the server's words, is no loss, and passes through.

    Parameters
    ----------
    values : how to get each member's vector; whoever has none is lost from the beginning
    asking : how members are asked, whose answers may come in any order: the sum is the same bits
    """
    sent, told = dict.fromkeys(session.members, 0), dict.fromkeys(session.members, 0)
    faults: dict[str, HeadwaterError] = {name: _silent(name) for name in session.members if name not in values}
    while (total := session.server.total) is None:
        phase = {name: words for name, words in session.server.told().items() if name not in faults}
        for name, words in phase.items():
            told[name] += len(words)
        ask = {name: partial(carry, name, session.members[name], words, values[name]) for name, words in phase.items()}
        for name, message in asking(ask):
            if isinstance(message, HeadwaterError):
                faults[name] = message
                continue
            sent[name] += len(message)
            try:
                session.server.take(name, message)
            except Refusal as refusal:
                faults[name] = _kept(refusal)
        try:
            session.server.close()
        except Refusal as end:
            if end.code not in ENDS:
                raise
            lost = {name: faults.get(name, _kept(end)) for name in session.members}
            return Played(None, (), lost, sent, told)
    survivors = session.server.survivors
    lost = {name: fault for name, fault in faults.items() if name not in survivors}
    return Played(total, survivors, lost, sent, told)


def _kept(error: HeadwaterError) -> HeadwaterError:
    """Return the error without the frames in which it arose: they hold on to every vector of the round."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _silent(name: str) -> SourceFault:
    return SourceFault(
        "E-MEMBER-SILENT",
        Message(f"成员“{name}”没有可汇总的内容。", f"The member {name!r} has nothing to say."),
        Message("请核查它以下的来源。", "Examine the sources below it."),
    )


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


def other_holder(named: KeyOf | None, expected: KeyOf | None) -> Refusal:
    """Refuse a pact that says otherwise who holds the key."""
    one, other = (f"{key.name} {key.digest.hex()[:16]}" if key else "-" for key in (named, expected))
    return Refusal(
        "E-PACT-HOLDER",
        Message(
            f"约定写明的密钥持有方是“{one}”，应为“{other}”。",
            f"The pact names as holder of the key {one}, and it must be {other}.",
        ),
        Message("请以登记的持有方及其公钥重新约定。", "Agree anew, with the holder and the public key registered."),
    )


def _other_protection(named: str, expected: str) -> Refusal:
    return Refusal(
        "E-PACT-PROTECTION",
        Message(f"约定的保护方式是“{named}”，不是“{expected}”。", f"The pact is for {named!r}, not for {expected!r}."),
        Message("请改用约定的保护方式。", "Use the protection that was agreed on."),
    )
