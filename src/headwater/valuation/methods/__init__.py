"""Valuation methods, one a file; importing this package registers them all."""

from headwater.valuation.methods.exact import exact
from headwater.valuation.methods.mean_field import mean_field
from headwater.valuation.methods.permutation import permutation

__all__ = ["exact", "mean_field", "permutation"]
