"""The lake's coding tables: what hospitals call their items, how much they billed, and which code each name became."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.claims.likeness import ATTRIBUTES

__all__ = [
    "ANSWER", "ATTRIBUTE_COLUMNS", "DATED", "FORMER", "KEY", "REPORTED", "TABLES", "alone", "apply", "count_usage",
    "create_tables", "gather", "items", "settle",
]  # fmt: skip

KEY = ("source_id", "kind", "medins_list_codg", "medins_list_name")
"""What names a local item; a price list may have no codes, and a diagnosis stands under its delivered code."""

ATTRIBUTE_COLUMNS = tuple(dict.fromkeys(name for names in ATTRIBUTES.values() for name in names))
"""Every attribute that any kind has, each once."""

ANSWER = (
    *(("like_id", "VARCHAR"), ("code", "VARCHAR"), ("confidence", "DOUBLE"), ("decision", "VARCHAR")),
    *(("reason", "VARCHAR"), ("alternatives", "STRUCT(code VARCHAR, name VARCHAR, confidence DOUBLE)[]")),
    *(("reported_code", "VARCHAR"), ("evidence", "VARCHAR"), ("reference_version", "VARCHAR")),
    *(("matcher_version", "VARCHAR"), ("coded_at", "TIMESTAMP"), ("decided_by", "VARCHAR")),
)
"""What coding says of an item. ``decision`` is auto, review, none or decided; ``evidence`` tells whether the national
code that the hospital reports agrees, disagrees or is unknown; the answer holds under ``reference_version``."""

REPORTED = "CASE WHEN kind IN ('diagnosis', 'operation') THEN medins_list_codg ELSE reported_code END"
"""The national code that a hospital reports itself, as SQL; of a diagnosis or operation it is the delivered one."""

FORMER = pa.schema([*((name, pa.string()) for name in (*KEY, "code")), ("valid_to", pa.date32())])
"""A code that an item had before ``valid_to``, the first day of the reference that took it away."""

_SAID = (
    *((name, "VARCHAR") for name in (*KEY, *ATTRIBUTE_COLUMNS)),
    ("pric", "DECIMAL(18,6)"),
    ("is_listed", "BOOLEAN"),
)
TABLES = {
    "item": (*_SAID, *ANSWER),
    "former": (*((name, "VARCHAR") for name in (*KEY, "code")), ("valid_to", "DATE")),
    "usage": (
        *((name, "VARCHAR") for name in (*KEY, "reported_code")),
        *(("line_count", "BIGINT"), ("quantity", "DECIMAL(38,4)"), ("money", "DECIMAL(38,2)")),
    ),
    "seen": (("entity", "VARCHAR"), ("snapshot_id", "BIGINT")),
}
"""``item``: one row a local item. ``former``: what items were coded as before a reference changed. ``usage``: additive
counts of what was billed or noted, one row an item and reported code. ``seen``: up to which snapshot of the lake each
raw table is counted in."""

_ITEM = ", ".join(KEY)
DATED = f"""
SELECT {_ITEM}, code, coalesce(lag(valid_to) OVER same, DATE '0001-01-01') AS valid_from, valid_to
FROM (
    SELECT {_ITEM}, code, valid_to FROM lake.coding.former
    UNION ALL
    SELECT {_ITEM}, CASE WHEN decision IN ('auto', 'decided') THEN code END, CAST(NULL AS DATE)
    FROM lake.coding.item
)
WINDOW same AS (PARTITION BY {_ITEM} ORDER BY valid_to NULLS LAST)
"""
"""The settled code of each item by days, as SQL: from ``valid_from`` until before ``valid_to``, null while it lasts.

``code`` is null where none is settled. What a later reference took from an item was its code until then."""

_USAGE_KEY = (*KEY, "reported_code")


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the coding tables that are missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema="coding", tables=TABLES)


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Let one process at a time write coding tables; the others wait."""
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.coding'))")
        yield


def count_usage(home: Home, connection: duckdb.DuckDBPyConnection) -> int:
    """Count in what the lake has written or deleted since the last count; return how many raw rows that were.

    Cost grows with these rows: counts and money are additive, so deleted rows are subtracted. Lines whose charge
    category names no kind are counted under none and are nobody's item.
    """
    until = lake.snapshot(connection)
    with lake.transaction(connection):
        return sum(_count(home, connection, entity, until) for entity in _LINES)


