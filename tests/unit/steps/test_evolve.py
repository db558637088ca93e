"""Evolve on a region in which one source turns bad and one falls silent."""

import dataclasses
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from headwater.adapters import evolved, features, lake, mlflow
from headwater.adapters.knowledge import Run
from headwater.errors import HeadwaterError, Refusal
from headwater.evolution import DETECTORS, Watch
from headwater.federation import TableSource
from headwater.steps import grown_versions, stands
from headwater.steps.evolve import evolve, policy_of
from headwater.steps.history import History
from headwater.steps.ledger import requirements
from headwater.steps.replay import follow
from headwater.steps.value import ridge_of

# Sixteen months from January 2024; H05 turns to noise in September, H06 is silent from September to December.
TURN, SILENT = date(2024, 9, 1), [date(2024, month, 1) for month in (9, 10, 11, 12)]
FIRST, LAST = date(2024, 4, 1), date(2025, 4, 1)


def occasion(name: str = "evolved", *, region: str = "演", month: date | None = None) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, region, month)


@pytest.fixture(scope="module")
def home(unfollowed):
    return unfollowed


@pytest.fixture(scope="module")
def report(home):
    return evolve(home, run=occasion(), min_stays=50)


def watch(history: History) -> Watch:
    return Watch(DETECTORS["glr"], policy_of(len(history.sources)), cost=history.hearing.cost)


def rows(home, table: str, region: str = "演") -> list[dict]:
    with lake.connect(home) as connection:
        return evolved.rows(connection, table, key={"task": "stay_cost", "region": region})


def test_the_source_that_turned_bad_leaves_soon_after_and_no_good_one_does(report):
    left = {line.source: line.month for line in report.story.actions if line.action == "demote"}
    assert TURN < left["H05"] <= date(2024, 12, 1)
    assert not {"H06", "H07", "H08", "H09", "H10"} & set(left)
    last = report.story.months[-1]
    assert last.month == LAST
    assert {"H06", "H07", "H08", "H09", "H10"} <= set(last.members)
    assert not {"H02", "H03", "H04", "H05"} & set(last.members)


def test_silence_is_absence_and_never_a_low_value(report):
    lines = {line.month: line for line in report.story.by_source["H06"]}
    for month in SILENT:
        assert lines[month].value is None
        assert (lines[month].is_absent, lines[month].action, lines[month].standing) == (True, "keep", "member")
    assert "closed" not in {line.state for line in lines.values()}
    assert not any(line.is_absent for month, line in lines.items() if month not in SILENT)
    assert all(line.value is not None for line in report.story.lines if line.source not in ("H06", "H01"))


