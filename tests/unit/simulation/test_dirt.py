"""The truth about dirt is checked against the loader itself: what the truth expects is what landing does."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import parse_contract
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, Batch, Counts, Loader, raw_columns
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import read
from headwater.simulation import dirt, simulate
from headwater.simulation.contracts import contract_text
from headwater.simulation.dirt import KINDS, soil
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.layouts import file_columns, layout
from headwater.simulation.rendering import Grid

REGION = Region(hospitals=12, months=2, stays=1200, seed=11)
Ends = Counter[tuple[str, str, str]]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve hospitals with one faulty row in eight, so that every kind meets every format that can hold it."""
    folder: Path = tmp_path_factory.mktemp("dirty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dirt, "RATE", 0.125)
        simulate(folder / "deliveries", hospitals=12, months=2, stays=1200, seed=11)
    return folder


@pytest.fixture(scope="module")
def landed(dirty: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, Ends]]:
    """Everything loaded, and what became of the rows."""
    with _lake() as connection:
        yield connection, _landed(dirty, connection)


@pytest.fixture(scope="module")
def marks(dirty: Path) -> pa.Table:
    return pq.read_table(dirty / "truth" / "dirt.parquet")


def _lake() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake")
    connection.execute("CREATE SCHEMA lake.raw")
    for entity in ENTITIES.values():
        columns = ", ".join(f'"{name}" {kind}' for name, kind in raw_columns(entity))
        connection.execute(f"CREATE TABLE lake.raw.{entity.name} ({columns})")
    for table, held in (("quarantine", QUARANTINE_COLUMNS), ("cleaned", CLEANED_COLUMNS)):
        columns = ", ".join(f"{name} {kind}" for name, kind in held)
        connection.execute(f"CREATE TABLE lake.raw.{table} ({columns})")
    return connection


def _landed(folder: Path, connection: duckdb.DuckDBPyConnection) -> Ends:
    """Load everything; return rows by source, entity and end."""
    ends: Ends = Counter()
    for hospital in roster(REGION):
        contract = parse_contract(yaml.safe_load(contract_text(hospital))["sources"][0], where=hospital.source)
        for table in contract.tables:
            loader = Loader(
                connection,
                source_id=hospital.source,
                table=table,
                constants={},
                pseudonyms=Pseudonyms(b"0" * 32),
                delivered_on="2026-01-31",
            )
            for file in sorted((folder / "deliveries" / hospital.source).glob(table.files)):
                loader.add(Batch(file.name, file.name), read(file, name=file.name, table=table))
            counts: list[Counts] = loader.commit()
            name = table.entity.name
            ends[hospital.source, name, "quarantined"] += sum(count.rows_quarantined for count in counts)
            ends[hospital.source, name, "duplicate"] += sum(count.rows_duplicate for count in counts)
            ends[hospital.source, name, "loaded"] += sum(count.rows_loaded for count in counts)
    return ends


def test_every_fault_meets_the_end_that_the_truth_expects(
    landed: tuple[duckdb.DuckDBPyConnection, Ends], marks: pa.Table
) -> None:
    connection, ends = landed
    expected: Ends = Counter()
    for row in marks.select(["source", "entity", "expected", "rows"]).to_pylist():
        expected[row["source"], row["entity"], row["expected"]] += row["rows"]
    for place in ends:
        if place[2] != "loaded":
            assert ends[place] == expected[place], place
    connection.register("truth", marks)
    unexplained = connection.execute(
        "WITH found AS (SELECT DISTINCT source_id AS source, entity, file_name AS file, row_no "
        "FROM lake.raw.quarantine), "
        "wanted AS (SELECT DISTINCT source, entity, file, row_no FROM truth WHERE expected = 'quarantined') "
        "(SELECT * FROM found EXCEPT SELECT * FROM wanted) UNION ALL (SELECT * FROM wanted EXCEPT SELECT * FROM found)"
    ).fetchall()
    assert unexplained == []


