"""Ways to choose a set of sources, one a file."""

from headwater.valuation.selection.greedy import Selection, greedy

__all__ = ["Selection", "greedy"]
