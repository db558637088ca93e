"""Every delivered row ends in exactly one place, and so does every cent."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, Batch, Counts, Loader, raw_columns
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import read

FIELDS = (
    "mdtrt_id",
    "feedetl_sn",
    "fee_ocur_time",
    "medins_list_codg",
    "medins_list_name",
    "cnt",
    "pric",
    "det_item_fee_sumamt",
)
LINES = TableContract(
    ENTITIES["fee_line"], "*", "csv", "auto", None, 1, tuple((name, ColumnRule(column=name)) for name in FIELDS)
)
GOOD = ["m1", "1", "2026-01-05", "D1", "药", "2", "1.5", "3.00"]


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw")
    tables = {name: raw_columns(entity) for name, entity in ENTITIES.items()} | {
        "quarantine": QUARANTINE_COLUMNS,
        "cleaned": CLEANED_COLUMNS,
    }
    for name, columns in tables.items():
        body = ", ".join(f'"{column}" {kind}' for column, kind in columns)
        connection.execute(f"CREATE TABLE lake.raw.{name} ({body})")
    return connection


def _load(
    lake: duckdb.DuckDBPyConnection, folder: Path, *files: list[list[str]], table: TableContract = LINES
) -> list[Counts]:
    loader = Loader(
        lake,
        source_id="h1",
        table=table,
        constants={},
        pseudonyms=Pseudonyms(bytes(32)),
        delivered_on="2026-06-30",
    )
    header = [rule.column for _, rule in table.columns]
    held = lake.execute(f"SELECT count(DISTINCT batch_id) FROM lake.raw.{table.entity.name}").fetchone()
    for number, rows in enumerate(files, start=held[0] if held else 0):
        text = io.StringIO()
        csv.writer(text).writerows([header, *rows])
        file = folder / f"f{number}.csv"
        file.write_text(text.getvalue(), encoding="utf-8")
        loader.add(Batch(f"b{number}", file.name), read(file, name=file.name, table=table))
    return loader.commit()


def _quarantine(lake: duckdb.DuckDBPyConnection) -> list[tuple]:
    return lake.execute("SELECT batch_id, row_no, field, code FROM lake.raw.quarantine ORDER BY ALL").fetchall()


def test_good_bad_doubled_and_conflicting_rows(lake: duckdb.DuckDBPyConnection, tmp_path: Path):
    other = [*GOOD[:6], "2", "4.00"]
    bad = ["m2", "1", "2026-02-30", "", "药", "x", "1.5", "7.25"]
    counts = _load(lake, tmp_path, [GOOD, bad, GOOD, ["short"]], [other, GOOD])
    assert counts[0] == Counts(4, 1, 2, 1, *map(Decimal, ("13.25", "3.00", "7.25", "3.00")), 0)
    assert counts[1] == Counts(2, 0, 1, 1, *map(Decimal, ("7.00", "0", "4.00", "3.00")), 0)
    assert _quarantine(lake) == [
        ("b0", 2, "cnt", "E-NUMBER"),
        ("b0", 2, "fee_ocur_time", "E-DATE"),
        ("b0", 2, "medins_list_codg", "E-REQUIRED"),
        ("b0", 4, None, "E-ROW-SHAPE"),
        ("b1", 1, "feedetl_sn", "E-KEY-CONFLICT"),
    ]


def test_later_batches_are_compared_with_what_is_loaded(lake: duckdb.DuckDBPyConnection, tmp_path: Path):
    _load(lake, tmp_path, [GOOD])
    counts = _load(lake, tmp_path, [GOOD, ["m9", *GOOD[1:]]])
    assert (counts[0].rows_loaded, counts[0].rows_duplicate) == (1, 1)


def test_missing_key_parts_are_compared_too(lake: duckdb.DuckDBPyConnection, tmp_path: Path):
    names = ("fixmedins_code", "medins_list_codg", "medins_list_name", "pric")
    table = TableContract(
        ENTITIES["service_item"], "*", "csv", "auto", None, 1, tuple((name, ColumnRule(column=name)) for name in names)
    )
    counts = _load(
        lake, tmp_path, [["H", "", "床位费", "9"], ["H", "", "床位费", "9"], ["H", "", "床位费", "8"]], table=table
    )
    assert (counts[0].rows_loaded, counts[0].rows_duplicate, counts[0].rows_quarantined) == (1, 1, 1)


def test_identifiers_never_reach_the_lake(lake: duckdb.DuckDBPyConnection, tmp_path: Path):
    names = (
        "mdtrt_id",
        "fixmedins_code",
        "psn_no",
        "begntime",
        "endtime",
        "dscg_maindiag_code",
        "dscg_maindiag_name",
        "medfee_sumamt",
    )
    table = TableContract(
        ENTITIES["front_page"], "*", "csv", "auto", None, 1, tuple((name, ColumnRule(column=name)) for name in names)
    )
    canary = "310101199001011234"
    _load(
        lake,
        tmp_path,
        [
            ["m1", "H", canary, "2026-01-01", "2026-01-02", "J18", "肺炎", "9"],
            ["m2", "H", canary, "2026-01-01", canary, "J18", "肺炎", "9"],
        ],
        table=table,
    )
    token = Pseudonyms(bytes(32)).token(canary)
    assert lake.execute("SELECT psn_no FROM lake.raw.front_page").fetchall() == [(token,)]
    dump = str(lake.execute("SELECT * FROM lake.raw.quarantine").fetchall()) + str(
        lake.execute("FROM lake.raw.front_page").fetchall()
    )
    assert canary not in dump
    assert "***" in dump


_CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "2",
            "无",
            "-",
            "1.005",
            "2026-01-05",
            "2026-02-30",
            "１２",
            "1,234.5",
            "药",
            "1e9",
            "99999999999999999999",
        ]
    ),
    st.text(alphabet=st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=8),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.one_of(
            st.lists(_CELLS, min_size=8, max_size=8),
            st.just(GOOD),
            st.tuples(st.sampled_from("ab"), st.sampled_from("12")).map(lambda key: [*key, *GOOD[2:]]),
            st.lists(_CELLS, min_size=2, max_size=10),
        ),
        min_size=1,
        max_size=25,
    ),
    cut=st.integers(0, 25),
)
def test_rows_and_money_balance_whatever_comes(
    lake: duckdb.DuckDBPyConnection, tmp_path: Path, rows: list[list[str]], cut: int
):
    lake.execute("DELETE FROM lake.raw.fee_line; DELETE FROM lake.raw.quarantine")
    for counts in _load(lake, tmp_path, rows[:cut], rows[cut:]):
        assert counts.rows_in == counts.rows_loaded + counts.rows_quarantined + counts.rows_duplicate
        assert counts.money_in == counts.money_loaded + counts.money_quarantined + counts.money_duplicate
    keys = lake.execute("SELECT count(*), count(DISTINCT (mdtrt_id, feedetl_sn)) FROM lake.raw.fee_line").fetchone()
    assert keys is not None
    assert keys[0] == keys[1]
