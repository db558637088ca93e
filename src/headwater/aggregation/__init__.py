"""Join many sources tier by tier, each under its own protection."""

from headwater.aggregation.tiers import Aggregation, aggregate
from headwater.aggregation.topology import Tier, Tree

__all__ = ["Aggregation", "Tier", "Tree", "aggregate"]
