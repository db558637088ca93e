"""What people decide about a stay is a line of its own, and sums stay equal to the fen."""

from decimal import Decimal

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.bench.pricing_by_row import price_by_row
from headwater.bench.pricing_cases import DRGS, changed, drawn, policy, reviewed, stay, table
from headwater.claims.payment import explain, price

DECIDED = {"reviewed_no": 12, "reviewed_on": "2026-03-01", "reviewed_by": "p1a2_xyz", "reviewed_limit": None}
KEPT = changed(("negative_fund: zero", "negative_fund: kept"))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60), seed=st.integers(0, 10**9), kept=st.booleans())
def test_decisions_are_paid_as_row_by_row_and_lines_sum_to_the_fen(n: int, seed: int, kept: bool):
    stays, rules = table(reviewed(drawn(n, seed), seed)), KEPT if kept else policy()
    priced = price(stays, DRGS, rules)
    expected = price_by_row(stays.to_pylist(), rules)
    for name in ("payable", "fund", "self_pay"):
        assert priced.totals[f"{name}_fen"].to_pylist() == [int(getattr(one, name) * 100) for one in expected]
    lines = priced.lines()
    payable = lines.filter(pc.equal(lines["account"], "payable")).group_by("stay_id").aggregate([("amount_fen", "sum")])
    sums = dict(zip(payable["stay_id"].to_pylist(), payable["amount_fen_sum"].to_pylist(), strict=True))
    for one in priced.totals.to_pylist():
        assert one["fund_fen"] + one["self_pay_fen"] == one["payable_fen"] == sums.get(one["stay_id"], 0)


# The package is 9,912.37, the bill 9,000 (the policy pays 0.8 of bills without one), the patient's part 2,592.00:
# all unclassed as 乙: 9,000 × 0.9 = 8,100, less 900 = 7,200 → 5,000 × 0.8 + 2,200 × 0.85 = 5,870 → 9,000 − 5,870.
CASES = {
    "special": ({}, 720000),
    "reduce": ({"reviewed_limit": Decimal("8000.00")}, 800000),
    "return": ({}, 313000),
}


@pytest.mark.parametrize("decision", CASES)
def test_each_decision_worked_out_by_hand_and_explained(decision: str):
    given_, payable = CASES[decision]
    decided = table([stay(reviewed_as=decision, **{**DECIDED, **given_})])
    priced = price(decided, DRGS, policy())
    (total,) = priced.totals.to_pylist()
    assert (total["payable_fen"], total["paid_as"]) == (payable, "reviewed")
    (line,) = [one for one in explain(priced, "1") if one.step.en == "decided by a person"]
    assert line.amount_fen == payable - 991237
    for word in ("12", "2026-03-01", "p1a2_xyz", "9,912.37".replace(",", "")):
        assert word in line.told.zh
        assert word in line.told.en
    # Without the decision the stay is paid as the policy says: the guard of this test.
    assert price(decided.drop_columns(["reviewed_as"]), DRGS, policy()).totals["payable_fen"].to_pylist() == [991237]


def test_a_limit_never_raises_a_payment_nor_takes_what_the_patient_paid():
    limits = {Decimal("99999.00"): 991237, Decimal("1.00"): 313000}
    for limit, payable in limits.items():
        decided = table([stay(reviewed_as="reduce", **{**DECIDED, "reviewed_limit": limit})])
        assert price(decided, DRGS, policy()).totals["payable_fen"].to_pylist() == [payable]


def test_what_was_accepted_and_what_nobody_decided_is_paid_by_the_rules_alone():
    decided = table([stay(reviewed_as=None, **DECIDED)])
    assert price(decided, DRGS, policy()).totals.equals(price(table([stay()]), DRGS, policy()).totals)
