"""The gain in R², from sums of cohorts and one number back from each source."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Transport
from headwater.federation.cohorts import CohortSums, Hiding
from headwater.statistics.features import Features
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.averaging import Told, own_values
from headwater.valuation.target import Target
from headwater.valuation.utility import UTILITIES, require_sources
from headwater.valuation.valuation import Exchange

__all__ = ["Reported", "Sums", "ends_only", "partitioned"]

_SMALL_COHORTS = 40
_LARGE_COHORTS = 20
_ATTEMPTS = 50


@dataclass(frozen=True, eq=False)
class Reported:
    """A game whose players told their own values: only the two ends of it are known to whoever asks."""

    sums: CohortSums
    told: Told
    values: Vector
    players: tuple[SourceId, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "players", self.sums.sources)

    @property
    def refused(self) -> Mapping[SourceId, HeadwaterError]:
        """Why each of the other sources is left out."""
        return self.sums.refused

    @property
    def exchange(self) -> Exchange:
        """What was asked and answered; the leverage is that of the sums."""
        sums = self.sums
        return Exchange(sums.asked, sums.answered, sums.attributable, sums.rounds, leverage=sums.leverage)

    def reported(self) -> Vector:
        """Return the (players,) values that the players gave themselves."""
        return self.values

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the utilities of nobody and of everybody; any other coalition's is nobody's business, and refused."""
        return ends_only(coalitions, self.told.total())


@dataclass(frozen=True)
class Sums:
    """Sources are summed in random cohorts; each is told the sums and returns its own value as a float32.

    Parameters
    ----------
    protection : of the sums while they are added, see ``CohortSums``; None is no protection, and counted so
    floor, limit : see ``CohortSums``
    partitions : how often all sources are divided anew, while the leverage allows it
    """

    protection: Hiding | None = None
    floor: int = 5
    limit: float = 0.5
    partitions: int = 2

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Reported:
        """Reveal the sums of cohorts, tell them, and collect one number a source."""
        question = target.asking(features)
        sums = CohortSums(federation, question, self.protection, self.floor, self.limit)
        divided, revealed = self._revealed(sums, rng)
        masks = np.concatenate(divided)
        bounds = np.cumsum([0, *map(len, divided)])
        told = Told(
            gram=question.family,
            ridge=target.ridge,
            sums=revealed,
            sizes=tuple(masks.sum(axis=1).tolist()),
            partitions=tuple(tuple(range(a, b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)),
            target=question.of(target.train),
            validation=question.of(target.valid),
            seed=int(rng.integers(2**31)),
        )
        return Reported(sums, told, own_values(sums, told, masks))

    def method(self, players: int) -> str:
        """Return ``mean_field``, which corrects the reported values to sum to v(N)."""
        return "mean_field"

    def _revealed(self, sums: CohortSums, rng: np.random.Generator) -> tuple[list[Masks], tuple[Statistic, ...]]:
        """Return partitions and their cohorts' sums, divided anew without whoever breaks down half-way."""
        while True:
            require_sources(dict.fromkeys(sums.sources), sums.refused)
            divided = self._divide(sums, rng)
            try:
                return divided, sums.reveal(np.concatenate(divided))
            except Refusal:
                left = [source for source in sums.sources if source not in sums.refused]
                if len(left) == len(sums.sources):
                    raise
                sums.keep(left)

    def _divide(self, sums: CohortSums, rng: np.random.Generator) -> list[Masks]:
        """Return as many partitions as the leverage allows, at most ``partitions``."""
        chosen = [partitioned(len(sums.sources), self.floor, rng)]
        for _ in range(_ATTEMPTS):
            if len(chosen) == self.partitions:
                break
            another = partitioned(len(sums.sources), self.floor, rng)
            if sums.leverages(np.concatenate([*chosen, another])).max() <= self.limit:
                chosen.append(another)
        return chosen


UTILITIES.register("sums")(Sums())


def ends_only(coalitions: Masks, gain: float) -> Vector:
    """Return ``gain`` for everybody and 0 for nobody; any other coalition is refused."""
    full, empty = coalitions.all(axis=1), ~coalitions.any(axis=1)
    if not (full | empty).all():
        raise _hidden()
    return np.where(full, gain, 0.0)


def partitioned(sources: int, floor: int, rng: np.random.Generator) -> Masks:
    """Return (cohorts, sources) masks that hold each source once.

    Up to 40 cohorts are as small as allowed, because small coalitions decide; the rest share at most 20 larger ones.
    """
    if sources < 2 * floor:
        raise _few(sources, 2 * floor)
    small = min(sources // floor, _SMALL_COHORTS)
    left = sources - small * floor
    large = min(_LARGE_COHORTS, left // floor)
    sizes = np.full(small, floor) if large else _even(sources, small)
    if large:
        sizes = np.concatenate([sizes, _even(left, large)])
    cohort = np.repeat(np.arange(len(sizes)), sizes)[np.argsort(rng.permutation(sources))]
    return np.asarray(cohort[None, :] == np.arange(len(sizes))[:, None], dtype=np.bool_)


def _even(total: int, parts: int) -> npt.NDArray[np.int64]:
    return np.array([total // parts + (place < total % parts) for place in range(parts)])


def _few(sources: int, fewest: int) -> Refusal:
    return Refusal(
        "E-COHORT-FEW",
        Message(f"只有 {sources} 个可用来源，求和至少需要 {fewest} 个。", f"{sources} usable sources of {fewest}."),
        Message("请登记更多来源，或用别的方法。", "Register more sources, or use another method."),
    )


def _hidden() -> Refusal:
    return Refusal(
        "E-COHORT-HIDDEN",
        Message("只用和数时，不知道任意组合的效用。", "From sums alone the utility of any one coalition is not known."),
        Message("请使用 mean_field，或用 statistics 效用。", "Use mean_field, or the utility statistics."),
    )
