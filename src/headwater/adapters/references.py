"""The lake's reference tables: every version of what a bureau supplied, each from its day on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.claims.references import KINDS, Read
from headwater.claims.reopening import changed_codes
from headwater.errors import Message, Refusal

__all__ = [
    "Reference", "Version", "changed_since", "create_tables", "in_force", "newest", "read_version", "versions", "write",
]  # fmt: skip

_SQL = {pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.decimal128(18, 6): "DECIMAL(18,6)"}
_DATED = (("version", "VARCHAR"), ("valid_from", "DATE"))
_VERSION = (
    *(("kind", "VARCHAR"), *_DATED, ("rows_in", "BIGINT"), ("rows", "BIGINT"), ("rows_repeated", "BIGINT")),
    *(("file_name", "VARCHAR"), ("sha256", "VARCHAR"), ("loaded_at", "TIMESTAMP")),
)


@dataclass(frozen=True)
class Version:
    """One version of a kind of reference.

    Parameters
    ----------
    version : digest of its content
    valid_from : it holds from this day until the next version's
    rows_in, rows, rows_repeated : of the delivered file; in = loaded + repeated
    file_name, sha256 : the file that brought it, kept in the vault
    loaded_at : when, in UTC
    """

    kind: str
    version: str
    valid_from: date
    rows_in: int
    rows: int
    rows_repeated: int
    file_name: str
    sha256: str
    loaded_at: datetime


@dataclass(frozen=True, eq=False)
class Reference:
    """What holds of one kind on a day: the columns of its kind, sorted by code, each code once."""

    kind: str
    version: str
    valid_from: date
    table: pa.Table


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the reference tables that are missing; many processes may call it at once."""
    tables = {
        name: [*((field.name, _SQL[field.type]) for field in kind.schema), *_DATED] for name, kind in KINDS.items()
    }
    lake.create_tables(home, connection, schema="reference", tables={**tables, "version": list(_VERSION)})


def newest(home: Home, kind: str, *, on: date) -> Reference | None:
    """Return the version of ``kind`` that holds on a day, None where none holds yet.

    Parameters
    ----------
    kind : one of :data:`headwater.claims.references.KINDS`
    """
    with lake.connect(home) as connection:
        create_tables(home, connection)
        return in_force(connection, kind, on=on)


def in_force(connection: duckdb.DuckDBPyConnection, kind: str, *, on: date) -> Reference | None:
    """Return what :func:`newest` does over a connection to a lake whose tables are there."""
    found = connection.execute(
        "SELECT version, valid_from FROM lake.reference.version WHERE kind = $1 AND valid_from <= $2 "
        "ORDER BY valid_from DESC LIMIT 1",
        [kind, on],
    ).fetchone()
    if found is None:
        return None
    return Reference(kind, found[0], found[1], read_version(connection, kind, found[0]))


def read_version(connection: duckdb.DuckDBPyConnection, kind: str, version: str) -> pa.Table:
    """Return the rows of one version, the columns of its kind, sorted by code; no row where it is unknown."""
    columns = ", ".join(f'"{name}"' for name in KINDS[kind].schema.names)
    table = connection.execute(
        f"SELECT {columns} FROM lake.reference.{KINDS[kind].name} WHERE version = $1 ORDER BY code", [version]
    ).to_arrow_table()
    return table.cast(KINDS[kind].schema)


def versions(connection: duckdb.DuckDBPyConnection) -> list[Version]:
    """Return every version, by kind, the newest first."""
    names = ", ".join(name for name, _ in _VERSION)
    rows = connection.execute(
        f"SELECT {names} FROM lake.reference.version ORDER BY kind, valid_from DESC, version"
    ).fetchall()
    return [Version(*row) for row in rows]


def changed_since(connection: duckdb.DuckDBPyConnection, kind: str, version: str, *, on: date) -> Mapping[str, date]:
    """Return the codes of a version that a later one lacks or says something else of, and the first day of the first.

    Parameters
    ----------
    on : versions that begin after this day are left out
    """
    held = [one for one in versions(connection) if one.kind == kind]
    begins = next((one.valid_from for one in held if one.version == version), on)
    before = read_version(connection, kind, version)
    found: dict[str, date] = {}
    # From the newest to the oldest, so that the first change is the one that stays.
    for later in held:
        if begins < later.valid_from <= on:
            after = read_version(connection, kind, later.version)
            found |= dict.fromkeys(changed_codes(before, after, kind=kind), later.valid_from)
    return found


def write(
    home: Home, connection: duckdb.DuckDBPyConnection, read: Read, *, valid_from: date, file: tuple[str, str]
) -> bool:
    """Add a version; return whether it was new. The same content, valid already on that day, changes nothing.

    Parameters
    ----------
    file : name and SHA-256 of the delivered file

    Raises
    ------
    Refusal
        ``E-REFERENCE-DATE`` when another content begins on the same day, or this content on another day
    """
    kind = read.kind.name
    with _alone(home):
        held = [version for version in versions(connection) if version.kind == kind]
        before = max((v for v in held if v.valid_from <= valid_from), key=lambda v: v.valid_from, default=None)
        if before is not None and before.version == read.version:
            return False
        _refuse_conflict(held, read, valid_from, file[0])
        counts = (read.rows_in, len(read.table), read.rows_repeated)
        now = datetime.now(UTC).replace(tzinfo=None)
        row = [kind, read.version, valid_from, *counts, *file, now]
        names = ", ".join(f'"{name}"' for name in read.table.column_names)
        connection.execute("BEGIN TRANSACTION")
        try:
            connection.register("delivered", read.table)
            connection.execute(
                f"INSERT INTO lake.reference.{kind} ({names}, version, valid_from) "
                f"SELECT {names}, $1, $2 FROM delivered",
                [read.version, valid_from],
            )
            connection.execute(f"INSERT INTO lake.reference.version VALUES ({', '.join('?' * len(row))})", row)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            connection.unregister("delivered")
    return True


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Let one process at a time add versions: what is there already is looked up before anything is written."""
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.reference'))")
        yield


def _refuse_conflict(held: list[Version], read: Read, valid_from: date, name: str) -> None:
    same = next((version for version in held if version.version == read.version), None)
    if same is not None:
        raise Refusal(
            "E-REFERENCE-DATE",
            Message(
                f"参考表 {name} 的内容自 {same.valid_from} 起已有效，不能又自 {valid_from} 起有效。",
                f"The content of reference {name} holds from {same.valid_from} already, not from {valid_from}.",
            ),
            Message("用原来的日期，或交付有变化的内容。", "Give that day, or deliver what has changed."),
        )
    other = next((version for version in held if version.valid_from == valid_from), None)
    if other is not None:
        raise Refusal(
            "E-REFERENCE-DATE",
            Message(
                f"自 {valid_from} 起有效的 {read.kind.zh}参考表已由 {other.file_name} 交付，内容与 {name} 不同。",
                f"{other.file_name} holds from {valid_from} already for {read.kind.en}, and {name} says otherwise.",
            ),
            Message(
                "一个版本不会改变：给新版本一个新的生效日。", "A version never changes: give a new one its own day."
            ),
        )
