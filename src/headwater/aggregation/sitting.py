"""One group about to be played, and who plays it: this process, or the tier's own node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import Mechanism
from headwater.errors import HeadwaterError
from headwater.federation.wire import travels
from headwater.security.gaussian_noise import GaussianNoise
from headwater.security.identity import Entropy
from headwater.security.pact import Pact, Span
from headwater.security.protection import Played
from headwater.security.shared_noise import SharedNoise
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed

__all__ = ["Heard", "Noise", "Player", "Sitting"]

Noise: TypeAlias = GaussianNoise | SharedNoise


@travels("sitting")
@dataclass(frozen=True)
class Sitting:
    """All that is public of a group that is about to be played.

    Parameters
    ----------
    fold : the round in which all groups of the tree stand, never used before
    kind, shape, length : what every member's statistic looks like
    present : members that have something to say
    span : bounds of every value of every member, its noise included, if there are any
    l2 : by how many steps of the grid (L2) one record exchanged for another can move a source's vector
    """

    group: Group
    fold: str
    kind: str
    shape: tuple[int, ...]
    length: int
    present: tuple[str, ...]
    span: Span | None = None
    l2: float | None = None

    @property
    def round_id(self) -> str:
        """The group's own round: a tier may play several groups of a fold."""
        return "/".join(filter(None, (self.fold, self.group.strand, self.group.tier, self.group.protection)))

    def agrees(self, pact: Pact) -> bool:
        """Whether a pact is for this group and this round of it."""
        group = self.group
        told = (pact.round_id, pact.protection, pact.group, pact.length)
        return told == (self.round_id, group.protection, tuple(sorted(group.members)), self.length)

    def noise(self, name: str) -> Noise | None:
        """Return what a member adds to its vector; shares are those of all who were planned."""
        return _drawn(dict(self.group.mechanisms)[name], len(self.group.members), self.l2, self.length)

    def vector(self, name: str, said: Statistic, entropy: Entropy) -> Fixed:
        """Return what a member tells: its statistic's values, with its noise."""
        noise = self.noise(name)
        return said.values if noise is None else noise.noised(said.values, entropy)


@travels("heard")
@dataclass(frozen=True)
class Heard:
    """What is public of a group that was played: all but the sum.

    Parameters
    ----------
    survivors : whose vectors are in the sum; nobody's, where the round ended
    lost : by member whose vector is in no sum, why
    sent, told : by member, bytes
    """

    pact: Pact
    survivors: tuple[str, ...]
    lost: Mapping[str, HeadwaterError]
    sent: Mapping[str, int]
    told: Mapping[str, int]

    @staticmethod
    def of(pact: Pact, played: Played) -> "Heard":
        """Return it of a round."""
        return Heard(pact, played.survivors, played.lost, played.sent, played.told)


@lru_cache(maxsize=64)
def _drawn(mechanism: Mechanism, members: int, l2: float | None, length: int) -> Noise | None:
    # All members of a group draw alike, and how much noise is enough takes a search to find.
    return mechanism.drawn(members, l2=l2, length=length)


class Player(Protocol):
    """Plays groups, lowest tiers first. Whoever adds keeps the sum, and says it as a member of the group above.

    The sum of a tier that plays elsewhere is never here, unless it is the root.
    """

    def play(self, sittings: Sequence[Sitting]) -> Sequence[Heard]:
        """Play groups none of which waits for another, maybe at once; sums of one tier and strand are merged."""
        ...

    def total(self, strand: str, tier: str) -> Statistic:
        """Return the sum that the root has of a strand."""
        ...
