"""Indicators of grouped stays, each worked by hand."""

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from headwater.claims.comparing import case_mix_index, consumption_index, low_risk_mortality, risk_scores

ROWS = (
    ("a", "X", "100.00", 4, False),
    ("a", "X", "300.00", 8, False),
    ("a", "Y", "800.00", 10, False),
    ("b", "X", "200.00", 6, False),
    ("b", "Y", "1600.00", 20, False),
    ("b", None, "7.00", 1, False),
)


def test_case_mix_is_the_mean_weight_of_what_is_grouped(stays):
    weights = pa.table({"drg": ["X", "Y"], "weight": pa.array([Decimal("0.5"), Decimal("2.0")])})
    assert case_mix_index(stays(*ROWS), weights).to_pylist() == [
        {"hospital_id": "a", "stays": 3, "unweighted": 0, "case_mix_index": pytest.approx(1.0)},
        {"hospital_id": "b", "stays": 2, "unweighted": 1, "case_mix_index": pytest.approx(1.25)},
    ]
    none = case_mix_index(stays(("a", "Q", "1.00", 1, False)), weights)
    assert none["case_mix_index"].to_pylist() == [None]


def test_consumption_is_the_mean_of_ratios_within_groups(stays):
    # Money: X 200, Y 1200. a: (2 · 200/200 + 1 · 800/1200) / 3; b: (1 + 1600/1200) / 2. Days: X 6, Y 15.
    money = consumption_index(stays(*ROWS), "medfee_sumamt")["index"].to_pylist()
    assert money == pytest.approx([(2 + 2 / 3) / 3, (1 + 4 / 3) / 2])
    time = consumption_index(stays(*ROWS), "stay_days")["index"].to_pylist()
    assert time == pytest.approx([(2 + 10 / 15) / 3, (1 + 20 / 15) / 2])


def test_a_region_as_a_whole_consumes_one(drawn):
    table = consumption_index(drawn([0.5, 1, 2], size=300, seed=1), "medfee_sumamt")
    assert sum(n * i for n, i in zip(table["stays"].to_pylist(), table["index"].to_pylist(), strict=True)) == (
        pytest.approx(sum(table["stays"].to_pylist()))
    )


def died(drg: str, stays: int, deaths: int) -> list[tuple]:
    return [("a", drg, "1.00", 1, number < deaths) for number in range(stays)]


def test_risk_is_scored_by_the_logarithm_of_mortality(stays):
    rows = [*died("N", 50, 0), *died("L", 1000, 1), *died("M", 100, 1), *died("K", 100, 5), *died("H", 10, 5)]
    table = {row["drg"]: row for row in risk_scores(stays(*rows)).to_pylist()}
    logs = [math.log(one) for one in (0.001, 0.01, 0.05, 0.5)]
    mean = sum(logs) / 4
    spread = math.sqrt(sum((one - mean) ** 2 for one in logs) / 4)
    assert [table[drg]["z"] for drg in "LMKH"] == pytest.approx([(one - mean) / spread for one in logs])
    assert {drg: row["score"] for drg, row in table.items()} == {"N": 0, "L": 1, "M": 2, "K": 3, "H": 4}
    assert table["N"]["z"] is None


def test_low_risk_mortality_counts_score_one_alone(stays):
    scores = pa.table({"drg": ["L", "H", "N"], "score": pa.array([1, 4, 0])})
    rows = [*died("L", 40, 1), *died("H", 10, 5), *died("N", 9, 0), ("b", "H", "1.00", 1, True)]
    assert low_risk_mortality(stays(*rows), scores).to_pylist() == [
        {"hospital_id": "a", "stays": 40, "deaths": 1, "mortality": pytest.approx(0.025)},
        {"hospital_id": "b", "stays": 0, "deaths": 0, "mortality": None},
    ]
    assert low_risk_mortality(stays(*rows), scores, low=(0, 1))["stays"].to_pylist() == [49, 0]


def test_groups_that_are_alike_have_no_spread(stays):
    table = risk_scores(stays(*died("A", 10, 1), *died("B", 20, 2)))
    assert table["z"].to_pylist() == [0.0, 0.0]
    assert table["score"].to_pylist() == [3, 3]
