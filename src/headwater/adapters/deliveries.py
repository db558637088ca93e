"""What people look at before and after they decide about a delivery: the newest batches, and what one changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import psycopg
from psycopg.rows import class_row

from headwater.adapters.batches import Difference
from headwater.adapters.raw import compared
from headwater.claims.canonical import ENTITIES

__all__ = ["Change", "Delivery", "Replacement", "changes", "newest", "replacement"]


@dataclass(frozen=True)
class Delivery:
    """One batch as a list shows it; ``is_waiting`` for a decision."""

    batch_id: str
    source_id: str
    entity: str
    file_name: str
    state: str
    is_waiting: bool
    rows_in: int | None
    rows_loaded: int | None
    rows_quarantined: int | None
    rows_duplicate: int | None
    choice: str | None
    decided_by: str | None
    why: str | None
    landed_at: datetime


@dataclass(frozen=True)
class Replacement:
    """A batch that took the place of an earlier one; snapshots of the lake that hold the rows of either."""

    entity: str
    earlier_batch_id: str
    snapshot_before: int
    snapshot_after: int
    difference: Difference


@dataclass(frozen=True)
class Change:
    """One row that differs, by its key: fields with old and new value, None for an empty one or an absent row."""

    kind: str
    key: str
    fields: tuple[tuple[str, str | None, str | None], ...]


def newest(connection: psycopg.Connection, *, limit: int) -> list[Delivery]:
    """Return batches, those that wait first, then the newest."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            "select b.batch_id, source_id, entity, file_name, state, state = 'held' and choice is null as is_waiting, "
            "rows_in, rows_loaded, rows_quarantined, rows_duplicate, choice, decided_by, why, landed_at "
            "from ops.batch b left join ops.decision using (batch_id) "
            "order by state = 'held' and choice is null desc, landed_at desc, b.batch_id limit %s",
            (limit,),
        )
        return cursor.fetchall()


def replacement(connection: psycopg.Connection, batch: str) -> Replacement | None:
    """Return what a batch replaced, None if it took no other's place or was not loaded."""
    row = connection.execute(
        "select b.entity, d.earlier_batch_id, d.snapshot_before, b.snapshot_id, d.rows_same, d.rows_changed, "
        "d.rows_added, d.rows_removed, d.money_before, d.money_after from ops.difference d "
        "join ops.batch b using (batch_id) where d.batch_id = %s and d.earlier_batch_id is not null "
        "and b.snapshot_id is not null",
        (batch,),
    ).fetchone()
    if row is None:
        return None
    entity, earlier, before, after, same, changed, added, removed, money_before, money_after = row
    return Replacement(
        entity, earlier, before, after, Difference(same, changed, added, removed, money_before, money_after)
    )


def changes(
    connection: duckdb.DuckDBPyConnection, replaced: Replacement, *, batch: str, limit: int
) -> Sequence[Change]:
    """Return up to ``limit`` rows that differ, changed ones first, as the two snapshots have them."""
    entity = ENTITIES[replaced.entity]

    def side(snapshot: int, name: str) -> str:
        return (
            f"SELECT {compared(entity)} FROM lake.raw.{entity.name} AT (VERSION => {snapshot}) WHERE batch_id = ${name}"
        )

    rows = connection.execute(
        f"WITH old AS ({side(replaced.snapshot_before, 'old')}), new AS ({side(replaced.snapshot_after, 'new')}) "
        "SELECT CASE WHEN old.key IS NULL THEN 'added' WHEN new.key IS NULL THEN 'removed' ELSE 'changed' END AS kind, "
        "coalesce(old.key, new.key) AS key, old.content, new.content FROM old FULL JOIN new ON old.key = new.key "
        "WHERE old.content IS DISTINCT FROM new.content ORDER BY kind = 'changed' DESC, kind, key LIMIT $limit",
        {"old": replaced.earlier_batch_id, "new": batch, "limit": limit},
    ).fetchall()
    names = [field.name for field in entity.fields]
    return [_change(names, *row) for row in rows]


def _change(names: Sequence[str], kind: str, key: str, old: list[str] | None, new: list[str] | None) -> Change:
    before, after = old or [""] * len(names), new or [""] * len(names)
    values = zip(names, before, after, strict=True)
    return Change(kind, key, tuple((name, a or None, b or None) for name, a, b in values if a != b))
