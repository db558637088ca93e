"""What is said of a source that stands out, and of the sums it stands in."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["CohortFinding", "Finding", "Judgement", "Robust"]

_NOTHING = 1e-9
"""Of the largest weight: what is left of a weight that cancels."""
_WEIGHTLESS = Message(
    "消去被排除的来源后，各和数的组合中该来源权重为零；对其并无异议。",
    "It weighs nothing in the combination of sums that cancels those left out; nothing is held against it.",
)


@dataclass(frozen=True)
class CohortFinding:
    """One revealed sum under the public tests.

    Parameters
    ----------
    members : whose sum it is
    times : squared distance of its residual moment from what honest members give, over its expectation; 1 is usual
    chance : probability of at least that distance among honest members
    beyond : the bound that it breaks; such a sum is not used
    """

    members: tuple[SourceId, ...]
    times: float
    chance: float
    beyond: Message | None = None


@dataclass(frozen=True)
class Finding:
    """Why a source stands out.

    Parameters
    ----------
    probability : that it is among those that explain the sums, over all explanations found
    shift : length of what it adds a record, in standard deviations of the label
    cohorts : places in ``Judgement.cohorts`` of the sums it stands in
    told : one sentence in both languages
    """

    probability: float
    shift: float
    cohorts: tuple[int, ...]
    told: Message


@dataclass(frozen=True)
class Judgement:
    """Who stood out, and on what evidence.

    Parameters
    ----------
    weights : what each source counts in what is joined; 1 in a plain sum
    excluded : left out, and named: no other explanation is nearly as good, and no hospital is merely that unusual
    undecided : left out, and not to be blamed: the sums cannot tell them from others, or their sums break a bound
    suspected : standing out, but kept, as they do no harm that matters
    cohorts : every revealed sum
    harm : mean squared difference, on the target's records, between predictions of the plain join and of the join
        without them, over the variance of the label around the line
    against : mean over its standard error, on the target's judging records, of the squared error of the plain join less
        that of the other; nobody is left out unless it is at least .5; both are infinite where a sum breaks a bound
    notes : what was met on the way
    leverage : largest leverage of a source in all that was revealed
    """

    weights: Mapping[SourceId, float]
    excluded: Mapping[SourceId, Finding]
    undecided: Mapping[SourceId, Finding]
    suspected: Mapping[SourceId, Finding]
    cohorts: tuple[CohortFinding, ...]
    harm: float
    against: float
    notes: tuple[Message, ...]
    leverage: float

    @property
    def left_out(self) -> tuple[SourceId, ...]:
        """Those who are not joined, named or not."""
        return tuple(sorted([*self.excluded, *self.undecided]))

    @property
    def joined_sources(self) -> tuple[SourceId, ...]:
        """Those that count in what is joined."""
        least = _NOTHING * max(self.weights.values(), default=0.0)
        return tuple(source for source, weight in self.weights.items() if weight > least)

    @property
    def missing(self) -> dict[SourceId, Message]:
        """Why every other source does not count in it."""
        told = {source: finding.told for source, finding in (*self.excluded.items(), *self.undecided.items())}
        there = set(self.joined_sources)
        return {source: told.get(source, _WEIGHTLESS) for source in self.weights if source not in there}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values: ``null`` for what is not known, or infinite."""
        return {
            "weights": dict(self.weights),
            **{
                name: {source: _plain(asdict(finding)) for source, finding in getattr(self, name).items()}
                for name in ("excluded", "undecided", "suspected")
            },
            "cohorts": [_plain(asdict(cohort)) for cohort in self.cohorts],
            "harm": _told(self.harm),
            "against": _told(self.against),
            "notes": [asdict(note) for note in self.notes],
            "leverage": self.leverage,
        }

    @staticmethod
    def from_dict(told: Mapping[str, Any]) -> "Judgement":
        """Return what ``to_dict`` told."""
        excluded, undecided, suspected = (
            {source: _finding(one) for source, one in told[name].items()}
            for name in ("excluded", "undecided", "suspected")
        )
        return Judgement(
            weights=told["weights"],
            excluded=excluded,
            undecided=undecided,
            suspected=suspected,
            cohorts=tuple(_cohort(one) for one in told["cohorts"]),
            harm=_heard(told["harm"], math.inf),
            against=_heard(told["against"], math.inf),
            notes=tuple(Message(**note) for note in told["notes"]),
            leverage=told["leverage"],
        )


@dataclass(frozen=True, eq=False)
class Robust(Judgement):
    """What may be joined, and who stood out.

    Parameters
    ----------
    joined : the statistic to be merged with the target's own; the plain sum of all where nobody is left out, otherwise
        a combination of the revealed sums in which those left out weigh exactly nothing
    """

    joined: Statistic


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _told(value) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
        for name, value in told.items()
    }


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _heard(value: float | None, unknown: float = math.nan) -> float:
    return unknown if value is None else value


def _finding(told: Mapping[str, Any]) -> Finding:
    return Finding(_heard(told["probability"]), _heard(told["shift"]), tuple(told["cohorts"]), Message(**told["told"]))


def _cohort(told: Mapping[str, Any]) -> CohortFinding:
    beyond = told["beyond"] and Message(**told["beyond"])
    return CohortFinding(tuple(told["members"]), _heard(told["times"]), _heard(told["chance"]), beyond)
