"""Value and choose sources: a game from statistics, methods that value its players, selections of a set."""

from headwater.valuation.methods import exact, permutation
from headwater.valuation.selection import Selection, greedy
from headwater.valuation.utility import GramUtility
from headwater.valuation.valuation import METHODS, Game, Method, Valuation, choose

__all__ = [
    "Game",
    "GramUtility",
    "METHODS",
    "Method",
    "Selection",
    "Valuation",
    "choose",
    "exact",
    "greedy",
    "permutation",
]
