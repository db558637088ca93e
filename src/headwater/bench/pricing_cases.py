"""A small policy that uses every rule, and stays that meet them all: what the oracle and the engine must agree on."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.claims.payment.loading import parse_policy
from headwater.claims.payment.policy import Policy

__all__ = ["DRGS", "TEXT", "changed", "drawn", "policy", "reviewed", "stay", "table"]

TEXT = """\
policy: every_rule
title: {zh: 所有规则, en: every rule}
plan: small
valid_from: 2025-01-01
weights:
  drg:
    AA1: {weight: 0.8333, mean_days: 6.5}
    AA2: {weight: 2.5001, mean_days: 9, low: 5000.00, high: 30000.01}
    BB1: 1.0
  adrg: {BB: 1.2345}
rates:
- {hosp_lv: 3, insutype: 310, amount: 10000.03}
- {hosp_lv: 3, insutype: 390, amount: 9000.00}
- {hosp_lv: 2, insutype: 310, amount: 8000.55}
hospital_coefficients: {H1: 1.03, H2: 0.987654}
neutral_factor: 0.991234
common_diseases:
- {name: 肺炎, diagnoses: [J18], hosp_lv: [2], rate: 7000.07}
- {name: 基层, drgs: [BB1], adrgs: [AA], insutype: [390], factor: 1.05}
low_outlier: {below: 0.4}
high_outlier:
  share: 0.7
  tiers:
  - {weight_below: 1, above: 3}
  - {weight_below: 2, above: 2.5}
  - {above: 2}
death: {within_days: 1, pay: cost}
transfer: {ways: [2], pay: by_day}
repeated_stays:
- {name: same_day_readmission, within_days: 0, same: any, pay: once}
- {name: split_stay, within_days: 3, same: adrg, pay: once, spared: [BB]}
- {name: readmission, within_days: 15, same: mdc, pay: 0.85}
consumables: {outside: high_value_amount, share: 0.9, adrgs: [AA]}
by_cost: 0.8
reimbursement:
  unclassed: yi
  negative_fund: zero
  ratios:
  - insutype: 310
    hosp_lv: 3
    eligible: {jia: 1, yi: 0.9, bing: 0}
    deductible: 900.00
    ceiling: 20000.00
    ceiling_per: year
    tiers: [{up_to: 5000.00, ratio: 0.8}, {up_to: 10000.00, ratio: 0.85}, {ratio: 0.9}]
  - insutype: 390
    hosp_lv: 3
    eligible: {jia: 1, yi: 0.8, bing: 0.1}
    deductible: 700.00
    ceiling: 9000.00
    tiers: [{ratio: 0.6}]
budget:
  prepaid_share: 0.9
  hospitals: {H1: 1000000.01, H2: 500000.00}
  pools: {310: 1200000.00}
  surplus: [{down_to: 0.9, keep: 1}, {keep: 0.5}]
  excess: [{up_to: 1.1, pay: 0.6}, {pay: 0}]
tests:
- name: 基准
  stays:
  - {hospital_id: H9, hosp_lv: 3, insutype: 310, drg: BB1, medfee_sumamt: 9000.00, pays: {payable: 9912.37}}
