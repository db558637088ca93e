"""The lake's knowledge tables."""

from datetime import UTC, datetime, timedelta, timezone

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
