"""Groups whose members, and whose tiers, are nodes of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from headwater.aggregation.adding import Adder
from headwater.aggregation.exposure import Exposure
from headwater.aggregation.opening import PLAY, Opening, Play
from headwater.aggregation.sitting import Heard, Sitting
from headwater.aggregation.sums import Sums
from headwater.errors import HeadwaterError, Message
from headwater.federation import wire
from headwater.federation.line import answered
from headwater.federation.transport import SourceFault
from headwater.security.identity import framed
from headwater.security.pact import Pact
from headwater.security.protection import Asking, in_turn
from headwater.security.task import Task, digest
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Afar"]


@dataclass(frozen=True)
class Afar:
    """The region's side of a fold over nodes: it signs what everybody is asked, and adds at the root alone.

    The sum of another tier never comes here: that tier keeps it and says it in the group above, as its member.

    Parameters
    ----------
    name : the tier that is played in this process
    adder : of this process; its identity is the region's
    publics : Ed25519 public keys of all nodes, as they were registered
    question : as ``wire.written`` gives it
    exposures : of every source
    tiers : how tiers are asked that play elsewhere, e.g. ``AtOnce`` with time for all phases of a group
    """

    name: str
    adder: Adder
    publics: Mapping[str, bytes]
    question: bytes
    purpose: str
    run: str
    exposures: Mapping[SourceId, Sequence[Exposure]]
    tiers: Asking = in_turn
    _sums: Sums = field(default_factory=Sums, init=False)
    _played: dict[tuple[str, str], list[str]] = field(default_factory=dict, init=False)

    def play(self, sittings: Sequence[Sitting]) -> list[Heard]:
        """Have tiers elsewhere play their groups at once, and play this one's; see ``Player``."""
        plays = [self._asked(sitting) for sitting in sittings]
        elsewhere = {
            asked.pact.round_id: partial(self._elsewhere, asked)
            for asked in plays
            if asked.sitting.group.tier != self.name
        }
        told = dict(self.tiers(elsewhere))
        return [self._heard(asked, told.get(asked.pact.round_id)) for asked in plays]

    def total(self, strand: str, tier: str) -> Statistic:
        """Return the root's sum of a strand; see ``Player``."""
        return self._sums.said(strand, tier)

    def _asked(self, sitting: Sitting) -> Play:
        group = sitting.group
        pact = Pact.of(
            group.protection,
            {name: self.publics[name] for name in group.members},
            round_id=sitting.round_id,
            length=sitting.length,
            span=sitting.span,
            holder=self.adder.protections[group.protection].key_of,
        )
        openings = {name: self._opening(sitting, pact, name) for name in sitting.present}
        return Play(self.purpose, self.run, sitting, pact, openings)

    def _heard(self, asked: Play, told: bytes | HeadwaterError | None) -> Heard:
        """Return what is public of a group, played here if no tier was asked to play it.

        A tier that cannot be reached, or tells of others than it was asked about, is lost with all its members.
        """
        group, pact = asked.sitting.group, asked.pact
        if told is None:
            played = self.adder.play(asked, self.question)
            self._sums.add(asked.sitting, played.total)
            return Heard.of(pact, played)
        try:
            if isinstance(told, HeadwaterError):
                raise told
            heard = wire.read(told, Heard)
            if not _fits(asked, heard):
                raise _odd(group.tier)
        except HeadwaterError as error:
            return Heard(pact, (), dict.fromkeys(pact.group, error), {}, {})
        if heard.survivors:
            self._played.setdefault((group.strand, group.tier), []).append(pact.round_id)
        return heard

    def _opening(self, sitting: Sitting, pact: Pact, name: str) -> tuple[bytes, bytes]:
        """Return a member's signed task, and what it is about."""
        group, sums = sitting.group, tuple(self._played.get((sitting.group.strand, name), ()))
        adder = self.adder.identity.public if group.tier == self.name else self.publics[group.tier]
        asked, seen = (b"", ()) if sums else (digest(self.question), tuple(self.exposures[name]))
        opening = wire.written(Opening(self.purpose, self.run, sitting, pact, adder, asked, sums, seen))
        return self._task(name, pact, opening), opening

    def _task(self, node: str, pact: Pact, asked: bytes) -> bytes:
        return Task(
            node, self.purpose, self.run, pact.round_id, 0, self.adder.expires(), pact.digest, digest(asked)
        ).sealed(self.adder.identity)

    def _elsewhere(self, asked: Play) -> bytes:
        tier, text = asked.sitting.group.tier, wire.written(asked)
        message = framed(PLAY, self._task(tier, asked.pact, text), text, self.question)
        return answered(self.adder.line, tier, message)


def _fits(asked: Play, heard: Heard) -> bool:
    """Whether a tier tells of the group that it was asked to play, and of each of its members once."""
    members, survivors = set(asked.pact.group), set(heard.survivors)
    told = (heard.lost.keys() | survivors) == members and not heard.lost.keys() & survivors
    known = heard.sent.keys() <= members and heard.told.keys() <= members
    return heard.pact == asked.pact and survivors <= asked.openings.keys() and told and known


def _odd(tier: str) -> SourceFault:
    return SourceFault(
        "E-TIER-ODD",
        Message(f"层级“{tier}”所报的成员不是其分组的成员。", f"The tier {tier!r} tells of others than its group has."),
        Message("请核查该节点的版本。", "See which release that node runs."),
    )