"""

DRGS = pa.table(
    {
        "code": ["AA1", "AA2", "BB1", "BB2", "CC1"],
        "name": ["a", "b", "c", "d", "e"],
        "adrg": ["AA", "AA", "BB", "BB", "CC"],
        "mdc": ["M", "M", "M", "M", "N"],
    }
)

_MONEY = pa.decimal128(18, 2)


def policy(text: str = TEXT) -> Policy:
    """Return the policy of a text."""
    return parse_policy(text, file="every_rule.yml")


def changed(*pairs: tuple[str, str]) -> Policy:
    """Return the policy with parts of its text replaced."""
    text = TEXT
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return policy(text)


def stay(**given: object) -> dict[str, object]:
    """Return a stay that no rule touches, but for what is given."""
    usual: dict[str, object] = {
        **{"stay_id": "1", "hospital_id": "H9", "hosp_lv": "3", "insutype": "310", "psn_no": None},
        **{
            "drg": "BB1",
            "adrg": "BB",
            "mdc": "M",
            "status": "grouped",
            "dscg_way": "1",
            "dscg_maindiag_code": "K80.100",
        },
        **{"dscg_maindiag_code": "K80.100", "stay_days": 7, "begntime": date(2025, 3, 1), "endtime": date(2025, 3, 8)},
        **{"medfee_sumamt": Decimal("9000.00"), "fund_pay_sumamt": Decimal("5000.00")},
        **dict.fromkeys(("jia_amount", "yi_amount", "bing_amount", "consumable_amount", "high_value_amount"), None),
    }
    return usual | given


def table(stays: list[dict[str, object]]) -> pa.Table:
    """Return stays as a table."""
    columns = {}
    for name in dict.fromkeys((*stay(), *(stays[0] if stays else ()))):
        columns[name] = pa.array([one[name] for one in stays], _kind(name))
    return pa.table(columns)


def _kind(name: str) -> pa.DataType:
    if name in ("stay_days", "reviewed_no"):
        return pa.int64()
    if name.endswith(("_amount", "sumamt", "_limit")):
        return _MONEY
    return pa.date32() if name.endswith("time") else pa.string()


def drawn(n: int, seed: int) -> list[dict[str, object]]:
    """Return stays that meet every rule, at amounts that make halves and ends of tiers likely."""
    rng = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    stays = []
    for place in range(n):
        drg = pick("AA1", "AA2", "BB1", "BB2", "CC1", None)
        begin = date(2024, 12, 1) + timedelta(int(rng.integers(60)))
        days = int(pick(0, 0, 1, 2, 5, 30))
        cost = Decimal(int(rng.lognormal(13.7, 1.1))) / 100
        part = [Decimal(int(share)) / 100 for share in rng.dirichlet([3, 2, 1, 0.3])[:3] * float(cost) * 100]
        stays.append(
            stay(
                stay_id=str(place),
                hospital_id=pick("H1", "H2", "H3", None),
                hosp_lv=pick("3", "3", "2", "1", None),
                insutype=pick("310", "390", "999"),
                psn_no=pick("a", "b", "c", "d", None),
                drg=drg,
                adrg=None if drg is None else str(drg)[:2],
                mdc=None if drg is None else "N" if drg == "CC1" else "M",
                status="ungroupable" if drg is None else pick("grouped", "grouped", "grouped", "unrelated"),
                dscg_way=pick("1", "2", "5", None),
                dscg_maindiag_code=pick("J18.900", "K80.100", None),
                stay_days=pick(days, days, None),
                begntime=pick(begin, begin, begin, None),
                endtime=begin + timedelta(days),
                medfee_sumamt=pick(cost, cost, cost, Decimal(0), None),
                jia_amount=part[0],
                yi_amount=part[1],
                bing_amount=pick(part[2], None, -part[2]),
                high_value_amount=pick(None, part[2], cost),
                fund_pay_sumamt=pick(part[0], None),
            )
        )
    return stays


def reviewed(stays: list[dict[str, object]], seed: int) -> list[dict[str, object]]:
    """Return stays about half of which somebody decided."""
    rng = np.random.default_rng(seed)
    said = rng.choice(["special", "reduce", "return", ""], len(stays), p=[0.2, 0.2, 0.1, 0.5])
    limits = [Decimal(int(one)) / 100 for one in rng.lognormal(13.7, 1.1, len(stays))]
    return [
        {
            **one,
            "reviewed_as": str(decision) or None,
            "reviewed_limit": limit if decision == "reduce" else None,
            "reviewed_no": place if decision else None,
            "reviewed_on": "2025-06-01" if decision else None,
            "reviewed_by": "p0_a" if decision else None,
        }
        for place, (one, decision, limit) in enumerate(zip(stays, said, limits, strict=True))
    ]
