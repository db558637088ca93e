"""What would have to differ: every proposal lands where it says, and no part of it does."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.bench.grouping_cases import Cases, as_table
from headwater.bench.grouping_oracle import Oracle
from headwater.claims.grouping.nearing import as_stays, stays_of
from headwater.claims.grouping.reaching import reach
from headwater.claims.grouping.solving import Edit, applied


def _stay(diagnoses, operations=(), **numbers):
    return pa.table(
        {"diagnoses": [diagnoses], "operations": pa.array([list(operations)], pa.list_(pa.string())), **numbers}
    )


def _changes(plan, stays, drg):
    found = plan.near(stays, most=20).to_pylist()
    return [[(e["column"], e["action"], e["value"]) for e in row["edits"]] for row in found if row["drg"] == drg]


def test_a_complication_away(plan):
    added = _changes(plan, _stay(["I63.900"]), "BR11")
    assert added in ([[("diagnoses", "add", code)]] for code in ("J96.000", "A17.000+G01*"))
    assert _changes(plan, _stay(["I63.900", "J96.000"]), "BR15") == [[("diagnoses", "remove", "J96.000")]]


def test_a_sex_away(plan):
    near = plan.near(_stay(["C61.x00"], gend=["2"]))
    assert near["drg"].to_pylist()[0] == "MR19"
    assert near["zh"][0].as_py() == "如果性别为 1（1 男 2 女）"
    assert near["en"][0].as_py() == "if the sex were 1 (1 male, 2 female)"


def test_days_of_stay_away(plan):
    stay = _stay(["Z51.103", "C50.900"], ["99.2503"], ipt_days=[30])
    assert _changes(plan, stay, "RE12") == [[("ipt_days", "set", "13")]]


def test_an_operation_away(plan):
    assert _changes(plan, _stay(["I63.900"]), "BB15") == [[("operations", "first", "01.2400")]]
    assert _changes(plan, _stay(["I63.900"], ["01.2400"]), "BR15") == [[("operations", "remove", "01.2400")]]


def test_a_principal_diagnosis_away(plan):
    assert _changes(plan, _stay([None, "I63.900"]), "BR15") == [[("diagnoses", "principal", "I63.900")]]
    assert _changes(plan, _stay(["I63.999"]), "BR15") == [[("diagnoses", "principal", "I63.900")]]
    assert len(plan.near(_stay([]))) == 0


def test_two_areas_of_the_body(plan):
    assert _changes(plan, _stay(["S06.500"]), "ZZ19") in (
        [[("diagnoses", "add", "S22.300")]],
        [[("diagnoses", "add", "S72.000")]],
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_change_lands_in_the_group_it_names_and_no_part_of_it_does(plan, published, seed):
    stays = as_table(list(Cases(Oracle(published), seed).draw(4)))
    near = plan.near(stays)
    assert plan.group(near)["drg"].equals(near["drg"])
    known = stays_of(stays, plan.compiled)
    now = plan.group(stays)["drg"].to_pylist()
    for row in near.to_pylist():
        assert row["drg"] != now[row["row"]]
        edits = [Edit(**edit) for edit in row["edits"]]
        for left_out in range(len(edits)):
            part = applied(known[row["row"]], edits[:left_out] + edits[left_out + 1 :])
            assert plan.group(as_stays([part]))["drg"][0].as_py() != row["drg"]


def test_every_group_of_the_small_plan_is_reached(plan):
    found = reach(plan)
    assert {row["drg"] for row in found.to_pylist() if not row["reached"]} == set()
    assert plan.group(found)["drg"].to_pylist() == plan.drgs["code"].to_pylist()
