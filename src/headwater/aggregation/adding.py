"""The side that adds, where its members are on other machines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headwater.aggregation.opening import SPEAK, Play
from headwater.errors import Message, Refusal
from headwater.federation.line import Line, answered
from headwater.registry import Registry
from headwater.security import PROTECTIONS, Identity, Played, Protection, Session, play
from headwater.security.identity import framed
from headwater.security.protection import Asking, Values
from headwater.security.task import Task, digest
from headwater.types import Fixed

__all__ = ["Adder"]


@dataclass(frozen=True)
class Adder:
    """Plays rounds with members that are reached by a line.

    Parameters
    ----------
    identity : whose key every opening names
    asking : how the members of a phase are asked, e.g. ``AtOnce``
    clock : seconds since 1970 (UTC)
    valid : seconds for which what is asked may be done
    protections : with the public keys of those who hold secret ones elsewhere
    """

    identity: Identity
    line: Line
    asking: Asking
    clock: Callable[[], float]
    valid: float
    protections: Mapping[str, Protection] | Registry[Protection] = field(default_factory=lambda: PROTECTIONS)

    def play(self, asked: Play, question: bytes) -> Played:
        """Play a group to its end; whoever is silent, late, or refuses is lost from then on."""
        pact = asked.pact
        members = {name: _Elsewhere(self, asked, name, question) for name in pact.group}
        session = Session(self.protections[pact.protection].server(pact), members, pact)
        return play(session, dict.fromkeys(asked.openings, _elsewhere), asking=self.asking)

    def expires(self) -> int:
        """Return until when what is asked now may be done."""
        return int(self.clock() + self.valid)


@dataclass
class _Elsewhere:
    """A member of which this process has the name alone."""

    adder: Adder
    play: Play
    name: str
    question: bytes
    _is_open: bool = False

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return what the node says; the first time it is told what this is about as well."""
        asked, pact = self.play, self.play.pact
        task = Task(
            node=self.name,
            purpose=asked.purpose,
            run=asked.run,
            round_id=pact.round_id,
            phase=told[0],
            expires=self.adder.expires(),
            pact=pact.digest,
            asked=digest(told),
        )
        first = () if self._is_open else (*asked.openings[self.name], self.question)
        message = framed(SPEAK, task.sealed(self.adder.identity), told, *first)
        answer = answered(self.adder.line, self.name, message)
        self._is_open = True
        return answer

    def to_bytes(self) -> bytes:
        """Return nothing: its state is its node's."""
        return b""


def _elsewhere() -> Fixed:
    raise Refusal(
        "E-MEMBER-ELSEWHERE",
        Message("成员的数值在其节点上。", "The member's values are at its node."),
        Message("请向该节点询问。", "Ask the node."),
    )
