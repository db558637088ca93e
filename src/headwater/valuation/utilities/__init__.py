"""Utilities, one a file; importing this package registers those that need nothing handed in."""

from headwater.valuation.utilities.statistics import GramUtility, Statistics

__all__ = ["GramUtility", "Statistics"]