def _count(home: Home, connection: duckdb.DuckDBPyConnection, entity: str, until: int) -> int:
    seen = connection.execute("SELECT snapshot_id FROM lake.coding.seen WHERE entity = $1", [entity]).fetchone()
    after = int(seen[0]) if seen else 0
    if not _is_written(connection, entity, after):
        return 0
    # At that very snapshot: what lands meanwhile is counted next time, once.
    changed = f"SELECT *, 1 AS sign FROM lake.raw.{entity} AT (VERSION => {until})"
    if after:
        changed = " UNION ALL BY NAME ".join(
            f"SELECT *, {sign} AS sign FROM ducklake_table_{kind}('lake', 'raw', '{entity}', {after + 1}, {until})"
            for kind, sign in (("insertions", 1), ("deletions", -1))
        )
    keys = ", ".join(_USAGE_KEY)
    named = _LINES[entity].format(changed=changed, categories=_categories(home))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE counted AS SELECT {keys}, sum(sign) AS line_count, "
        "CAST(sum(sign * quantity) AS DECIMAL(38,4)) AS quantity, CAST(sum(sign * money) AS DECIMAL(38,2)) AS money, "
        f"count(*) AS raw_rows FROM ({named}) GROUP BY ALL"
    )
    same = " AND ".join(f"usage.{name} IS NOT DISTINCT FROM counted.{name}" for name in _USAGE_KEY)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE summed AS SELECT * EXCLUDE (raw_rows) FROM counted UNION ALL BY NAME "
        f"SELECT usage.* FROM lake.coding.usage AS usage SEMI JOIN counted ON {same}"
    )
    connection.execute(f"DELETE FROM lake.coding.usage AS usage USING counted WHERE {same}")
    connection.execute(
        f"INSERT INTO lake.coding.usage SELECT {keys}, sum(line_count), sum(quantity), sum(money) FROM summed "
        "GROUP BY ALL HAVING sum(line_count) > 0"
    )
    connection.execute("DELETE FROM lake.coding.seen WHERE entity = $1", [entity])
    connection.execute("INSERT INTO lake.coding.seen VALUES ($1, $2)", [entity, until])
    row = connection.execute("SELECT coalesce(sum(raw_rows), 0) FROM counted").fetchone()
    return int(row[0]) if row else 0


def _is_written(connection: duckdb.DuckDBPyConnection, entity: str, after: int) -> bool:
    """Tell from the catalog alone whether a raw table has changed since a snapshot."""
    row = connection.execute(
        "WITH raw AS (SELECT CAST(t.table_id AS VARCHAR) AS id "
        "FROM __ducklake_metadata_lake.public.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.public.ducklake_schema AS s USING (schema_id) "
        "WHERE s.schema_name = 'raw' AND t.table_name = $1) "
        "SELECT count(*) FROM (SELECT unnest(flatten(map_values(changes))) AS what FROM ducklake_snapshots('lake') "
        "WHERE snapshot_id > $2) WHERE what IN (SELECT id FROM raw)",
        [entity, after],
    ).fetchone()
    return row is not None and int(row[0]) > 0


def _categories(home: Home) -> str:
    seed = str(home.project / "dbt_project" / "seeds" / "charge_category.csv").replace("'", "''")
    return f"read_csv('{seed}', all_varchar = true)"


_LINES = {
    "fee_line": (
        "SELECT line.source_id, category.charge_group AS kind, line.medins_list_codg, line.medins_list_name, "
        "line.med_list_codg AS reported_code, line.cnt AS quantity, line.det_item_fee_sumamt AS money, line.sign "
        "FROM ({changed}) AS line LEFT JOIN {categories} AS category "
        "ON category.charge_category = left(line.med_chrgitm_type, 2)"
    ),
    "diagnosis": (
        "SELECT source_id, 'diagnosis' AS kind, diag_code AS medins_list_codg, diag_name AS medins_list_name, "
        "CAST(NULL AS VARCHAR) AS reported_code, 0 AS quantity, 0 AS money, sign FROM ({changed})"
    ),
    "operation": (
        "SELECT source_id, 'operation' AS kind, oprn_oprt_code AS medins_list_codg, "
        "oprn_oprt_name AS medins_list_name, CAST(NULL AS VARCHAR) AS reported_code, 0 AS quantity, 0 AS money, sign "
        "FROM ({changed})"
    ),
}
"""Raw tables whose rows name items, as SQL of what each row adds."""


def gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table ``present``: every item that a list has or a bill names, with how it is coded so far.

    ``state`` is new, altered (other words, attributes or reported code than were coded) or known.
    """
    said = (*ATTRIBUTE_COLUMNS, "pric")
    differ = " OR ".join(f"p.{name} IS DISTINCT FROM i.{name}" for name in (*said, "is_listed", "reported_code"))
    same = " AND ".join(f"p.{name} IS NOT DISTINCT FROM i.{name}" for name in KEY)
    answer = ", ".join(f"i.{name}" for name, _ in ANSWER if name != "reported_code")
    connection.execute(_LISTED)
    connection.execute(_USED)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE present AS SELECT p.*, {answer}, CASE WHEN i.source_id IS NULL THEN 'new' "
        f"WHEN {differ} THEN 'altered' ELSE 'known' END AS state "
        f"FROM ({_PRESENT}) AS p LEFT JOIN lake.coding.item AS i ON {same}"
    )


_COLUMNS = {
    "drug": ("raw.drug", {"spec", "dosform_name", "prodentp_name", "aprvno", "unit"}),
    "consumable": ("raw.consumable", {"spec", "material", "prodentp_name", "regno", "unit"}),
    "service": ("raw.service_item", {"unit"}),
}


def _listed(kind: str) -> str:
    table, held = _COLUMNS[kind]
    attributes = ", ".join(
        f"min({name}) AS {name}" if name in held else f"CAST(NULL AS VARCHAR) AS {name}" for name in ATTRIBUTE_COLUMNS
    )
    # Hospitals of one source may list one service under one code, at different prices.
    return (
        f"SELECT source_id, '{kind}' AS kind, medins_list_codg, medins_list_name, {attributes}, max(pric) AS pric "
        f"FROM lake.{table} GROUP BY ALL"
    )


_LISTED = f"CREATE OR REPLACE TEMP TABLE listed AS {' UNION ALL '.join(_listed(kind) for kind in _COLUMNS)}"

_USED = f"""
CREATE OR REPLACE TEMP TABLE used AS
SELECT {", ".join(KEY)}, sum(line_count) AS line_count, sum(quantity) AS quantity, sum(money) AS money,
       arg_max(reported_code, line_count) AS reported_code
FROM lake.coding.usage
WHERE kind IN ({", ".join(f"'{kind}'" for kind in ATTRIBUTES)})
GROUP BY ALL
"""

# What is billed under a listed code but by another name has the list's attributes.
_PRESENT = f"""
WITH by_code AS (
    SELECT source_id, kind, medins_list_codg, {", ".join(f"min({name}) AS {name}" for name in ATTRIBUTE_COLUMNS)},
           max(pric) AS pric
    FROM listed WHERE medins_list_codg IS NOT NULL
    GROUP BY ALL HAVING count(*) = 1
)
SELECT {", ".join(f"coalesce(l.{name}, u.{name}) AS {name}" for name in KEY)},
       {", ".join(f"coalesce(l.{name}, c.{name}) AS {name}" for name in (*ATTRIBUTE_COLUMNS, "pric"))},
       l.source_id IS NOT NULL AS is_listed, u.reported_code, u.line_count, u.money,
       CASE WHEN u.quantity > 0 THEN CAST(u.money / u.quantity AS DECIMAL(18,6)) END AS billed_price
FROM listed AS l
FULL JOIN used AS u ON {" AND ".join(f"l.{name} IS NOT DISTINCT FROM u.{name}" for name in KEY)}
LEFT JOIN by_code AS c
    ON l.source_id IS NULL AND c.source_id = u.source_id AND c.kind = u.kind AND c.medins_list_codg = u.medins_list_codg
