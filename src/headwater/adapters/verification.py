"""Deliveries in the vault against the raw tables: each is read again once, and again only when its rows changed.

``lake.quality.verified`` remembers what was found, one row a delivery and column, with the state of the lake it holds
for: a digest of the delivery's raw rows and cleaned cells. A check of an unchanged lake computes these digests, one
scan of the raw tables, and opens no delivery.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import batches, postgres
from headwater.adapters.batches import Kept
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import TableContract
from headwater.claims.kept import restored
from headwater.claims.landing import landed_before
from headwater.claims.rereading import Unread, prepare, reread
from headwater.claims.verifying import Compared, compare
from headwater.content.migration import Verified

__all__ = ["Verification", "save", "verify"]

_ROWS = 1_000_000
"""Rows that are compared at once; a larger delivery is compared alone."""

_FOUND = {
    "source_id": pa.string(), "entity": pa.string(), "batch_id": pa.string(), "file_name": pa.string(),
    "column": pa.string(), "kind": pa.string(), "rows_before": pa.int64(), "rows_after": pa.int64(),
    "changed": pa.int64(), "distance": pa.float64(), "shift": pa.float64(), "unexplained": pa.int64(),
    "row": pa.int64(),
}  # fmt: skip
_SCHEMA = pa.schema([("state", pa.string()), ("verified_at", pa.timestamp("us", tz="UTC")), *_FOUND.items()])


@dataclass(frozen=True)
class Verification:
    """What is known of every live delivery.

    Parameters
    ----------
    found : one entry a delivery and column
    fresh : what this check found anew, by the state of the delivery's rows; nothing has written it yet
    live : batches whose memory stays
    """

    found: tuple[Verified, ...]
    fresh: tuple[tuple[str, Verified], ...]
    live: frozenset[str]


def verify(home: Home, cursor: duckdb.DuckDBPyConnection, *, snapshot: int) -> Verification:
    """Verify every live delivery whose rows are not those that were verified before.

    Parameters
    ----------
    snapshot : what ``cursor`` sees of the lake; deliveries that landed later wait for the next check
    """
    with postgres.connect(home) as register:
        live = [batch for batch in batches.kept(register) if batch.snapshot_id <= snapshot]
    states = _states(cursor, live)
    known = _known(cursor, states)
    pending = [batch for batch in live if batch.batch_id not in known]
    fresh: list[tuple[str, Verified]] = []
    passed_over = [_unread(batch, "unkept") for batch in pending if batch.body is None]
    for group in _groups([batch for batch in pending if batch.body is not None]):
        fresh += [(states[item.batch_id], item) for item in _verified(home, cursor, group)]
    found = [*(item for items in known.values() for item in items), *(item for _, item in fresh), *passed_over]
    found.sort(key=lambda item: (item.source_id, item.entity, item.file_name, item.batch_id))
    return Verification(tuple(found), tuple(fresh), frozenset(states))


def _unread(batch: Kept, kind: str) -> Verified:
    unexplained = batch.rows_in if kind == "unread" else 0
    return Verified(
        *(batch.source_id, batch.entity, batch.batch_id, batch.file_name, "", kind, batch.rows_in, 0),
        distance=1.0 if unexplained else 0.0,
        unexplained=unexplained,
    )


def _states(cursor: duckdb.DuckDBPyConnection, live: Sequence[Kept]) -> dict[str, str]:
    """Return a digest of what the lake holds of every live batch; the order of rows does not matter."""
    sums: dict[str, list[str]] = {batch.batch_id: [str(batch.contract)] for batch in live}
    for name in sorted({batch.entity for batch in live}):
        fields = ", ".join(f'"{field.name}"' for field in ENTITIES[name].fields)
        for relation, values in ((name, f"row_no, {fields}"), ("cleaned", "row_no, field, rules, raw, clean")):
            where = f"WHERE entity = '{name}'" if relation == "cleaned" else ""
            rows = cursor.execute(
                f"SELECT batch_id, count(*), sum(hash({values})::HUGEINT) FROM lake.raw.{relation} {where} GROUP BY 1"
            ).fetchall()
            for batch, count, total in rows:
                sums.get(batch, []).append(f"{relation} {count} {total}")
    return {batch: hashlib.sha256("|".join(parts).encode()).hexdigest()[:32] for batch, parts in sums.items()}


def _known(cursor: duckdb.DuckDBPyConnection, states: dict[str, str]) -> dict[str, list[Verified]]:
    """Return what is remembered of batches whose state has not changed."""
    there = cursor.execute(
        "SELECT count(*) FROM information_schema.tables "
        "WHERE table_catalog = 'lake' AND table_schema = 'quality' AND table_name = 'verified'"
    ).fetchone()
    if not there or not there[0]:
        return {}
    names = ", ".join(f'"{name}"' for name in _FOUND).replace('"column"', "column_name")
    known: dict[str, list[Verified]] = {}
    for state, *row in cursor.execute(f"SELECT state, {names} FROM lake.quality.verified").fetchall():
        item = Verified(*row)
        if states.get(item.batch_id) == state:
            known.setdefault(item.batch_id, []).append(item)
    return known


def _groups(pending: Sequence[Kept]) -> Iterator[list[Kept]]:
    """Part batches into those of one source and contract, so many that their rows are compared at once."""
    for _, same in groupby(pending, key=lambda batch: (batch.source_id, batch.entity, batch.contract)):
        group: list[Kept] = []
        for batch in same:
            if group and sum(other.rows_in for other in group) + batch.rows_in > _ROWS:
                yield group
                group = []
            group.append(batch)
        yield group


def _verified(home: Home, cursor: duckdb.DuckDBPyConnection, group: Sequence[Kept]) -> list[Verified]:
    table = restored(group[0].body or "")
    unread: set[int] = set()
    # Nothing that is read here may reach a disk, were memory short.
    with duckdb.connect(":memory:", config={"temp_directory": ""}) as box:
        prepare(box)
        salt = secrets.token_hex(16)
        for number, batch in enumerate(group):
            try:
                file = landed_before(batch.sha256, name=batch.file_name, vault=home.vault)
                _same_bytes(file.path, batch.sha256)
                reread(box, file.path, table=table, batch=number, name=batch.file_name, salt=salt)
            except (OSError, Unread):
                unread.add(number)
        found = [_unread(group[number], "unread") for number in sorted(unread)]
        if len(unread) < len(group):
            _fill(box, cursor, table, [batch.batch_id for batch in group], group[0].source_id)
            found += [_named(group[item.batch], item) for item in compare(box, table) if item.batch not in unread]
    return found


def _same_bytes(path: Path, sha256: str) -> None:
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            raise OSError("other bytes than were delivered")


def _named(batch: Kept, item: Compared) -> Verified:
    values = {name: value for name, value in asdict(item).items() if name != "batch"}
    return Verified(batch.source_id, batch.entity, batch.batch_id, batch.file_name, **values)


def _fill(
    box: duckdb.DuckDBPyConnection,
    cursor: duckdb.DuckDBPyConnection,
    table: TableContract,
    ids: Sequence[str],
    source: str,
) -> None:
    """Put what the lake holds of these batches beside what was read again."""
    name = table.entity.name
    fields = ", ".join(f'"{field.name}"' for field in table.entity.fields)
    keys = ", ".join(f'"{key}"' for key in table.entity.key)
    # Written out, as only then are files of the lake without these batches passed over.
    mine = "batch_id IN (" + ", ".join("'" + batch.replace("'", "''") + "'" for batch in ids) + ")"
    queries = {
        "loaded": f"SELECT batch_id, row_no, {fields} FROM lake.raw.{name} WHERE {mine}",
        "cleaned": "SELECT batch_id, row_no, field, rules, raw, clean FROM lake.raw.cleaned "
        f"WHERE entity = '{name}' AND {mine}",
        "quarantined": f"SELECT DISTINCT batch_id, row_no FROM lake.raw.quarantine WHERE entity = '{name}' AND {mine}",
    }
    numbers = pa.array(ids, pa.string())
    box.execute(f"CREATE TABLE batches AS SELECT unnest(range({len(ids)}))::INTEGER AS batch")
    for relation, query in queries.items():
        rows = cursor.execute(query).to_arrow_table()
        batch = pc.index_in(rows.column("batch_id"), value_set=numbers)
        box.register("brought", rows.set_column(0, "batch", batch))
        box.execute(f"CREATE TABLE {relation} AS FROM brought")
        box.unregister("brought")
    # Rows repeat others only where some were left out.
    left_out = box.execute("SELECT (SELECT count(*) FROM file) <> (SELECT count(*) FROM loaded)").fetchone()
    rows = cursor.execute(
        f"SELECT DISTINCT {keys} FROM lake.raw.{name} WHERE source_id = $source AND $wanted",
        {"source": source, "wanted": bool(table.each or (left_out and left_out[0]))},
    ).to_arrow_table()
    box.register("brought", rows)
    box.execute("CREATE TABLE keys AS FROM brought")
    box.unregister("brought")


def save(home: Home, connection: duckdb.DuckDBPyConnection, verification: Verification, *, at: datetime) -> None:
    """Remember what was found anew and forget batches that are not live any more."""
    rows = []
    for state, item in verification.fresh:
        rows.append({"state": state, "verified_at": at, **{name: getattr(item, name) for name in _FOUND}})
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.quality'))")
        connection.register("found", pa.Table.from_pylist(rows, schema=_SCHEMA))
        columns = 'FROM found SELECT * RENAME ("column" AS column_name)'
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.quality.verified AS {columns} LIMIT 0")
        connection.execute("BEGIN TRANSACTION")
        connection.execute(
            "DELETE FROM lake.quality.verified WHERE NOT list_contains($live, batch_id) "
            "OR batch_id IN (SELECT batch_id FROM found)",
            {"live": sorted(verification.live)},
        )
        connection.execute(f"INSERT INTO lake.quality.verified BY NAME {columns}")
        connection.execute("COMMIT")
    connection.unregister("found")
