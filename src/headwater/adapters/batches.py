"""The register of landed files in PostgreSQL: which are live, what each became, and what people decided about them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

import psycopg
from psycopg.rows import class_row

from headwater.claims.landing import Landed
from headwater.claims.loading import Counts
from headwater.errors import HeadwaterError

__all__ = [
    "Difference",
    "Kept",
    "Live",
    "Unfinished",
    "Waiting",
    "batch_id",
    "decide",
    "decisions",
    "hold",
    "keep_contract",
    "kept",
    "live",
    "lock",
    "note_difference",
    "receive",
    "refuse",
    "settle",
    "supersede",
    "unfinished",
    "waiting",
    "writing",
]


@dataclass(frozen=True)
class Live:
    """A batch whose rows are in the lake.

    Parameters
    ----------
    contract : digest of the table's contract by which it was read
    snapshot_id : of the lake, with these rows in it
    """

    batch_id: str
    file_name: str
    sha256: str
    bytes: int
    contract: str | None
    rows_in: int
    rows_quarantined: int
    rows_duplicate: int
    rows_replaced: int
    snapshot_id: int


@dataclass(frozen=True)
class Unfinished:
    """A file that a landing began with and did not end: the lake may hold its rows or not."""

    file_name: str
    sha256: str


@dataclass(frozen=True)
class Waiting:
    """A file that waits for a decision; ``rows_before`` are those of the live file that it would replace."""

    batch_id: str
    source_id: str
    entity: str
    file_name: str
    rows_in: int
    rows_before: int | None
    reason_zh: str
    reason_en: str
    landed_at: datetime


@dataclass(frozen=True)
class Difference:
    """What a file that was sent again changed, by key: rows, and money in the delivery's currency."""

    rows_same: int
    rows_changed: int
    rows_added: int
    rows_removed: int
    money_before: Decimal
    money_after: Decimal


@dataclass(frozen=True)
class Kept:
    """A live batch with what it takes to read its file again; ``body`` is None where the contract was not kept."""

    source_id: str
    entity: str
    batch_id: str
    file_name: str
    sha256: str
    rows_in: int
    snapshot_id: int
    contract: str | None
    body: str | None


def batch_id(source_id: str, entity: str, sha256: str) -> str:
    """Return the identity of one file in one table: the same bytes give the same batch."""
    return f"{source_id}-{entity}-{sha256[:20]}"


def lock(connection: psycopg.Connection, source_id: str) -> None:
    """Wait until no other process loads this source; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('headwater.land'), hashtext(%s))", (source_id,))


@contextmanager
def writing(connection: psycopg.Connection, *, alone: bool) -> Iterator[None]:
    """Hold the right to write raw tables, beside others or alone; ``connection`` commits by itself."""
    kind = "" if alone else "_shared"
    connection.execute(f"select pg_advisory_lock{kind}(hashtext('headwater.write'))")
    try:
        yield
    finally:
        connection.execute(f"select pg_advisory_unlock{kind}(hashtext('headwater.write'))")


def unfinished(connection: psycopg.Connection, source_id: str, entity: str) -> list[Unfinished]:
    """Return the files that an interrupted landing left."""
    with connection.cursor(row_factory=class_row(Unfinished)) as cursor:
        cursor.execute(
            "select file_name, sha256 from ops.batch where source_id = %s and entity = %s and state = 'received' "
            "order by file_name, batch_id",
            (source_id, entity),
        )
        return cursor.fetchall()


def live(connection: psycopg.Connection, source_id: str, entity: str) -> list[Live]:
    """Return the batches that this table holds, by file name."""
    with connection.cursor(row_factory=class_row(Live)) as cursor:
        cursor.execute(
            "select batch_id, file_name, sha256, bytes, contract, rows_in, rows_quarantined, rows_duplicate, "
            "rows_replaced, snapshot_id from ops.batch where source_id = %s and entity = %s and state = 'loaded' "
            "order by file_name, batch_id",
            (source_id, entity),
        )
        return cursor.fetchall()


def keep_contract(connection: psycopg.Connection, *, digest: str, body: str) -> None:
    """Keep a table's contract under its digest."""
    connection.execute("insert into ops.contract values (%s, %s) on conflict do nothing", (digest, body))


