"""The lake's table of assigned values: each local item's, in each period in which no reference changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from headwater.adapters import lake, references
from headwater.adapters.coding import DATED, KEY
from headwater.adapters.home import Home
from headwater.adapters.references import Version
from headwater.claims.assigning import SCHEMA, Known, assign

__all__ = ["COLUMNS", "KINDS", "create_tables", "refresh"]

KINDS = ("drug", "consumable", "service")
"""What is billed, and so has values."""

_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.decimal128(18, 6): "DECIMAL(18,6)",
    SCHEMA.field("class_path").type: "STRUCT(code VARCHAR, name VARCHAR)[]",
}
COLUMNS = (
    *((name, "VARCHAR") for name in KEY),
    *(("valid_from", "DATE"), ("valid_to", "DATE"), ("code", "VARCHAR"), ("currency", "VARCHAR")),
    *((field.name, _TYPES[field.type]) for field in SCHEMA),
)
"""One row an item and period: ``valid_from`` is its first day, ``valid_to`` the first day after it, null while it
lasts. ``code`` is the national code where one is settled."""

_ROWS = 50_000
_READING = 1
"""Raised when values come to be assigned another way: all are then assigned again."""
_TABLE = "lake.coding.assigned"

_SAME = " AND ".join(f"item.{name} IS NOT DISTINCT FROM dated.{name}" for name in KEY)

_ITEMS = f"""
SELECT item.source_id, item.kind, item.medins_list_codg, item.medins_list_name, dated.code,
       item.spec, item.unit, item.dosform_name, item.pric, source.currency
FROM lake.coding.item AS item
INNER JOIN ({DATED}) AS dated
    ON {_SAME} AND dated.valid_from <= $day AND (dated.valid_to > $day OR dated.valid_to IS NULL)
LEFT JOIN (
    SELECT source_id, min(currency) AS currency FROM lake.raw.hospital
    GROUP BY source_id HAVING count(DISTINCT currency) = 1
) AS source ON source.source_id = item.source_id
"""
"""Items as they were coded on ``$day``."""


@dataclass(frozen=True)
class _Period:
    """Days in which no reference of a kind changed, the last one excluded, and the versions that hold in them."""

    kind: str
    first: date
    last: date | None
    versions: tuple[tuple[str, str], ...]


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table if it is missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema="coding", tables={"assigned": COLUMNS})


def refresh(home: Home, connection: duckdb.DuckDBPyConnection) -> int | None:
    """Assign values to every coded item; return how many rows that were, None where nothing has changed since.

    The raw, reference and coding tables must be there.
    """
    create_tables(home, connection)
    periods = [period for kind in KINDS for period in _periods(kind, references.versions(connection))]
    state = _state(connection, periods)
    if _held(connection) == state:
        return None
    with lake.transaction(connection):
        connection.execute(f"DELETE FROM {_TABLE}")
        count = sum(_write(connection, period) for period in periods)
    # Said last: what was interrupted before is assigned again.
    connection.execute(f"COMMENT ON TABLE {_TABLE} IS '{state}'")
    return count


def _periods(kind: str, versions: list[Version]) -> Iterator[_Period]:
    """Yield the periods of a kind, the first one before anything was known."""
    parts = (kind, f"{kind}_class", "threshold")
    mine = [version for version in versions if version.kind in parts]
    days = [date.min, *sorted({version.valid_from for version in mine})]
    for first, last in zip(days, [*days[1:], None], strict=True):
        held = [version for version in mine if version.valid_from <= first]
        newest = {version.kind: version.version for version in sorted(held, key=lambda version: version.valid_from)}
        yield _Period(kind, first, last, tuple(sorted(newest.items())))


def _state(connection: duckdb.DuckDBPyConnection, periods: list[_Period]) -> str:
    """Return what tells whether items or references have changed: values follow from these alone."""
    days = sorted({period.first for period in periods})
    said = f"SELECT count(*), bit_xor(hash(item)) FROM ({_ITEMS}) AS item"
    rows = [connection.execute(said, {"day": day}).fetchone() for day in days]
    return hashlib.sha256(repr((_READING, COLUMNS, periods, rows)).encode()).hexdigest()[:32]


def _held(connection: duckdb.DuckDBPyConnection) -> str | None:
    row = connection.execute(
        "SELECT comment FROM duckdb_tables() "
        "WHERE database_name = 'lake' AND schema_name = 'coding' AND table_name = 'assigned'"
    ).fetchone()
    return row[0] if row else None


def _write(connection: duckdb.DuckDBPyConnection, period: _Period) -> int:
    tables = {
        kind.removeprefix(f"{period.kind}_"): references.read_version(connection, kind, version)
        for kind, version in period.versions
    }
    known = Known(period.kind, tables.get(period.kind), tables.get("class"), tables.get("threshold"))
    with connection.cursor() as reading:
        items = reading.execute(
            f"{_ITEMS} WHERE item.kind = $kind", {"kind": period.kind, "day": period.first}
        ).to_arrow_reader(_ROWS)
        return sum(_append(connection, pa.Table.from_batches([batch]), period, known) for batch in items)


def _append(connection: duckdb.DuckDBPyConnection, items: pa.Table, period: _Period, known: Known) -> int:
    values = assign(items, known)
    table = items.select([*KEY, "code", "currency"])
    for field in SCHEMA:
        table = table.append_column(field, values[field.name])
    names = ", ".join(f'"{name}"' for name in table.column_names)
    connection.register("assigned", table)
    connection.execute(
        f"INSERT INTO {_TABLE} ({names}, valid_from, valid_to) SELECT {names}, $1, $2 FROM assigned",
        [period.first, period.last],
    )
    connection.unregister("assigned")
    return len(table)
