"""Extreme stays: which cost far more or less than stays like them, why, and which lines make it so."""

from headwater.claims.extremes.evidence import evidence
from headwater.claims.extremes.judging import by_model, by_rule, scores
from headwater.claims.extremes.reasons import explain, reason
from headwater.claims.extremes.trimming import RULE, Rule, points

__all__ = ["RULE", "Rule", "by_model", "by_rule", "evidence", "explain", "points", "reason", "scores"]
