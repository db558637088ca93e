"""Trim points worked by hand, and which group a stay is judged by."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from headwater.claims.extremes import Rule, by_rule, points
from headwater.errors import Refusal


def stays(*rows: tuple[str | None, str | None, str, str | None], level: str = "3") -> pa.Table:
    """Give stays from rows of DRG, ADRG, MDC and yuan."""
    drg, adrg, mdc, cost = zip(*rows, strict=True)
    many = len(rows)
    return pa.table(
        {
            "stay_id": [f"{level}{number}" for number in range(many)],
            "region": ["r"] * many,
            "hosp_lv": [level] * many,
            "currency": ["CNY"] * many,
            "mdc": list(mdc),
            "adrg": pa.array(adrg, pa.string()),
            "drg": pa.array(drg, pa.string()),
            "medfee_sumamt": pa.array([Decimal(one) if one else None for one in cost], pa.decimal128(18, 2)),
        }
    )


def same(drg: str, costs: list[int], adrg: str = "A", mdc: str = "M") -> list[tuple[str, str, str, str]]:
    return [(drg, adrg, mdc, f"{cost}.00") for cost in costs]


def test_each_rule_has_the_points_it_says():
    table = stays(*same("D", [100, 200, 300, 400, 1000]))
    by_multiple = points(table, Rule("multiple", 0.4, 2.0, least=5))
    assert (by_multiple.low[0], by_multiple.usual[0], by_multiple.high[0]) == (16_000, 30_000, 80_000)
    by_quantile = points(table, Rule("quantile", 0.25, 0.75, least=5))
    assert (by_quantile.low[0], by_quantile.high[0]) == (20_000, 40_000)
    by_width = points(table, Rule("log_iqr", 1.0, 2.0, least=5))
    # Quartiles 200 and 400: the logarithm is ln 2 wide.
    assert (by_width.low[0], by_width.high[0]) == pytest.approx((10_000, 160_000))


def test_small_groups_are_judged_by_wider_ones_and_that_is_told():
    rows = [*same("D1", [100] * 4), *same("D2", [120] * 2), *same("D3", [90] * 3, adrg="B"), *same("D4", [5], "C", "N")]
    found = points(stays(*rows), Rule("multiple", 0.5, 2.0, least=4))
    assert found.basis.tolist() == [0] * 4 + [1] * 2 + [2] * 3 + [-1]
    assert found.cases.tolist() == [4] * 4 + [6] * 2 + [9] * 3 + [0]
    assert np.isnan(found.high[-1])


def test_another_level_and_stays_without_amount_or_group_are_no_like_stays():
    rows = [*same("D", [100, 100, 100]), (None, None, "M", "1.00"), ("D", "A", "M", None)]
    both = pa.concat_tables([stays(*rows), stays(*same("D", [900] * 3), level="1")])
    found = points(both, Rule("multiple", 0.5, 2.0, least=3))
    assert found.cases.tolist() == [3, 3, 3, 4, 0, 3, 3, 3]
    assert found.usual.tolist()[:3] == [10_000] * 3


def test_what_lies_beyond_is_listed_the_most_money_first():
    table = stays(*same("D", [100] * 8 + [1000, 10, 500]))
    listed = by_rule(table, Rule("multiple", 0.2, 2.0, least=5)).to_pylist()
    # The mean is 2310 / 11 = 210.
    assert [(row["stay_id"], row["side"], row["bound"], row["at_stake"]) for row in listed] == [
        ("38", "high", Decimal("420.00"), Decimal("580.00")),
        ("310", "high", Decimal("420.00"), Decimal("80.00")),
        ("39", "low", Decimal("42.00"), Decimal("32.00")),
    ]


@pytest.mark.parametrize(
    "rule",
    [("quantile", 0.9, 0.1), ("multiple", 2.0, 3.0), ("log_iqr", -1.0, 2.0), ("quantile", 0.01, 1.5)],
)
def test_a_rule_whose_points_do_not_stand_apart_is_refused(rule):
    with pytest.raises(Refusal, match="^E-EXTREME-RULE:"):
        Rule(*rule)
    with pytest.raises(Refusal, match="^E-EXTREME-RULE:"):
        Rule("multiple", 0.5, 2.0, least=1)


def test_a_stay_that_cost_nothing_is_low_and_breaks_nothing():
    listed = by_rule(stays(*same("D", [100, 101, 102, 103, 99, 0])), Rule("log_iqr", 2.0, 2.0, least=5))
    assert listed["side"].to_pylist() == ["low"]
    assert listed["score"].to_pylist() == [0.0]
