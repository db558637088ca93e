"""The sums that a tier has heard and will say further up."""

from dataclasses import dataclass, field

from headwater.aggregation.sitting import Sitting
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed

__all__ = ["Sums"]


@dataclass
class Sums:
    """By strand and tier; a tier that plays several groups of a strand says them merged, once."""

    _held: dict[tuple[str, str], Statistic] = field(default_factory=dict)

    def add(self, sitting: Sitting, total: Fixed | None) -> None:
        """Keep the sum of a group; nothing of a round that ended."""
        if total is None:
            return
        key, said = (sitting.group.strand, sitting.group.tier), Statistic(sitting.kind, sitting.shape, total)
        self._held[key] = self._held[key].merge(said) if key in self._held else said

    def said(self, strand: str, tier: str) -> Statistic:
        """Return a sum, which is kept no longer."""
        return self._held.pop((strand, tier))
