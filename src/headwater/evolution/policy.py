"""Decide about a source from the evidence on it: a pure function, so asking it is a dry run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from headwater.errors import Message
from headwater.evolution.budgets import LABOURED, Budgets, Cost
from headwater.evolution.detector import Change
from headwater.evolution.presence import State
from headwater.evolution.recurring import Turn
from headwater.evolution.standing import ACTIONS, COUNTED, Action, Standing
from headwater.types import SourceId

__all__ = ["Decision", "Evidence", "Plan", "Policy"]


@dataclass(frozen=True)
class Evidence:
    """All that is known of one source when it is decided about.

    Parameters
    ----------
    values : what it was worth in each period so far, in the unit of the utility; None: it did not answer
    change : of its value, if one was noticed in the newest period
    presence : its state of answering; ``outage`` says no more than None does
    turn : how what it says itself is something else than what counts of it, where its value changed or it may come in
    cost : of asking it in the next period (ε, bytes), and of acting on it (labour)
    news : records that it has and never told of, where that is known
    rest : why it was not asked in the newest period; None: it was
    """

    values: Sequence[float | None]
    change: Change | None = None
    presence: State = "present"
    turn: Turn | None = None
    cost: Cost = Cost()
    news: float = 0.0
    rest: Message | None = None

    @property
    def observed(self) -> tuple[float, ...]:
        """The values that there are."""
        return tuple(value for value in self.values if value is not None)

    @property
    def newest(self) -> float:
        """The newest value that there is; 0 if there is none."""
        return next((value for value in reversed(self.values) if value is not None), 0.0)

    @property
    def absent(self) -> bool:
        """Whether the newest period has no value."""
        return not self.values or self.values[-1] is None

    @property
    def shift(self) -> Change | None:
        """The change, if it is one of level: another variance alone makes nothing better or worse."""
        return self.change if self.change is not None and self.change.kind == "level" else None

    @property
    def silence(self) -> int:
        """Periods since its last value."""
        return next((ago for ago, value in enumerate(reversed(self.values)) if value is not None), len(self.values))


@dataclass(frozen=True)
class Decision:
    """What to do with one source, and why.

    Parameters
    ----------
    action : what is done now
    standing : of the source afterwards
    reason : one sentence
    asked : whether it is asked in the next period, as long as no person has approved anything
    since : with ``refresh`` and ``promote``: what it said before this time does not count; None: all counts
    regime : with ``recall``: number of the regime whose statistic counts again
    unapproved : standing that holds until a person approves, and for good if none does; None: no approval is needed
    """

    action: Action
    standing: Standing
    reason: Message
    asked: bool = True
    since: float | None = None
    regime: int | None = None
    unapproved: Standing | None = None

    def told(self, reason: Message, *, asked: bool) -> "Decision":
        """Return the same with another reason; most sources need one in every period, and ``replace`` takes long."""
        return Decision(self.action, self.standing, reason, asked, self.since, self.regime, self.unapproved)

    @property
    def counted(self) -> bool:
        """Whether the source's statistic is in the model afterwards."""
        return self.standing in COUNTED


@dataclass(frozen=True)
class Plan:
    """The decisions of one period about all sources, within its budgets.

    Parameters
    ----------
    decisions : by source, in the order of names
    spent : labour of the actions now, ε and bytes of asking in the next period
    """

    decisions: Mapping[SourceId, Decision]
    spent: Cost

    @property
    def standings(self) -> dict[SourceId, Standing]:
        """Standings afterwards, as long as no person has approved anything."""
        return {source: made.unapproved or made.standing for source, made in self.decisions.items()}


