"""Aggregate on a region whose sources' faults are known."""

import dataclasses
import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from safetensors.numpy import load_file

from headwater.adapters import knowledge, lake, mlflow, versions
from headwater.adapters.knowledge import Run
from headwater.content import models
from headwater.errors import Refusal
from headwater.steps.aggregate import aggregate
from headwater.steps.value import value
from headwater.steps.wish import Wish

CLEAR, MASKED = Wish("clear"), Wish("masked")
GOOD = ["H07", "H08", "H09", "H10"]


def occasion(name: str, *, region: str = "汇") -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, region)


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(region="汇")


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


@pytest.fixture(scope="module")
def valued(home):
    return value(home, run=occasion("valued"), min_stays=50)


@pytest.fixture(scope="module")
def masked(home, valued):
    return aggregate(home, run=occasion("masked"), wish=MASKED)


@pytest.fixture(scope="module")
def clear(home, masked):
    return aggregate(home, run=occasion("clear"), wish=CLEAR)


def parameters(report):
    files = Path(report.registered.version.location.removeprefix("file://")).rglob("parameters.safetensors")
    return load_file(next(files))["parameters"]


def choose(home, name: str, sources: list[str], *, minute: int, region: str = "汇") -> None:
    """Write a valuation newer than all before, that chooses ``sources``."""
    rows = [
        {"source": s, "city": "江城市", "stays": 1, "value": 0.1, "low": 0.1, "high": 0.1, "selected": s in sources}
        for s in [f"H{k:02d}" for k in range(2, 11)]
    ]
    at = {"as_of": datetime(2026, 2, 1, 0, minute), "snapshot": 1, "bytes": 1, "method": "by hand", "run": name}
    key = {"task": "stay_cost", "region": region, "month": date(2025, 12, 1)}
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        knowledge.replace(connection, "valuation", key=key, rows=[row | at for row in rows])


def test_the_model_beats_the_bureaus_records_alone_and_all_sources_taken_alike(clear, valued):
    assert set(clear.sources) == set(valued.selected)
    assert list(clear.scores) == ["ours", "target_only", "all_equal", "pooled"]
    ours = clear.scores["ours"]
    for other in ("target_only", "all_equal", "pooled"):
        assert ours.r2_log > clear.scores[other].r2_log
        assert ours.mae < clear.scores[other].mae


def test_masked_and_clear_give_the_same_bits(masked, clear):
    assert np.array_equal(parameters(clear), parameters(masked))
    assert {name: clear.scores[name] for name in masked.scores} == masked.scores
    assert clear.bytes_by_source.keys() == masked.bytes_by_source.keys()
    assert not clear.notes


def test_the_parameters_are_those_of_the_records_in_one_place(home, masked, table):
    spec = models.load(home.project / "models", "stay_cost_ridge").spec
    split = table["split"]
    theirs = pc.and_(pc.equal(split, "source"), pc.is_in(table["hospital"], pa.array(masked.sources)))
    used = table.filter(pc.or_(theirs, pc.equal(split, "target_train")))
    x, y = spec.features.transform(used), np.rint(used["log_cost"].to_numpy() * 2**14) / 2**14
    penalty = np.diag([0.0, *[spec.ridge] * (x.shape[1] - 1)])
    assert np.abs(np.linalg.solve(x.T @ x + penalty, x.T @ y) - parameters(masked)).max() < 1e-9


def test_the_scores_are_those_of_the_held_out_stays(home, masked, table):
    spec = models.load(home.project / "models", "stay_cost_ridge").spec
    test = table.filter(pc.equal(table["split"], "target_test"))
    predicted, actual = spec.features.transform(test) @ parameters(masked), test["log_cost"].to_numpy()
    assert masked.scores["ours"].r2_log == pytest.approx(1 - np.var(actual - predicted) / np.var(actual), abs=2e-3)
    costs = np.array([float(cost) for cost in test["cost"].to_pylist()])
    assert masked.scores["ours"].mae == pytest.approx(np.abs(np.exp(predicted) - costs).mean(), rel=1e-9)


def test_the_version_in_mlflow_and_the_row_in_the_lake_say_the_same(home, masked, clear):
    version = masked.registered.version
    with lake.connect(home) as connection:
        cursor = connection.execute("SELECT * FROM lake.knowledge.model_version WHERE run = 'masked'")
        names = [column[0] for column in cursor.description]
        (row,) = [dict(zip(names, found, strict=True)) for found in cursor.fetchall()]
    assert (row["name"], row["version"], row["mlflow_run"]) == (version.name, version.number, version.run_id)
    assert row["sources"] == list(masked.sources)
    assert (row["protection"], row["currency"], row["step"]) == ("masked", "CNY", "aggregate")
    for name, scored in masked.scores.items():
        suffix = "" if name == "ours" else f"_{name}"
        assert (row[f"r2_log{suffix}"], row[f"mae{suffix}"]) == dataclasses.astuple(scored)
    run = mlflow.client(home).get_run(version.run_id)
    assert run.data.metrics["r2_log"] == masked.scores["ours"].r2_log
    beside = mlflow.client(home).get_run(clear.registered.version.run_id).data.metrics
    assert beside["r2_log_pooled"] == clear.scores["pooled"].r2_log
    assert run.data.params["protection_city"] == "masked"
    assert run.inputs.dataset_inputs[0].dataset.digest.startswith(f"s{row['snapshot']}-{row['digest'][:16]}")
    listed = json.loads(Path(mlflow.client(home).download_artifacts(version.run_id, "sources.json")).read_text())
    assert set(listed["sources"]) == set(masked.sources)
    assert all(facts["protection"] == "masked" and facts["value"] > 0 for facts in listed["sources"].values())


