"""The register of landed files in PostgreSQL: which are loaded, and the balance of each."""

from collections.abc import Sequence
from dataclasses import asdict

import psycopg

from headwater.claims.landing import Landed
from headwater.claims.loading import Counts
from headwater.errors import HeadwaterError

__all__ = ["batch_id", "loaded", "lock", "receive", "refuse", "settle"]


def batch_id(source_id: str, entity: str, landed: Landed) -> str:
    """Return the identity of one file in one table: the same bytes give the same batch."""
    return f"{source_id}-{entity}-{landed.sha256[:20]}"


def lock(connection: psycopg.Connection, source_id: str) -> None:
    """Wait until no other process loads this source; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('headwater.land'), hashtext(%s))", (source_id,))


def loaded(connection: psycopg.Connection, source_id: str, entity: str) -> set[str]:
    """Return the digests that this table holds already."""
    rows = connection.execute(
        "select sha256 from ops.batch where source_id = %s and entity = %s and state = 'loaded'", (source_id, entity)
    )
    return {row[0] for row in rows}


def receive(connection: psycopg.Connection, *, source_id: str, entity: str, landed: Sequence[Landed]) -> list[str]:
    """Register files before any of their rows is written; return those that an earlier attempt had registered."""
    known = []
    for file in landed:
        row = connection.execute(
            "insert into ops.batch (batch_id, source_id, entity, file_name, sha256, bytes, state) "
            "values (%s, %s, %s, %s, %s, %s, 'received') "
            "on conflict (batch_id) do update set state = 'received', file_name = excluded.file_name "
            "returning (xmax <> 0)",
            (batch_id(source_id, entity, file), source_id, entity, file.name, file.sha256, file.size),
        ).fetchone()
        if row is not None and row[0]:
            known.append(batch_id(source_id, entity, file))
    return known


def settle(connection: psycopg.Connection, *, batch: str, counts: Counts, snapshot: int) -> None:
    """Mark a batch as loaded; the database refuses it unless rows and money balance."""
    connection.execute(
        "update ops.batch set state = 'loaded', rows_in = %(rows_in)s, rows_loaded = %(rows_loaded)s, "
        "rows_quarantined = %(rows_quarantined)s, rows_duplicate = %(rows_duplicate)s, money_in = %(money_in)s, "
        "money_loaded = %(money_loaded)s, money_quarantined = %(money_quarantined)s, "
        "money_duplicate = %(money_duplicate)s, columns_ignored = %(columns_ignored)s, snapshot_id = %(snapshot)s, "
        "loaded_at = now(), refusal_code = null, refusal_zh = null, refusal_en = null where batch_id = %(batch)s",
        {**asdict(counts), "snapshot": snapshot, "batch": batch},
    )


def refuse(connection: psycopg.Connection, *, batch: str, error: HeadwaterError) -> None:
    """Mark a file as refused as a whole, with the reason in both languages."""
    connection.execute(
        "update ops.batch set state = 'refused', refusal_code = %s, refusal_zh = %s, refusal_en = %s "
        "where batch_id = %s",
        (error.code, error.reason.zh + error.remedy.zh, f"{error.reason.en} {error.remedy.en}", batch),
    )