def test_every_source_that_is_known_stands_in_every_month_of_the_lake(home, report):
    found = {(row["month"], row["source"]): (row["value"], row["action"]) for row in rows(home, "evolution")}
    assert found == {(line.month, line.source): (line.value, line.action) for line in report.story.lines}
    # H01 is a source only once it has 50 stays.
    assert {source for _, source in found} == {f"H{n:02d}" for n in range(1, 11)}
    assert report.new == tuple(date(2024 + (n // 12), n % 12 + 1, 1) for n in range(3, 16))
    assert [row["month"] for row in rows(home, "evolution_month")] == list(report.new)


def test_the_evolving_model_beats_the_bureaus_records_alone_in_the_next_month(report):
    story = report.story
    assert [month.month for month in story.judged] == list(report.new[1:])
    assert story.mean_error("evolving") < story.mean_error("target_only")
    assert story.mean_error("evolving") < story.mean_error("static")


def test_each_version_descends_from_the_one_before_and_certifies_its_steps(home, report):
    versions = [registered.version for registered in report.versions.values()]
    assert [v.parent for v in versions] == [None, *(v.label for v in versions[:-1])]
    assert len(versions) <= 1 + len({line.month for line in report.story.actions})
    for version in versions:
        where = mlflow.client(home).download_artifacts(version.run_id, "certificates.json")
        told = json.loads(Path(where).read_text())
        assert told["total"] == told["rebuilt"]
    assert len(told["certificates"]) == sum(month.steps for month in report.story.months) > 20
    labels = {row["month"]: row["version"] for row in rows(home, "evolution_month") if row["version"]}
    assert labels == {month: one.version.label for month, one in report.versions.items()}


def test_a_repetition_finds_the_same_and_registers_nothing_new(home, report):
    again = evolve(home, run=occasion(), min_stays=50)
    assert [r.version for r in again.versions.values()] == [r.version for r in report.versions.values()]
    assert again.story.lines == report.story.lines
    assert again.new == report.new


def test_where_nothing_is_new_nothing_happens(home, report):
    before = rows(home, "evolution_month")
    later = evolve(home, run=occasion("later"), min_stays=50)
    assert (later.new, later.versions) == ((), {})
    assert later.story.lines == report.story.lines
    json.dumps(later.to_dict(), allow_nan=False)
    assert rows(home, "evolution_month") == before


@pytest.fixture(scope="module")
def whole(home):
    return evolve(home, run=occasion("whole", region="甲"), min_stays=50)


def test_month_after_month_stands_where_one_run_over_all_months_does(home, whole, monkeypatch):
    """Runs at some months, the first two out of order, in a region that is the same in every row."""

    def at(month: date, **how):
        return evolve(home, run=occasion(f"m{month:%y%m}", region="乙", month=month), min_stays=50, **how)

    asked, answer = [], TableSource.answer

    def watched(source, question):
        asked.append(question.months)
        return answer(source, question)

    months = [date(2024, 6, 1), date(2024, 4, 1), date(2024, 7, 1), date(2024, 12, 1)]
    reports = [at(month) for month in months]
    with monkeypatch.context() as patch:
        patch.setattr(TableSource, "answer", watched)
        rehearsed = at(LAST, dry=True)
    # What was said before is not asked for again.
    assert set(asked) == {(date(2025, month, 1),) for month in range(1, 5)}
    reports.append(at(LAST))
    assert [len(one.new) for one in reports] == [3, 0, 1, 5, 4]
    assert all(json.dumps(one.to_dict(), allow_nan=False) for one in reports)
    assert rehearsed.story.lines == reports[-1].story.lines == whole.story.lines
    # Whatever else was registered in between, an evolution descends from the evolution that it goes on from.
    registered = [one.version for report in reports for one in report.versions.values()]
    assert [version.parent for version in registered] == [None, *(version.label for version in registered[:-1])]
    same = {"version": None, "is_champion": None}
    told = [[dataclasses.replace(one, **same) for one in story.months] for story in (reports[-1].story, whole.story)]
    assert told[0] == told[1]
    heard = [
        {(row["source"], row["month"]): (row["months"], row["statistic"]) for row in rows(home, "heard", region)}
        for region in "甲乙"
    ]
    assert heard[0] == heard[1]


def test_a_dry_run_tells_what_would_happen_and_keeps_nothing(home, whole, monkeypatch):
    monkeypatch.setattr("headwater.adapters.evolution_report.write", lambda *_: pytest.fail("nothing is written"))
    dry = evolve(home, run=occasion("dry", region="划"), min_stays=50, dry=True)
    assert dry.story.lines == whole.story.lines
    assert (dry.versions, dry.report, dry.to_dict()["dry"]) == ({}, None, True)
    assert not any(rows(home, table, "划") for table in ("evolution", "evolution_month", "heard"))
    with lake.connect(home) as connection:
        (count,) = connection.execute("SELECT count(*) FROM lake.knowledge.model_version WHERE run = 'dry'").fetchone()
    assert count == 0


def test_records_that_were_mended_are_asked_for_anew_and_no_others(home, whole):
    learner = ridge_of(home, "stay_cost")
    with lake.connect(home) as connection:
        region = features.read(connection, learner, snapshot=lake.snapshot(connection), region="甲", min_stays=50)
    hearing = History.of(region, learner, fewest=50).hearing
    stands.hold(hearing, rows(home, "heard", "甲"))
    assert (hearing.mend(), hearing.asked) == ([], 0)
    table = hearing.delivered.tables["H07"]
    cost = table.column("log_cost").to_pylist()
    cost[table.column("month").to_pylist().index(date(2024, 7, 1))] += 1.0
    mended = table.set_column(table.column_names.index("log_cost"), "log_cost", [cost])
    hearing.delivered = dataclasses.replace(hearing.delivered, tables={**hearing.delivered.tables, "H07": mended})
    assert (hearing.mend(), hearing.asked) == ([date(2024, 7, 1)], 1)


def test_a_model_that_kept_something_of_a_source_that_left_is_caught(home):
    learner = ridge_of(home, "stay_cost")
    with lake.connect(home) as connection:
        region = features.read(connection, learner, snapshot=lake.snapshot(connection), region="演", min_stays=50)
    history = History.of(region, learner, fewest=50)
    *_, state = follow(history, seed=3, watch=watch(history))
    leak = history.hearing.blocks["H05"][LAST].statistic
    kept = dataclasses.replace(state.growth, total=state.growth.total.merge(leak))
    with pytest.raises(HeadwaterError) as error:
        grown_versions.require_exact(history, dataclasses.replace(state, growth=kept))
    assert error.value.code == "E-EVOLVE-INEXACT"
    grown_versions.require_exact(history, state)


def test_the_report_is_one_file_a_language_without_script_or_address(report):
    for language, words in (("zh", "来源演化报告"), ("en", "Evolution of the sources")):
        page = (report.report / f"{language}.html").read_text(encoding="utf-8")
        assert words in page
        assert "<script" not in page
        assert "http://" not in page
        assert "https://" not in page
        assert "2024-" in page
    assert json.loads(json.dumps(report.to_dict()))["months"] == 13


def test_too_few_months_are_refused(home):
    with pytest.raises(Refusal) as refusal:
        evolve(home, run=occasion(region="短"), min_stays=50)
    assert refusal.value.code == "E-EVOLVE-SHORT"


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
