"""What is known of sources before their sums are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from headwater.types import SourceId, Vector

__all__ = ["Beliefs"]

_ODDS = -4.0
"""Log-odds that a source is to be marked, before anything is known: of honest sources about as many are unusual."""
_MOST_STANDING = 3.0


@dataclass(frozen=True)
class Beliefs:
    """What is known of sources before they are joined.

    Parameters
    ----------
    records : numbers of records from elsewhere, e.g. stays that were paid; what sources say themselves otherwise
    standing : (low, high) of each source's value in an earlier valuation; a value surely above 0 speaks for a source
    """

    records: Mapping[SourceId, int] = field(default_factory=dict)
    standing: Mapping[SourceId, tuple[float, float]] = field(default_factory=dict)

    def odds(self, sources: tuple[SourceId, ...]) -> Vector:
        """Return the (sources,) log-odds of being marked, by up to 3 lower or higher for a good or bad standing."""
        return np.array([_ODDS - self._stands(source) for source in sources])

    def _stands(self, source: SourceId) -> float:
        low, high = self.standing.get(source, (0.0, 0.0))
        if not high > low:
            return 0.0
        return float(np.clip((low + high) / (high - low), -_MOST_STANDING, _MOST_STANDING))
