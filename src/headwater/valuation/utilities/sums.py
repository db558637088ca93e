"""The gain in R², from sums of cohorts and one number back from each source."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Transport
from headwater.federation.cohorts import CohortSums, Hiding
from headwater.federation.division import LIMIT, division
from headwater.statistics.features import Features
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.averaging import Told, own_values
from headwater.valuation.target import Target
from headwater.valuation.utility import UTILITIES, require_sources
from headwater.valuation.valuation import Exchange

__all__ = ["Reported", "Sums", "ends_only", "hidden"]


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
    """Sources are summed in cohorts; each is told the sums and returns its own value as a float32.

    The cohorts are those of ``division``, and the coalitions that sources look at follow from the same names: the same
    sources asked again, of whatever seed, reveal nothing that they did not reveal before. Of other sources, one more
    or one less, the sums are others: who asks for both keeps them apart with ``recorded``.

    Parameters
    ----------
    protection : of the sums while they are added, see ``CohortSums``; None is no protection, and counted so
    limit, recorded : see ``CohortSums``
    partitions : how often all sources are divided anew, while the leverage allows it
    """

    protection: Hiding | None = None
    limit: float = LIMIT
    partitions: int = 2
    recorded: Callable[[tuple[tuple[SourceId, ...], ...]], None] | None = None

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Reported:
        """Reveal the sums of cohorts, tell them, and collect one number a source."""
        question = target.asking(features)
        sums = CohortSums(federation, question, self.protection, limit=self.limit, recorded=self.recorded)
        divided, revealed = self._revealed(sums)
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
            seed=_seed(sums.sources),
        )
        return Reported(sums, told, own_values(sums, told, masks))

    def method(self, players: int) -> str:
        """Return ``mean_field``, which corrects the reported values to sum to v(N)."""
        return "mean_field"

    def _revealed(self, sums: CohortSums) -> tuple[tuple[Masks, ...], tuple[Statistic, ...]]:
        """Return partitions and their cohorts' sums, divided anew without whoever breaks down half-way."""
        while True:
            require_sources(dict.fromkeys(sums.sources), sums.refused)
            divided = self._divided(sums)
            try:
                return divided, sums.reveal(np.concatenate(divided))
            except Refusal:
                left = [source for source in sums.sources if source not in sums.refused]
                if len(left) == len(sums.sources):
                    raise
                sums.keep(left)

    def _divided(self, sums: CohortSums) -> tuple[Masks, ...]:
        """Return the first partitions, as many as the leverage of these sums allows and at least one."""
        planned = division(sums.sources, partitions=self.partitions)
        while len(planned) > 1 and sums.leverages(np.concatenate(planned)).max() > self.limit:
            planned = planned[:-1]
        return planned


UTILITIES.register("sums")(Sums())


def ends_only(coalitions: Masks, gain: float) -> Vector:
    """Return ``gain`` for everybody and 0 for nobody; any other coalition is refused."""
    full, empty = coalitions.all(axis=1), ~coalitions.any(axis=1)
    if not (full | empty).all():
        raise hidden()
    return np.where(full, gain, 0.0)


def _seed(sources: Sequence[SourceId]) -> int:
    """Return the public seed of the coalitions; with any other, sources would tell other numbers of themselves."""
    return int.from_bytes(hashlib.sha256(json.dumps(sorted(sources)).encode()).digest()[:4], "big")


def hidden() -> Refusal:
    """Return the refusal of a question about a coalition that is neither nobody nor everybody."""
    return Refusal(
        "E-COHORT-HIDDEN",
        Message("只用和数时，不知道任意组合的效用。", "From sums alone the utility of any one coalition is not known."),
        Message("请使用 mean_field，或用 statistics 效用。", "Use mean_field, or the utility statistics."),
    )
