from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.bench.pricing_cases import DRGS, changed, drawn, policy, stay, table
from headwater.claims.payment import budget_months, budget_status, price
from headwater.errors import Refusal


def _status(text: str, used: list[str], on: date):
    """Stays of H1, ungrouped and wholly paid by the fund's side of nothing: what is billed is used."""
    rules = changed(("by_cost: 0.8", "by_cost: 1"), ("H1: 1000000.01", f"H1: {text}"), ("zero", "kept"))
    stays = [
        stay(
            stay_id=str(i),
            hospital_id="H1",
            drg=None,
            status="ungroupable",
            medfee_sumamt=Decimal(cost),
            jia_amount=Decimal(0),
            yi_amount=Decimal(0),
            bing_amount=Decimal(cost),
            endtime=on,
        )
        for i, cost in enumerate(used)
    ]
    return rules, price(table(stays), DRGS, rules)


def test_what_is_prepaid_used_and_settled_worked_out_by_hand():
    rules, priced = _status("12000.00", ["100.00"], date(2025, 3, 31))
    fund = priced.totals["fund_fen"][0].as_py()
    assert fund == 0, "all of it is 丙, so the patient pays"
    row = budget_status(priced, rules, on=date(2025, 3, 31)).to_pylist()[0]
    # three twelfths of 12,000 are 3,000; 90 % prepaid; unused: 10 % kept whole, the other 90 % half: 300 + 1,350
    assert row == {
        "hospital_id": "H1",
        "stays": 1,
        "budget_fen": 1200000,
        "to_date_fen": 300000,
        "prepaid_fen": 270000,
        "used_fen": 0,
        "settled_fen": 165000,
        "difference_fen": 165000 - 270000,
    }


def test_an_excess_is_shared_up_to_its_bound():
    rules = changed(("H1: 1000000.01", "H1: 1000.00"), ("negative_fund: zero", "negative_fund: kept"))
    one = stay(hospital_id="H1", jia_amount=Decimal("9000.00"))
    priced = price(table([one]), DRGS, rules)
    # 10,209.74 payable; the patient pays 900 + 20 % of 5,000 + 15 % of 3,100 = 2,365: the fund 7,844.74
    assert priced.totals["fund_fen"].to_pylist() == [784474]
    row = budget_status(priced, rules, on=date(2025, 12, 31)).to_pylist()[0]
    # the first 10 % above the budget at 60 %, nothing beyond
    assert (row["used_fen"], row["settled_fen"]) == (784474, 100000 + 6000)


def test_every_hospital_stands_there_and_without_a_budget_all_is_settled():
    priced = price(table(drawn(200, 4)), DRGS, policy())
    status = budget_status(priced, policy(), on=date(2025, 2, 28))
    rows = {row["hospital_id"]: row for row in status.to_pylist()}
    assert {"H1", "H2", "H3", ""} == set(rows)
    assert rows["H3"]["budget_fen"] is None
    assert rows["H3"]["settled_fen"] == rows["H3"]["used_fen"] == rows["H3"]["difference_fen"]
    counted = [day for day in priced.totals["endtime"].to_pylist() if date(2025, 1, 1) <= day <= date(2025, 2, 28)]
    assert sum(status["stays"].to_pylist()) == len(counted) < 200


def test_the_funds_of_insurance_types_are_held_against_theirs():
    priced = price(table(drawn(200, 4)), DRGS, policy())
    day = date(2025, 2, 28)
    rows = {row["insutype"]: row for row in budget_status(priced, policy(), on=day, by="insutype").to_pylist()}
    assert rows["310"]["to_date_fen"] == 20_000_000
    assert rows["390"]["budget_fen"] is None
    for row in rows.values():
        assert (row["prepaid_fen"], row["settled_fen"]) == (0, row["used_fen"])
    by_hospital = budget_status(priced, policy(), on=day)
    assert sum(row["used_fen"] for row in rows.values()) == sum(by_hospital["used_fen"].to_pylist())


def test_a_policy_without_a_budget_is_refused():
    priced = price(table([stay()]), DRGS, policy())
    with pytest.raises(Refusal, match="E-POLICY-BUDGET"):
        budget_status(priced, replace(policy(), budget=None), on=date(2025, 1, 31))


def test_every_month_stands_where_it_would_on_its_last_day():
    priced = price(table(drawn(200, 4)), DRGS, policy())
    totals = priced.totals
    month = pc.floor_temporal(totals["endtime"], unit="month").cast(pa.date32())
    sums = (
        pa.table({**{name: totals[name] for name in ("hospital_id", "insutype", "fund_fen")}, "endtime": month})
        .append_column("stays", pa.array([1] * len(totals)))
        .group_by(["hospital_id", "insutype", "endtime"])
        .aggregate([("stays", "sum"), ("fund_fen", "sum")])
        .rename_columns(["hospital_id", "insutype", "endtime", "stays", "fund_fen"])
    )
    for by in ("hospital_id", "insutype"):
        months = budget_months(sums, policy(), on=date(2025, 12, 31), by=by)
        days = {date(2025, 1, 1): date(2025, 1, 31), date(2025, 2, 1): date(2025, 2, 28)}
        for first, last in days.items():
            mine = months.filter(pc.equal(months["month"], pa.scalar(first)))
            status = budget_status(priced, policy(), on=last, by=by)
            assert mine.select(status.column_names).to_pylist() == status.to_pylist()
        assert sum(months["fund_fen"].to_pylist()) == sum(
            budget_status(priced, policy(), on=date(2025, 12, 31), by=by)["used_fen"].to_pylist()
        )
        assert set(months["forecast_method"].to_pylist()) == {"run_rate"}
