"""Join many sources tier by tier, each by its own mechanism."""

from headwater.aggregation.grouping import Group, group
from headwater.aggregation.here import Here
from headwater.aggregation.mechanism import IN_CLEAR, UNDER_MASKS, Mechanism
from headwater.aggregation.planning.costs import Costs, Link
from headwater.aggregation.planning.foresight import Job
from headwater.aggregation.planning.planner import Plan, Supplier, plan
from headwater.aggregation.sitting import Heard, Player, Sitting
from headwater.aggregation.tiers import Aggregation, Fold, Part, aggregate, folded
from headwater.aggregation.topology import Tier, Tree

__all__ = [
    "Aggregation",
    "Costs",
    "Fold",
    "Group",
    "Heard",
    "Here",
    "IN_CLEAR",
    "Job",
    "Link",
    "Mechanism",
    "Part",
    "Plan",
    "Player",
    "Sitting",
    "Supplier",
    "Tier",
    "Tree",
    "UNDER_MASKS",
    "aggregate",
    "folded",
    "group",
    "plan",
]