def test_a_repetition_registers_nothing_new(home, masked):
    again = aggregate(home, run=occasion("masked"), wish=MASKED)
    assert again.registered.version == masked.registered.version
    assert again.scores == masked.scores


def test_a_network_learns_in_rounds_and_competes_for_the_same_champion(home, masked):
    choose(home, "network", GOOD, minute=11)
    report = aggregate(home, run=occasion("network"), model="stay_cost_network")
    assert report.registered.version.name == masked.registered.version.name
    ours, compared = report.scores["ours"], report.registered.comparison
    assert compared.difference == pytest.approx(ours.r2_log - masked.scores["ours"].r2_log, abs=1e-12)
    assert ours.r2_log > report.scores["target_only"].r2_log
    assert report.registered.is_champion == (compared.low > 0)
    one_round = 8 * (1 + parameters(report).size)
    assert all(5 * 2 * one_round < sent < 5 * 2.5 * one_round for sent in report.bytes_by_source.values())


def test_the_champion_yields_to_a_better_version_only(home):
    bad = _aggregated(home, "bad", ["H02", "H03", "H04"], minute=1)
    gained = bad.scores["ours"].r2_log - bad.scores["target_only"].r2_log
    assert bad.registered.comparison.opponent is None
    assert bad.registered.comparison.difference == pytest.approx(gained, abs=1e-12)
    assert not bad.registered.is_champion
    assert mlflow.champion(home, bad.registered.version.name) is None
    # H05 turned to noise, so that it costs more than its first months give.
    small = _aggregated(home, "small", ["H05", "H07", "H08"], minute=2)
    assert small.registered.is_champion
    worse = _aggregated(home, "worse", ["H03", "H07"], minute=3)
    assert not worse.registered.is_champion
    assert worse.registered.comparison.opponent == small.registered.version.label
    assert mlflow.champion(home, bad.registered.version.name) == small.registered.version
    better = _aggregated(home, "better", GOOD, minute=4)
    assert better.scores["ours"].r2_log > small.scores["ours"].r2_log
    assert mlflow.champion(home, bad.registered.version.name) == better.registered.version
    # Joined anew, it goes on from no version; what it had to beat is told beside.
    assert (better.registered.version.parent, line(home, better).parent) == (None, None)
    assert line(home, better).opponent == small.registered.version.label
    most = _aggregated(home, "most", [*GOOD, "H06"], minute=5)
    assert most.registered.is_champion == (most.registered.comparison.low > 0)


def line(home, report) -> versions.Line:
    version = report.registered.version
    with lake.connect(home, threads=1) as connection:
        return versions.line(connection, version.name, version.number)


def _aggregated(home, name: str, sources: list[str], *, minute: int):
    choose(home, name, sources, minute=minute, region="坏")
    return aggregate(home, run=occasion(name, region="坏"), wish=CLEAR)


def test_no_source_chosen_leaves_the_bureaus_records_alone(home, valued):
    choose(home, "nobody", [], minute=13)
    report = aggregate(home, run=occasion("nobody"))
    assert report.sources == ()
    assert report.scores["ours"] == report.scores["target_only"]
    assert not report.registered.is_champion


def test_a_group_too_small_to_hide_in_is_refused(home, valued):
    choose(home, "two", ["H07", "H08"], minute=14)
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("two"), wish=MASKED)
    assert refusal.value.code == "E-PLAN-NOBODY"
    assert aggregate(home, run=occasion("two"), wish=CLEAR).sources == ("H07", "H08")


def test_a_source_that_is_gone_is_named_and_left_out(home, valued):
    choose(home, "gone", [*GOOD, "H99"], minute=15)
    key = {"task": "stay_cost", "region": "汇", "month": date(2025, 12, 1)}
    with lake.connect(home) as connection:
        rows = knowledge.latest_valuation(connection, task="stay_cost", region="汇")
        known = [dataclasses.asdict(line) | {"as_of": datetime(2026, 2, 1, 0, 15)} for line in rows]
        lost = known[0] | {"source": "H99", "selected": True}
        knowledge.replace(connection, "valuation", key=key, rows=[*known, lost])
    report = aggregate(home, run=occasion("gone"))
    assert set(report.refused) == {"H99"}
    assert set(report.sources) == set(GOOD)


def test_what_cannot_be_done_is_refused(home, valued):
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("x"), model="no_such_model")
    assert refusal.value.code == "E-MODEL-UNKNOWN"
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("x"), task="length_of_stay")
    assert refusal.value.code == "E-MODEL-TASK"
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("x"), wish=Wish(city="rot13"))
    assert refusal.value.code == "E-WISH-UNKNOWN"
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("x", region="静"))
    assert refusal.value.code == "E-KNOWLEDGE-VALUATION"
