"""Unified coding: one matcher for drugs, consumables, services, diagnoses and operations."""

from headwater.claims.coding.kinds import KINDS
from headwater.claims.coding.matcher import Matcher, parse
from headwater.claims.coding.normalising import normalise
from headwater.claims.coding.reasons import REASONS

__all__ = ["KINDS", "REASONS", "Matcher", "normalise", "parse"]
