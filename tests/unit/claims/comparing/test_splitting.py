"""Volume, mix and price: worked by hand, equal to the fen whatever the stays, and one for one with exact fractions."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings

from headwater.claims.comparing import split, split_price
from headwater.claims.comparing.splitting import FACTORS, rounded, share_product

LIKE_FUNCTIONS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
STAY = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["X", "Y", "Z"]),
    st.integers(0, 10**9).map(lambda fen: f"{fen // 100}.{fen % 100:02d}"),
    st.integers(1, 30),
    st.booleans(),
)


def cost_of(table: pa.Table, hospital: str | None = None) -> int:
    rows = zip(table["hospital_id"].to_pylist(), table["medfee_sumamt"].to_pylist(), strict=True)
    return int(sum(one for name, one in rows if hospital in (None, name)) * 100)


def test_a_difference_is_split_as_by_hand(stays):
    # a: 2 X of 100; b: 1 X of 100 and 1 Y of 300. Level: 2 stays a hospital, shares 3/4 and 1/4, means 100 and 300.
    rows = (("a", "X", "100.00"), ("a", "X", "100.00"), ("b", "X", "100.00"), ("b", "Y", "300.00"))
    table = split(stays(*((*row, 1, False) for row in rows)), groups=())
    sums: Counter = Counter()
    for row in table.to_pylist():
        for factor in FACTORS:
            sums[row["hospital_id"], factor] += row[factor]
    # Costs 200 and 400, the mean hospital 300: all of it is mix.
    assert {key: value for key, value in sums.items() if value} == {("a", "mix"): -100, ("b", "mix"): 100}
    by_drg = {row["drg"]: row["mix"] for row in table.to_pylist() if row["hospital_id"] == "b"}
    # 1/4 more of Y at 300 and less of X at 100, mean 150, 2 stays.
    assert by_drg == {"X": Decimal("25.00"), "Y": Decimal("75.00")}


@LIKE_FUNCTIONS
@given(rows=st.lists(STAY, min_size=1, max_size=25), with_groups=st.booleans())
def test_parts_sum_to_the_difference_to_the_fen(stays, rows, with_groups):
    table = stays(*rows)
    hospitals = set(table["hospital_id"].to_pylist())
    found = split(table, groups=("drug_amount", "consumable_amount", "service_amount") if with_groups else ())
    for hospital in hospitals:
        parts = found.filter(pa.compute.equal(found["hospital_id"], hospital))
        total = sum(int(value * 100) for factor in FACTORS for value in parts[factor].to_pylist())
        whole, many = cost_of(table), len(hospitals)
        assert total == cost_of(table, hospital) - (2 * whole + many) // (2 * many)


@LIKE_FUNCTIONS
@given(rows=st.lists(STAY, min_size=2, max_size=12))
def test_every_part_is_within_a_fen_of_exact_fractions(stays, rows):
    table = stays(*rows)
    found = split(table, groups=())
    hospitals = sorted(set(table["hospital_id"].to_pylist()))
    fen, number = Counter(), Counter()
    for hospital, drg, cost, _, _ in rows:
        for key in ((hospital, drg), (None, drg)):
            fen[key] += int(Decimal(cost) * 100)
            number[key] += 1
    all_stays = Fraction(len(rows))
    for row in found.to_pylist():
        own, peers = (row["hospital_id"], row["drg"]), (None, row["drg"])
        mine = Fraction(sum(one for key, one in number.items() if key[0] == row["hospital_id"]))
        level = Fraction(fen[peers], number[peers])
        x = (mine, number[own] / mine, Fraction(fen[own], number[own]) if number[own] else level)
        y = (all_stays / len(hospitals), number[peers] / all_stays, level)
        exact = dict.fromkeys(FACTORS, Fraction(0))
        for order in permutations(range(3)):
            at = list(y)
            for place in order:
                before = at[0] * at[1] * at[2]
                at[place] = x[place]
                exact[FACTORS[place]] += (at[0] * at[1] * at[2] - before) / 6
        mean = Fraction(sum(one for key, one in fen.items() if key[0] is None)) / all_stays
        exact["mix"] -= (x[1] - y[1]) * (x[0] + y[0]) / 2 * mean
        for factor in FACTORS:
            assert abs(int(row[factor] * 100) - exact[factor]) <= 1


def test_products_are_shared_as_shapley_shares_them():
    own, peers = [np.array(one) for one in (2.0, 3.0, 5.0, 7.0)], [np.array(one) for one in (1.0, 4.0, 2.0, 3.0)]
    by_orders = np.zeros(4)
    for order in permutations(range(4)):
        at = [float(one) for one in peers]
        for place in order:
            before = np.prod(at)
            at[place] = float(own[place])
            by_orders[place] += (np.prod(at) - before) / 24
    assert np.allclose(share_product(own, peers), by_orders)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.integers(-3, 3))
def test_rounding_gives_the_total_and_moves_nothing_by_more_than_its_share(parts, further):
    total = round(sum(parts)) + further
    found = rounded(np.array(parts), total)
    assert found.sum() == total
    assert np.all(np.abs(found - parts) <= 1 + abs(further))


LINE = st.tuples(st.integers(0, 7), st.sampled_from("pq"), st.integers(-2, 5), st.integers(-500, 10**7))


@LIKE_FUNCTIONS
@given(lines=st.lists(LINE, max_size=25))
def test_use_and_price_sum_to_what_was_billed_beyond_the_peers(stays, lines):
    table = stays(*(("ab"[n % 2], "XY"[n // 4], "1.00", 1, False) for n in range(8)))
    billed = pa.table(
        {
            "stay_id": pa.array([f"s{stay}" for stay, *_ in lines], pa.string()),
            "item": pa.array([item for _, item, *_ in lines], pa.string()),
            "cnt": pa.array([count for *_, count, _ in lines], pa.int64()),
            "amount": pa.array([Decimal(fen).scaleb(-2) for *_, fen in lines], pa.decimal128(18, 2)),
        }
    )
    found = split_price(table, billed)
    for hospital in "ab":
        parts = found.filter(pa.compute.equal(found["hospital_id"], hospital))
        own = sum(fen for stay, _, _, fen in lines if "ab"[stay % 2] == hospital)
        # Each of two DRGs has two of its four stays here.
        expected = sum(Fraction(fen, 2) for *_, fen in lines)
        assert sum(int(one * 100) for name in ("use", "price") for one in parts[name].to_pylist()) == own - round(
            expected
        )


def test_a_dearer_price_and_a_greater_quantity_are_told_apart(stays):
    table = stays(*((name, "X", "1.00", 1, False) for name in "ab"))
    billed = pa.table(
        {
            "stay_id": ["s0", "s1", "s0", "s1"],
            "item": ["p", "p", "q", "q"],
            "cnt": [2, 2, 6, 2],
            "amount": pa.array([Decimal(one) for one in ("30.00", "10.00", "60.00", "20.00")], pa.decimal128(18, 2)),
        }
    )
    found = {
        (row["hospital_id"], row["item"]): (row["use"], row["price"]) for row in split_price(table, billed).to_pylist()
    }
    assert found["a", "p"] == (Decimal("0.00"), Decimal("10.00"))
    assert found["a", "q"] == (Decimal("20.00"), Decimal("0.00"))
