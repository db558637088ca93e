"""Join sources under secure sums when some of them are poisoned."""

from headwater.aggregation.robust.beliefs import Beliefs
from headwater.aggregation.robust.finding import CohortFinding, Finding, Judgement, Robust
from headwater.aggregation.robust.joining import robustly
from headwater.aggregation.robust.judging import Revealed, judged

__all__ = ["Beliefs", "CohortFinding", "Finding", "Judgement", "Revealed", "Robust", "judged", "robustly"]
