"""The lake's tables of evolution: what goes on from a month, and what is forgotten."""

from datetime import date

import duckdb
import pytest

from headwater.adapters import evolved, knowledge, lake

KEY = {"task": "stay_cost", "region": "楚源省"}
MONTHS = [date(2025, month, 1) for month in range(1, 5)]


@pytest.fixture
def connection(home):
    with lake.connect(home) as opened:
        knowledge.prepare(home, opened)
        evolved.prepare(home, opened)
        yield opened


def heard(month: date, source: str, *, said: bytes = b"HWS1") -> dict:
    return {"month": month, "source": source, "months": [month], "question": "q", "fingerprint": "f", "statistic": said}


def sources(connection, key=KEY) -> list[tuple[date, str]]:
    return [(row["month"], row["source"]) for row in evolved.rows(connection, "heard", key=key)]


def test_rows_go_on_from_a_month_and_those_before_it_stay(connection):
    evolved.rewrite(connection, {"heard": (date.min, [heard(at, "H1") for at in MONTHS])}, key=KEY, newest=None)
    evolved.rewrite(
        connection, {"heard": (date.min, [heard(MONTHS[0], "H1")])}, key=KEY | {"region": "RS"}, newest=None
    )
    evolved.rewrite(connection, {"heard": (MONTHS[2], [heard(MONTHS[2], "H2")])}, key=KEY, newest=None)
    assert sources(connection) == [(MONTHS[0], "H1"), (MONTHS[1], "H1"), (MONTHS[2], "H2")]
    assert sources(connection, KEY | {"region": "RS"}) == [(MONTHS[0], "H1")]
    (row, *_) = evolved.rows(connection, "heard", key=KEY)
    assert (row["months"], row["statistic"]) == ([MONTHS[0]], b"HWS1")


def test_all_tables_change_together_or_none_does(connection):
    evolved.rewrite(connection, {"heard": (date.min, [heard(MONTHS[0], "H1")])}, key=KEY, newest=None)
    broken = {"heard": (date.min, [heard(MONTHS[1], "H2")]), "evolution_month": (date.min, [{"month": "soon"}])}
    with pytest.raises(duckdb.ConversionException):
        evolved.rewrite(connection, broken, key=KEY, newest=None)
    assert sources(connection) == [(MONTHS[0], "H1")]


def test_what_sources_said_that_left_is_forgotten(connection):
    rows = [heard(at, source) for at in MONTHS for source in ("H1", "H2", "H3")]
    evolved.rewrite(connection, {"heard": (date.min, rows)}, key=KEY, newest=None)
    evolved.forget(connection, key=KEY, but=["H1", "H3"])
    assert {source for _, source in sources(connection)} == {"H1", "H3"}
    assert len(sources(connection)) == 8