"""


def settle(
    connection: duckdb.DuckDBPyConnection, *, rows: pa.Table, former: pa.Table, current: Iterable[tuple[str, str]]
) -> int:
    """Write answers into ``coding.item``, in the place of the earlier ones, and drop items that are no more.

    Parameters
    ----------
    rows : ``KEY``, attributes, ``pric``, ``is_listed`` and ``ANSWER`` of each item whose answer changed
    former : :data:`FORMER`, the codes that a changed reference takes from items
    current : kind to the version of its reference under which all answers that stand hold now

    Returns
    -------
    How many items left.
    """
    is_answered = " AND ".join(f"item.{name} IS NOT DISTINCT FROM answered.{name}" for name in KEY)
    connection.register("answered", rows)
    connection.register("taken", former)
    listed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in TABLES["item"])
    connection.execute("BEGIN TRANSACTION")
    try:
        gone = _drop_absent(connection, "item")
        _drop_absent(connection, "former")
        if rows.num_rows:
            connection.execute(f"DELETE FROM lake.coding.item AS item USING answered WHERE {is_answered}")
            connection.execute(f"INSERT INTO lake.coding.item BY NAME SELECT {listed} FROM answered")
        if former.num_rows:
            connection.execute("INSERT INTO lake.coding.former BY NAME SELECT * FROM taken")
        for kind, version in current:
            _advance(connection, kind, version)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.unregister("answered")
        connection.unregister("taken")
    return gone


def _drop_absent(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Delete what is said of items that no list has and no bill names; return how many rows that were."""
    is_there = " AND ".join(f"held.{name} IS NOT DISTINCT FROM present.{name}" for name in KEY)
    absent = f"lake.coding.{table} AS held WHERE NOT EXISTS (SELECT 1 FROM present WHERE {is_there})"
    row = connection.execute(f"SELECT count(*) FROM {absent}").fetchone()
    if row and row[0]:
        connection.execute(f"DELETE FROM {absent}")
    return int(row[0]) if row else 0


def _advance(connection: duckdb.DuckDBPyConnection, kind: str, version: str) -> None:
    """Say that a kind's remaining answers hold under this version of its reference too."""
    where = "kind = $kind AND reference_version IS DISTINCT FROM $version"
    values = {"kind": kind, "version": version}
    behind = connection.execute(f"SELECT count(*) FROM lake.coding.item WHERE {where}", values).fetchone()
    if behind and behind[0]:
        connection.execute(f"UPDATE lake.coding.item SET reference_version = $version WHERE {where}", values)


def apply(
    connection: duckdb.DuckDBPyConnection, *, like_id: str, answer: Mapping[str, str | None], at: datetime
) -> int:
    """Give all like items what a person decided; return how many there are.

    Parameters
    ----------
    answer : ``code``, ``reason`` and ``decided_by``
    at : when, with time zone
    """
    row = connection.execute("SELECT count(*) FROM lake.coding.item WHERE like_id = $1", [like_id]).fetchone()
    count = int(row[0]) if row else 0
    if count:
        connection.execute(
            "UPDATE lake.coding.item SET code = $code, reason = $reason, decided_by = $decided_by, confidence = 1, "
            "decision = 'decided', coded_at = $at, "
            f"evidence = CASE WHEN {REPORTED} IS NULL THEN NULL WHEN {REPORTED} = $code THEN 'agrees' "
            "ELSE 'disagrees' END WHERE like_id = $like",
            {**answer, "like": like_id, "at": at.astimezone(UTC).replace(tzinfo=None)},
        )
    return count


def items(connection: duckdb.DuckDBPyConnection, like_id: str, *, limit: int) -> list[dict[str, object]]:
    """Return like items with what was billed under them, the most money first."""
    same = " AND ".join(f"i.{name} IS NOT DISTINCT FROM u.{name}" for name in KEY)
    said = ", ".join(f"i.{name}" for name in (*KEY, *ATTRIBUTE_COLUMNS, "pric"))
    answer = ", ".join(f"i.{name}" for name, _ in ANSWER if name != "alternatives")
    found: list[dict[str, object]] = (
        connection.execute(
            f"SELECT {said}, {answer}, coalesce(sum(u.line_count), 0) AS line_count, "
            "coalesce(sum(u.money), 0) AS money "
            f"FROM lake.coding.item AS i LEFT JOIN lake.coding.usage AS u ON {same} WHERE i.like_id = $like "
            "GROUP BY ALL ORDER BY money DESC, source_id, medins_list_codg LIMIT $limit",
            {"like": like_id, "limit": limit},
        )
        .to_arrow_table()
        .to_pylist()
    )
    return found
