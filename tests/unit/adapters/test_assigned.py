"""Values follow items and references, and from nothing else."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from headwater.adapters import assigned, coding, lake, raw, references
from headwater.adapters.home import Home
from headwater.claims.references import KINDS, refer

COLUMNS = ("medins_list_codg", "valid_from", "valid_to", "pieces", "price_per_piece", "price_per_ddd", "is_high_value")


def _refer(home: Home, connection: duckdb.DuckDBPyConnection, kind: str, day: date, **columns: list[str]) -> None:
    read = refer(KINDS[kind], columns, name="test")
    references.write(home, connection, read, valid_from=day, file=("test", "0" * 64))


def _item(connection: duckdb.DuckDBPyConnection, number: str, **said: object) -> None:
    row = {"source_id": "h", "kind": "drug", "medins_list_codg": number, "medins_list_name": "阿莫西林", "unit": "盒",
           "spec": "0.25g*24粒/盒", "pric": "8.6", "code": "X1", "decision": "auto", **said}  # fmt: skip
    connection.execute(
        f"INSERT INTO lake.coding.item ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )


@pytest.fixture
def connection(home: Home) -> duckdb.DuckDBPyConnection:
    made = lake.connect(home, threads=1)
    for room in (raw, coding, references):
        room.create_tables(home, made)
    made.execute(
        "INSERT INTO lake.raw.hospital (source_id, fixmedins_code, currency) "
        "VALUES ('h', 'A', 'CNY'), ('h', 'B', 'CNY')"
    )
    return made


def _rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM lake.coding.assigned ORDER BY medins_list_codg, valid_from"
    ).fetchall()


def test_an_item_has_the_values_of_each_period(home: Home, connection: duckdb.DuckDBPyConnection):
    _item(connection, "A")
    _item(connection, "B", decision="review")
    _item(connection, "C", kind="diagnosis")
    _refer(home, connection, "drug", date(2024, 1, 1), code=["X1"], name=["a"], ddd=["1.5"], ddd_unit=["g"])
    _refer(home, connection, "drug", date(2025, 1, 1), code=["X1"], name=["a"], ddd=["3"], ddd_unit=["g"])
    _refer(home, connection, "threshold", date(2025, 7, 1), code=["drug"], name=["x"], amount=["8"], currency=["CNY"])
    assert assigned.refresh(home, connection) == 8
    each = (Decimal(24), Decimal("0.358333"))
    # 6 g are four doses of 1.5 g, then two of 3 g.
    assert _rows(connection)[:4] == [
        ("A", date.min, date(2024, 1, 1), *each, None, None),
        ("A", date(2024, 1, 1), date(2025, 1, 1), *each, Decimal("2.15"), None),
        ("A", date(2025, 1, 1), date(2025, 7, 1), *each, Decimal("4.3"), None),
        ("A", date(2025, 7, 1), None, *each, Decimal("4.3"), True),
    ]
    # What waits for review has no code, and so no dose; what its own words tell it has.
    assert _rows(connection)[7] == ("B", date(2025, 7, 1), None, *each, None, True)


def test_what_a_reference_took_was_the_code_until_that_day(home: Home, connection: duckdb.DuckDBPyConnection):
    _item(connection, "A", code="X3")
    _item(connection, "B", code=None, decision="none")
    for day, code in ((date(2024, 1, 1), "X1"), (date(2025, 1, 1), "X2"), (date(2026, 1, 1), "X3")):
        _refer(home, connection, "drug", day, code=[code], name=["a"])
    assigned.refresh(home, connection)
    former = [("A", "X1", date(2025, 1, 1)), ("A", "X2", date(2026, 1, 1)), ("B", "X1", date(2025, 1, 1))]
    connection.executemany(
        "INSERT INTO lake.coding.former (source_id, kind, medins_list_name, medins_list_codg, code, valid_to) "
        "VALUES ('h', 'drug', '阿莫西林', ?, ?, ?)",
        former,
    )
    assert assigned.refresh(home, connection) == 8
    rows = connection.execute(
        "SELECT medins_list_codg, code, national_name FROM lake.coding.assigned ORDER BY medins_list_codg, valid_from"
    ).fetchall()
    assert rows == [
        # Before anything was known, then under each reference.
        *[("A", "X1", None), ("A", "X1", "a"), ("A", "X2", "a"), ("A", "X3", "a")],
        *[("B", "X1", None), ("B", "X1", "a"), ("B", None, None), ("B", None, None)],
    ]


def test_nothing_is_assigned_again_until_something_changes(home: Home, connection: duckdb.DuckDBPyConnection):
    _item(connection, "A")
    assert assigned.refresh(home, connection) == 1
    before = lake.snapshot(connection)
    assert assigned.refresh(home, connection) is None
    assert lake.snapshot(connection) == before
    connection.execute("UPDATE lake.coding.item SET confidence = 0.5")
    assert assigned.refresh(home, connection) is None, "how sure one is changes no value"
    connection.execute("UPDATE lake.coding.item SET decision = 'review'")
    assert assigned.refresh(home, connection) == 1
    _refer(home, connection, "consumable", date(2025, 1, 1), code=["C"], name=["c"])
    assert assigned.refresh(home, connection) == 1
    connection.execute("DELETE FROM lake.coding.item")
    assert assigned.refresh(home, connection) == 0
    assert _rows(connection) == []


def test_an_interrupted_assignment_leaves_what_was_there(
    home: Home, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
):
    _item(connection, "A")
    assigned.refresh(home, connection)
    before = _rows(connection)
    _item(connection, "B")
    with monkeypatch.context() as patched:
        patched.setattr(assigned, "assign", lambda items, known: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            assigned.refresh(home, connection)
    assert _rows(connection) == before
    assert assigned.refresh(home, connection) == 2
