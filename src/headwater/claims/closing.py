"""Closing: an open item is done when the row that it is about stands in the table, brought by another batch.

Works on the relations of a load, as :mod:`headwater.claims.judging` does, after its rows and items are written.
"""

import duckdb

from headwater.claims.canonical import Entity
from headwater.claims.judging import key_values, row_key, same_key
from headwater.claims.reading import ROW
from headwater.claims.rows import BATCH, ITEM

__all__ = ["close_items"]

_OPEN = "source_id = $source AND entity = $entity AND closed_by IS NULL"
_MINE = "(SELECT batch_id FROM batches)"


def close_items(connection: duckdb.DuckDBPyConnection, entity: Entity, *, source: str) -> None:
    """Close the items whose row has come, mended.

    The items of a file that is judged again are new ones, so those of this load are closed by what the table holds
    already; otherwise whatever was mended would be asked for again whenever another file is sent again.
    """
    _by_new_rows(connection, entity, source)
    _of_new_items(connection, entity, source)


def _by_new_rows(connection: duckdb.DuckDBPyConnection, entity: Entity, source: str) -> None:
    """Close the items of earlier batches whose row one of these brought."""
    waiting = (
        f"SELECT row_key FROM lake.raw.quarantine WHERE {_OPEN} AND row_key IS NOT NULL AND batch_id NOT IN {_MINE}"
    )
    parameters = {"source": source, "entity": entity.name}
    if connection.execute(f"{waiting} LIMIT 1", parameters).fetchone() is None:
        return
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE mended AS SELECT row_key, min(batch_id) AS batch_id FROM ("
        f"SELECT {row_key(entity)} AS row_key, batch_id FROM lake.raw.{entity.name} "
        f"WHERE source_id = $source AND batch_id IN {_MINE}) "
        f"SEMI JOIN ({waiting}) USING (row_key) GROUP BY row_key",
        parameters,
    )
    connection.execute(
        f"UPDATE lake.raw.quarantine SET closed_by = m.batch_id FROM mended m WHERE {_OPEN} "
        f"AND quarantine.row_key = m.row_key AND quarantine.batch_id NOT IN {_MINE}",
        parameters,
    )
    connection.execute("DROP TABLE mended")


def _of_new_items(connection: duckdb.DuckDBPyConnection, entity: Entity, source: str) -> None:
    """Close the items of these batches whose row stands in the table from another one.

    Not those of a conflict: there the row that stands is the other one.
    """
    faulty = (
        f"SELECT DISTINCT b.batch_id AS item_batch, {row_key(entity)} AS row_key, {key_values(entity)} "
        "FROM fault f JOIN batches b USING (batch) "
        f'JOIN typed t ON (t."{BATCH}" = f.batch AND t."{ROW}" = f.row_no AND t."{ITEM}" = f.item) '
        "WHERE f.code <> 'E-KEY-CONFLICT'"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE mended AS SELECT n.item_batch, n.row_key, min(e.batch_id) AS batch_id "
        f"FROM lake.raw.{entity.name} e JOIN ({faulty}) n ON {same_key(entity)} AND e.batch_id <> n.item_batch "
        "WHERE e.source_id = $source GROUP BY ALL",
        {"source": source},
    )
    if connection.execute("SELECT 1 FROM mended LIMIT 1").fetchone() is not None:
        connection.execute(
            f"UPDATE lake.raw.quarantine SET closed_by = m.batch_id FROM mended m WHERE {_OPEN} "
            "AND quarantine.row_key = m.row_key AND quarantine.batch_id = m.item_batch "
            "AND quarantine.code <> 'E-KEY-CONFLICT'",
            {"source": source, "entity": entity.name},
        )
    connection.execute("DROP TABLE mended")
