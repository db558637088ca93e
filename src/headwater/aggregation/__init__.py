"""Join many sources tier by tier, each by its own mechanism."""

from headwater.aggregation.grouping import Group, Grouping, group
from headwater.aggregation.mechanism import CLEAR, MASKED, Mechanism
from headwater.aggregation.tiers import Aggregation, Part, aggregate
from headwater.aggregation.topology import Tier, Tree

__all__ = [
    "Aggregation",
    "CLEAR",
    "Group",
    "Grouping",
    "MASKED",
    "Mechanism",
    "Part",
    "Tier",
    "Tree",
    "aggregate",
    "group",
]
