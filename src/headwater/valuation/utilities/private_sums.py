r"""The gain in R², under differential privacy: noisy sums of cohorts, then one clipped noisy number from each source.

Moments of the mean record come from the noisy sums, and with the sizes they tell where the model stands when k other
sources are there. A source's gain is linear in its own records around what a mean source of its size would give, so it
is the sum of one score a record: clipped, summed, with noise. That leaves out the square of its own deviation, which
costs a few hundredths of correlation and saves all the noise of a matrix.

Budget: the sums and the number are Gaussian releases and compose exactly (see ``statistics.gaussian``). In a sum of c
members each adds noise as if c − 1 of them added all of it: a member who takes its own off gains nothing.
Every source's whole (ε, δ) is debited before anything is asked of its records, and nothing is debited before all is
checked that can be.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import GramQuestion, Transport
from headwater.federation.cohorts import CohortSums, Hiding
from headwater.federation.division import FLOOR, LIMIT, division, require_hiding, require_two_cohorts
from headwater.federation.ledger import Ledger
from headwater.federation.private import Clipping, NoisyScore, NoisySquares
from headwater.statistics.features import Features, numbers
from headwater.statistics.gaussian import noise_for
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.sums import ends_only
from headwater.valuation.utility import require_sources, require_varied
from headwater.valuation.valuation import Exchange

__all__ = ["PrivateSums"]

_RADIUS_QUANTILE = 0.5
_SCORE_QUANTILE = 0.9
_WHITENING = 0.1
_LARGEST_EPSILON = 1_000.0
_SPECTRUM = 0.5
"""Directions of the noisy moments below half the noise are lifted to it."""


@dataclass(frozen=True, eq=False)
class _Private:
    """The game of values told under privacy, and the (players,) standard deviations of the noise in them."""

    players: tuple[SourceId, ...]
    values: Vector
    noise: Vector
    gain: float
    exchange: Exchange
    refused: Mapping[SourceId, HeadwaterError]

    def reported(self) -> Vector:
        """Return the (players,) values."""
        return self.values

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utilities of nobody and of everybody; any other coalition's is refused."""
        return ends_only(coalitions, self.gain)


@dataclass(frozen=True)
class PrivateSums:
    """Values of sources whose every record is (ε, δ)-private.

    Parameters
    ----------
    ledger : debited by source before anything is asked; a refusal leaves the source out
    epsilon, delta : of one valuation, per source; ε above 0 and below 1,000, δ between 0 and 1
    share : of the budget (in squared noise) that the sums get; above 0 and below 1
    protection, floor, limit : see ``CohortSums``
    entropy : of the noise and of the members' keys

    Raises
    ------
    Refusal
        ``E-VALUE-PRIVACY`` for an ε, δ or share beyond those bounds, ``E-COHORT-LIMITS``
    """

    ledger: Ledger
    epsilon: float
    delta: float = 1e-5
    share: float = 0.5
    protection: Hiding | None = None
    floor: int = FLOOR
    limit: float = LIMIT
    entropy: Callable[[int], bytes] = secrets.token_bytes

    def __post_init__(self) -> None:
        _require_between("epsilon", self.epsilon, _LARGEST_EPSILON)
        _require_between("delta", self.delta, 1.0)
        _require_between("share", self.share, 1.0)
        require_hiding(self.floor, self.limit)

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> _Private:
        """Debit, reveal noisy sums, and collect one noisy number a source.

        Raises
        ------
        Refusal
            ``E-VALUE-VALIDATION``, ``E-VALUE-SOURCES``, ``E-COHORT-FEW`` and ``E-COHORT-LEVERAGE`` before anything is
            debited; ``E-COHORT-FEW`` also as soon as the ledger has refused too many
        """
        require_varied(numbers(target.valid, target.label))
        question = target.asking(features)
        clipping = _clipping(target, question)
        noise = noise_for(self.epsilon, self.delta)
        fewest = self.floor - 1
        square = 2**0.5 * clipping.radius**2 * noise / self.share**0.5
        squares = NoisySquares(clipping, square / fewest**0.5, self.entropy)
        sums = CohortSums(federation, question, self.protection, self.floor, self.limit, self.entropy, squares)
        sizes = sums.sizes()
        sums.keep(list(sizes))
        self._divided(sums)
        sums.keep(self._debited(sums, f"values of sources for {target.label}"))
        masks = self._divided(sums)
        noisy = [question.family.moments(statistic) for statistic in sums.reveal(masks)]
        records = np.array([sizes[source] for source in sums.sources], dtype=np.float64)
        spread = square * (masks.sum() / fewest) ** 0.5
        mean = _mean_record([m.xx for m in noisy], [m.xy for m in noisy], records.sum(), spread)
        field = _Field.of(target, clipping, *mean, records)
        scale = 2 * noise / (1 - self.share) ** 0.5
        asked, constants, spreads = {}, np.zeros(len(records)), np.zeros(len(records))
        for place, source in enumerate(sums.sources):
            weights, solutions, constants[place] = field.around(place)
            score = NoisyScore(clipping, weights, solutions, 0.0, 0.0, self.entropy)
            own = np.concatenate([score.scores(target.train), score.scores(target.valid)])
            clip = float(np.quantile(np.abs(own), _SCORE_QUANTILE))
            spreads[place] = scale * clip
            asked[source] = NoisyScore(clipping, weights, solutions, clip, spreads[place], self.entropy)
        values = sums.scalars(asked) + constants
        exchange = Exchange(sums.asked, sums.answered, sums.attributable, sums.rounds, self.epsilon, sums.leverage)
        return _Private(sums.sources, values, spreads, field.gain(), exchange, sums.refused)

    def method(self, players: int) -> str:
        """Return ``mean_field``, which corrects the reported values to sum to v(N)."""
        return "mean_field"

    def _divided(self, sums: CohortSums) -> Masks:
        """Return the cohorts, or refuse whatever would be refused of them later."""
        require_sources(dict.fromkeys(sums.sources), sums.refused)
        masks = division(sums.sources, partitions=1, floor=self.floor)[0]
        sums.require(masks)
        return masks

    def _debited(self, sums: CohortSums, purpose: str) -> list[SourceId]:
        """Return who is debited; once too few would be left, nobody more is."""
        kept, left = [], len(sums.sources)
        for source in sums.sources:
            require_two_cohorts(left, self.floor)
            try:
                self.ledger.debit(source, noise=noise_for(self.epsilon, self.delta), purpose=purpose)
            except HeadwaterError as error:
                sums.refused[source] = error
                left -= 1
            else:
                kept.append(source)
        return kept


