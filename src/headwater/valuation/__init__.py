"""Value and choose sources: utilities make games of them, methods value the players, selections choose a set."""

from headwater.valuation.methods import exact, permutation
from headwater.valuation.selection import Budget, CautiousUtility, Selection, cautious, select
from headwater.valuation.target import Target
from headwater.valuation.utilities import GramUtility, Statistics
from headwater.valuation.utility import UTILITIES, Asked, Play, Utility
from headwater.valuation.valuation import METHODS, Exchange, Game, Method, Valuation, choose
from headwater.valuation.value import Approach, approaches, value

__all__ = [
    "Approach",
    "Asked",
    "Budget",
    "CautiousUtility",
    "Exchange",
    "Game",
    "GramUtility",
    "METHODS",
    "Method",
    "Play",
    "Selection",
    "Statistics",
    "Target",
    "UTILITIES",
    "Utility",
    "Valuation",
    "approaches",
    "cautious",
    "choose",
    "exact",
    "permutation",
    "select",
    "value",
]
