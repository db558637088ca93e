"""Readers move to a checked snapshot at once, and never back or to one that nobody checked."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import psycopg
import pytest
from typer.testing import CliRunner

from headwater.adapters import lake, postgres, publication, quality
from headwater.adapters.home import Home
from headwater.cli.main import app
from headwater.content.accounts import NO_ACCOUNTS
from headwater.content.quality import Outcome, QualityReport, SuiteResult
from headwater.content.suites import Stage
from headwater.errors import Message, Refusal
from headwater.steps.publish import publish

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def connection(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a lake with one mart of three rows."""
    with lake.connect(home) as opened:
        opened.execute("CREATE TABLE lake.marts.fct_stay AS SELECT range AS stay_id FROM range(3)")
        yield opened


def checked(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    *,
    minute: int = 0,
    success: bool = True,
    stage: Stage = "marts",
    snapshot: int | None = None,
) -> int:
    """Keep the verdict of a check of one rule, and return the snapshot that it judged."""
    words = Message("理由", "why")
    outcome = Outcome(
        suite="s", stage=stage, relation="marts.fct_stay", expectation="e", column="", arguments="{}", unit=None,
        severity="error", why=words, success=success,
    )  # fmt: skip
    judged = lake.snapshot(connection) if snapshot is None else snapshot
    found = QualityReport(
        run_id=f"run {minute}", at=NOW + timedelta(minutes=minute), snapshot=judged,
        suites=(SuiteResult("s", stage, "marts.fct_stay", words, 3, (outcome,)),),
        landing=(), refused=(), faults=(), accounts=NO_ACCOUNTS, histograms=(), origins=(), folder="quality/x",
    )  # fmt: skip
    quality.save(home, connection, found)
    return judged


def test_the_checked_snapshot_is_published_once(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    assert publication.current(home) is None
    judged = checked(home, connection)
    report = publish(home, by="admin", now=NOW)
    assert (report.before, report.changed) == (None, True)
    seen = publication.current(home)
    assert seen == report.publication == publication.Publication(judged, "run 0", "admin", NOW)
    done = CliRunner().invoke(app, ["publish", "--by", "somebody else", "--json"])
    again = json.loads(done.output)
    assert (again["changed"], again["snapshot_id"], again["published_by"]) == (False, judged, "admin")
    told = CliRunner().invoke(app, ["publish", "--by", "somebody else"]).output
    assert f"快照 {judged} 早已发布" in told
    assert f"Snapshot {judged} was published already" in told
    with postgres.connect(home) as register:
        assert register.execute("select count(*) from ops.publication").fetchone() == (1,)


def test_what_was_not_checked_or_did_not_pass_is_refused(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    def refused() -> str:
        with pytest.raises(Refusal) as error:
            publish(home, by="admin")
        assert error.value.reason.zh
        return error.value.code

    assert refused() == "E-PUBLISH-UNCHECKED"
    checked(home, connection, stage="raw")
    assert refused() == "E-PUBLISH-UNCHECKED"
    checked(home, connection, minute=1, success=False)
    assert refused() == "E-PUBLISH-QUALITY"
    judged = checked(home, connection, minute=2)
    connection.execute("INSERT INTO lake.marts.fct_stay VALUES (3)")
    assert refused() == "E-PUBLISH-STALE"
    checked(home, connection, minute=3)
    connection.execute("CREATE TABLE lake.marts.dim AS SELECT 1 AS x")
    assert refused() == "E-PUBLISH-STALE"
    newest = checked(home, connection, minute=4)
    assert publish(home, by="admin").publication.snapshot_id == newest > judged


def test_changes_elsewhere_in_the_lake_do_not_outdate_a_check(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    judged = checked(home, connection)
    connection.execute("CREATE TABLE lake.knowledge.x AS SELECT range AS v FROM range(100)")
    connection.execute("INSERT INTO lake.knowledge.x VALUES (1)")
    assert publish(home, by="admin").publication.snapshot_id == judged


def test_readers_never_go_back(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    judged = checked(home, connection)
    connection.execute("CREATE TABLE lake.knowledge.x AS SELECT 1 AS v")
    checked(home, connection, minute=1)
    publish(home, by="admin")
    # A clock that runs ahead makes the older check the newest.
    checked(home, connection, minute=2, snapshot=judged)
    with pytest.raises(Refusal, match="E-PUBLISH-OLDER"):
        publish(home, by="admin")
    with postgres.connect(home) as register:
        older = publication.Publication(judged, "run 2", "admin", NOW)
        assert not publication.flip(register, older)


def test_two_publishers_wait_for_each_other(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    postgres.prepare(home)
    with publication.claim(home), postgres.connect(home) as other:
        other.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select pg_advisory_xact_lock(hashtext('headwater.publish'))")


def test_the_console_shows_the_published_snapshot_while_a_build_goes_on(
    home: Home, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(home.project / "plugins")])
    from headwater_console.readings import Readings

    readings = Readings(home)
    assert (readings.overview().marts, readings.overview().is_published) == ((("fct_stay", 3),), False)
    judged = checked(home, connection)
    publish(home, by="admin", now=NOW)
    connection.execute("CREATE OR REPLACE TABLE lake.marts.fct_stay AS SELECT range AS stay_id FROM range(9)")
    connection.execute("CREATE TABLE lake.marts.fct_new AS SELECT 1 AS x")
    shown = readings.overview()
    assert (shown.marts, shown.snapshot, shown.is_published) == ((("fct_stay", 3),), judged, True)
    assert shown.snapshot_at == NOW
