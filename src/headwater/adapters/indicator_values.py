"""Values of indicators in the lake: computed over the marts, and those beyond their thresholds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.claims.indicators import APART, HOME, Catalogue, Checked, compile_sql

__all__ = ["Failed", "compute", "create_tables", "preview", "replace"]

_TYPES = {"text": "VARCHAR", "identifier": "VARCHAR", "date": "DATE", "condition": "BOOLEAN", "number": "DOUBLE"}
_STAGED = "staged_indicator_value"


@dataclass(frozen=True)
class Failed:
    """An indicator that DuckDB could not compute, and its words."""

    name: str
    message: str


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Create ``lake.indicator.{value, alert}`` with a column for each dimension; those outside a grain are null."""
    value = _columns(catalogue)
    tables = {"value": value, "alert": [*value, ("side", "VARCHAR"), ("threshold", "DOUBLE"), ("owner", "VARCHAR")]}
    lake.create_tables(home, connection, schema="indicator", tables=tables)


def compute(
    connection: duckdb.DuckDBPyConnection, checked: Sequence[Checked], catalogue: Catalogue
) -> tuple[int, list[Failed]]:
    """Compute indicators into a table of this connection, one query a grain.

    Returns
    -------
    tuple[int, list[Failed]]
        how many values there are, and which indicators had to be left out
    """
    columns = ", ".join(f'"{name}" {kind}' for name, kind in _columns(catalogue))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_STAGED} ({columns})")
    failed: list[Failed] = []
    for group in _grouped(checked):
        failed += _stage(connection, group, catalogue)
    row = connection.execute(f"SELECT count(*) FROM {_STAGED}").fetchone()
    return (int(row[0]) if row else 0), failed


def replace(connection: duckdb.DuckDBPyConnection, checked: Sequence[Checked]) -> int:
    """Put what was computed in the place of all values and alerts in the lake, and return the number of alerts.

    The snapshot of the lake that the values follow from stands beside each.
    """
    snapshot = lake.snapshot(connection)
    limits = pa.table(
        {
            "indicator": [one.indicator.name for one in checked],
            "low": pa.array([_double(one.indicator.low) for one in checked], pa.float64()),
            "high": pa.array([_double(one.indicator.high) for one in checked], pa.float64()),
            "owner": [one.indicator.owner for one in checked],
        }
    )
    connection.register("indicator_limit", limits)
    connection.execute("BEGIN TRANSACTION")
    try:
        for table in ("value", "alert"):
            connection.execute(f"DELETE FROM lake.indicator.{table}")
        connection.execute(
            f"INSERT INTO lake.indicator.value BY NAME SELECT * REPLACE ({snapshot} AS snapshot_id) FROM {_STAGED}"
        )
        connection.execute(
            f"INSERT INTO lake.indicator.alert BY NAME SELECT staged.* REPLACE ({snapshot} AS snapshot_id), "
            "CASE WHEN value < low THEN 'low' ELSE 'high' END AS side, "
            "CASE WHEN value < low THEN low ELSE high END AS threshold, owner "
            f"FROM {_STAGED} AS staged INNER JOIN indicator_limit USING (indicator) WHERE value < low OR value > high"
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.unregister("indicator_limit")
    row = connection.execute("SELECT count(*) FROM lake.indicator.alert").fetchone()
    return int(row[0]) if row else 0


def _columns(catalogue: Catalogue) -> list[tuple[str, str]]:
    home = catalogue.tables[HOME].fields
    names = dict.fromkeys((*catalogue.dimensions, *APART))
    return [
        *(("indicator", "VARCHAR"), ("version", "INTEGER"), ("grain", "VARCHAR")),
        *((name, _TYPES[home[name].kind]) for name in names),
        *(("value", "DOUBLE"), ("stays", "BIGINT"), ("snapshot_id", "BIGINT")),
    ]


def _grouped(checked: Sequence[Checked]) -> Iterator[list[Checked]]:
    def grain(one: Checked) -> tuple[str, ...]:
        return one.indicator.grain

    for _, group in groupby(sorted(checked, key=grain), key=grain):
        yield list(group)


def _stage(connection: duckdb.DuckDBPyConnection, group: Sequence[Checked], catalogue: Catalogue) -> list[Failed]:
    """Compute indicators of one grain; where one of them cannot be computed, the others still are."""
    grain = ", ".join(group[0].indicator.grain)
    try:
        connection.execute(
            f"INSERT INTO {_STAGED} BY NAME SELECT *, $1 AS grain FROM ({compile_sql(group, catalogue)})", [grain]
        )
    except duckdb.Error as error:
        if len(group) == 1:
            return [Failed(group[0].indicator.name, str(error).splitlines()[0])]
        middle = len(group) // 2
        parts = (group[:middle], group[middle:])
        return [one for part in parts for one in _stage(connection, part, catalogue)]
    return []


def _double(limit: object) -> float | None:
    return None if limit is None else float(str(limit))


def preview(
    connection: duckdb.DuckDBPyConnection, checked: Checked, catalogue: Catalogue, *, months: int, limit: int
) -> list[Mapping[str, object]]:
    """Return the newest cells of an indicator, computed over the newest months only."""
    home = catalogue.tables[HOME].relation
    row = connection.execute(f"SELECT max(discharge_month) FROM {home} WHERE is_valid").fetchone()
    if row is None or row[0] is None:
        return []
    newest = row[0].year * 12 + row[0].month - 1 - (months - 1)
    since = row[0].replace(year=newest // 12, month=newest % 12 + 1)
    query = f"SELECT * EXCLUDE (indicator, version) FROM ({compile_sql([checked], catalogue, since=since)})"
    order = ", ".join(
        "discharge_month DESC" if name == "discharge_month" else f'"{name}"' for name in checked.indicator.grain
    )
    found = connection.execute(f"{query} ORDER BY {order or '1'} LIMIT {int(limit)}").to_arrow_table()
    return list(found.to_pylist())
