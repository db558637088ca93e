"""All groups in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from headwater.aggregation.sitting import Heard, Sitting
from headwater.aggregation.sums import Sums
from headwater.security import PROTECTIONS, Carry, Entropy, play
from headwater.security.protection import Values, straight
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Here"]


@dataclass(frozen=True)
class Here:
    """Plays groups whose sources' statistics are at hand: every member adds its noise and protects its vector.

    Parameters
    ----------
    contributions : by source
    entropy : of keys, and of noise
    carry : how members, sources and tiers alike, are reached
    noises : by member, where its noise comes from if not from ``entropy``
    """

    contributions: Mapping[SourceId, Statistic]
    entropy: Entropy
    carry: Carry = straight
    noises: Mapping[str, Entropy] = field(default_factory=dict)
    _sums: Sums = field(default_factory=Sums, init=False)

    def play(self, sittings: Sequence[Sitting]) -> list[Heard]:
        """Play groups one after another, for they draw from one entropy; see ``Player``."""
        return [self._play(sitting) for sitting in sittings]

    def _play(self, sitting: Sitting) -> Heard:
        group = sitting.group
        session = PROTECTIONS[group.protection].open(
            group.members, round_id=sitting.round_id, length=sitting.length, entropy=self.entropy, span=sitting.span
        )
        played = play(session, {name: self._values(sitting, name) for name in sitting.present}, carry=self.carry)
        self._sums.add(sitting, played.total)
        return Heard.of(session.pact, played)

    def total(self, strand: str, tier: str) -> Statistic:
        """Return the sum of a strand; see ``Player``."""
        return self._sums.said(strand, tier)

    def _values(self, sitting: Sitting, name: str) -> Values:
        said = self.contributions[name] if name in self.contributions else self.total(sitting.group.strand, name)
        return partial(sitting.vector, name, said, self.noises.get(name, self.entropy))
