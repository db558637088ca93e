"""Choosing sources under a budget; an algorithm is a file that takes a ``Problem`` and returns who is chosen."""

from headwater.valuation.selection.backward import backward
from headwater.valuation.selection.cautious import CautiousUtility, cautious
from headwater.valuation.selection.certificate import Certificate, affordable, certify
from headwater.valuation.selection.greedy import greedy, lazy, stochastic
from headwater.valuation.selection.guided import guided
from headwater.valuation.selection.problem import Budget, Problem
from headwater.valuation.selection.relaxation import relaxation
from headwater.valuation.selection.returns import Returns, returns
from headwater.valuation.selection.select import Selection, select
from headwater.valuation.selection.swaps import improved, pruned

__all__ = [
    "Budget",
    "CautiousUtility",
    "Certificate",
    "Problem",
    "Returns",
    "Selection",
    "affordable",
    "backward",
    "cautious",
    "certify",
    "greedy",
    "guided",
    "improved",
    "lazy",
    "pruned",
    "relaxation",
    "returns",
    "select",
    "stochastic",
]
