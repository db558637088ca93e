"""Value on a region whose sources' faults are known."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.adapters import lake, mlflow
from headwater.adapters.knowledge import Run, latest_valuation
from headwater.errors import Refusal
from headwater.steps.value import ridge_of, value

FAULTY = {"H02", "H03", "H04"}


def occasion(name: str, *, region: str = "值") -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, region)


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


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
    with lake.connect(home) as connection:
        rows = connection.execute(
            "SELECT source, city, stays, value, low, high, selected, bytes FROM lake.knowledge.valuation "
            "WHERE run = 'first' ORDER BY value DESC"
        ).fetchall()
        newest = latest_valuation(connection, task="stay_cost", region="值")
        snapshots = connection.execute(
            "SELECT DISTINCT snapshot, as_of FROM lake.knowledge.valuation WHERE run = 'first'"
        ).fetchall()
    assert [tuple(vars(line).values()) for line in report.sources] == rows
    assert {line.source for line in newest if line.selected} == set(report.selected)
    assert snapshots == [(again.data.snapshot, datetime(2026, 1, 5, 8, 0))]


def test_the_run_in_mlflow_holds_every_value_in_one_artifact(home, report):
    client = mlflow.client(home)
    run = client.get_run(report.mlflow_run)
    assert run.inputs.dataset_inputs[0].dataset.digest.startswith(f"s{report.data.snapshot}-")
    assert run.data.metrics["r2_selected"] == report.r2["selected"]
    content = json.loads(Path(client.download_artifacts(report.mlflow_run, "sources.json")).read_text())
    assert {line["source"]: line["value"] for line in content["sources"]} == {s.source: s.value for s in report.sources}


def test_the_small_facts_are_json(report):
    assert json.loads(json.dumps(report.to_dict(), ensure_ascii=False))["selected"] == list(report.selected)


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


def test_a_source_that_fails_is_named_and_the_others_are_valued(home):
    report = value(home, run=occasion("nan", region="缺"), min_stays=50)
    assert set(report.refused) == {"H07"}
    assert "not finite" in report.refused["H07"].en
    assert len(report.sources) == 9


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
