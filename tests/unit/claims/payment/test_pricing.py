from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.bench.pricing_by_row import price_by_row
from headwater.bench.pricing_cases import DRGS, TEXT, changed, drawn, policy, stay, table
from headwater.claims.payment import explain, price
from headwater.errors import Refusal


def _fen(amount: Decimal) -> int:
    assert amount * 100 == int(amount * 100)
    return int(amount * 100)


def _same_as_by_row(stays, rules):
    totals = price(table(stays), DRGS, rules).totals
    paid = price_by_row(table(stays).to_pylist(), rules)
    for name in ("payable", "fund", "self_pay"):
        got = totals[f"{name}_fen"].to_pylist()
        assert got == [_fen(getattr(one, name)) for one in paid], name


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 60), seed=st.integers(0, 10**9))
def test_every_stay_is_paid_as_row_by_row_in_decimal(n: int, seed: int):
    _same_as_by_row(drawn(n, seed), policy())


_RATIOS = TEXT[TEXT.index("  ratios:") : TEXT.index("budget:")]
VARIANTS = {
    "as billed": changed((_RATIOS, "  as_billed: true\n")),
    "no outliers": changed(("low_outlier: {below: 0.4}\n", "")),
    "deaths": changed(("pay: cost}", "pay: package}")),
    "transfers": changed(("pay: by_day", "pay: 0.55")),
    "kept": changed(("negative_fund: zero", "negative_fund: kept")),
    "all consumables": changed(("high_value_amount, share: 0.9, adrgs: [AA]", "consumable_amount, share: 0.333333")),
    "yearly for all": changed(("ceiling: 9000.00", "ceiling: 9000.00\n    ceiling_per: year")),
    "deductibles that fall": changed(
        ("deductible: 900.00", "deductible: [900.00, 450.00, 0]"), ("deductible: 700.00", "deductible: [700.00, 70.00]")
    ),
    "every return once": changed(("same: mdc, pay: 0.85", "same: any, pay: once")),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_other_choices_are_paid_as_row_by_row_too(name: str):
    for seed in range(3):
        _same_as_by_row(drawn(80, seed), VARIANTS[name])


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 60), seed=st.integers(0, 10**9))
def test_lines_stays_and_hospitals_sum_to_the_same_fen(n: int, seed: int):
    priced = price(table(drawn(n, seed)), DRGS, policy())
    lines, totals = priced.lines(), priced.totals
    by_stay = {}
    for one in lines.to_pylist():
        key = (one["stay_id"], one["account"])
        by_stay[key] = by_stay.get(key, 0) + one["amount_fen"]
    for one in totals.to_pylist():
        assert {name: by_stay.get((one["stay_id"], name), 0) for name in ("payable", "fund", "self_pay")} == {
            name: one[f"{name}_fen"] for name in ("payable", "fund", "self_pay")
        }
        assert one["fund_fen"] + one["self_pay_fen"] == one["payable_fen"]
    for name in ("payable", "fund", "self_pay"):
        whole = pc.sum(totals[f"{name}_fen"]).as_py() or 0
        of_lines = pc.sum(lines.filter(pc.equal(lines["account"], name))["amount_fen"]).as_py() or 0
        of_hospitals = sum(one[f"{name}_fen"] for one in priced.sums("hospital_id").to_pylist())
        assert whole == of_lines == of_hospitals == (priced.sums()[f"{name}_fen"][0].as_py() or 0)
    assert len(totals) == n
    assert set(lines["stay_id"].to_pylist()) == set(totals["stay_id"].to_pylist()), "nobody is left without a line"


