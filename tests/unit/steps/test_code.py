"""Coding on a real lake and register: what is asked, what stands, what is counted, what waits."""

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from shutil import rmtree

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.adapters import matchers, mlflow, postgres, reviews
from headwater.steps import code as step
from headwater.steps.questions import questions
from headwater.steps.review import decide, waiting

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)

AMOXICILLIN = {"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊", "spec": "0.25g*24粒", "pric": 12}
UNSURE = {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊"}


def asked(report) -> dict[str, int]:
    return {kind.kind: kind.asked for kind in report.kinds if kind.asked}


def test_listed_and_billed_items_are_coded_once(bureau):
    bureau.deliver("drug", AMOXICILLIN)
    bureau.bill(
        {"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊"},
        {"medins_list_codg": "9", "medins_list_name": "左氧氟沙星片 0.5g*6片", "med_list_codg": "X012"},
    )
    first = bureau.code()
    assert bureau.answers() == [("1", "auto", "X001"), ("9", "auto", "X012")]
    (billed,) = bureau.items(medins_list_codg="9")
    assert (billed["is_listed"], billed["reported_code"], billed["evidence"]) == (False, "X012", "agrees")
    assert asked(first) == {"drug": 2}
    again = bureau.code()
    assert asked(again) == {}
    assert (again.rows_counted, again.left) == (0, 0)
    # Nothing new and nothing written: the lake stands where it stood.
    assert again.snapshot_id == bureau.code().snapshot_id
    # A local item is coded in the run that first sees it billed; the others are left alone.
    bureau.bill({"medins_list_codg": "10", "medins_list_name": "硝苯地平控释片(30mg*7片)", "mdtrt_id": "M2"})
    third = bureau.code()
    assert (asked(third), third.rows_counted) == ({"drug": 1}, 1)
    assert ("10", "auto", "X006") in bureau.answers()


def test_without_a_reference_items_stay_without_a_code_and_it_is_said_once(bureau):
    service = {"fixmedins_code": "A", "medins_list_codg": None, "medins_list_name": "心电图检查", "pric": 20}
    bureau.deliver("service_item", service, {**service, "medins_list_name": "血常规"})
    report = bureau.code()
    assert {(row["decision"], row["code"], row["reason"]) for row in bureau.items(kind="service")} == {
        ("none", None, "no reference")
    }
    (note,) = report.notes
    assert "service" in note.en
    assert "service" in note.zh
    assert report.waiting == 0
    assert asked(bureau.code()) == {}
    bureau.refer("service", [("S1", "心电图检查", ""), ("S2", "血常规检查", ""), ("S3", "胸部正位片", "")])
    assert asked(bureau.code()) == {"service": 2}
    assert ("心电图检查", "S1") in [(row["medins_list_name"], row["code"]) for row in bureau.items(kind="service")]


def test_a_code_that_the_hospital_reports_is_evidence(bureau):
    bureau.deliver("drug", AMOXICILLIN)
    line = {"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊"}
    bureau.bill({**line, "med_list_codg": "X002"}, {**line, "med_list_codg": "X002"}, {**line, "med_list_codg": "X001"})
    bureau.bill(
        {"medins_list_codg": "2", "medins_list_name": "阿奇霉素片0.25g*6片", "med_list_codg": "OLD", "mdtrt_id": "2"}
    )
    bureau.code()
    one, two = bureau.items()
    assert (one["decision"], one["reason"], one["evidence"], one["code"]) == ("review", "reported", "disagrees", "X001")
    assert (two["decision"], two["evidence"]) == ("auto", "unknown")
    ((question, _),) = waiting(bureau.home)
    assert question.reported == ["X002"]
    assert set(question.candidates) >= {"X001", "X002"}


def test_diagnoses_are_coded_by_name_and_held_against_their_own_code(bureau):
    bureau.refer("diagnosis", [("I10.X00", "原发性高血压", ""), ("J18.900", "肺炎", ""), ("E11.900", "2型糖尿病", "")])
    noted = {"mdtrt_id": "1", "diag_code": "I10.X00", "diag_name": "原发性高血压"}
    bureau.deliver(
        "diagnosis",
        {**noted, "diag_srt": 1},
        {**noted, "diag_srt": 2, "diag_code": "J18.900"},
        {**noted, "diag_srt": 3, "diag_code": "E11.900", "diag_name": None},
    )
    bureau.code()
    found = {row["medins_list_codg"]: (row["decision"], row["evidence"]) for row in bureau.items(kind="diagnosis")}
    assert found["I10.X00"] == ("auto", "agrees")
    assert found["J18.900"] == ("review", "disagrees")
    assert found["E11.900"][0] == "review"


def test_odd_names_have_no_code_and_break_nothing(bureau):
    names = ["", "   ", "药", "\x00\x07", "x" * 10_000, "Ω≈ç√", None]
    bureau.deliver("drug", *({"medins_list_codg": str(n), "medins_list_name": name} for n, name in enumerate(names)))
    bureau.code()
    assert {row["decision"] for row in bureau.items()} == {"none"}
    assert all(row["reason"] for row in bureau.items())
    assert len({row["like_id"] for row in bureau.items()}) == len(names), "nameless items are like no other"


def test_the_queue_is_ordered_by_money_and_a_price_without_bills_counts_little(bureau):
    bureau.deliver(
        "drug", UNSURE, {**UNSURE, "source_id": "h2"}, {**UNSURE, "medins_list_codg": "8", "unit": "盒", "pric": 900}
    )
    bureau.bill(
        {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊", "det_item_fee_sumamt": 40},
        {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊", "det_item_fee_sumamt": -15},
        {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊", "det_item_fee_sumamt": 5, "source_id": "h2"},
    )
    bureau.code()
    found = [question for question, _ in waiting(bureau.home)]
    assert [(one.at_risk, one.items, one.sources) for one in found] == [
        (Decimal("30.00"), 2, 2),
        (Decimal("9.00"), 1, 1),
    ]
    first, second = ((one.at_risk, one.like_id) for one in found)
    assert [one.like_id for one, _ in waiting(bureau.home, after=first)] == [second[1]]
    assert waiting(bureau.home, after=second) == []
    assert waiting(bureau.home, kind="service") == []


def test_use_is_counted_by_what_changed_and_deleted_rows_are_taken_off(bureau):
    line = {"medins_list_codg": "1", "medins_list_name": "药甲"}
    bureau.bill(line, {**line, "med_list_codg": "X001", "det_item_fee_sumamt": 3}, {**line, "med_chrgitm_type": "99"})
    assert bureau.code().rows_counted == 3
    bureau.deliver("fee_line", {**line, "batch_id": "b2", "med_chrgitm_type": "09", "cnt": 2, "det_item_fee_sumamt": 7})
    bureau.lake.execute("DELETE FROM lake.raw.fee_line WHERE med_list_codg = 'X001'")
    assert bureau.code().rows_counted == 2
    counted = bureau.lake.execute(
        "SELECT kind, reported_code, line_count, quantity, money FROM lake.coding.usage ORDER BY ALL"
    ).fetchall()
    whole = bureau.lake.execute(
        "SELECT CASE med_chrgitm_type WHEN '09' THEN 'drug' END, med_list_codg, count(*), sum(cnt), "
        "sum(det_item_fee_sumamt) FROM lake.raw.fee_line GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert counted == whole
    bureau.lake.execute("DELETE FROM lake.raw.fee_line")
    assert bureau.code().left == 1
    assert bureau.items() == []


def test_a_changed_reference_asks_again_what_rests_on_the_change_and_nothing_else(bureau):
    bureau.deliver(
        "drug", AMOXICILLIN, {"medins_list_codg": "2", "medins_list_name": "葡萄糖注射液", "spec": "5%*250ml"}
    )
    bureau.code()
    before = {row["medins_list_codg"]: row for row in bureau.items()}
    # A flag that changed and a code that came leave every answer as it is.
    came = (*bureau.drugs, ("X099", "维生素C片", "0.1g*100片"))
    flagged = bureau.refer("drug", came, since="2026-02-01", is_essential=["是"] * len(came))
    report = bureau.code()
    assert asked(report) == {}
    assert {row["reference_version"] for row in bureau.items()} == {flagged}
    assert {row["coded_at"] for row in bureau.items()} == {row["coded_at"] for row in before.values()}
    # Another strength is another thing.
    bureau.refer("drug", [("X001", "阿莫西林胶囊", "0.125g*24粒"), *came[1:]], since="2026-02-15")
    touched = {
        number
        for number, row in before.items()
        if "X001" in {row["code"], *(one["code"] for one in row["alternatives"])}
    }
    assert "1" in touched
    assert asked(bureau.code()) == {"drug": len(touched)}
    assert ("1", "auto", "X001") not in bureau.answers()


def former(bureau) -> list[tuple[str, str, date]]:
    return bureau.lake.execute(
        "SELECT medins_list_codg, code, valid_to FROM lake.coding.former ORDER BY ALL"
    ).fetchall()


def test_a_code_that_leaves_the_list_stays_what_the_item_was_until_then(bureau):
    bureau.deliver(
        "drug", AMOXICILLIN, {"medins_list_codg": "2", "medins_list_name": "葡萄糖注射液", "spec": "5%*250ml"}
    )
    bureau.code()
    assert ("1", "auto", "X001") in bureau.answers()
    # Two references come before anything is coded again: the first of them took the code.
    bureau.refer("drug", bureau.drugs[1:], since="2026-02-01")
    bureau.refer("drug", bureau.drugs[1:-1], since="2026-02-15")
    bureau.code()
    assert ("1", "auto", "X001") not in bureau.answers()
    assert former(bureau) == [("1", "X001", date(2026, 2, 1))]
    bureau.code(anew=True)
    assert former(bureau) == [("1", "X001", date(2026, 2, 1))]
    # What no list has and no bill names is forgotten with its past.
    bureau.lake.execute("DELETE FROM lake.raw.drug WHERE medins_list_codg = '1'")
    bureau.code()
    assert former(bureau) == []


def test_a_correction_has_no_past(bureau):
    bureau.deliver("drug", AMOXICILLIN)
    bureau.code()
    (item,) = bureau.items()
    bureau.refer("drug", (*bureau.drugs, ("X099", "维生素C片", "0.1g*100片")), since="2026-02-01")
    with postgres.connect(bureau.home) as register:
        (version,) = {item["reference_version"]}
        register.execute(
            "insert into ops.coding_decision (like_id, kind, name, attributes, code, candidates, reference_version, "
            "needs_confirmation, decided_by, why) values (%s, 'drug', 'x', '{}', 'X002', '{}', %s, false, 'a', 'w')",
            (item["like_id"], version),
        )
    bureau.code()
    assert bureau.answers() == [("1", "decided", "X002")]
    assert former(bureau) == []


def test_what_was_used_and_has_no_code_can_be_asked_for_the_most_money_first(bureau):
    bureau.deliver("drug", {"medins_list_codg": "L", "medins_list_name": "远志糖浆", "pric": 9000})
    bureau.bill(
        {"medins_list_codg": "1", "medins_list_name": "人血白蛋白", "det_item_fee_sumamt": 40},
        {"medins_list_codg": "2", "medins_list_name": "银杏叶提取物", "det_item_fee_sumamt": 700, "mdtrt_id": "M2"},
        {"medins_list_codg": "3", "medins_list_name": "一般检查", "med_chrgitm_type": "02", "mdtrt_id": "M3"},
    )
    report = bureau.code()
    assert {(row["decision"], row["code"]) for row in bureau.items()} == {("none", None)}
    assert (report.waiting, report.uncoded) == (0, 2), "neither what only a list has, nor what has no reference"
    assert waiting(bureau.home) == []
    found = [question for question, _ in waiting(bureau.home, state="none")]
    assert [(one.name, one.at_risk, one.reason) for one in found] == [
        ("银杏叶提取物", Decimal("700.00"), "unlike"),
        ("人血白蛋白", Decimal("40.00"), "unlike"),
    ]
    first, second = (one.like_id for one in found)
    decide(bureau.home, first, code="X003", signed=("li", "目录用另一名称"))
    decide(bureau.home, second, code=None, signed=("li", "目录确无此药"))
    assert waiting(bureau.home, state="none") == []
    assert bureau.code().uncoded == 0
    assert [row[1:] for row in bureau.answers(kind="drug")] == [
        ("decided", None), ("decided", "X003"), ("none", None),
    ]  # fmt: skip


def test_items_whose_code_the_reference_dropped_say_so_until_they_have_one_again(bureau):
    line = {"medins_list_codg": "1", "medins_list_name": "阿司匹林肠溶片 100mg*30片"}
    bureau.bill(line)
    bureau.code()
    assert bureau.answers() == [("1", "auto", "X011")]
    without = [row for row in bureau.drugs if row[0] != "X011"]
    bureau.refer("drug", without, since="2026-02-01")
    assert bureau.code().uncoded == 1
    ((question, _),) = waiting(bureau.home, state="none")
    assert (question.reason, question.state) == ("dropped", "none")
    bureau.refer("drug", [*without, ("X099", "维生素C片", "0.1g*100片")], since="2026-02-10")
    bureau.code()
    assert [(row["decision"], row["reason"]) for row in bureau.items()] == [("none", "dropped")]
    bureau.refer("drug", [*bureau.drugs, ("X098", "维生素C片", "0.1g*60片")], since="2026-02-20")
    assert bureau.code().uncoded == 0
    assert [(row["decision"], row["reason"]) for row in bureau.items()] == [("auto", "sure")]


CODES = st.sampled_from(["A", "B", "C", "D"])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["v1", "v2"]), st.none() | CODES, st.lists(CODES, max_size=3)), max_size=8),
    changed=st.sets(st.tuples(st.sampled_from(["v1", "v2"]), CODES)),
)
def test_the_answers_that_are_touched_are_those_of_the_oracle(rows, changed):
    """The condition in SQL against the sentence: a code or alternative of the version under which it was answered."""
    connection = duckdb.connect()
    connection.register(
        "present",
        pa.table(
            {
                "n": list(range(len(rows))),
                "like_id": pa.array([str(n) for n in range(len(rows))], pa.string()),
                "state": ["known"] * len(rows),
                "decision": ["auto"] * len(rows),
                "matcher_version": ["m"] * len(rows),
                "reference_version": pa.array([version for version, *_ in rows], pa.string()),
                "code": pa.array([code for _, code, _ in rows], pa.string()),
                "alternatives": pa.array(
                    [[{"code": code} for code in listed] for *_, listed in rows],
                    pa.list_(pa.struct([("code", pa.string())])),
                ),
            }
        ),
    )
    for name, columns in (
        ("ruled", ("like_id", "code")),
        ("begun", ("like_id",)),
        ("changed_code", ("version", "code")),
    ):
        values = {"changed_code": list(changed)}.get(name, [])
        connection.register(
            name,
            pa.table({column: pa.array([row[i] for row in values], pa.string()) for i, column in enumerate(columns)}),
        )
    found = connection.execute(
        f"SELECT n FROM present AS p WHERE {step._SOUGHT}", {"reference": "v2", "matcher": "m", "anew": False}
    ).fetchall()
    oracle = {
        n for n, (version, code, listed) in enumerate(rows) if any((version, one) in changed for one in {code, *listed})
    }
    assert {n for (n,) in found} == oracle


def test_a_matcher_is_fitted_once_for_a_reference_and_its_pairs_and_registered_with_its_lineage(bureau):
    rmtree(bureau.home.matchers / "drug", ignore_errors=True)
    bureau.deliver("drug", AMOXICILLIN, UNSURE)
    first = bureau.code()
    assert [kind.fitted for kind in first.kinds] == [True, False, False, False, False]
    assert not any(kind.fitted for kind in bureau.code().kinds)
    ((question, _),) = waiting(bureau.home)
    done = decide(bureau.home, question.like_id, code="X002", signed=("li", "医院说明书为0.5g"))
    assert (done.state, done.items) == ("in force", 1)
    # Somebody new to ask: the pair has made another matcher, but what is decided or sure is not asked again.
    bureau.deliver("drug", {**UNSURE, "medins_list_codg": "77", "medins_list_name": "阿莫西林"})
    bureau.code()
    newest, earlier, *_ = matchers.registered(bureau.home, kind="drug")
    store = mlflow.client(bureau.home)
    run = store.get_run(newest.run_id)
    assert newest.parent == earlier.label
    assert (run.data.metrics["labelled_pairs"], run.data.params["kind"]) == (1.0, "drug")
    assert {"top1", "automatic", "wrong_automatic", "held_out"} <= set(run.data.metrics)
    assert run.inputs.dataset_inputs[0].dataset.name == "reference.drug"
    assert run.data.params["reference_version"] in run.inputs.dataset_inputs[0].dataset.digest
    saved = {path.suffix for path in (bureau.home.matchers / "drug" / newest.matcher_version).iterdir()}
    assert saved <= {".json", ".parquet"}
    assert [file.path for file in store.list_artifacts(newest.run_id)] == ["matcher"]


def test_a_decision_serves_like_items_of_later_runs_and_of_other_hospitals(bureau):
    bureau.deliver("drug", UNSURE)
    bureau.code()
    ((question, _),) = waiting(bureau.home)
    decide(bureau.home, question.like_id, code="X002", signed=("li", "说明书"))
    assert waiting(bureau.home) == []
    bureau.deliver("drug", {**UNSURE, "source_id": "h2", "medins_list_codg": "B", "medins_list_name": "阿莫西林 胶囊"})
    bureau.code()
    assert bureau.answers() == [("7", "decided", "X002"), ("B", "decided", "X002")]
    assert {row["decided_by"] for row in bureau.items()} == {"li"}
    # Under another matcher one of two like items stays sure and the other open; neither is asked about for ever.
    sure = {"medins_list_codg": "1", "medins_list_name": "阿奇霉素片0.25g*6片"}
    bureau.bill(sure, {**sure, "source_id": "h2", "med_list_codg": "X012"})
    assert asked(bureau.code()) == {"drug": 2}
    ((question, _),) = waiting(bureau.home)
    assert (question.reported, asked(bureau.code())) == (["X012"], {})
    bureau.deliver("drug", {**UNSURE, "medins_list_codg": "C", "unit": "瓶"})
    bureau.code()
    other = next(row["like_id"] for row in bureau.items(medins_list_codg="C"))
    decide(bureau.home, other, code="X001", signed=("li", "包装"))
    assert asked(bureau.code()) == {"drug": 1}
    assert asked(bureau.code()) == {}
    decide(bureau.home, question.like_id, code="X003", signed=("li", "医院误报"))
    assert {row["evidence"] for row in bureau.items(source_id="h2", medins_list_codg="1")} == {"disagrees"}
    assert bureau.code(anew=True).waiting == 0, "a person's word outlasts a new matching"


def test_a_decision_is_reopened_when_its_ground_changes_and_only_then(bureau):
    other = {"medins_list_codg": "8", "medins_list_name": "注射液", "spec": "100ml"}
    bureau.deliver("drug", UNSURE, other)
    bureau.code()
    by_name = {row["medins_list_name"]: row["like_id"] for row in bureau.items()}
    decide(bureau.home, by_name["阿莫西林胶囊"], code="X002", signed=("li", "说明书"))
    decide(bureau.home, by_name["注射液"], code=None, signed=("li", "无法确定"))
    with postgres.connect(bureau.home) as register:
        rulings = reviews.rulings(register, "in force")
    gone = [row for row in bureau.drugs if row[0] != "X002"]
    bureau.refer("drug", gone, since="2026-02-01")
    report = bureau.code()
    touched = {one.like_id for one in rulings if "X002" in {one.code, *one.candidates}}
    with postgres.connect(bureau.home) as register:
        assert {one.like_id for one in reviews.rulings(register, "reopened")} == touched
        assert by_name["阿莫西林胶囊"] in touched
    assert next(kind.reopened for kind in report.kinds if kind.kind == "drug") == len(touched)
    assert {row["like_id"] for row in bureau.items() if row["decision"] == "review"} >= touched
    # Once reopened it stays so until a person decides anew, whatever the reference says later.
    bureau.refer("drug", bureau.drugs, since="2026-02-20", is_essential=["否"] * len(bureau.drugs))
    assert next(kind.reopened for kind in bureau.code().kinds if kind.kind == "drug") == 0
    assert by_name["阿莫西林胶囊"] in {question.like_id for question, _ in waiting(bureau.home)}
    done = decide(bureau.home, by_name["阿莫西林胶囊"], code="X002", signed=("wang", "复核"))
    assert done.state == "in force"


def test_random_changes_of_a_reference_reopen_exactly_what_rests_on_them(bureau):
    rng = Random(20260101)
    names = {code: (code, name, spec) for code, name, spec in bureau.drugs}
    bureau.deliver("drug", *({"medins_list_codg": code, "medins_list_name": row[1][:4]} for code, row in names.items()))
    bureau.code()
    version = bureau.refer("drug", bureau.drugs)
    with postgres.connect(bureau.home) as register:
        for like_id in {row["like_id"] for row in bureau.items()}:
            (question,) = questions(bureau.lake, on=NOW.date(), like_id=like_id)
            code = rng.choice([*question.candidates, None])
            wanted = reviews.Wanted(
                question, code, question.candidates, version, needs_confirmation=False, by="li", why="w"
            )
            reviews.decide(register, wanted)
    bureau.code()
    assert {row["decision"] for row in bureau.items()} == {"decided"}
    for month in (2, 3, 4):
        held = dict(names)
        for code in rng.sample(sorted(names), 2):
            names[code] = (code, names[code][1], f"{rng.randint(1, 99)}mg")
        del names[rng.choice(sorted(names))]
        names[f"N{month}"] = (f"N{month}", "新药片", "1mg")
        bureau.refer("drug", list(names.values()), since=f"2026-{month:02}-01")
        changed = {code for code, row in held.items() if names.get(code) != row}
        with postgres.connect(bureau.home) as register:
            standing = reviews.rulings(register, "in force")
            gone = {one.like_id for one in reviews.rulings(register, "reopened")}
        oracle = {one.like_id for one in standing if {one.code, *one.candidates} & changed}
        report = bureau.code(now=NOW.replace(month=month, day=2))
        with postgres.connect(bureau.home) as register:
            assert {one.like_id for one in reviews.rulings(register, "reopened")} == gone | oracle
        assert report.kinds[0].reopened == len(oracle)
        left = {one.like_id for one in standing} - oracle
        assert {row["like_id"] for row in bureau.items(decision="decided")} == left
        assert {row["like_id"] for row in bureau.items(decision="review")} == gone | oracle
    assert 0 < len(left) < len(gone | oracle) + len(left)
