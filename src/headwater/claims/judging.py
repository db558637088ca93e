"""Judging: of the rows that were read, which stay, which leave with a fault, and which were there before.

Works on the temporary relations of a load: ``typed`` (rows), ``fault`` (their faults); makes ``removed`` (rows that do
not enter the table, with the verdict) and ``replaced`` (rows of the table that a correction took the place of).
"""

from collections.abc import Collection

import duckdb

from headwater.claims.canonical import Entity, Field
from headwater.claims.compiling import SQL_TYPES
from headwater.claims.reading import ROW
from headwater.claims.rows import BATCH, ITEM

__all__ = ["REMAINING", "anything", "canonical_values", "judge", "key_values", "row_key", "same_key"]

REMAINING = f'ANTI JOIN removed r ON (t."{BATCH}" = r.batch AND t."{ROW}" = r.row_no AND t."{ITEM}" = r.item)'
"""The join that leaves of ``typed t`` the rows that enter the table."""


def row_key(entity: Entity) -> str:
    """Return the expression of a row's key as one text."""
    parts = ", ".join(f"coalesce(CAST(\"{name}\" AS VARCHAR), '')" for name in entity.key)
    return f"concat_ws('|', {parts})"


def key_values(entity: Entity) -> str:
    """Return the key's fields as they are compared: a code or text that a row lacks is an empty one."""
    return ", ".join(_value(entity.field(name)) for name in entity.key)


def same_key(entity: Entity) -> str:
    """Return the condition that a row ``e`` of the table has the key of ``n``."""
    fields = [entity.field(name) for name in entity.key]
    return " AND ".join(f"{_bare(field, 'e')} IS NOT DISTINCT FROM {_bare(field, 'n')}" for field in fields)


def canonical_values(entity: Entity, present: Collection[str]) -> list[tuple[str, str]]:
    """Return every canonical field with its expression in ``typed``: NULL where the contract does not fill it."""
    return [
        (field.name, f'"{field.name}"' if field.name in present else f"NULL::{SQL_TYPES[field.type]}")
        for field in entity.fields
    ]


def anything(connection: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Tell whether a relation has a row."""
    return connection.execute(f"SELECT 1 FROM {relation} LIMIT 1").fetchone() is not None


def judge(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    *,
    source: str,
    present: Collection[str],
    corrects: bool,
) -> None:
    """Decide which rows leave: quarantined for a fault or a conflicting key, or duplicate of an earlier row.

    Parameters
    ----------
    present : the fields that ``typed`` has
    corrects : a row takes the place of an earlier batch's row of the same key, where otherwise it would conflict
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE removed AS "
        "SELECT DISTINCT batch, row_no, item, 'quarantined' AS verdict FROM fault"
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE replaced (batch INTEGER)")
    keys = _Keys(entity)
    good = f"typed t {REMAINING}" if anything(connection, "removed") else "typed t"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE earlier AS {_earlier(entity, keys, good)}", {"source": source})
    # Grouping numbers costs a quarter of grouping texts; keys that share one by chance are told apart afterwards.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE doubled AS WITH suspect AS (SELECT hash({keys.names}) AS number "
        f"FROM (SELECT {keys.values} FROM {good}) GROUP BY number HAVING count(*) > 1) "
        f"SELECT {keys.names} FROM (SELECT {keys.values} FROM {good}) "
        f"WHERE hash({keys.names}) IN (SELECT number FROM suspect) GROUP BY ALL HAVING count(*) > 1 "
        f"UNION SELECT {keys.names} FROM (SELECT {keys.values} FROM earlier)"
    )
    if anything(connection, "doubled"):
        _rank(connection, entity, keys, good=good, present=present)
        if corrects:
            _replace(connection, entity, keys, source=source)
        _remove(connection, entity)
        connection.execute("DROP TABLE repeated")
    for name in ("earlier", "doubled"):
        connection.execute(f"DROP TABLE {name}")


