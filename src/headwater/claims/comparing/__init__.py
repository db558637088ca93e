"""Comparison within groups: hospitals beside their peers, with their case mix taken out and doubt left in."""

from headwater.claims.comparing.funnels import funnel
from headwater.claims.comparing.shrinking import hospital_effects, shrunken_counts
from headwater.claims.comparing.splitting import split, split_price
from headwater.claims.comparing.standardising import standardise
from headwater.claims.comparing.standing import (
    case_mix_index,
    consumption_index,
    low_risk_mortality,
    risk_scores,
)
from headwater.claims.comparing.suppressing import suppress
from headwater.claims.comparing.withholding import WITHHELD, withhold

__all__ = [
    "WITHHELD",
    "case_mix_index",
    "consumption_index",
    "funnel",
    "hospital_effects",
    "low_risk_mortality",
    "risk_scores",
    "shrunken_counts",
    "split",
    "split_price",
    "standardise",
    "suppress",
    "withhold",
]
