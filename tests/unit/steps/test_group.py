"""Groups follow the front-page mart: what changed is grouped again, nothing is lost, the day says what holds."""

from datetime import datetime

import pytest

from headwater.errors import Refusal
from headwater.steps.explain import explain
from headwater.steps.group import INVALID, NO_PLAN
from headwater.steps.plans import convert, plans
from headwater.steps.policies import policies

GROUPS = "SELECT stay_id, drg, status, reason FROM lake.grouping.stay ORDER BY stay_id"


def test_every_stay_has_a_group_or_a_reason(payer):
    payer.policy()
    payer.stays(
        {"mdtrt_id": "1"},
        {"mdtrt_id": "2", "dscg_maindiag_code": "Z99.999X999"},
        {"mdtrt_id": "3", "is_valid": False, "invalid_reason": "negative_cost"},
        {"mdtrt_id": "4", "endtime": datetime(2024, 12, 31)},
        {"mdtrt_id": "5", "region": "RS", "currency": "BRL"},
        {"mdtrt_id": "6", "dscg_maindiag_code": ""},
    )
    report = payer.group()
    assert report.statuses == {"grouped": 1, "ungroupable": 1, INVALID: 2, NO_PLAN: 2}
    assert report.stays == report.asked == 6
    found = {row[0]: row[1:] for row in payer.rows(GROUPS)}
    assert found["h1:1"][0].startswith("ES1")
    assert found["h1:2"] == (None, "ungroupable", "mdc_none")
    assert found["h1:3"] == (None, INVALID, "negative_cost")
    assert found["h1:4"] == found["h1:5"] == (None, NO_PLAN, None)
    assert found["h1:6"] == (None, INVALID, "principal_missing")


def test_only_what_changed_is_grouped_again(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2"})
    payer.group()
    before = payer.rows("SELECT stay_id, grouped_at, snapshot_id FROM lake.grouping.stay ORDER BY ALL")
    assert payer.group().asked == 0
    payer.stays({"mdtrt_id": "2", "dscg_maindiag_code": "K80.000"})
    assert payer.group().asked == 1
    after = payer.rows("SELECT stay_id, grouped_at, snapshot_id FROM lake.grouping.stay ORDER BY ALL")
    assert before[0] == after[0]
    assert before[1] != after[1]
    payer.lake.execute("DELETE FROM lake.marts.fct_stay WHERE stay_id = 'h1:1'")
    report = payer.group()
    assert (report.asked, report.gone, report.stays) == (0, 1, 1)


def test_another_plan_groups_everything_again_other_weights_do_not(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2"})
    payer.group()
    payer.policy(weight="0.9")
    assert payer.group().asked == 0
    payer.policy(first="2025-03-05")
    assert payer.group().asked == 2, "another day from which a policy holds"
    assert payer.group(anew=True).asked == 2


def test_the_main_diagnosis_comes_first_and_each_code_once(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, diagnoses=[("1", "J96.900"), ("1", "J18.900"), ("1", "J96.900"), ("2", "K80.000")])
    payer.group()
    assert explain(payer.home, "h1:1").diagnoses == ("J18.900", "J96.900")


def test_a_settled_code_takes_the_place_of_the_delivered_one(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1", "dscg_maindiag_code": "LOCAL"})
    payer.lake.execute(
        "INSERT INTO lake.raw.diagnosis (source_id, batch_id, row_no, mdtrt_id, diag_srt, diag_code, diag_name) "
        "VALUES ('h1', 'b', 1, '1', 1, 'LOCAL', '肺炎')"
    )
    assert payer.group().statuses == {"ungroupable": 1}
    payer.lake.execute(
        "INSERT INTO lake.coding.item (source_id, kind, medins_list_codg, medins_list_name, code, decision) "
        "VALUES ('h1', 'diagnosis', 'LOCAL', '肺炎', 'J18.900', 'decided')"
    )
    report = payer.group()
    assert (report.asked, report.statuses) == (1, {"grouped": 1})
    assert explain(payer.home, "h1:1").diagnoses == ("J18.900",)
    # A later reference takes the code: the stay was discharged before, when the diagnosis was still that.
    payer.lake.execute("UPDATE lake.coding.item SET code = NULL, decision = 'none'")
    for day in ("2025-03-08", "2025-03-09"):
        payer.lake.execute("DELETE FROM lake.coding.former")
        payer.lake.execute(
            "INSERT INTO lake.coding.former VALUES ('h1', 'diagnosis', 'LOCAL', '肺炎', 'J18.900', ?)", [day]
        )
        expected = {"2025-03-08": "ungroupable", "2025-03-09": "grouped"}[day]
        assert payer.group().statuses == {expected: 1}, day


def test_an_interrupted_run_leaves_the_groups_before(payer, monkeypatch):
    payer.policy()
    payer.stays({"mdtrt_id": "1"})
    payer.group()
    payer.stays({"mdtrt_id": "1", "dscg_maindiag_code": "K80.000"}, {"mdtrt_id": "2"})
    before = payer.rows(GROUPS)
    with monkeypatch.context() as patch:
        patch.setattr("headwater.adapters.grouped.append", lambda *args, **named: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            payer.group()
    assert payer.rows(GROUPS) == before
    assert payer.group().asked == 2


def test_policies_that_overlap_and_plans_that_are_missing_are_refused(payer):
    payer.stays({"mdtrt_id": "1"})
    assert payer.group().statuses == {NO_PLAN: 1}
    payer.policy()
    payer.policy(name="other", first="2025-06-01")
    with pytest.raises(Refusal, match="E-POLICY-OVERLAP"):
        payer.group()
    file = payer.home.root / "policies" / "other" / "2025-06-01.yml"
    file.unlink()
    trial = payer.home.root / "policies" / "trial" / "2025-01-01.yml"
    trial.write_text(
        trial.read_text(encoding="utf-8").replace("plan: headwater_demo", "plan: absent"), encoding="utf-8"
    )
    with pytest.raises(Refusal, match="E-PLAN-UNKNOWN.*headwater_demo"):
        payer.group()


def test_the_last_day_of_the_calendar_is_no_end(payer):
    payer.policy()
    trial = payer.home.root / "policies" / "trial" / "2025-01-01.yml"
    text = trial.read_text(encoding="utf-8")
    trial.write_text(text.replace("valid_from:", "valid_to: 9999-12-31\nvalid_from:"), encoding="utf-8")
    (shown,) = [one for one in policies(payer.home) if one.name == "trial"]
    assert shown.last is None


def test_before_the_warehouse_is_built_there_is_nothing_to_group(payer):
    payer.policy()
    payer.lake.execute("DROP TABLE lake.marts.fct_stay")
    with pytest.raises(Refusal, match="E-GROUP-MART"):
        payer.group()


def test_plans_tell_which_policies_name_them(payer):
    payer.policy()
    (shown,) = [one for one in plans(payer.home) if one.name == "headwater_demo"]
    assert (shown.policies, shown.drgs > 200) == (("trial",), True)


def test_what_is_no_folder_is_no_plan_and_a_plan_is_named_as_one(payer):
    payer.policy()
    (payer.home.root / "plans").mkdir(exist_ok=True)
    (payer.home.root / "plans" / "README.txt").write_text("x", encoding="utf-8")
    assert "README.txt" not in {one.name for one in plans(payer.home)}
    for name in ("../elsewhere", "2025/v1", ".hidden", "", "/tmp/x"):
        with pytest.raises(Refusal, match="E-PLAN-NAME"):
            convert(payer.home, payer.home.root / "absent", name=name)
