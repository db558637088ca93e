"""Judge sums of cohorts against the target's own records, and join what can be trusted.

A source is left out where the sums say that it stands out *and* the model is harmed: unusual hospitals shift the sums
too, and do no harm that matters. Case mix is no evidence: judged is what labels are given features, never the features.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from headwater.aggregation.robust.beliefs import Beliefs
from headwater.aggregation.robust.bounds import beyond
from headwater.aggregation.robust.court import Court
from headwater.aggregation.robust.explaining import Evidence, Explanation, added, explanations, plausible
from headwater.aggregation.robust.finding import CohortFinding, Robust
from headwater.aggregation.robust.telling import Verdict, found_in, nothing_usable, two_faced
from headwater.aggregation.robust.weighing import combined, spanned, weights
from headwater.errors import Message
from headwater.federation import GramQuestion
from headwater.federation.division import leverage, named_cohorts
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import Target

__all__ = ["Revealed", "judged"]

MATERIAL = 0.01
"""Harm below which nobody is left out, half of the 2 % that the joined model may lose; more where honest sources differ
so much that as many of them shift the model further anyway."""
AGREED = 0.5
"""Standard errors by which the judging records must find the plain sum worse before anybody is left out ..."""
CLEAR, AGAINST = 3.0, -1.0
"""... unless the harm is this many times what matters: then they must not find it better by more than one."""
LEAST_SHIFT = 0.3
"""Standard deviations a record below which a source is not left out: labels that only scatter wider do no harm."""
_SHRUNK = 5.0
"""Records that stand for a feature's own variance where the target has seen little of it."""
_LEAST_SQUARE = 0.01


@dataclass(frozen=True, eq=False)
class Revealed:
    """Sums that were revealed.

    Parameters
    ----------
    masks : (sums, sources)
    sums : in the same order
    sizes : (sources,) numbers of records
    partitions : how many sums each of the partitions has, which come first; at least one
    question : that they answer; None for the target's own
    """

    sources: tuple[SourceId, ...]
    masks: Masks
    sums: tuple[Statistic, ...]
    sizes: Vector
    partitions: tuple[int, ...]
    question: GramQuestion | None = None

    def total(self, partition: int) -> Statistic:
        """Return the sum of all sources, by one of the partitions."""
        start = sum(self.partitions[:partition])
        return Statistic.total(self.sums[start : start + self.partitions[partition]])

    @property
    def agrees(self) -> bool:
        """Whether every partition sums to the same integers."""
        return all(self.total(place) == self.total(0) for place in range(1, len(self.partitions)))


def judged(revealed: Revealed, target: Target, *, rng: np.random.Generator, beliefs: Beliefs | None = None) -> Robust:
    """Return what of the revealed sums is to be joined with the target's training records, and who stands out.

    Parameters
    ----------
    rng : of the search for explanations
    beliefs : what is known of the sources beforehand
    """
    court = Court(target, revealed.question or target.question)
    broken = tuple(
        beyond(court.gram, total, records=float(revealed.sizes[mask].sum()), usual=court.usual, center=court.center)
        for mask, total in zip(revealed.masks, revealed.sums, strict=True)
    )
    used, notes = _usable(revealed, broken)
    exposed = float(leverage(revealed.masks).max())
    if not used.any():
        return nothing_usable(revealed.sources, _cohorts(revealed, broken), court.nothing, exposed)
    masks, sums = revealed.masks[used], tuple(one for one, use in zip(revealed.sums, used, strict=True) if use)
    moments = _residuals(court, sums)
    evidence = _evidence(court, masks, moments, revealed.sizes, (beliefs or Beliefs()).odds(revealed.sources))
    found = explanations(evidence, rng)
    best = found[0]
    shifts = np.linalg.norm(added(evidence, best)[:, :-1], axis=1) / np.sqrt(evidence.noise)
    marked = best.marked & (shifts >= LEAST_SHIFT)
    shares = weights(masks, marked, revealed.sizes, evidence.honest(best.unequal) / evidence.noise)
    other = combined(court.gram, sums, shares)
    plain = revealed.total(0)
    is_sound = bool(used.all()) and not notes
    # A plain sum with a broken part in it is never joined, whatever it seems to do.
    harm, against = _compared(court, plain, other) if is_sound else (float("inf"), float("inf"))
    matters = max(MATERIAL, _usual_harm(evidence, best))
    keeps_all = harm <= matters or against < (AGREED if harm <= CLEAR * matters else AGAINST)
    verdict = Verdict(
        joined=plain if keeps_all else other,
        weights=np.ones(len(revealed.sources)) if keeps_all else shares @ masks,
        marked=marked,
        chances=plausible(evidence, found),
        shifts=shifts,
        keeps_all=keeps_all,
    )
    cohorts = _cohorts(revealed, broken, _distances(evidence, best, masks, moments), used)
    return found_in(revealed.sources, verdict, cohorts, (harm, against, exposed), notes)


