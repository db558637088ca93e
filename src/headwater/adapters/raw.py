"""The raw tables of the lake: one a canonical entity, and the quarantine."""

from collections.abc import Sequence

import duckdb

from headwater.adapters import lake
from headwater.adapters.batches import Difference, Live
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES, Entity
from headwater.claims.contract import Contract
from headwater.claims.judging import row_key
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, raw_columns

__all__ = [
    "built",
    "close_items",
    "compared",
    "create_tables",
    "difference",
    "forget_batches",
    "register_hospital",
    "remember",
    "vanish",
]


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the raw tables that are missing; many processes may call it at once."""
    wanted = {name: raw_columns(entity) for name, entity in ENTITIES.items()}
    wanted |= {"quarantine": QUARANTINE_COLUMNS, "cleaned": CLEANED_COLUMNS}
    lake.create_tables(home, connection, schema="raw", tables=wanted)


def built(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the newest snapshot of raw that the marts stand on; None before a build that succeeded."""
    try:
        row = connection.execute("SELECT max(snapshot_id) FROM lake.intermediate.int_raw__built").fetchone()
    except duckdb.CatalogException:
        return None
    return None if row is None or row[0] is None else int(row[0])


def forget_batches(connection: duckdb.DuckDBPyConnection, entity: str, batch_ids: list[str]) -> None:
    """Remove all that the lake holds of these batches."""
    if not batch_ids:
        return
    vanish(connection, entity, batch_ids)
    connection.execute(
        "DELETE FROM lake.raw.quarantine WHERE entity = $entity AND list_contains($batches, batch_id)",
        {"batches": batch_ids, "entity": entity},
    )


def vanish(connection: duckdb.DuckDBPyConnection, entity: str, batch_ids: list[str]) -> None:
    """Remove the rows of these batches; earlier snapshots keep them, and what was quarantined stays on record."""
    if not batch_ids:
        return
    connection.execute(
        f"DELETE FROM lake.raw.{ENTITIES[entity].name} WHERE list_contains($batches, batch_id)", {"batches": batch_ids}
    )
    connection.execute(
        "DELETE FROM lake.raw.cleaned WHERE entity = $entity AND list_contains($batches, batch_id)",
        {"batches": batch_ids, "entity": entity},
    )


def close_items(connection: duckdb.DuckDBPyConnection, entity: str, *, earlier: str, by: str) -> None:
    """Close what is open of a batch that the same file, sent again, took the place of."""
    connection.execute(
        "UPDATE lake.raw.quarantine SET closed_by = $by WHERE entity = $entity AND batch_id = $earlier "
        "AND closed_by IS NULL",
        {"by": by, "entity": entity, "earlier": earlier},
    )


def remember(connection: duckdb.DuckDBPyConnection, entity: Entity, batches: Sequence[Live]) -> None:
    """Keep the rows of batches that are about to be replaced for :func:`difference`, until the transaction ends."""
    # Read at their own snapshots: an interrupted landing may have removed them from the newest one already.
    parts = [
        f"SELECT batch_id, {compared(entity)} FROM lake.raw.{entity.name} AT (VERSION => {batch.snapshot_id}) "
        f"WHERE batch_id = '{batch.batch_id}'"
        for batch in batches
    ]
    if parts:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE remembered AS {' UNION ALL '.join(parts)}")


def difference(connection: duckdb.DuckDBPyConnection, entity: Entity, *, earlier: str, batch: str) -> Difference:
    """Compare a batch with the remembered one it took the place of, by key."""
    found = connection.execute(
        "WITH old AS (SELECT * FROM remembered WHERE batch_id = $old), "
        f"new AS (SELECT {compared(entity)} FROM lake.raw.{entity.name} WHERE batch_id = $new) "
        "SELECT count(*) FILTER (old.content = new.content), "
        "count(*) FILTER (old.key IS NOT NULL AND new.key IS NOT NULL AND old.content <> new.content), "
        "count(*) FILTER (old.key IS NULL), count(*) FILTER (new.key IS NULL), "
        "coalesce(sum(old.money), 0), coalesce(sum(new.money), 0) FROM old FULL JOIN new ON old.key = new.key",
        {"old": earlier, "new": batch},
    ).fetchone()
    if found is None:
        raise AssertionError("an aggregate has a row")
    return Difference(*found)


def compared(entity: Entity) -> str:
    """Return what two versions of a row are compared by, as SQL: ``key``, ``content`` (a list of texts), ``money``."""
    # As text, so that an empty field equals an empty field.
    content = ", ".join(f"coalesce(CAST(\"{field.name}\" AS VARCHAR), '')" for field in entity.fields)
    money = f'"{entity.money}"' if entity.money else "0::DECIMAL(18,2)"
    return f"{row_key(entity)} AS key, [{content}] AS content, {money} AS money"


def register_hospital(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Write the hospital that a contract declares into ``raw.hospital``, if it is not there in these words."""
    declared = dict(contract.hospital)
    if "code" not in declared:
        return
    row = [
        contract.source_id,
        "contract",
        0,
        declared["code"],
        contract.title.zh,
        contract.title.en,
        declared.get("level"),
        declared.get("city"),
        declared.get("region"),
        contract.currency,
        contract.origin,
    ]
    held = connection.execute(
        "SELECT * FROM lake.raw.hospital WHERE source_id = $1 AND fixmedins_code = $2", [row[0], row[3]]
    ).fetchall()
    if held == [tuple(row)]:
        return
    if held:
        connection.execute(
            "DELETE FROM lake.raw.hospital WHERE source_id = $1 AND fixmedins_code = $2", [row[0], row[3]]
        )
    connection.execute(f"INSERT INTO lake.raw.hospital VALUES ({', '.join('?' * len(row))})", row)
