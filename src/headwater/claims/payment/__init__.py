"""Payment as dated policy: policies are loaded, stays priced, and every payment explained to the fen."""

from headwater.claims.payment.budgets import Holder, budget_months, budget_status
from headwater.claims.payment.checking import Outcome, check_policy, load_policy, outcomes
from headwater.claims.payment.decomposing import EFFECTS, Period, decompose, summed
from headwater.claims.payment.estimating import Estimate, Settings, estimate, trim_points
from headwater.claims.payment.forecasting import Forecast, forecast
from headwater.claims.payment.loading import parse_policy, read_alone
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.pricing import Explained, Priced, explain, price
from headwater.claims.payment.tree import PolicyRefusal
from headwater.claims.payment.what_if import WhatIf, what_if

__all__ = [
    "EFFECTS",
    "Estimate",
    "Explained",
    "Forecast",
    "Holder",
    "Outcome",
    "Period",
    "Policy",
    "PolicyRefusal",
    "Priced",
    "Settings",
    "WhatIf",
    "budget_months",
    "budget_status",
    "check_policy",
    "decompose",
    "estimate",
    "explain",
    "forecast",
    "load_policy",
    "outcomes",
    "parse_policy",
    "price",
    "read_alone",
    "summed",
    "trim_points",
    "what_if",
]