@dataclass(frozen=True)
class Policy:
    """Hysteresis: values must leave a band, and stay out of it, before a standing changes.

    A value below ``harm`` is bad, one above ``use`` is good, and one between is neither: it ends a run of either, so
    noise within the band changes nothing. Absence is no value: it neither ends nor prolongs a run.

    - One bad value puts a member on probation; ``promote_after`` good ones in a row end it.
    - ``demote_after`` bad values in a row, or a proven fall into harm, demote: the source leaves the model.
    - One good value of a demoted source starts a trial; ``promote_after`` in a row, or a proven rise, promote.
    - ``remove_after`` bad values in a row remove a demoted source, if a person approves; it stays demoted otherwise.
    - A source whose value changed because it turned itself, and that is still of use, is refreshed, or the regime is
      recalled that is back. A value that moved for other reasons, as another source left, does neither. One of variance
      alone decides nothing.
    - A source that is leaving goes on probation, and none that is leaving is promoted.
    - A closed source is asked only if it delivers again. What it said stays in the model if ``closed_stays`` and its
      last value was not bad: a closed hospital's records are as true as they were. Otherwise, and as long as it has
      nothing new, it is removed, if a person approves.

    Parameters
    ----------
    harm, use : edges of the band, in the unit of the utility; harm <= use
    demote_after, promote_after, remove_after : consecutive observed values that must agree;
        demote_after <= remove_after
    closed_stays : whether a closed source's statistic may stay
    approve : actions that a person must approve; until then, and by default, the standing stays as it was
    tell : how a time is told in reasons, e.g. as a month
    """

    harm: float = 0.0
    use: float = 0.0
    demote_after: int = 2
    promote_after: int = 2
    remove_after: int = 8
    closed_stays: bool = True
    approve: frozenset[Action] = field(default=frozenset({"remove"}))
    tell: Callable[[float], str] = "{:g}".format

    def __post_init__(self) -> None:
        if not self.harm <= self.use or min(self.demote_after, self.promote_after) < 1:
            raise ValueError("harm must not exceed use, and no wait must be below 1")
        if self.remove_after < self.demote_after:
            raise ValueError("removing must not come before demoting")

    def decide(self, evidence: Evidence, standing: Standing) -> Decision:
        """Return the decision about one source, as if budgets had no end.

        >>> Policy().decide(Evidence([0.2, -0.1, None]), "member").action
        'keep'
        >>> Policy().decide(Evidence([0.2, -0.1]), "member").standing
        'probation'
        >>> Policy().decide(Evidence([0.2, -0.1, None, -0.1]), "probation").standing
        'demoted'
        """
        made = self._decided(evidence, standing)
        return replace(made, unapproved=standing) if made.action in self.approve else made

    def plan(
        self,
        evidence: Mapping[SourceId, Evidence],
        standings: Mapping[SourceId, Standing],
        *,
        budgets: Budgets,
    ) -> Plan:
        """Return what a period does about all sources; a source without a standing is on trial.

        Actions that take labour are served in the order of ``ACTIONS``, then by value; what finds no room waits.
        Then who is asked next is chosen: the model's sources first, then trials, then demoted ones, each time those
        first that have most news, then that were silent longest. The order in which sources are given does not matter.
        """
        before = {source: standings.get(source, "trial") for source in sorted(evidence)}
        decisions = {source: self.decide(evidence[source], standing) for source, standing in before.items()}
        spent = Cost()
        laboured = (source for source, made in decisions.items() if made.action in LABOURED)
        for source in sorted(laboured, key=lambda name: _urgency(decisions[name], evidence[name], name)):
            labour = Cost(labour=evidence[source].cost.labour)
            if budgets.allows(spent, labour):
                spent += labour
            else:
                decisions[source] = _waiting(decisions[source], before[source])
        for source in sorted(decisions, key=lambda name: _turn(decisions[name], evidence[name], name)):
            made, asking = decisions[source], evidence[source].cost.asking
            if not made.asked:
                continue
            if budgets.allows(spent, asking):
                spent += asking
            else:
                decisions[source] = _unasked(made, evidence[source])
        return Plan(decisions, spent)

    def _decided(self, evidence: Evidence, standing: Standing) -> Decision:
        if standing == "removed":
            return Decision("keep", standing, _REMOVED, asked=False)
        if evidence.presence == "closed":
            return self._closed(evidence, standing)
        if evidence.presence == "leaving" and standing == "member":
            return Decision("probation", "probation", _LEAVING)
        if evidence.absent:
            return Decision("keep", standing, evidence.rest or _ABSENT)
        rule = self._counted if standing in COUNTED else self._outside
        return rule(evidence, standing)

    def _closed(self, evidence: Evidence, standing: Standing) -> Decision:
        if evidence.news > 0:
            return Decision("keep", standing, evidence.rest or _DELIVERS_AGAIN)
        bad = self._run(evidence, self._is_bad) > 0
        if standing in COUNTED and self.closed_stays and not bad:
            return Decision("keep", standing, evidence.rest or _CLOSED_STAYS, asked=False)
        return Decision("remove", "removed", _CLOSED_GOES, asked=False)

    def _counted(self, evidence: Evidence, standing: Standing) -> Decision:
        worth, change = evidence.newest, evidence.shift
        bad, good = self._run(evidence, self._is_bad), self._run(evidence, self._is_good)
        if bad and change is not None and change.size < 0:
            return Decision("demote", "demoted", _fell(change, self.tell(change.onset)))
        if bad >= self.demote_after:
            return Decision("demote", "demoted", _persistent(worth, bad, "移出模型，继续观察", "out of the model"))
        if bad and standing == "member":
            return Decision("probation", "probation", _valued(worth, "有害，留用察看", "harmful, on probation"))
        if not bad and change is not None and evidence.turn is not None:
            return self._turned(evidence.turn, worth, standing)
        if standing == "probation" and good >= self.promote_after and evidence.presence != "leaving":
            return Decision("promote", "member", _persistent(worth, good, "解除察看", "probation ends"))
        return Decision("keep", standing, _valued(worth, "继续使用", "kept"))

    def _outside(self, evidence: Evidence, standing: Standing) -> Decision:
        worth, change = evidence.newest, evidence.shift
        bad, good = self._run(evidence, self._is_bad), self._run(evidence, self._is_good)
        if evidence.presence != "leaving" and good:
            if evidence.turn is not None and evidence.turn.regime is not None:
                return _recalled(evidence.turn.regime, worth)
            if good >= self.promote_after:
                return Decision("promote", "member", _persistent(worth, good, "加入模型", "into the model"))
            if change is not None and change.size > 0:
                since = evidence.turn.since if evidence.turn else None
                return Decision("promote", "member", _rose(change, self.tell(change.onset)), since=since)
            if standing == "demoted":
                return Decision("trial", "trial", _valued(worth, "重新试用", "on trial again"))
        if bad >= self.remove_after and standing == "demoted":
            return Decision("remove", "removed", _persistent(worth, bad, "永久移除", "removed for good"))
        if bad >= self.demote_after and standing == "trial":
            return Decision("demote", "demoted", _persistent(worth, bad, "试用未过", "its trial failed"))
        return Decision("keep", standing, _valued(worth, "继续观察", "watched"))

    def _turned(self, turn: Turn, worth: float, standing: Standing) -> Decision:
        if turn.regime is not None:
            return replace(_recalled(turn.regime, worth), standing=standing)
        when = self.tell(turn.since)
        reason = Message(
            f"其数据自 {when} 起改变而仍有益：此前统计量移出模型。",
            f"It changed at {when} and is still of use: what it said before leaves the model.",
        )
        return Decision("refresh", standing, reason, since=turn.since)

    def _is_bad(self, value: float) -> bool:
        return value < self.harm

    def _is_good(self, value: float) -> bool:
        return value > self.use

    @staticmethod
    def _run(evidence: Evidence, test: Callable[[float], bool]) -> int:
        """Return how many of the newest values in a row pass the test."""
        return len(list(takewhile(test, reversed(evidence.observed))))


