"""Value on a region whose sources' faults are known."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from headwater.adapters import lake, mlflow, postgres, revealed
from headwater.adapters.knowledge import Run, latest_valuation
from headwater.errors import Refusal
from headwater.federation.division import leverage
from headwater.steps.choose import approach_of
from headwater.steps.value import ridge_of, value
from headwater.valuation import Budget

FAULTY = {"H02", "H03", "H04"}
SHORT = date(2024, 3, 1)
"""Three months are enough where only the bookkeeping counts."""


def occasion(name: str, *, region: str = "值", month: date | None = None) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, region, month)


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


def selection_of(home, *, region: str = "值", month: date = date(2025, 4, 1)) -> dict[str, object]:
    with lake.connect(home) as connection:
        found = connection.execute(
            "SELECT * FROM lake.knowledge.selection WHERE region = ? AND month = ?", [region, month]
        ).to_arrow_table()
    (row,) = found.to_pylist()
    return row


def runs_by_month(home, region: str) -> list[tuple[date, str]]:
    with lake.connect(home) as connection:
        return connection.execute(
            "SELECT DISTINCT month, run FROM lake.knowledge.valuation WHERE region = ? ORDER BY ALL", [region]
        ).fetchall()


@pytest.fixture(scope="module")
def report(home):
    return value(home, run=occasion("first"), min_stays=50)


def test_faulty_sources_are_worth_less_than_nothing_and_are_not_chosen(report):
    values = {line.source: line.value for line in report.sources}
    assert len(values) == 10
    assert all(values[source] < 0 for source in FAULTY)
    assert all(values[source] > 0 for source in set(values) - FAULTY - {"H05", "H01"})
    assert not FAULTY & set(report.selected)
    assert 1 <= len(report.selected) <= 8
    assert [line.value for line in report.sources] == sorted(values.values(), reverse=True)


def test_the_values_share_out_exactly_what_all_sources_gain(report):
    assert report.method == "exact"
    assert report.evaluations == 2**10
    gained = report.r2["all"] - report.r2["target_only"]
    assert sum(line.value for line in report.sources) == pytest.approx(gained, abs=1e-9)
    assert report.r2["selected"] > max(report.r2["target_only"], report.r2["all"])


def test_no_source_exchanged_more_than_one_small_question_and_answer(report):
    assert all(1_000 < line.bytes < 20_500 for line in report.sources)


def test_the_rows_in_the_lake_are_the_report_and_a_repetition_replaces_them(home, report):
    again = value(home, run=occasion("first"), min_stays=50)
    assert again.sources == report.sources
    assert again.mlflow_run == report.mlflow_run
    names = "source, city, stays, value, low, high, selected, bytes, rank, rank_low, rank_high, stability, judged_low"
    with lake.connect(home) as connection:
        rows = connection.execute(
            f"SELECT {names}, reason_zh, reason_en FROM lake.knowledge.valuation WHERE region = '值' ORDER BY rank"
        ).fetchall()
        newest = latest_valuation(connection, task="stay_cost", region="值")
        snapshots = connection.execute(
            "SELECT DISTINCT snapshot, as_of, month FROM lake.knowledge.valuation WHERE region = '值'"
        ).fetchall()
    told = [tuple(vars(line)[name] for name in names.split(", ")) for line in report.sources]
    assert [(*line, one.reason.zh, one.reason.en) for line, one in zip(told, report.sources, strict=True)] == rows
    assert {line.source for line in newest if line.selected} == set(report.selected)
    assert snapshots == [(again.data.snapshot, datetime(2026, 1, 5, 8, 0), date(2025, 4, 1))]


def test_the_selection_is_kept_with_its_certificate_and_what_was_exchanged(home, report):
    value(home, run=occasion("first"), min_stays=50)
    row, selection = selection_of(home), report.selection
    assert row["chosen"] == list(selection.chosen)
    assert row["gains"] == list(selection.gains)
    assert (row["bound"], row["share"]) == (selection.certificate.bound, selection.share)
    assert row["proof_en"] == selection.certificate.proof.en
    assert row["algorithm"] == selection.algorithm
    assert (row["ratio"], row["ratio_low"]) == (selection.returns.ratio, selection.returns.low)
    assert (row["budget"], row["budget_unit"], row["spent"]) == (8.0, "sources", len(selection.chosen))
    assert row["bytes"] == sum(line.bytes for line in report.sources)
    assert (row["rounds"], row["epsilon"], row["leverage"]) == (1, 0.0, 1.0)
    assert row["refused"] == []
    assert row["mlflow_run"] == report.mlflow_run
    assert 0.9 < row["share"] <= 1.0


def test_other_judging_records_would_move_values_that_sampling_leaves_exact(report):
    assert all(line.low == line.value == line.high for line in report.sources)
    assert all(line.judged_low < line.value < line.judged_high for line in report.sources)
    assert all(line.judged_rank_low <= line.rank <= line.judged_rank_high for line in report.sources)
    worst = report.sources[-1]
    assert (worst.judged_rank_low, worst.judged_stability) == (10, 1.0)
    assert any(line.judged_stability < 0.9 for line in report.sources)


def test_what_is_worth_less_than_nothing_is_not_chosen_and_how_sure_that_is_is_said(report):
    below = {line.source for line in report.sources if line.value < 0}
    surely = {line.source for line in report.sources if line.judged_high < 0}
    assert not below & set(report.selected)
    assert {line.source for line in report.sources if "whole interval" in line.reason.en} == surely >= FAULTY
    assert {line.source for line in report.sources if "might say otherwise" in line.reason.en} == below - surely


def test_honest_hospitals_are_not_suspected(report):
    assert {line.source for line in report.sources if line.findings} <= FAULTY | {"H01", "H05"}


def test_every_source_has_a_sentence(report):
    for line in report.sources:
        assert line.reason.en.startswith("Chosen at place" if line.selected else "Left out")
        assert line.reason.zh


def test_the_run_in_mlflow_holds_every_value_in_one_artifact(home, report):
    client = mlflow.client(home)
    run = client.get_run(report.mlflow_run)
    assert run.inputs.dataset_inputs[0].dataset.digest.startswith(f"s{report.data.snapshot}-")
    assert run.data.metrics["r2_selected"] == report.r2["selected"]
    assert run.data.metrics["share_of_best"] == report.selection.share
    assert run.data.tags["headwater.month"] == run.data.params["month"] == "2025-04"
    assert run.data.params["snapshot"] == str(report.data.snapshot)
    content = json.loads(Path(client.download_artifacts(report.mlflow_run, "sources.json")).read_text())
    assert {line["source"]: line["value"] for line in content["sources"]} == {s.source: s.value for s in report.sources}
    assert content["selection"]["proof_en"] == report.selection.certificate.proof.en
    assert content["exchange"]["rounds"] == 1


def test_the_small_facts_are_json(report):
    assert json.loads(json.dumps(report.to_dict(), ensure_ascii=False))["selected"] == list(report.selected)


def test_every_source_is_told_to_whoever_asks_for_all_and_not_to_what_must_stay_small(report):
    lines = json.loads(json.dumps(report.lines(), allow_nan=False))
    assert [line["source"] for line in lines] == [line.source for line in report.sources]
    assert all(line["low"] <= line["value"] <= line["high"] and line["reason"]["zh"] for line in lines)
    assert len(json.dumps(report.to_dict())) < 2_000


def test_the_budget_and_the_method_are_obeyed(home):
    report = value(home, run=occasion("tight"), budget=2, method="permutation", min_stays=50)
    assert len(report.selected) == 2
    assert report.method == "permutation"
    assert all(line.low < line.value < line.high for line in report.sources)


def test_another_utility_values_and_the_set_is_still_chosen_by_r2(home, report):
    found = value(home, run=occasion("told"), method="information", min_stays=50)
    assert found.method == "information/exact"
    assert all(line.value > 0 for line in found.sources)
    assert found.r2["all"] == report.r2["all"]
    assert {line.source: line.bytes for line in found.sources} == {line.source: line.bytes for line in report.sources}


def test_a_source_that_fails_is_named_with_its_remedy_and_the_others_are_valued(home):
    report = value(home, run=occasion("nan", region="缺"), min_stays=50)
    assert set(report.refused) == {"H07"}
    assert "not finite" in report.refused["H07"].reason.en
    assert len(report.sources) == 9
    (kept,) = selection_of(home, region="缺")["refused"]
    assert kept["source"] == "H07"
    assert kept["remedy_zh"] == report.refused["H07"].remedy.zh


def test_a_month_is_valued_by_what_was_known_then_and_replaced_by_no_other(home):
    early = value(home, run=occasion("early", region="演", month=date(2024, 6, 1)), min_stays=50)
    late = value(home, run=occasion("late", region="演", month=date(2024, 12, 1)), min_stays=50)
    newest = value(home, run=occasion("newest", region="演"), min_stays=50)
    assert [one.month for one in (early, late, newest)] == [date(2024, 6, 1), date(2024, 12, 1), date(2025, 4, 1)]
    stays = [{line.source: line.stays for line in one.sources} for one in (early, late, newest)]
    assert all(stays[0][source] < stays[1][source] < stays[2][source] for source in ("H02", "H07", "H10"))
    # H05 turns to noise in the second half: what was known in June speaks for it more than what is known now.
    values = [{line.source: line.value for line in one.sources}["H05"] for one in (early, late, newest)]
    assert values[0] > 2 * values[2]
    again = value(home, run=occasion("again", region="演", month=date(2024, 6, 1)), min_stays=50)
    assert [line.value for line in again.sources] == [line.value for line in early.sources]
    assert [row for row in runs_by_month(home, "演") if row[0] != SHORT] == [
        (date(2024, 6, 1), "again"),
        (date(2024, 12, 1), "late"),
        (date(2025, 4, 1), "newest"),
    ]
    parents = [
        mlflow.client(home).get_run(one.mlflow_run).data.tags.get("headwater.parent_run") for one in (early, late)
    ]
    assert parents == [None, early.mlflow_run]
    with lake.connect(home) as connection:
        assert {line.run for line in latest_valuation(connection, task="stay_cost", region="演")} == {"newest"}


def test_a_month_without_data_is_refused(home):
    for month in (date(2023, 12, 1), date(2025, 5, 1)):
        with pytest.raises(Refusal) as refusal:
            value(home, run=occasion("none", month=month), min_stays=50)
        assert refusal.value.code == "E-FEATURE-MONTH"
        assert "2025-04" in refusal.value.reason.en


def test_where_only_sums_leave_no_source_is_asked_for_its_own_statistic(home):
    report = value(
        home, run=occasion("sums", region="演", month=SHORT), method=approach_of("sums", "masked"), min_stays=20
    )
    assert (report.method, report.protection) == ("sums/mean_field", "masked")
    row = selection_of(home, region="演", month=SHORT)
    assert row["leverage"] <= 0.5
    # A float32 comes back from each source, and nothing else that can be laid at its door.
    assert row["attributable"] == 4 * len(report.sources)
    assert "selected" not in report.r2
    assert row["r2_selected"] is None
    assert report.r2["all"] - report.r2["target_only"] == pytest.approx(sum(line.value for line in report.sources))
    assert all(line.value > 0 for line in report.sources if line.selected)
    assert all(line.judged_low is None for line in report.sources)
    assert (row["bound"], row["share"], row["utility"], row["diminish"], row["ratio"]) == (None,) * 5
    assert report.to_dict()["share_of_best"] is None
    json.dumps(report.to_dict(), allow_nan=False)
    # What was revealed is kept, so that later sums are held against it.
    with postgres.connect(home) as connection:
        kept = revealed.locked(connection)
    names = sorted(line.source for line in report.sources)
    assert len(kept) >= 2
    assert {name for cohort in kept for name in cohort} == set(names)
    masks = np.array([[name in cohort for name in names] for cohort in kept])
    assert leverage(masks).max() == pytest.approx(row["leverage"])


def test_a_budget_in_bytes_counts_what_asking_takes(home):
    per_source = 2 * 20_059
    spending = Budget(3 * per_source, unit="bytes")
    report = value(home, run=occasion("bytes", region="演", month=SHORT), budget=spending, min_stays=20)
    assert report.budget.unit == "bytes"
    costs = {line.source: line.cost for line in report.sources}
    # What valuing took, and one round of the model to come, which is the same for all.
    (again,) = {costs[line.source] - line.bytes for line in report.sources}
    assert again > 1_000
    assert report.selection.cost == sum(costs[source] for source in report.selected) <= 3 * per_source
    assert 1 <= len(report.selected) < len(report.sources)


def test_budgets_in_money_and_epsilon_rest_on_what_sources_ask(home):
    with pytest.raises(Refusal) as refusal:
        value(home, run=occasion("money", region="演", month=SHORT), budget=Budget(100, unit="money"), min_stays=20)
    assert refusal.value.code == "E-TERMS-NONE"
    with lake.connect(home) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS lake.reference")
        connection.execute(
            "CREATE TABLE lake.reference.source_terms AS SELECT * FROM (VALUES "
            + ", ".join(f"('h{k:02d}', 'H{k:02d}', DATE '2024-01-01', {10 * k}, {k / 10})" for k in range(1, 10))
            + ", ('h09', 'H09', DATE '2024-02-01', 1, 0.1), ('h09', 'H09', DATE '2024-04-01', 999, 9)"
            + ") AS terms(source_id, fixmedins_code, valid_from, money, epsilon)"
        )
    try:
        with pytest.raises(Refusal) as refusal:
            value(home, run=occasion("money", region="演", month=SHORT), budget=Budget(100, unit="money"), min_stays=20)
        assert refusal.value.code == "E-SELECT-COST"
        assert "H10" in refusal.value.reason.en
        with lake.connect(home) as connection:
            connection.execute("INSERT INTO lake.reference.source_terms VALUES ('h10', 'H10', '2024-01-01', 100, NULL)")
        paid = value(
            home, run=occasion("money", region="演", month=SHORT), budget=Budget(100, unit="money"), min_stays=20
        )
        assert {line.source: line.cost for line in paid.sources}["H09"] == 1.0
        assert 0 < paid.selection.cost <= 100
        with pytest.raises(Refusal) as refusal:
            value(
                home, run=occasion("epsilon", region="演", month=SHORT), budget=Budget(1, unit="epsilon"), min_stays=20
            )
        assert refusal.value.code == "E-SELECT-COST"
        assert "epsilon" in refusal.value.reason.en
    finally:
        with lake.connect(home) as connection:
            connection.execute("DROP TABLE lake.reference.source_terms")


def test_masks_are_refused_where_every_source_answers_for_itself():
    with pytest.raises(Refusal) as refusal:
        approach_of("exact", "masked")
    assert refusal.value.code == "E-VALUE-PROTECTION"
    assert approach_of("sums", "clear").utility.protection.name == "clear"


def test_without_sources_or_without_a_model_it_is_refused(home):
    with pytest.raises(Refusal) as refusal:
        value(home, run=occasion("none"), min_stays=10**6)
    assert refusal.value.code == "E-VALUE-SOURCES"
    with pytest.raises(Refusal) as refusal:
        value(home, run=occasion("none"), task="length_of_stay")
    assert refusal.value.code == "E-VALUE-MODEL"
    with pytest.raises(Refusal):
        value(home, run=occasion("none"), method="guess", min_stays=50)


def test_the_learner_that_values_is_the_tasks_ridge(home):
    assert ridge_of(home, "stay_cost").model.spec.name == "stay_cost_ridge"
