"""Value and choose sources: utilities make games of them, methods value the players, selections choose a set."""

from headwater.valuation.methods import banzhaf, exact, leave_one_out, permutation, stratified, truncated
from headwater.valuation.probes import Probed
from headwater.valuation.revaluing import Revaluation, Spared
from headwater.valuation.selection import Budget, CautiousUtility, Selection, cautious, select
from headwater.valuation.target import Target
from headwater.valuation.utilities import GramUtility, Information, Retraining, Statistics, Updates
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
    "Information",
    "METHODS",
    "Method",
    "Play",
    "Probed",
    "Retraining",
    "Revaluation",
    "Selection",
    "Spared",
    "Statistics",
    "Target",
    "UTILITIES",
    "Updates",
    "Utility",
    "Valuation",
    "approaches",
    "banzhaf",
    "cautious",
    "choose",
    "exact",
    "leave_one_out",
    "permutation",
    "select",
    "stratified",
    "truncated",
    "value",
]