CASES = {
    # BB1: 1.0 × 10,000.03 = 10,000.03 × 0.991234 = 9,912.3697… → 9,912.37
    "package": ({}, 991237),
    "adrg weight": ({"drg": "BB2"}, 1223682),  # 1.2345 × 10,000.03 = 12,345.04; × 0.991234 = 12,236.82
    "hospital": ({"hospital_id": "H1"}, 1020974),  # 10,000.03 × 1.03 = 10,300.03; × 0.991234 = 10,209.74
    "rate of its own": (
        {"hosp_lv": "2", "dscg_maindiag_code": "J18.1", "medfee_sumamt": Decimal("6000.00")},
        693871,
    ),  # 7,000.07 × 0.991234
    "common factor": ({"insutype": "390"}, 936716),  # 9,000 × 1.05 = 9,450; × 0.991234 = 9,367.16
    "low": ({"medfee_sumamt": Decimal("3964.94")}, 396494),  # trim 9,912.37 × 0.4 = 3,964.95
    "not low": ({"medfee_sumamt": Decimal("3964.95")}, 991237),
    # weight 1 is not below 1: 2.5 × 9,912.37 = 24,780.93 (half up); 0.7 × 5,219.07 = 3,653.35
    "high": ({"medfee_sumamt": Decimal("30000.00")}, 991237 + 365335),
    "death": ({"dscg_way": "5", "stay_days": 1}, 900000),
    "late death": ({"dscg_way": "5", "stay_days": 2}, 991237),
    # AA1: 0.8333 × 10,000.03 = 8,333.02 → 8,259.97; 3 of 6.5 days: × 3/6.5 = 3,812.29
    "transfer": ({"drg": "AA1", "adrg": "AA", "dscg_way": "2", "stay_days": 2}, 381229),
    "outside": ({"drg": "AA1", "adrg": "AA", "high_value_amount": Decimal("2000.00")}, 825997 + 180000),
    "trim of its own": ({"drg": "AA2", "adrg": "AA", "medfee_sumamt": Decimal("4999.99")}, 499999),
    "ungrouped": ({"drg": None, "status": "ungroupable"}, 720000),
    "no weight": ({"drg": "CC1", "adrg": "CC"}, 720000),
    "no rate": ({"insutype": "999", "medfee_sumamt": Decimal("5.01")}, 501),  # 4.01 paid, raised to the patient's 5.01
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_worked_out_by_hand(name: str):
    given_, payable = CASES[name]
    assert price(table([stay(**given_)]), DRGS, policy()).totals["payable_fen"].to_pylist() == [payable]


def test_the_patients_part_worked_out_by_hand():
    one = stay(
        medfee_sumamt=Decimal("12000.00"),
        jia_amount=Decimal("6000.00"),
        yi_amount=Decimal("3000.00"),
        bing_amount=Decimal("1000.00"),
    )
    # eligible 6,000 + 2,700 + 0 + 1,800 (2,000 unclassed as 乙) = 10,500; less 900 = 9,600
    # 5,000 × 0.8 + 4,600 × 0.85 = 7,910 → the patient pays 12,000 − 7,910
    priced = price(table([one]), DRGS, policy())
    assert priced.totals["self_pay_fen"].to_pylist() == [409000]
    assert priced.totals["settlement_fen"].to_pylist() == [991237 - 409000 - 500000]


def test_lines_of_more_than_the_bill_do_not_tell_what_it_is_made_of():
    bill = Decimal("9000.00")
    told = [
        stay(medfee_sumamt=bill, jia_amount=Decimal("99999.00"), high_value_amount=Decimal("50000.00")),
        stay(medfee_sumamt=bill, jia_amount=Decimal("0.00"), high_value_amount=bill),
        stay(medfee_sumamt=bill, jia_amount=Decimal("-5.00"), high_value_amount=Decimal("-1.00")),
        stay(medfee_sumamt=bill, jia_amount=Decimal("0.00"), high_value_amount=Decimal("0.00")),
    ]
    totals = price(table([{**one, "stay_id": str(place)} for place, one in enumerate(told)]), DRGS, policy()).totals
    first, second, third, fourth = totals.select(["payable_fen", "self_pay_fen"]).to_pylist()
    assert first == second
    assert third == fourth
    assert 0 < first["self_pay_fen"] <= 900000


def test_one_case_is_paid_once_and_its_bills_are_compared_together():
    days = [("2025-03-01", "2025-03-04"), ("2025-03-04", "2025-03-09"), ("2025-03-20", "2025-03-21")]
    stays = [
        stay(
            stay_id=str(place),
            psn_no="p",
            begntime=pa.scalar(begin).cast(pa.date32()).as_py(),
            endtime=pa.scalar(end).cast(pa.date32()).as_py(),
            medfee_sumamt=Decimal("3000.00"),
        )
        for place, (begin, end) in enumerate(days)
    ]
    stays[1] |= {"drg": "AA2", "adrg": "AA"}
    priced = price(table(stays), DRGS, policy())
    # AA2: 2.5001 × 10,000.03 = 25,001.08 → 24,781.92; the two bills of 6,000 are not below its trim point of 5,000;
    # eleven days later the third is a readmission: 9,912.37 × 0.85 = 8,425.51, its bill below 3,964.95: paid by cost
    assert priced.totals["payable_fen"].to_pylist() == [0, 2478192, 300000]
    assert priced.totals["paid_as"].to_pylist() == ["merged", "package", "low_outlier"]
    told = [one.told.en for one in explain(priced, "1") if one.step.en == "repeated stay"]
    assert told == ["2 stays there are one case, paid with this one; their bills are 6000.00 together"]
    assert "carries the payment" in next(one.told.en for one in explain(priced, "0") if one.step.en == "repeated stay")


def test_the_ceiling_holds_for_a_year():
    stays = [
        stay(
            stay_id=month,
            psn_no="p",
            medfee_sumamt=Decimal("20900.00"),
            jia_amount=Decimal("20900.00"),
            begntime=None,
            endtime=None,
        )
        for month in "123"
    ]
    for one, day in zip(stays, ("2025-02-01", "2024-12-31", "2025-03-01"), strict=True):
        one["begntime"] = one["endtime"] = pa.scalar(day).cast(pa.date32()).as_py()
    # each: 20,000 over the deductible: 4,000 + 4,250 + 9,000 = 17,250; in 2025 the second one finds 2,750 left
    totals = price(table(stays), DRGS, policy()).totals
    assert totals["self_pay_fen"].to_pylist() == [365000, 365000, 1815000]


def test_deductibles_fall_with_the_stays_of_a_year():
    rules = changed(("deductible: 900.00", "deductible: [900.00, 450.00, 0]"))
    days = (date(2025, 3, 1), date(2025, 1, 9), date(2025, 7, 1), date(2024, 12, 31), date(2025, 9, 1))
    stays = [
        stay(stay_id=f"{place}", psn_no="p", hospital_id=f"H{place}", begntime=day, endtime=day, jia_amount=bill)
        for place, (day, bill) in enumerate(zip(days, [Decimal("900.00")] * 5, strict=True))
    ]
    for one in stays:
        one["medfee_sumamt"] = one["jia_amount"]
    # Another person's stay, one of nobody known, and one of an insurance that is not covered count for none.
    more = [{**stays[0], "stay_id": "x", "psn_no": "q"}, {**stays[0], "stay_id": "y", "psn_no": None}]
    more.append(
        {**stays[0], "stay_id": "z", "insutype": "999", "endtime": date(2025, 1, 1), "begntime": date(2025, 1, 1)}
    )
    priced = price(table([*stays, *more]), DRGS, rules)
    # 900: all of it, then 450 + 20 % of 450, then 20 % of 900 twice; the year before and others begin anew.
    assert priced.totals["self_pay_fen"].to_pylist() == [54000, 90000, 18000, 90000, 18000, 90000, 90000, 90000]
    told = [one.told for one in explain(priced, "0") if one.step.en == "deductible"]
    assert [(one.zh, one.en) for one in told] == [
        (
            "本年第 2 次住院，可报销费用 900.00 元中起付线 450.00 元以内",
            "stay 2 of the year: of 900.00 eligible, the deductible of 450.00",
        )
    ]


def test_one_deductible_is_a_list_of_one():
    rules = changed(("deductible: 900.00", "deductible: [900.00]"))
    assert rules.version == policy().version != changed(("deductible: 900.00", "deductible: [900.00, 900.00]")).version


def test_a_payment_is_explained_in_both_languages():
    priced = price(table([stay(), stay(stay_id="2", medfee_sumamt=Decimal("30000.00"))]), DRGS, policy())
    told = explain(priced, "2")
    assert [one.amount_fen for one in told if one.account == "payable"] == [1000003, -8766, 365335]
    high = next(one for one in told if one.step.en == "high outlier")
    assert high.told.zh == "费用 30000.00 元高于上限 24780.93 元，超出部分按 0.7 追加"
    assert high.told.en == "the bill of 30000.00 is above the trim point 24780.93: share 0.7 of the excess"
    lines = priced.lines()
    mine = lines.filter(pc.equal(lines["stay_id"], "2"))
    assert mine["amount_fen"].to_pylist() == [one.amount_fen for one in told]
    assert mine["line_no"].to_pylist() == list(range(1, len(told) + 1))
    assert mine["operands"].to_pylist()[0] == "drg=BB1;weight=1.000000;rate=10000.03"
    with pytest.raises(Refusal, match="E-PAYMENT-STAY"):
        explain(priced, "3")


def test_every_line_can_be_explained():
    priced = price(table(drawn(400, 5)), DRGS, policy())
    reasons = {one.reason for one in priced.blocks}
    assert len(reasons) > 20
    for place in range(400):
        assert all("{" not in one.told.zh + one.told.en for one in explain(priced, str(place)))


def test_what_cannot_be_priced_is_refused():
    good = table([stay()])
    with pytest.raises(Refusal, match="hosp_lv"):
        price(good.drop_columns(["hosp_lv"]), DRGS, policy())
    floats = good.set_column(good.column_names.index("medfee_sumamt"), "medfee_sumamt", pa.array([9000.0]))
    with pytest.raises(Refusal, match="medfee_sumamt"):
        price(floats, DRGS, policy())
    parts = good.set_column(
        good.column_names.index("medfee_sumamt"), "medfee_sumamt", pa.array([Decimal("1.001")], pa.decimal128(18, 3))
    )
    with pytest.raises(Refusal, match=r"0\.01"):
        price(parts, DRGS, policy())


def test_absent_columns_are_told_and_the_plan_fills_in():
    names = ["stay_id", "hospital_id", "hosp_lv", "insutype", "drg", "medfee_sumamt"]
    priced = price(table([stay(drg="BB2")]).select(names), DRGS, policy())
    assert priced.totals["payable_fen"].to_pylist() == [1223682], "ADRG BB from the plan"
    assert {"psn_no", "jia_amount", "fund_pay_sumamt"} <= set(priced.missing)


def test_some_stays_are_paid_in_the_light_of_all():
    stays = table(drawn(120, 8))
    whole = price(stays, DRGS, policy())
    mine = pc.fill_null(pc.equal(stays["hospital_id"], "H1"), False).combine_chunks()
    some = price(stays, DRGS, policy(), where=mine)
    assert some.totals.equals(whole.totals.filter(mine))
    lines = whole.lines()
    assert some.lines().equals(lines.filter(pc.is_in(lines["stay_id"], stays["stay_id"].filter(mine).combine_chunks())))
