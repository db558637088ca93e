"""What is said of a source that stands out, and of the sums it stands in."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["CohortFinding", "Finding", "Robust"]


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
    cohorts : places in ``Robust.cohorts`` of the sums it stands in
    told : one sentence in both languages
    """

    probability: float
    shift: float
    cohorts: tuple[int, ...]
    told: Message


@dataclass(frozen=True, eq=False)
class Robust:
    """What may be joined, and who stood out.

    Parameters
    ----------
    joined : the statistic to be merged with the target's own; the plain sum of all where nobody is left out, otherwise
        a combination of the revealed sums in which those left out weigh exactly nothing
    weights : what each source counts in it; 1 in a plain sum
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

    joined: Statistic
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
