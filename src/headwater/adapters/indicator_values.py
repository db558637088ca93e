"""Values of indicators in the lake: computed over the marts, small cells withheld, and those beyond thresholds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.claims.comparing import withhold
from headwater.claims.comparing.suppressing import LEAST
from headwater.claims.indicators import APART, HOME, Catalogue, Checked, Months, compile_sql

__all__ = ["During", "Failed", "compute", "create_tables", "newest", "of_indicator", "replace"]

_TYPES = {"text": "VARCHAR", "identifier": "VARCHAR", "date": "DATE", "condition": "BOOLEAN", "number": "DOUBLE"}
_STAGED = "staged_indicator_value"


@dataclass(frozen=True)
class During:
    """Indicators that are computed over the stays of some months."""

    checked: Sequence[Checked]
    months: Months = (None, None)


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
    connection: duckdb.DuckDBPyConnection, parts: Sequence[During], catalogue: Catalogue
) -> tuple[int, list[Failed]]:
    """Compute indicators into a table of this connection, one query a grain, and withhold their small cells.

    Returns
    -------
    tuple[int, list[Failed]]
        how many values there are, and which indicators had to be left out
    """
    columns = ", ".join(f'"{name}" {kind}' for name, kind in _columns(catalogue))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_STAGED} ({columns})")
    failed: list[Failed] = []
    for part in parts:
        for group in _grouped(part.checked):
            failed += _stage(connection, group, catalogue, part.months)
    _withhold(connection)
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
            "version": pa.array([one.indicator.version for one in checked], pa.int32()),
            "low": pa.array([_double(one.indicator.low) for one in checked], pa.float64()),
            "high": pa.array([_double(one.indicator.high) for one in checked], pa.float64()),
            "owner": [one.indicator.owner for one in checked],
        }
    )
    connection.register("indicator_limit", limits)
    try:
        with lake.transaction(connection):
            for table in ("value", "alert"):
                connection.execute(f"DELETE FROM lake.indicator.{table}")
            connection.execute(
                f"INSERT INTO lake.indicator.value BY NAME SELECT * REPLACE ({snapshot} AS snapshot_id) FROM {_STAGED}"
            )
            connection.execute(
                f"INSERT INTO lake.indicator.alert BY NAME SELECT staged.* REPLACE ({snapshot} AS snapshot_id), "
                "CASE WHEN value < low THEN 'low' ELSE 'high' END AS side, "
                "CASE WHEN value < low THEN low ELSE high END AS threshold, owner "
                f"FROM {_STAGED} AS staged INNER JOIN (SELECT DISTINCT * FROM indicator_limit) "
                "USING (indicator, version) WHERE value < low OR value > high"
            )
    finally:
        connection.unregister("indicator_limit")
    row = connection.execute("SELECT count(*) FROM lake.indicator.alert").fetchone()
    return int(row[0]) if row else 0


def newest(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, *, months: int) -> Months | None:
    """Return the newest months of which there are valid stays, None where there are none."""
    home = catalogue.tables[HOME].relation
    row = connection.execute(f"SELECT max(discharge_month) FROM {home} WHERE is_valid").fetchone()
    if row is None or row[0] is None:
        return None
    first = row[0].year * 12 + row[0].month - 1 - (months - 1)
    return row[0].replace(year=first // 12, month=first % 12 + 1), None


def of_indicator(
    connection: duckdb.DuckDBPyConnection, name: str, grain: Sequence[str], *, limit: int, table: str = _STAGED
) -> list[Mapping[str, object]]:
    """Return the newest cells of an indicator: its grain, currency, origin, version, value, stays and ``withheld``.

    Parameters
    ----------
    table : of values; if none is given, what was computed last over this connection
    """
    keys = dict.fromkeys((*grain, *APART))
    columns = ", ".join(f'"{one}"' for one in keys)
    order = ", ".join("discharge_month DESC" if one == "discharge_month" else f'"{one}"' for one in keys)
    found = connection.execute(
        f"SELECT {columns}, version, value, stays, withheld FROM {table} "
        f"WHERE indicator = $1 AND grain = $2 ORDER BY {order} LIMIT {int(limit)}",
        [name, ", ".join(grain)],
    ).to_arrow_table()
    return list(found.to_pylist())


def _columns(catalogue: Catalogue) -> list[tuple[str, str]]:
    home = catalogue.tables[HOME].fields
    names = dict.fromkeys((*catalogue.dimensions, *APART))
    return [
        *(("indicator", "VARCHAR"), ("version", "INTEGER"), ("grain", "VARCHAR")),
        *((name, _TYPES[home[name].kind]) for name in names),
        *(("value", "DOUBLE"), ("stays", "BIGINT"), ("withheld", "VARCHAR"), ("snapshot_id", "BIGINT")),
    ]


def _grouped(checked: Sequence[Checked]) -> Iterator[list[Checked]]:
    def grain(one: Checked) -> tuple[str, ...]:
        return one.indicator.grain

    for _, group in groupby(sorted(checked, key=grain), key=grain):
        yield list(group)


def _stage(
    connection: duckdb.DuckDBPyConnection, group: Sequence[Checked], catalogue: Catalogue, months: Months
) -> list[Failed]:
    """Compute indicators of one grain; where one of them cannot be computed, the others still are."""
    grain, query = ", ".join(group[0].indicator.grain), compile_sql(group, catalogue, months=months)
    try:
        connection.execute(f"INSERT INTO {_STAGED} BY NAME SELECT *, $1 AS grain FROM ({query})", [grain])
    except duckdb.Error as error:
        if len(group) == 1:
            return [Failed(group[0].indicator.name, str(error).splitlines()[0])]
        middle = len(group) // 2
        parts = (group[:middle], group[middle:])
        return [one for part in parts for one in _stage(connection, part, catalogue, months)]
    return []


def _withhold(connection: duckdb.DuckDBPyConnection) -> None:
    """Take value and number of stays from the small cells of every indicator, and from what would give them away."""
    tables = connection.execute(
        f"SELECT indicator, grain FROM {_STAGED} GROUP BY ALL HAVING min(stays) < {LEAST} ORDER BY ALL"
    ).fetchall()
    known: dict[tuple[str, int], pa.Array] = {}
    for indicator, grain in tables:
        keys = [one for one in grain.split(", ") if one and one not in APART]
        named = ", ".join(f'CAST("{one}" AS VARCHAR) AS "{one}"' for one in (*keys, *APART))
        cells = connection.execute(
            f"SELECT {named}, stays, rowid AS cell FROM {_STAGED} WHERE indicator = $1 AND grain = $2 ORDER BY ALL",
            [indicator, grain],
        ).to_arrow_table()
        # Indicators of one scope have the same cells; they are many, and looked at once.
        alike = (grain, hash(tuple(tuple(cells[one].to_pylist()) for one in cells.column_names[:-1])))
        if alike not in known:
            known[alike] = withhold(cells, keys, apart=APART)
        withheld = pa.table({"cell": cells["cell"], "why": known[alike]}).filter(known[alike].is_valid())
        connection.register("withheld_cell", withheld)
        connection.execute(
            f"UPDATE {_STAGED} AS staged SET value = NULL, stays = NULL, withheld = withheld_cell.why "
            "FROM withheld_cell WHERE staged.rowid = withheld_cell.cell"
        )
        connection.unregister("withheld_cell")


def _double(limit: object) -> float | None:
    return None if limit is None else float(str(limit))
