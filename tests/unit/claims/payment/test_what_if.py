from datetime import date
from fractions import Fraction
from itertools import permutations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.bench.pricing_cases import DRGS, changed, drawn, policy, stay, table
from headwater.claims.payment import EFFECTS, decompose, price, summed, what_if
from headwater.errors import Refusal

AFTER = changed(("BB1: 1.0", "BB1: 1.1"), ("amount: 9000.00", "amount: 9999.99"), ("ratio: 0.6", "ratio: 0.7"))
FIRST, SECOND = (date(2024, 12, 1), date(2024, 12, 31)), (date(2025, 1, 1), date(2025, 3, 31))


def test_who_gains_and_who_loses_is_the_difference_of_two_pricings():
    stays = table(drawn(200, 3))
    compared = what_if(stays, DRGS, policy(), AFTER)
    before, after = price(stays, DRGS, policy()).totals, price(stays, DRGS, AFTER).totals
    for row in compared.by("hospital_id").to_pylist():
        mine = pc.equal(pc.fill_null(stays["hospital_id"], "-"), row["hospital_id"] or "-")
        for name in ("payable", "fund", "self_pay"):
            for side, totals in (("before", before), ("after", after)):
                assert row[f"{name}_{side}_fen"] == pc.sum(totals.filter(mine)[f"{name}_fen"]).as_py()
        change = row["payable_after_fen"] - row["payable_before_fen"]
        assert row["change_fen"] == change
        assert row["outcome"] == ("gains" if change > 0 else "loses" if change < 0 else "same")
    region = compared.by().to_pylist()[0]
    assert region["stays"] == 200
    mine = pc.equal(pc.fill_null(stays["hospital_id"], "-"), "H1").combine_chunks()
    assert what_if(stays, DRGS, policy(), AFTER, where=mine).by().to_pylist() == [
        {key: value for key, value in row.items() if key != "hospital_id"}
        for row in compared.by("hospital_id").to_pylist()
        if row["hospital_id"] == "H1"
    ]
    for keys in (("hosp_lv", "insutype"), ("drg",)):
        assert sum(compared.by(*keys)["fund_change_fen"].to_pylist()) == region["fund_change_fen"]


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 80), seed=st.integers(0, 10**9), within=st.sampled_from([(), ("hospital_id",)]))
def test_the_four_effects_add_up_to_the_change_everywhere(n: int, seed: int, within: tuple[str, ...]):
    compared = what_if(table(drawn(n, seed)), DRGS, policy(), AFTER)
    parts = decompose(compared, FIRST, SECOND, within=within)
    for row in (*parts.to_pylist(), *summed(parts, "drg").to_pylist(), *summed(parts).to_pylist()):
        assert sum(row[f"{name}_fen"] or 0 for name in EFFECTS) == (row["change_fen"] or 0)
    ended = compared.before.totals["endtime"]
    for side, (begin, end), priced in (("before", FIRST, compared.before), ("after", SECOND, compared.after)):
        inside = pc.and_(pc.greater_equal(ended, pa.scalar(begin)), pc.less_equal(ended, pa.scalar(end)))
        whole = pc.sum(priced.totals.filter(inside)["fund_fen"]).as_py() or 0
        assert sum(parts[f"{side}_fen"].to_pylist()) == whole


def _mean_over_orders(number, total, paid):
    """The four effects of one cell, each taken in turn in all 24 orders."""

    def value(v, m, g, p):
        share = Fraction(number[m], total[m]) if total[m] else Fraction(number[1 - m], total[1 - m])
        mean = Fraction(paid[g][p], number[g]) if number[g] else Fraction(paid[1 - g][p], number[1 - g])
        return total[v] * share * mean

    effects = [Fraction(0)] * 4
    for order in permutations(range(4)):
        state = [0, 0, 0, 0]
        for player in order:
            before = value(*state)
            state[player] = 1
            effects[player] += (value(*state) - before) / 24
    return effects


def test_each_effect_is_its_mean_over_all_orders():
    compared = what_if(table(drawn(150, 11)), DRGS, policy(), AFTER)
    parts = decompose(compared, FIRST, SECOND, cells=["drg"])
    crossed = {}
    for side, period in enumerate((FIRST, SECOND)):
        ended = compared.before.totals["endtime"]
        inside = pc.and_(pc.greater_equal(ended, pa.scalar(period[0])), pc.less_equal(ended, pa.scalar(period[1])))
        for place, priced in enumerate((compared.before, compared.after)):
            rows = priced.totals.filter(inside).group_by("drg").aggregate([("fund_fen", "sum")]).to_pylist()
            crossed[side, place] = {row["drg"]: row["fund_fen_sum"] for row in rows}
    total = [sum(parts[name].to_pylist()) for name in ("stays_before", "stays_after")]
    for row in parts.to_pylist():
        paid = [[crossed[side, place].get(row["drg"], 0) for place in (0, 1)] for side in (0, 1)]
        exact = _mean_over_orders([row["stays_before"], row["stays_after"]], total, paid)
        for name, effect in zip(EFFECTS, exact, strict=True):
            assert abs(row[f"{name}_fen"] - effect) < 1, (row["drg"], name)


def test_effects_are_what_their_names_say():
    def month(number: int, count: int, drg: str = "BB1", hosp: str = "3"):
        day = date(2025, number, 5)
        return [
            stay(stay_id=f"{number}{drg}{i}", drg=drg, adrg=drg[:2], begntime=day, endtime=day, hosp_lv=hosp)
            for i in range(count)
        ]

    january, march = (date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 3, 1), date(2025, 3, 31))

    def effects(stays, after):
        row = summed(decompose(what_if(table(stays), DRGS, policy(), after), january, march, amount="payable"))
        return {name: row[f"{name}_fen"][0].as_py() for name in EFFECTS}

    assert effects(month(1, 2) + month(3, 3), policy()) == {"volume": 991237, "mix": 0, "price": 0, "policy": 0}
    mixed = effects(month(1, 2) + month(3, 1) + month(3, 1, "BB2"), policy())
    assert mixed == {"volume": 0, "mix": 1223682 - 991237, "price": 0, "policy": 0}
    only = effects(month(1, 2) + month(3, 2), changed(("BB1: 1.0", "BB1: 1.1")))
    # 11,000.03 × 0.991234 = 10,903.60
    assert only == {"volume": 0, "mix": 0, "price": 0, "policy": 2 * (1090360 - 991237)}


def test_without_days_of_discharge_nothing_is_decomposed():
    compared = what_if(table(drawn(5, 1)).drop_columns(["endtime"]), DRGS, policy(), AFTER)
    with pytest.raises(Refusal, match="endtime"):
        decompose(compared, FIRST, SECOND)