def test_loaded_values_are_those_before_the_fault(landed: tuple[duckdb.DuckDBPyConnection, Ends], dirty: Path) -> None:
    connection, _ = landed
    connection.register("stay", pq.read_table(dirty / "truth" / "stays.parquet"))
    different, known, loaded = connection.execute(
        "SELECT count_if(CAST(medfee_sumamt * 100 AS BIGINT) <> cost_fen), count(cost_fen), count(*) "
        "FROM lake.raw.front_page f LEFT JOIN stay s ON f.source_id = s.source AND f.mdtrt_id = s.mdtrt_id"
    ).fetchone()
    assert different == 0
    assert known == loaded > 1000
    # A line that survived still is quantity times price.
    wrong = "SELECT count_if(cnt * pric <> det_item_fee_sumamt) FROM lake.raw.fee_line"
    assert connection.execute(wrong).fetchone() == (0,)
    assert connection.execute("SELECT count(DISTINCT gend) FROM lake.raw.front_page").fetchone() == (2,)


def test_every_kind_occurs_and_says_what_it_changed(marks: pa.Table) -> None:
    rows = marks.to_pylist()
    assert {mark["kind"] for mark in rows} == set(KINDS)
    assert {mark["expected"] for mark in rows} == {"loaded", "quarantined", "duplicate"}
    for mark in rows:
        assert mark["rows"] >= 1
        if mark["kind"] not in ("duplicate_row", "wrong_column_count"):
            assert mark["field"]
            assert mark["original"] != mark["dirty"]


def test_row_numbers_point_at_the_faulty_cell(dirty: Path, marks: pa.Table) -> None:
    places = {column.field: place for place, column in enumerate(file_columns(layout(1), "fee_line"))}
    lines = {
        file.name: file.read_text(encoding="utf-8-sig").splitlines()
        for file in (dirty / "deliveries" / "h0101").glob("fee_lines_*.csv")
    }
    here = [
        row for row in marks.to_pylist() if (row["source"], row["entity"]) == ("h0101", "fee_line") and row["field"]
    ]
    assert len(here) > 100
    for mark in here:
        cells = lines[mark["file"]][mark["row_no"]][1:-1].split('","')
        assert cells[places[mark["field"]]] == mark["dirty"]


def test_required_fields_are_those_of_the_canonical_tables() -> None:
    for entity, fields in dirt._REQUIRED.items():
        required = {field.name for field in ENTITIES[entity].fields if field.required}
        assert required - {"fixmedins_code"} == set(fields)
        assert not set(dirt._OPTIONAL) & required


def _grid(rows: int) -> Grid:
    columns = file_columns(layout(2), "drug")
    return Grid(columns, tuple(pa.array([f"{column.field}{row}" for row in range(rows)]) for column in columns))


def test_about_one_row_in_two_hundred_is_soiled() -> None:
    clean = _grid(40_000)
    done = soil(clean, entity="drug", shape=layout(2), rng=np.random.default_rng(5))
    assert 150 < len(done.marks) < 250
    assert len(done.table) > len(clean)
    kinds = Counter(mark.kind for mark in done.marks)
    assert max(kinds.values()) - min(kinds.values()) <= 1
    assert soil(_grid(0), entity="drug", shape=layout(2), rng=np.random.default_rng(5)).marks == ()


def test_clean_rows_stay_as_they_were() -> None:
    clean = _grid(3000)
    done = soil(clean, entity="drug", shape=layout(2), rng=np.random.default_rng(6), first=100)
    touched = {mark.row - 101 for mark in done.marks}
    untouched = pa.array([row for row in range(3000) if row not in touched])
    for before, after in zip(clean.arrays, done.table.arrays, strict=True):
        assert before.take(untouched) == after.take(untouched)


def test_faults_that_a_format_cannot_hold_do_not_occur(marks: pa.Table) -> None:
    rows = marks.to_pylist()
    in_workbook = {mark["kind"] for mark in rows if mark["file"].endswith(".xlsx")}
    in_parquet = {mark["kind"] for mark in rows if mark["file"].endswith(".parquet")}
    assert "wrong_column_count" not in in_workbook | in_parquet
    assert not {"impossible_date", "three_decimals", "non_numeric_amount"} & in_parquet
    assert {"duplicate_row", "key_conflict", "blank_required", "stray_spaces"} <= in_workbook & in_parquet
