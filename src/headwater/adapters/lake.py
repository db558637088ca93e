"""The lake: DuckLake tables (Parquet files, catalog in PostgreSQL) computed by DuckDB in this process."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

import duckdb
import duckdb_extensions

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = [
    "EXTENSIONS",
    "SCHEMAS",
    "attach_sql",
    "connect",
    "create_tables",
    "import_extensions",
    "load_extensions",
    "read_at",
    "require_kept",
    "snapshot",
    "transaction",
]

EXTENSIONS = ("ducklake", "postgres_scanner")
_IMPORTING = threading.Lock()
SCHEMAS = (
    *("raw", "reference", "coding", "staging", "intermediate", "marts", "grouping", "payment"),
    *("indicator", "quality", "knowledge"),
)


def load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extensions that the wheels carry; nothing is downloaded."""
    import_extensions()
    for name in EXTENSIONS:
        connection.execute(f"LOAD {name}")


def import_extensions() -> None:
    """Put the extensions that the wheels carry where every DuckDB of this process looks for them."""
    # The importer works on one connection of the process, which two threads must not use at once.
    with _IMPORTING:
        _import_extensions()


@cache
def _import_extensions() -> None:
    for name in EXTENSIONS:
        duckdb_extensions.import_extension(name)
    # DuckDB proves their signatures, which takes longer than most that a connection is opened for: once in a process.
    with duckdb.connect(":memory:") as connection:
        for name in EXTENSIONS:
            connection.execute(f"LOAD {name}")


def _open() -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with the extensions, whose signatures this process has proved."""
    import_extensions()
    connection = duckdb.connect(":memory:", config={"allow_unsigned_extensions": "true"})
    load_extensions(connection)
    return connection


def attach_sql(home: Home, *, snapshot_id: int | None = None) -> str:
    """Return the statement that attaches the lake as ``lake``, or for reading only, as it was at a snapshot."""
    catalog = postgres.dsn(home, "lake").replace("'", "''")
    data = str(home.lake_data).replace("'", "''")
    pinned = "" if snapshot_id is None else f", SNAPSHOT_VERSION {int(snapshot_id)}"
    return f"ATTACH IF NOT EXISTS 'ducklake:postgres:{catalog}' AS lake (DATA_PATH '{data}'{pinned})"


def read_at(home: Home, snapshot_id: int) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with the lake attached for reading as it was at a snapshot, views included."""
    connection = _open()
    connection.execute("SET threads = 1")
    connection.execute(attach_sql(home, snapshot_id=snapshot_id))
    return connection


def connect(home: Home, *, threads: int | None = None, memory: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with the lake attached as ``lake`` and its schemas present.

    Parameters
    ----------
    memory : beyond it DuckDB works on disk, under the home; most of the machine's when None
    """
    postgres.prepare(home)
    connection = _open()
    spill = str(home.root / "spill").replace("'", "''")
    connection.execute(f"SET temp_directory = '{spill}'")
    if memory is not None:
        connection.execute(f"SET memory_limit = '{memory}'")
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    connection.execute("SET enable_progress_bar = false")
    _attach(home, connection)
    if missing := _missing_schemas(connection):
        # Two processes that make the same schema clash, so they queue, and the second finds it there.
        with postgres.connect(home) as guard:
            guard.execute("select pg_advisory_xact_lock(hashtext('headwater.raw'))")
            with transaction(connection):
                for schema in missing:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS lake.{schema}")
    return connection


def _missing_schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'lake'")
    present = {row[0] for row in rows.fetchall()}
    return [schema for schema in SCHEMAS if schema not in present]


def _attach(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    # The first attach makes the catalog's tables, and two first attaches at once clash.
    with postgres.connect(home, "lake") as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.lake'))")
        connection.execute(attach_sql(home))


def create_tables(
    home: Home, connection: duckdb.DuckDBPyConnection, *, schema: str, tables: Mapping[str, Sequence[tuple[str, str]]]
) -> None:
    """Create the tables and columns that a schema lacks; many processes may call it at once.

    Parameters
    ----------
    tables : name → columns with their DuckDB types
    """
    present = _present(connection, schema)
    missing = {
        name: [column for column in columns if column[0] not in present.get(name, set())]
        for name, columns in tables.items()
    }
    if not any(missing.values()):
        return
    # The catalog resolves a race of two identical CREATE TABLEs by failing one of them, so they queue instead.
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.raw'))")
        # The catalog is read anew after each change of it: one commit for all of them.
        with transaction(connection):
            for name, columns in missing.items():
                body = ", ".join(f'"{column}" {kind}' for column, kind in columns)
                if name not in present:
                    connection.execute(f"CREATE TABLE IF NOT EXISTS lake.{schema}.{name} ({body})")
                    continue
                # A lake of an earlier version lacks fields that were added since.
                for column, kind in columns:
                    connection.execute(f'ALTER TABLE lake.{schema}.{name} ADD COLUMN IF NOT EXISTS "{column}" {kind}')


def _present(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, set[str]]:
    rows = connection.execute(
        "SELECT table_name, list(column_name) FROM information_schema.columns "
        "WHERE table_catalog = 'lake' AND table_schema = $1 GROUP BY table_name",
        [schema],
    ).fetchall()
    return {name: set(columns) for name, columns in rows}


def snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the lake's newest snapshot: the data version that reports and models quote."""
    row = connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def require_kept(connection: duckdb.DuckDBPyConnection, snapshot_id: int) -> None:
    """Refuse to compute from a snapshot that the lake keeps no more.

    Raises
    ------
    Refusal
        ``E-LAKE-SNAPSHOT``
    """
    query = "SELECT count(*) FROM ducklake_snapshots('lake') WHERE snapshot_id = ?"
    if not connection.execute(query, [snapshot_id]).fetchall()[0][0]:
        raise Refusal(
            "E-LAKE-SNAPSHOT",
            Message(f"湖中已不再保存快照 {snapshot_id}。", f"The lake keeps snapshot {snapshot_id} no more."),
            Message(
                "请由现有数据重新学习：headwater evolve、model retrain 或 aggregate。",
                "Learn anew from the data there are: headwater evolve, model retrain or aggregate.",
            ),
        )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep what is written inside, or nothing of it."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
