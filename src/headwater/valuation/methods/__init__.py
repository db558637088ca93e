"""Valuation methods, one a file; importing this package registers them all."""

from headwater.valuation.methods.banzhaf import banzhaf
from headwater.valuation.methods.exact import exact
from headwater.valuation.methods.leave_one_out import leave_one_out
from headwater.valuation.methods.mean_field import mean_field
from headwater.valuation.methods.permutation import permutation
from headwater.valuation.methods.stratified import stratified
from headwater.valuation.methods.truncated import truncated

__all__ = ["banzhaf", "exact", "leave_one_out", "mean_field", "permutation", "stratified", "truncated"]
