"""Evolve on a region in which one source turns bad and one falls silent."""

import dataclasses
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from headwater.adapters import features, lake, mlflow
from headwater.adapters.knowledge import Run
from headwater.errors import HeadwaterError, Refusal
from headwater.evolution import Policy
from headwater.federation import TableSource
from headwater.steps import evolve as step
from headwater.steps.evolve import evolve
from headwater.steps.ledger import requirements
from headwater.steps.replay import History, follow
from headwater.steps.value import ridge_of

# Sixteen months from January 2024; H05 turns to noise in September, H06 is silent from September to December.
TURN, SILENT = date(2024, 9, 1), [date(2024, month, 1) for month in (9, 10, 11, 12)]


def occasion(name: str = "evolved", *, region: str = "演") -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, region)


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


@pytest.fixture(scope="module")
def report(home):
    return evolve(home, run=occasion(), min_stays=50)


@pytest.fixture(scope="module")
def history(home):
    learner = ridge_of(home, "stay_cost")
    with lake.connect(home) as connection:
        snapshot = lake.snapshot(connection)
        return History.ask(features.read(connection, learner, snapshot=snapshot, region="演", min_stays=50), learner)


@pytest.fixture(scope="module")
def states(history):
    return list(follow(history, seed=3, policy=Policy()))


def test_the_source_that_turned_bad_is_dropped_soon_after_and_no_good_one_is(report):
    drops = {line.source: line.month for line in report.story.actions if line.action == "drop"}
    assert TURN < drops["H05"] <= date(2024, 12, 1)
    assert not {"H06", "H07", "H08", "H09", "H10"} & set(drops)
    last = report.story.versions[-1]
    assert last.month == date(2025, 4, 1)
    assert {"H06", "H07", "H08", "H09", "H10"} <= set(last.members)
    assert not {"H02", "H03", "H04", "H05"} & set(last.members)


def test_silence_is_absence_and_never_a_low_value(report):
    lines = {line.month: line for line in report.story.of("H06")}
    for month in SILENT:
        assert lines[month].value is None
        assert (lines[month].state, lines[month].action) == ("absent", "keep")
    assert all(line.state == "member" for month, line in lines.items() if month not in SILENT)
    assert all(line.value is not None for line in report.story.lines if line.source not in ("H06", "H01"))


def test_every_source_stands_in_every_month_of_the_lake(home, report):
    with lake.connect(home) as connection:
        rows = connection.execute(
            "SELECT month, source, value, state, action, reason_zh FROM lake.knowledge.evolution "
            "WHERE run = 'evolved' ORDER BY month, source"
        ).fetchall()
    assert rows == [(s.month, s.source, s.value, s.state, s.action, s.reason.zh) for s in report.story.lines]
    assert len(rows) == len(report.story.months) * 10 == 130


def test_the_evolving_model_beats_the_bureaus_records_alone_in_the_next_month(report):
    story = report.story
    assert list(story.errors) == list(story.months[1:])
    assert story.mean_error("evolving") < story.mean_error("target_only")
    assert story.mean_error("evolving") < 1.02 * story.mean_error("static")


def test_each_version_descends_from_the_one_before_and_certifies_its_steps(home, report):
    versions = [registered.version for _, registered in report.versions]
    assert [v.parent for v in versions[1:]] == [v.label for v in versions[:-1]]
    assert len(versions) <= 1 + len({line.month for line in report.story.actions})
    for version in versions:
        where = mlflow.client(home).download_artifacts(version.run_id, "certificates.json")
        certified = json.loads(Path(where).read_text())
        steps = certified["certificates"]
        assert certified["total"] == certified["rebuilt"]
    assert len(steps) == report.story.steps > 20
    with lake.connect(home) as connection:
        rows = connection.execute(
            "SELECT version, month, step, protection FROM lake.knowledge.model_version "
            "WHERE run = 'evolved' ORDER BY version"
        ).fetchall()
    expected = [(r.version.number, month, "evolve", "clear") for month, r in report.versions]
    assert rows == expected


def test_a_repetition_registers_nothing_new(home, report):
    again = evolve(home, run=occasion(), min_stays=50)
    assert [r.version for _, r in again.versions] == [r.version for _, r in report.versions]
    assert again.story.lines == report.story.lines
    assert again.champion == report.champion


def test_a_model_that_kept_something_of_a_removed_source_is_caught(history, states):
    state = states[-1]
    leak = history.said[history.months[-1]]["H05"]
    kept = dataclasses.replace(state.growth, total=state.growth.total.merge(leak))
    with pytest.raises(HeadwaterError) as error:
        step._require_exact(history, dataclasses.replace(state, growth=kept))
    assert error.value.code == "E-EVOLVE-INEXACT"
    step._require_exact(history, state)


def test_the_report_is_one_file_a_language_without_script_or_address(report):
    for language, words in (("zh", "来源演化报告"), ("en", "Evolution of the sources")):
        page = (report.report / f"{language}.html").read_text(encoding="utf-8")
        assert words in page
        assert "<script" not in page
        assert "http://" not in page
        assert "https://" not in page
        assert page.count("<figure>") == 11
        assert "2024-" in page
    assert json.loads(json.dumps(report.to_dict()))["months"] == 13


def test_too_few_months_are_refused(home):
    with pytest.raises(Refusal) as refusal:
        evolve(home, run=occasion(region="短"), min_stays=50)
    assert refusal.value.code == "E-EVOLVE-SHORT"


@pytest.mark.parametrize(
    ("number", "month"), [(24300.0, date(2025, 1, 1)), (24300.5, date(2025, 2, 1)), (24311.0, date(2025, 12, 1))]
)
def test_a_detectors_time_is_the_first_month_not_before_it(number, month):
    assert step._month(number) == month


def test_who_does_not_let_its_statistic_be_seen_is_not_asked_and_named(home, monkeypatch):
    (rule,) = [one for one in requirements(home) if "aggregation" in one.purposes]
    names = {f"H{k:02d}" for k in range(1, 11)}
    shy = dataclasses.replace(rule, name="shy", sources=frozenset({"H09"}), sees={**rule.sees, "statistic": "tier"})
    rules = (dataclasses.replace(rule, sources=frozenset(names - {"H09"})), shy)
    monkeypatch.setattr("headwater.steps.ledger.requirements", lambda _: rules)
    asked, answer = set(), TableSource.answer

    def watched(source, question):
        asked.add(source.source_id)
        return answer(source, question)

    monkeypatch.setattr(TableSource, "answer", watched)
    report = evolve(home, run=occasion("shy", region="静"), min_stays=50)
    assert list(report.refused) == ["H09"]
    assert "may not be seen by the region" in report.refused["H09"].en
    assert "H09" not in asked
    assert "H09" not in report.story.sources
    assert report.to_dict()["refused"]