def kept(connection: psycopg.Connection) -> list[Kept]:
    """Return every live batch of every source."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        cursor.execute(
            "select source_id, entity, batch_id, file_name, sha256, rows_in, snapshot_id, contract, body "
            "from ops.batch left join ops.contract on digest = contract where state = 'loaded' "
            "order by source_id, entity, contract, file_name, batch_id"
        )
        return cursor.fetchall()


def decisions(connection: psycopg.Connection, source_id: str, entity: str) -> dict[str, str | None]:
    """Return what people decided about the files that were ever held, by digest: accept, return, or None yet."""
    rows = connection.execute(
        "select b.sha256, d.choice from ops.batch b left join ops.decision d using (batch_id) "
        "where b.source_id = %s and b.entity = %s and (b.state = 'held' or d.choice is not null)",
        (source_id, entity),
    )
    return dict(rows.fetchall())


def receive(
    connection: psycopg.Connection, *, source_id: str, entity: str, landed: Sequence[Landed], contract: str
) -> list[str]:
    """Register files before any of their rows is written; return those that an earlier attempt had registered."""
    known = []
    for file in landed:
        row = connection.execute(
            "insert into ops.batch (batch_id, source_id, entity, file_name, sha256, bytes, contract, state) "
            "values (%s, %s, %s, %s, %s, %s, %s, 'received') "
            "on conflict (batch_id) do update set state = 'received', file_name = excluded.file_name, "
            "contract = excluded.contract, superseded_by = null "
            "returning (xmax <> 0)",
            (
                batch_id(source_id, entity, file.sha256),
                *(source_id, entity, file.name, file.sha256, file.size, contract),
            ),
        ).fetchone()
        if row is not None and row[0]:
            known.append(batch_id(source_id, entity, file.sha256))
    return known


def settle(connection: psycopg.Connection, *, batch: str, counts: Counts, snapshot: int) -> None:
    """Mark a batch as loaded; the database refuses it unless rows and money balance."""
    connection.execute(
        "update ops.batch set state = 'loaded', rows_in = %(rows_in)s, rows_loaded = %(rows_loaded)s, "
        "rows_quarantined = %(rows_quarantined)s, rows_duplicate = %(rows_duplicate)s, money_in = %(money_in)s, "
        "money_loaded = %(money_loaded)s, money_quarantined = %(money_quarantined)s, "
        "money_duplicate = %(money_duplicate)s, columns_ignored = %(columns_ignored)s, "
        "rows_replaced = %(rows_replaced)s, snapshot_id = %(snapshot)s, "
        "loaded_at = now(), refusal_code = null, refusal_zh = null, refusal_en = null where batch_id = %(batch)s",
        {**asdict(counts), "snapshot": snapshot, "batch": batch},
    )


def refuse(connection: psycopg.Connection, *, batch: str, error: HeadwaterError) -> None:
    """Mark a file as refused as a whole, with the reason in both languages."""
    _stop(connection, batch, "refused", error)


def hold(connection: psycopg.Connection, *, batch: str, error: HeadwaterError, rows_in: int) -> None:
    """Let a file wait for a decision, with the reason in both languages."""
    _stop(connection, batch, "held", error)
    connection.execute("update ops.batch set rows_in = %s where batch_id = %s", (rows_in, batch))


def _stop(connection: psycopg.Connection, batch: str, state: str, error: HeadwaterError) -> None:
    connection.execute(
        "update ops.batch set state = %s, refusal_code = %s, refusal_zh = %s, refusal_en = %s where batch_id = %s",
        (state, error.code, error.told.zh, error.told.en, batch),
    )


def supersede(connection: psycopg.Connection, *, batch: str, by: str) -> None:
    """Mark a batch as no longer live, as the same file was sent again."""
    connection.execute("update ops.batch set state = 'superseded', superseded_by = %s where batch_id = %s", (by, batch))


def note_difference(connection: psycopg.Connection, *, batch: str, earlier: Live, difference: Difference) -> None:
    """Keep what a batch changed against the batch that it superseded."""
    connection.execute(
        "insert into ops.difference (batch_id, earlier_batch_id, snapshot_before, rows_same, rows_changed, rows_added, "
        "rows_removed, money_before, money_after) values (%(batch)s, %(earlier)s, %(snapshot)s, %(rows_same)s, "
        "%(rows_changed)s, %(rows_added)s, %(rows_removed)s, %(money_before)s, %(money_after)s) "
        "on conflict (batch_id) do update set rows_same = excluded.rows_same, rows_changed = excluded.rows_changed, "
        "rows_added = excluded.rows_added, rows_removed = excluded.rows_removed, "
        "money_before = excluded.money_before, money_after = excluded.money_after",
        {
            **asdict(difference),
            "batch": batch,
            "earlier": earlier.batch_id,
            "snapshot": earlier.snapshot_id,
        },
    )


def waiting(connection: psycopg.Connection) -> list[Waiting]:
    """Return the files that wait for a decision, the oldest first."""
    with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        cursor.execute(
            "select b.batch_id, b.source_id, b.entity, b.file_name, b.rows_in, e.rows_in as rows_before, "
            "b.refusal_zh as reason_zh, b.refusal_en as reason_en, b.landed_at "
            "from ops.batch b left join ops.decision d using (batch_id) left join ops.batch e "
            "on (e.source_id, e.entity, e.file_name, e.state) = (b.source_id, b.entity, b.file_name, 'loaded') "
            "where b.state = 'held' and d.choice is null order by b.landed_at, b.batch_id"
        )
        return cursor.fetchall()


def decide(connection: psycopg.Connection, batch: str, *, choice: str, by: str, why: str) -> bool:
    """Put down a decision about a waiting file; return False if it does not wait."""
    found = connection.execute(
        "insert into ops.decision (batch_id, choice, decided_by, why) "
        "select batch_id, %s, %s, %s from ops.batch where batch_id = %s and state = 'held' "
        "on conflict (batch_id) do nothing returning batch_id",
        (choice, by, why, batch),
    ).fetchone()
    if found is not None and choice == "return":
        connection.execute("update ops.batch set state = 'refused' where batch_id = %s", (batch,))
    return found is not None
