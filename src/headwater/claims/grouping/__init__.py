"""Grouping: a plan is a folder of tables, a rule is data, and every stay is told why it is where it is."""

from headwater.claims.grouping.explaining import explain
from headwater.claims.grouping.folder import convert
from headwater.claims.grouping.plan import Plan, load_plan
from headwater.claims.grouping.reaching import reach
from headwater.claims.grouping.reasons import REASON_TYPE, REASONS, STATUSES

__all__ = ["REASONS", "REASON_TYPE", "STATUSES", "Plan", "convert", "explain", "load_plan", "reach"]