def _usable(revealed: Revealed, broken: tuple[Message | None, ...]) -> tuple[Masks, tuple[Message, ...]]:
    """Return which sums to go by: those within the bounds, and of partitions that disagree the first alone."""
    used = np.array([reason is None for reason in broken])
    if revealed.agrees:
        return used, ()
    used[revealed.partitions[0] :] = False
    return used, (two_faced(),)


def _residuals(court: Court, sums: tuple[Statistic, ...]) -> tuple[Vector, Vector]:
    """Return (sums, dim + 1) residuals, and the (dim, dim) factor that whitens the features.

    The last column tells how widely labels scatter around the line. It helps to find who lies; nobody is left out for
    it alone.
    """
    gram, line = court.gram, court.line
    moments = [gram.moments(total) for total in sums]
    own = gram.moments(court.all_own)
    usual = np.diag(np.maximum(court.usual[:-1], _LEAST_SQUARE))
    shape = (own.xx + _SHRUNK * usual) / (own.n + _SHRUNK)
    shape = (shape + sum(each.xx / each.n for each in moments)) / (1 + len(moments))
    factor = np.asarray(np.linalg.cholesky(shape), dtype=np.float64)
    residual = np.linalg.solve(factor, np.array([each.xy - each.xx @ line for each in moments]).T).T
    squares = np.array([gram.loss(total, line) for total in sums]) - court.noise
    counts = np.array([each.n for each in moments])
    scatter = np.sqrt(court.noise) / court.scatter * squares * counts
    return np.column_stack([residual, scatter]), factor


def _evidence(court: Court, masks: Masks, moments: tuple[Vector, Vector], sizes: Vector, odds: Vector) -> Evidence:
    residual, factor = moments
    left, rows = spanned(masks)
    unsure = court.noise * float(np.trace(factor.T @ np.linalg.solve(court.solid, factor))) / len(factor)
    return Evidence(rows, left.T @ residual, sizes, court.noise, unsure, odds)


def _usual_harm(evidence: Evidence, best: Explanation) -> float:
    """Return the expected harm of honest sources' differences, in units of the noise as harm is."""
    concentration = float(np.square(evidence.sizes).sum() / evidence.sizes.sum() ** 2)
    return float(best.unequal * evidence.heard.shape[1] * concentration)


def _compared(court: Court, plain: Statistic, other: Statistic) -> tuple[float, float]:
    both = court.fitted(plain), court.fitted(other)
    return court.harm(*both), court.against(*both)


def _distances(evidence: Evidence, best: Explanation, masks: Masks, moments: tuple[Vector, Vector]) -> Vector:
    """Return (sums,) squared lengths of the residuals, in units of what honest members give each feature."""
    counts = masks @ evidence.sizes
    unsure = evidence.unsure + evidence.noise * best.unequal
    variances = masks @ evidence.honest(best.unequal) + unsure * counts**2
    return np.asarray(np.square(moments[0]).sum(axis=1) / variances)


def _cohorts(
    revealed: Revealed, broken: tuple[Message | None, ...], distances: Vector | None = None, used: Masks | None = None
) -> tuple[CohortFinding, ...]:
    """Return every sum under the tests; one that is not used has no distance."""
    features = revealed.sums[0].shape[0] + 1
    each = np.full(len(broken), np.nan)
    if distances is not None:
        each[used] = distances
    chances = stats.chi2.sf(each, features)
    members = named_cohorts(revealed.sources, revealed.masks)
    rows = zip(members, each / features, chances, broken, strict=True)
    return tuple(CohortFinding(names, float(times), float(chance), why) for names, times, chance, why in rows)
