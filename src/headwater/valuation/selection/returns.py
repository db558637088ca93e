"""Do returns diminish: does a source add less to more sources? On it stands what greedy choice can promise.

Source: the submodularity ratio of Das and Kempe 2011, estimated on random chains of coalitions.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from headwater.types import Masks, Vector
from headwater.valuation.selection.problem import Places, Problem

__all__ = ["Returns", "returns"]

_MEMBERS = 64
_PAIRS = 100
_CHAINS = 20
_RESAMPLES = 400
_RARE = 0.05


@dataclass(frozen=True)
class Returns:
    """What a sample of coalitions says.

    Parameters
    ----------
    ratio, low, high : what sources add one by one over what they add together, and the ends of its 95 % interval
        (bootstrap); at least 1 where returns diminish
    violated, violated_low, violated_high : share of pairs of nested coalitions in which a source adds more to the
        larger one, and the ends of its 95 % interval (Clopper and Pearson)
    monotone : no source took anything away in the sample
    """

    ratio: float
    low: float
    high: float
    violated: float
    violated_low: float
    violated_high: float
    monotone: bool

    @property
    def diminish(self) -> bool:
        """Whether returns diminish as far as the sample can tell: violations are rare, the ratio may be 1 or more."""
        return self.violated_high <= _RARE and self.high >= 1.0


def returns(problem: Problem, rng: np.random.Generator) -> Returns:
    """Test diminishing returns among those who may be chosen, of many a sample; a single source passes."""
    members = np.flatnonzero(problem.allowed)
    if len(members) < 2:
        return Returns(1.0, 1.0, 1.0, 0.0, 0.0, 0.0, True)
    problem = problem.among(np.sort(rng.choice(members, size=min(len(members), _MEMBERS), replace=False)))
    members = np.arange(len(problem.players))
    inner, outer, added = _nested(problem, members, rng)
    gains = _gains(problem, np.concatenate([inner, outer]), np.concatenate([added, added])).reshape(2, _PAIRS)
    scale = 1e-9 * max(1e-12, float(np.abs(gains).max()))
    violations = int((gains[1] > gains[0] + scale).sum())
    exact = stats.binomtest(violations, _PAIRS).proportion_ci(method="exact")
    ratio, low, high = _ratio(problem, members, rng)
    share = violations / _PAIRS
    return Returns(ratio, low, high, share, exact.low, exact.high, bool((gains >= -scale).all()))


def _nested(problem: Problem, members: Places, rng: np.random.Generator) -> tuple[Masks, Masks, Places]:
    """Return coalitions S ⊂ T and a source outside T, of every size alike."""
    inner = np.zeros((_PAIRS, len(problem.players)), dtype=np.bool_)
    outer, added = inner.copy(), np.empty(_PAIRS, dtype=np.int64)
    for row in range(_PAIRS):
        order = rng.permutation(members)
        larger = int(rng.integers(1, len(members)))
        smaller = int(rng.integers(0, larger))
        inner[row, order[:smaller]] = True
        outer[row, order[:larger]] = True
        added[row] = order[larger]
    return inner, outer, added


def _gains(problem: Problem, coalitions: Masks, added: Places) -> Vector:
    more = coalitions.copy()
    more[np.arange(len(added)), added] = True
    return problem.utilities(more) - problem.utilities(coalitions)


def _ratio(problem: Problem, members: Places, rng: np.random.Generator) -> tuple[float, float, float]:
    alone, together = np.empty(_CHAINS), np.empty(_CHAINS)
    for row in range(_CHAINS):
        order = rng.permutation(members)
        start = int(rng.integers(0, len(members) - 1))
        stop = int(rng.integers(start + 2, min(len(members), start + 12) + 1))
        inside, joined = problem.nobody, problem.nobody
        inside[order[:start]] = True
        joined[order[:stop]] = True
        before, after = problem.utilities(np.stack([inside, joined]))
        alone[row] = (problem.additions(inside, order[start:stop]) - before).sum()
        together[row] = after - before
    drawn = rng.integers(0, _CHAINS, size=(_RESAMPLES, _CHAINS))
    resampled = _over(alone[drawn].sum(axis=1), together[drawn].sum(axis=1))
    low, high = np.quantile(resampled, [0.025, 0.975], method="inverted_cdf")
    return float(_over(alone.sum()[None], together.sum()[None])[0]), float(low), float(high)


def _over(alone: Vector, together: Vector) -> Vector:
    return np.asarray(np.where(together > 0, alone / np.where(together > 0, together, 1.0), np.inf), dtype=np.float64)
