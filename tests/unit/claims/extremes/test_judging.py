"""Judgement by an expectation: exact for a log-normal cost, silent where nothing is expected."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats as scipy_stats

from headwater.claims.extremes import by_model, explain, reason, scores
from headwater.claims.extremes.judging import COLUMNS
from headwater.claims.extremes.reasons import REASONS


def table(cost: list[str | None], expected: list[float | None], spread: list[float]) -> pa.Table:
    money = pa.array([None if one is None else Decimal(one) for one in cost], pa.decimal128(18, 2))
    ids = [f"s{number}" for number in range(len(cost))]
    return pa.table({"stay_id": ids, "medfee_sumamt": money, "expected": expected, "spread": spread})


def test_a_log_normal_cost_with_its_mean_expected_is_as_often_extreme_as_stated():
    rng, spread = np.random.default_rng(1), 0.6
    cost = np.exp(9 + spread * rng.standard_normal(40_000))
    mean = float(np.exp(9 + spread**2 / 2))
    stays = table([f"{one:.2f}" for one in cost], [mean] * len(cost), [spread] * len(cost))
    z = scores(stays)
    assert scipy_stats.kstest(z, "norm").pvalue > 0.01
    assert len(by_model(stays, limit=2.0)) / len(cost) == pytest.approx(2 * scipy_stats.norm.sf(2), rel=0.08)


def test_the_limit_is_where_the_score_is_the_limit():
    stays = table(["90000.00", "100.00", "3000.00"], [3000.0] * 3, [0.5] * 3)
    listed = by_model(stays, limit=2.5)
    assert listed.column_names == list(COLUMNS)
    assert listed["side"].to_pylist() == ["high", "low"]
    at_limit = scores(table([str(one) for one in listed["bound"].to_pylist()], [3000.0] * 2, [0.5] * 2))
    assert at_limit == pytest.approx([2.5, -2.5], abs=1e-3)
    assert listed["at_stake"].to_pylist()[0] == Decimal("90000.00") - listed["bound"].to_pylist()[0]


def test_what_is_not_expected_is_not_judged():
    stays = table(["1.00", None, "1.00", "1.00"], [None, 100.0, 0.0, 100.0], [0.5, 0.5, 0.5, 0.0])
    assert np.isnan(scores(stays)).all()
    assert len(by_model(stays)) == 0


def test_every_reason_is_told_in_both_languages():
    judged = by_model(table(["90000.00", "1.00"], [3000.0] * 2, [0.5] * 2)).to_pylist()
    for row in judged:
        told = explain(reason(row), row)
        assert "{" not in told.zh + told.en
    assert explain("model_high", judged[0]).en.startswith("It cost 90,000.00 where 3,000.00 was expected")
    told = ("amount", "usual", "bound", "cases", "score", "days", "usual_days", "name", "basis", "gap", "other")
    values = dict.fromkeys(told, 1)
    for code in REASONS:
        assert "{" not in explain(code, values).zh
    assert "as its DRG has too few" in explain("rule_high", {**values, "basis": "adrg"}).en