def _require_between(name: str, given: object, most: float) -> None:
    """Refuse what is no number above 0 and below ``most``."""
    if isinstance(given, Real) and 0 < float(given) < most:
        return
    raise Refusal(
        "E-VALUE-PRIVACY",
        Message(f"{name} 为 {given!r}，应大于 0 且小于 {most:g}。", f"{name} is {given!r}."),
        Message(f"请给出 0 与 {most:g} 之间的数。", f"Give a number above 0 and below {most:g}."),
    )


def _clipping(target: Target, question: GramQuestion) -> Clipping:
    """Return bounds from the target's own records, which are not what is protected."""
    plain = Clipping(question, np.eye(question.family.dim), np.inf)
    x, y = (
        np.concatenate(parts) for parts in zip(plain.records(target.train), plain.records(target.valid), strict=True)
    )
    size = np.sqrt(np.square(x).mean(axis=0)) + 1e-9
    second = (x / size).T @ (x / size) / len(x) + _WHITENING * np.eye(x.shape[1])
    whitening = np.linalg.inv(np.linalg.cholesky(second)) / size
    norms = np.sqrt(np.square(x @ whitening.T).sum(axis=1) + y**2)
    return Clipping(question, whitening, float(np.quantile(norms, _RADIUS_QUANTILE)))


def _mean_record(xx: list[Vector], xy: list[Vector], records: float, spread: float) -> tuple[Vector, Vector]:
    """Return the mean record's (dim, dim) and (dim,) moments, small directions lifted out of the noise."""
    values, vectors = np.linalg.eigh(np.sum(xx, axis=0))
    lifted = np.maximum(values, max(_SPECTRUM * spread, 1e-3 * records))
    return (vectors * lifted) @ vectors.T / records, np.sum(xy, axis=0) / records


@dataclass(frozen=True, eq=False)
class _Field:
    """The model when k others are there, by the mean record; all arrays in whitened features."""

    base: tuple[Vector, Vector]
    valid: tuple[Vector, Vector]
    xx: Vector
    xy: Vector
    records: Vector

    @staticmethod
    def of(target: Target, clipping: Clipping, xx: Vector, xy: Vector, records: Vector) -> "_Field":
        """Return the field of a target; its own training records are clipped like the sources', the validation not."""
        x, y = clipping.records(target.train)
        ridge = np.diag(clipping.question.family.penalty(target.ridge))
        # The penalty is of plain coefficients: beta = Wᵀ (whitened beta).
        base = x.T @ x + clipping.whitening @ ridge @ clipping.whitening.T
        plain = Clipping(clipping.question, clipping.whitening, np.inf)
        vx, vy = plain.records(target.valid)
        scale = np.square(vy - vy.mean()).sum()
        return _Field((base, x.T @ y), (vx.T @ vx / scale, vx.T @ vy / scale), xx, xy, records)

    def around(self, place: int) -> tuple[Vector, Vector, float]:
        """Return c and b of a source's scores over 0 … n − 1 others, and what to add to their sum."""
        own, others = self.records[place], self.records.sum() - self.records[place]
        count = len(self.records)
        weights, solutions, constant = [], [], 0.0
        for k in range(count):
            there = others * k / max(count - 1, 1)
            matrix = self.base[0] + there * self.xx
            beta = np.linalg.solve(matrix, self.base[1] + there * self.xy)
            joined = np.linalg.inv(matrix + own * self.xx)
            moved = joined @ (own * (self.xy - self.xx @ beta))
            slope = 2 * (self.valid[0] @ (beta + moved) - self.valid[1])
            weights.append(-joined @ slope / count)
            solutions.append(beta)
            constant += float(moved @ self.valid[0] @ moved) / count
        return np.array(weights), np.array(solutions), constant

    def gain(self) -> float:
        """Return R² with everybody less R² of the target alone."""
        total = self.records.sum()
        alone = np.linalg.solve(*self.base)
        all_of_them = np.linalg.solve(self.base[0] + total * self.xx, self.base[1] + total * self.xy)
        xx, xy = self.valid
        loss = [float(beta @ xx @ beta - 2 * beta @ xy) for beta in (alone, all_of_them)]
        return loss[0] - loss[1]
