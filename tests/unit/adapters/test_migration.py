"""Every column is compared before and after a step: the same is 0, a change is told where it happened."""

from collections.abc import Iterator

import duckdb
import pytest

from headwater.adapters.migration import compared


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw; CREATE SCHEMA lake.staging")
        connection.execute("CREATE SCHEMA lake.marts; USE lake")
        connection.execute(
            "CREATE TABLE raw.diagnosis AS SELECT 's' || i % 2 AS source_id, 'b' AS batch_id, i AS row_no, "
            "i::VARCHAR AS mdtrt_id, 1 AS diag_srt, 'A0' || i % 5 AS diag_code FROM range(100) t(i)"
        )
        connection.execute("CREATE TABLE staging.stg_claims__diagnosis AS FROM raw.diagnosis")
        yield connection


def _changed(lake: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], float]:
    found = compared(lake, stages=("staging",))
    assert {(column.step, column.entity) for column in found} == {("raw-staging", "diagnosis")}
    assert all(column.rows_before == 50 for column in found)
    return {(column.source_id, column.column): column.distance for column in found if column.stops}


def test_columns_that_are_passed_through_are_the_same(lake: duckdb.DuckDBPyConnection) -> None:
    assert _changed(lake) == {}


def test_a_changed_value_is_told_by_source_and_column(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute("UPDATE staging.stg_claims__diagnosis SET diag_code = 'X' WHERE source_id = 's1' AND row_no < 20")
    assert _changed(lake) == {("s1", "diag_code"): pytest.approx(0.2)}


def test_values_that_changed_places_are_told_though_the_distribution_is_the_same(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    lake.execute(
        "UPDATE staging.stg_claims__diagnosis SET diag_code = CASE row_no WHEN 0 THEN 'A02' ELSE 'A00' END "
        "WHERE row_no IN (0, 2)"
    )
    assert _changed(lake) == {("s0", "diag_code"): pytest.approx(0.02)}


def test_stages_that_were_not_asked_for_are_not_compared(lake: duckdb.DuckDBPyConnection) -> None:
    assert compared(lake, stages=("marts",)) == ()


def test_a_source_that_vanished_is_told(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute("DELETE FROM staging.stg_claims__diagnosis WHERE source_id = 's1'")
    gone = [column for column in compared(lake, stages=("staging",)) if column.source_id == "s1"]
    assert {(column.rows_before, column.rows_after) for column in gone} == {(50, 0)}