_ABSENT = Message("本期缺席；缺席不等于价值低，不作变动。", "Absent; absence is not a low value, so nothing changes.")
_REMOVED = Message("已移除，不再询问；只有人可以恢复。", "Removed and not asked; only a person brings it back.")
_LEAVING = Message(
    "回应越来越少，可能退出：留用察看，已有统计量仍有效。",
    "It answers less and less and may be leaving: on probation, and what it said still counts.",
)
_CLOSED_STAYS = Message(
    "已关闭，不再询问；其最近价值无害，已有统计量保留在模型中。",
    "Closed and not asked; its last value was not harmful, so what it said stays in the model.",
)
_CLOSED_GOES = Message(
    "已关闭，不再询问；其统计量不在模型中或无益，移除。",
    "Closed and not asked; what it said is not in the model or of no use: removed.",
)
_DELIVERS_AGAIN = Message(
    "曾判为关闭，现有新记录：重新询问。", "It was taken for closed and has new records: it is asked again."
)


def _urgency(made: Decision, evidence: Evidence, source: SourceId) -> tuple[int, float, SourceId]:
    return list(ACTIONS).index(made.action), -evidence.newest, source


_TURNS: tuple[Standing, ...] = ("member", "probation", "trial", "demoted", "removed")


def _turn(made: Decision, evidence: Evidence, source: SourceId) -> tuple[int, float, int, float, SourceId]:
    return _TURNS.index(made.standing), -evidence.news, -evidence.silence, -evidence.newest, source


def _waiting(made: Decision, before: Standing) -> Decision:
    reason = Message(
        f"本期人力预算已用完，下列决定顺延：{made.reason.zh}",
        f"Waits, as the period's labour is spent: {made.reason.en}",
    )
    return Decision("wait", before, reason, asked=made.asked)


def _unasked(made: Decision, evidence: Evidence) -> Decision:
    if made.reason is evidence.rest:
        return made.told(made.reason, asked=False)
    reason = Message(
        f"{made.reason.zh}下期不询问：预算已用完。", f"{made.reason.en} Not asked next period: the budget is spent."
    )
    return made.told(reason, asked=False)


def _recalled(regime: int, worth: float) -> Decision:
    reason = Message(
        f"价值 {worth:.4g}，第 {regime} 种情形重现：重新使用当时的统计量。",
        f"Worth {worth:.4g} and its regime {regime} is back: what it said then counts again.",
    )
    return Decision("recall", "member", reason, regime=regime)


def _fell(change: Change, when: str) -> Message:
    return Message(
        f"价值自 {when} 起下降 {-change.size:.4g}（置信度 {change.confidence:.4f}），移出模型。",
        f"Its value fell by {-change.size:.4g} at {when} (confidence {change.confidence:.4f}): demoted.",
    )


def _rose(change: Change, when: str) -> Message:
    return Message(
        f"价值自 {when} 起上升 {change.size:.4g}（置信度 {change.confidence:.4f}），加入模型。",
        f"Its value rose by {change.size:.4g} at {when} (confidence {change.confidence:.4f}): promoted.",
    )


def _valued(worth: float, zh: str, en: str) -> Message:
    return Message(f"价值 {worth:.4g}，{zh}。", f"Worth {worth:.4g}: {en}.")


def _persistent(worth: float, times: int, zh: str, en: str) -> Message:
    return Message(f"连续 {times} 期价值约 {worth:.4g}，{zh}。", f"Worth about {worth:.4g} for {times} periods: {en}.")
