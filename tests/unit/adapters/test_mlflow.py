"""Runs, versions and their lineage in MLflow, straight in its database."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import url2pathname

import numpy as np
import pytest

from headwater.adapters import mlflow, mlflow_files, postgres
from headwater.adapters.features import DataSeen
from headwater.adapters.learners import learner, predict
from headwater.content import models
from headwater.errors import Refusal

SEEN = DataSeen("marts.feat_stay_cost", 42, "ab" * 32, 1000)
AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


@pytest.fixture(scope="module")
def client(home):
    return mlflow.client(home)


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(hospitals=6, months=2, stays_a_month=50)


def entry(run: str, **changes) -> mlflow.Entry:
    base = mlflow.Entry("stay_cost_test", "a title", run, AT, SEEN, {"r2_log": 0.5}, {"model": "m"}, {"colour": "blue"})
    return dataclasses.replace(base, artifacts={"sources.json": {"sources": {"H01": {"value": 0.1}}}}, **changes)


def publication(home, table, run: str, *, model: str = "stay_cost_ridge", **options) -> mlflow.Publication:
    found = models.load(home.project / "models", model)
    taught = learner(found)
    question = taught.question(taught.start(table, seed=1), seed=1)
    trained = question.of(table) if model.endswith("ridge") else None
    parameters = taught.solve(taught.start(table, seed=0), trained) if trained else taught.train(table, question)[0]
    options = {"registered": "stay_cost-录", "description": "text", **options}
    return mlflow.Publication(model=found, parameters=parameters, entry=entry(run), **options)


def test_the_server_is_used_where_one_is_named(home, monkeypatch):
    assert mlflow.tracking_uri(home) == postgres.url(home, "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert mlflow.tracking_uri(home) == "http://127.0.0.1:5000"


def test_an_occasion_is_recorded_once(home, client):
    run_id = mlflow.record(home, entry("once"))
    assert mlflow.record(home, entry("once")) == run_id
    assert mlflow.record(home, entry("once's more")) != run_id
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.start_time == int(AT.timestamp() * 1000)
    assert (run.data.metrics, run.data.params) == ({"r2_log": 0.5}, {"model": "m"})
    assert run.data.tags["colour"] == "blue"
    seen = run.inputs.dataset_inputs[0].dataset
    assert (seen.name, seen.digest) == ("marts.feat_stay_cost", "s42-" + "ab" * 16)
    assert json.loads(seen.source)["snapshot"] == 42


def test_a_run_that_broke_off_is_marked_and_recorded_anew(home, client):
    broken = entry("broken", metrics={"not a number": "x"})
    with pytest.raises(ValueError, match="could not convert"):
        mlflow.record(home, broken)
    run_id = mlflow.record(home, entry("broken"))
    experiment = client.get_experiment_by_name("stay_cost_test").experiment_id
    found = client.search_runs([experiment], "tags.`headwater.run` = 'broken'")
    assert {run.info.run_id == run_id: run.info.status for run in found} == {True: "FINISHED", False: "FAILED"}


@pytest.mark.parametrize("model", ["stay_cost_ridge", "stay_cost_network"])
def test_a_version_loaded_back_predicts_the_same_and_holds_nothing_to_unpickle(home, table, model):
    made = publication(home, table, f"back/{model}", model=model)
    version = mlflow.register(home, made)
    expected = predict(learner(made.model), made.parameters, table)
    assert np.abs(mlflow.predictor(home, version)(table) - expected).max() < 1e-9
    files = [file for file in Path(url2pathname(version.location.removeprefix("file://"))).rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"MLmodel", "parameters.safetensors", "definition.py", "card.md"}
    assert not [file for file in files if file.suffix in (".pkl", ".pickle", ".pt", ".joblib")]
    assert "pickle" not in next(file for file in files if file.name == "MLmodel").read_text()


def test_a_version_carries_its_lineage(home, client, table):
    parent = mlflow.register(home, publication(home, table, "parent"))
    child = mlflow.register(home, publication(home, table, "child", parent=parent))
    assert child.number > parent.number
    assert child.parent == parent.label
    assert parent.parent is None
    run = client.get_run(child.run_id)
    assert [item.model_id for item in run.inputs.model_inputs] == [parent.model_id]
    assert [item.model_id for item in run.outputs.model_outputs] == [child.model_id]
    assert run.inputs.dataset_inputs[0].dataset.digest.startswith("s42-")
    assert run.data.tags["headwater.parent_run"] == parent.run_id
    listed = client.get_model_version("stay_cost-录", str(child.number))
    assert listed.tags["headwater.parent_version"] == parent.label
    assert listed.tags["colour"] == "blue"
    logged = client.get_logged_model(child.model_id)
    assert {(m.key, m.value, m.dataset_digest) for m in logged.metrics} == {("r2_log", 0.5, "s42-" + "ab" * 16)}
    assert json.loads(logged.tags["mlflow.modelVersions"])[0]["version"] == child.number
    where = client.download_artifacts(child.run_id, "sources.json")
    assert json.loads(Path(where).read_text()) == {"sources": {"H01": {"value": 0.1}}}
    names = [column.name for column in publication(home, table, "x").model.spec.features.numeric]
    signature = mlflow_files.signature(publication(home, table, "x").model)
    assert signature.inputs.input_names()[: len(names)] == names


def test_what_is_learned_anew_names_what_served_and_no_parent(home, client, table):
    served = mlflow.register(home, publication(home, table, "serves"))
    anew = mlflow.register(home, publication(home, table, "anew", opponent=served))
    run, listed = client.get_run(anew.run_id), client.get_model_version(anew.name, str(anew.number))
    assert run.inputs.model_inputs == []
    for tags in (run.data.tags, listed.tags):
        assert tags["headwater.opponent"] == served.label
        assert not [name for name in tags if "parent" in name]


def test_a_retried_occasion_registers_no_second_version(home, table):
    first = mlflow.register(home, publication(home, table, "retry"))
    assert mlflow.register(home, publication(home, table, "retry")) == first
    assert mlflow.find(home, "stay_cost-录", run="retry") == first
    assert mlflow.find(home, "stay_cost-录", run="never") is None


def test_the_alias_moves_only_by_promotion(home, table):
    name = "stay_cost-elsewhere"
    assert mlflow.champion(home, name) is None
    first = mlflow.register(home, publication(home, table, "e1", registered=name))
    assert mlflow.champion(home, name) is None
    mlflow.promote(home, first)
    second = mlflow.register(home, publication(home, table, "e2", registered=name))
    assert mlflow.champion(home, name) == first
    mlflow.promote(home, second)
    assert mlflow.champion(home, name) == second


def test_a_version_of_someone_else_is_refused_as_champion(home, client, table):
    name = "stay_cost-foreign"
    ours = mlflow.register(home, publication(home, table, "f1", registered=name))
    theirs = client.create_model_version(name, source=ours.location, run_id=ours.run_id)
    client.set_registered_model_alias(name, mlflow.CHAMPION, theirs.version)
    with pytest.raises(Refusal) as refusal:
        mlflow.champion(home, name)
    assert refusal.value.code == "E-MLFLOW-FOREIGN"


def test_a_name_that_the_filter_language_cannot_hold_is_refused(home):
    assert mlflow.find(home, 'a "name"', run="it's") is None
    with pytest.raises(Refusal, match="quotation marks"):
        mlflow.find(home, "a", run="""it's "so" """)