class _Keys:
    """The key of an entity as SQL; a key part that a row lacks equals the same lack in another row."""

    def __init__(self, entity: Entity) -> None:
        self.names = ", ".join(f'"{name}"' for name in entity.key)
        self.values = key_values(entity)


def _value(field: Field) -> str:
    return f'coalesce("{field.name}", \'\') AS "{field.name}"' if field.type in ("code", "text") else f'"{field.name}"'


def _earlier(entity: Entity, keys: _Keys, good: str) -> str:
    """Return the source's rows of the table whose key comes again."""
    return (
        f"SELECT e.* FROM lake.raw.{entity.name} e SEMI JOIN (SELECT {keys.values} FROM {good}) n "
        f"ON {same_key(entity)} WHERE e.source_id = $source"
    )


def _bare(field: Field, relation: str) -> str:
    name = f'{relation}."{field.name}"'
    return f"coalesce({name}, '')" if field.type in ("code", "text") else name


def _rank(
    connection: duckdb.DuckDBPyConnection, entity: Entity, keys: _Keys, *, good: str, present: Collection[str]
) -> None:
    """Line up the rows of every repeated key, those of the table first."""
    new = "{" + ", ".join(f"'{name}': {value}" for name, value in canonical_values(entity, present)) + "}"
    old = "{" + ", ".join(f"'{field.name}': \"{field.name}\"" for field in entity.fields) + "}"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE repeated AS WITH rows AS ("
        f'SELECT * FROM (SELECT t."{BATCH}" AS batch, "{ROW}" AS row_no, "{ITEM}" AS item, \'\' AS batch_id, '
        f"{keys.values}, {new} AS content FROM {good}) SEMI JOIN doubled USING ({keys.names}) "
        f"UNION ALL SELECT -1, row_no, 0, batch_id, {keys.values}, {old} FROM earlier"
        "), ranked AS (SELECT *, first_value(content) OVER same AS first_content, row_number() OVER same AS place, "
        f"row_number() OVER (PARTITION BY batch < 0, {keys.names} ORDER BY batch, row_no, item) AS new_place, "
        "min(batch) OVER same AS first_batch "
        f"FROM rows WINDOW same AS (PARTITION BY {keys.names} ORDER BY batch, row_no, item)) "
        "SELECT *, content IS NOT DISTINCT FROM first_content AS is_same FROM ranked"
    )


def _replace(connection: duckdb.DuckDBPyConnection, entity: Entity, keys: _Keys, *, source: str) -> None:
    """Let the first correcting row of a key take the place of the earlier row, which leaves the table."""
    takes = "batch >= 0 AND new_place = 1 AND first_batch < 0 AND NOT is_same"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE replaced AS SELECT {keys.names}, new.batch FROM repeated old "
        f"JOIN (SELECT * FROM repeated WHERE {takes}) new USING ({keys.names}) WHERE old.batch < 0"
    )
    connection.execute(f"DELETE FROM repeated WHERE {takes}")
    same = " AND ".join(
        f'{_bare(entity.field(name), entity.name)} IS NOT DISTINCT FROM p."{name}"' for name in entity.key
    )
    connection.execute(
        f"DELETE FROM lake.raw.{entity.name} USING replaced p WHERE source_id = $source AND {same}", {"source": source}
    )


def _remove(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    """Among rows of one key the first stays; the same again is a duplicate, anything else a conflict."""
    again = "FROM repeated WHERE place > 1 AND batch >= 0"
    connection.execute(
        "INSERT INTO removed SELECT batch, row_no, item, "
        f"CASE WHEN is_same THEN 'duplicate' ELSE 'quarantined' END {again}"
    )
    connection.execute(
        f"INSERT INTO fault SELECT batch, row_no, item, $key, 'E-KEY-CONFLICT', NULL {again} AND NOT is_same",
        {"key": entity.key[-1]},
    )
