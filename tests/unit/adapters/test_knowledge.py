"""The lake's knowledge tables."""

from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import pytest

from headwater.adapters import knowledge, lake
from headwater.adapters.knowledge import Run
from headwater.errors import Refusal

KEY = {"run": "r1", "task": "stay_cost", "region": "楚源省"}


@pytest.fixture
def connection(home):
    with lake.connect(home) as opened:
        knowledge.prepare(home, opened)
        yield opened


def line(source: str, *, day: int = 1, value: object = 0.5) -> dict[str, object]:
    return {
        "source": source,
        "as_of": datetime(2026, 1, day),
        "value": value,
        "low": 0.4,
        "high": 0.6,
        "selected": True,
    }


def sources(connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT run, source FROM lake.knowledge.valuation ORDER BY ALL").fetchall()


def test_preparing_again_keeps_what_is_there(home, connection):
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H1")])
    knowledge.prepare(home, connection)
    assert sources(connection) == [("r1", "H1")]


def test_a_repetition_replaces_its_own_rows_only(connection):
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H1"), line("H2")])
    knowledge.replace(connection, "valuation", key=KEY | {"region": "RS"}, rows=[line("H8")])
    knowledge.replace(connection, "valuation", key=KEY | {"run": "r2"}, rows=[line("H9")])
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H3")])
    assert sources(connection) == [("r1", "H3"), ("r1", "H8"), ("r2", "H9")]
    knowledge.replace(connection, "valuation", key=KEY, rows=[])
    assert sources(connection) == [("r1", "H8"), ("r2", "H9")]


def test_a_replacement_that_fails_changes_nothing(connection):
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H1")])
    with pytest.raises(duckdb.ConversionException):
        knowledge.replace(connection, "valuation", key=KEY, rows=[line("H2", value="much")])
    assert sources(connection) == [("r1", "H1")]
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H4")])
    assert sources(connection) == [("r1", "H4")]


def test_the_newest_valuation_of_the_region_counts(connection):
    knowledge.replace(connection, "valuation", key=KEY, rows=[line("H1", day=2), line("H2", day=2)])
    knowledge.replace(connection, "valuation", key=KEY | {"run": "r0"}, rows=[line("H3", day=1)])
    knowledge.replace(connection, "valuation", key=KEY | {"region": "RS"}, rows=[line("H4", day=3)])
    newest = knowledge.latest_valuation(connection, task="stay_cost", region="楚源省")
    assert [(one.run, one.source) for one in newest] == [("r1", "H1"), ("r1", "H2")]
    with pytest.raises(Refusal) as refusal:
        knowledge.latest_valuation(connection, task="stay_cost", region="别处")
    assert refusal.value.code == "E-KNOWLEDGE-VALUATION"


def test_a_run_keeps_its_time_in_utc():
    at = datetime(2026, 1, 5, 8, 0, tzinfo=timezone(timedelta(hours=8)))
    assert Run("r", at, 1).as_of == datetime(2026, 1, 5, 0, 0)
    assert Run("r", at.astimezone(UTC), 1).key("t", "g") == {"run": "r", "task": "t", "region": "g"}


def test_a_lake_of_before_there_were_months_keeps_its_rows_and_gets_the_new_columns(home):
    with lake.connect(home) as connection:
        connection.execute(
            "CREATE TABLE lake.knowledge.valuation (run VARCHAR, task VARCHAR, region VARCHAR, as_of TIMESTAMP, "
            "snapshot BIGINT, source VARCHAR, city VARCHAR, stays BIGINT, value DOUBLE, low DOUBLE, high DOUBLE, "
            "selected BOOLEAN, bytes BIGINT, method VARCHAR)"
        )
        connection.execute(
            "INSERT INTO lake.knowledge.valuation (run, task, region, as_of, source, value, low, high, selected) "
            "VALUES ('r0', 'stay_cost', '楚源省', '2026-05-01', 'H1', 0.5, 0.5, 0.5, true)"
        )
        knowledge.prepare(home, connection)
        old = knowledge.latest_valuation(connection, task="stay_cost", region="楚源省")
        assert [(one.run, one.source) for one in old] == [("r0", "H1")]
        month = {"task": "stay_cost", "region": "楚源省", "month": date(2026, 3, 1)}
        knowledge.replace(connection, "valuation", key=month, rows=[line("H2") | {"run": "r1", "reason_zh": "因"}])
        new = knowledge.latest_valuation(connection, task="stay_cost", region="楚源省")
        assert [(one.run, one.source) for one in new] == [("r1", "H2")]
        assert sources(connection) == [("r0", "H1"), ("r1", "H2")]


def test_a_month_valued_later_does_not_hide_a_newer_one(connection):
    key = {"task": "stay_cost", "region": "楚源省"}
    for month, day in ((2, 5), (1, 9)):
        rows = [line(f"H{month}", day=day) | {"run": f"r{month}"}]
        knowledge.replace(connection, "valuation", key=key | {"month": date(2026, month, 1)}, rows=rows)
    newest = knowledge.latest_valuation(connection, task="stay_cost", region="楚源省")
    assert [(one.run, one.source) for one in newest] == [("r2", "H2")]


def test_a_selection_keeps_lists_and_who_was_refused(connection):
    refused = {
        "source": "H9",
        "code": "E-X",
        "reason_zh": "因",
        "reason_en": "why",
        "remedy_zh": "治",
        "remedy_en": "do",
    }
    key = {"task": "stay_cost", "region": "楚源省", "month": date(2026, 1, 1)}
    for rows in ([{"run": "r1", "chosen": [], "refused": []}], [{"run": "r2", "chosen": ["H1"], "refused": [refused]}]):
        knowledge.replace(connection, "selection", key=key, rows=rows)
        found = connection.execute("SELECT run, chosen, refused FROM lake.knowledge.selection").fetchall()
        assert found == [tuple(rows[0].values())]
