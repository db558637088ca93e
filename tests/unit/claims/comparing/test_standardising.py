"""Observed against expected: worked by hand, against exact tails, and by how often limits hold."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats as scipy_stats

from headwater.claims.comparing import standardise
from headwater.claims.comparing.standardising import poisson_limits
from headwater.errors import Refusal

ROWS = (
    ("a", "X", "100.00", 4, False),
    ("a", "X", "200.00", 6, False),
    ("a", "Y", "900.00", 9, True),
    ("b", "X", "300.00", 5, False),
    ("b", "Y", "700.00", 7, False),
    ("b", "Z", "50.00", 1, False),
)


def test_expected_is_what_peers_cost_within_each_group(stays):
    one, other = standardise(stays(*ROWS)).to_pylist()
    # The means are 200 of X, 800 of Y and 50 of Z.
    assert (one["observed"], one["expected"]) == (Decimal("1200.00"), Decimal("1200.00"))
    assert (other["observed"], other["expected"]) == (Decimal("1050.00"), Decimal("1050.00"))
    assert (one["stays"], other["stays"], other["alone"]) == (3, 3, 0)


def test_without_itself_a_hospital_is_judged_by_the_others_alone(stays):
    one, other = standardise(stays(*ROWS), own=False).to_pylist()
    assert (one["observed"], one["expected"]) == (Decimal("1200.00"), Decimal("1300.00"))
    # Nobody else has Z, so that stay is left out of both sides and told.
    assert (other["observed"], other["expected"], other["alone"]) == (Decimal("1000.00"), Decimal("1050.00"), 1)


def test_sums_over_a_level_agree_when_hospitals_are_among_their_own_peers(drawn):
    for measure in ("medfee_sumamt", "stay_days", "is_dead"):
        table = standardise(drawn([1, 1.5, 0.7], size=300, seed=1), measure)
        observed, expected = (sum(table[name].to_pylist()) for name in ("observed", "expected"))
        assert abs(observed - expected) <= Decimal("0.02")


def test_levels_and_regions_are_never_mixed(stays):
    low = stays(*ROWS, level="1")
    low = low.set_column(1, "hospital_id", pa.array(["c"] * 3 + ["d"] * 3))
    both = pa.concat_tables([stays(*ROWS), low])
    table = standardise(both)
    assert table.filter(pa.compute.equal(table["hosp_lv"], "3"))["expected"].to_pylist() == [
        Decimal("1200.00"),
        Decimal("1050.00"),
    ]


def test_stays_without_a_group_are_left_out_and_counted(stays):
    table = standardise(stays(*ROWS, ("a", None, "9999.00", 1, False)))
    assert table.schema.metadata[b"left_out"] == b"1"
    assert table["observed"][0].as_py() == Decimal("1200.00")


@pytest.mark.parametrize("count", [0, 1, 7, 150])
def test_limits_of_counts_are_those_of_the_exact_tails(count):
    lower, upper = poisson_limits(np.array(count))
    assert scipy_stats.poisson.cdf(count, upper) == pytest.approx(0.025)
    assert lower == 0 if count == 0 else scipy_stats.poisson.sf(count - 1, lower) == pytest.approx(0.025)
    if count > 0:  # Byar's approximation, Breslow and Day 1987, p. 69
        byar = count * (1 - 1 / (9 * count) - 1.96 / (3 * np.sqrt(count))) ** 3
        assert lower == pytest.approx(byar, abs=0.03)


def test_nobody_expected_to_die_has_no_ratio(stays):
    table = standardise(stays(("a", "X", "1.00", 1, False), ("b", "X", "1.00", 1, False)), "is_dead")
    assert table["ratio"].to_pylist() == [None, None]
    assert table["upper"].to_pylist() == [None, None]


@pytest.mark.parametrize("own", [True, False])
def test_limits_of_amounts_hold_about_as_often_as_they_say(drawn, own):
    held = []
    for seed in range(120):
        table = standardise(drawn([1, 1, 1, 1], size=240, seed=seed), own=own)
        lower, upper = table["lower"].to_numpy(), table["upper"].to_numpy()
        held += ((lower <= 1) & (upper >= 1)).tolist()
    assert 0.92 <= np.mean(held) <= 0.98


def test_what_cannot_be_summed_exactly_or_compared_is_refused(stays):
    table = stays(*ROWS)
    with pytest.raises(Refusal, match="^E-COMPARE-MEASURE:"):
        standardise(table.append_column("x", pa.array([0.5] * 6)), "x")
    with pytest.raises(Refusal, match="^E-COMPARE-MEASURE:"):
        standardise(table.append_column("x", pa.array([Decimal("0.001")] * 6)), "x")
    with pytest.raises(Refusal, match="^E-COMPARE-COLUMN:"):
        standardise(table.drop_columns(["drg"]))
    moved = pa.concat_tables([table, stays(*ROWS, level="2")])
    with pytest.raises(Refusal, match="^E-COMPARE-HOSPITAL:"):
        standardise(moved)
