"""Lake tables with rows of stays that follow from another table: what of them is behind, and what was seen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from headwater.adapters import postgres
from headwater.adapters.home import Home

__all__ = ["SEEN", "Behind", "Seen", "alone", "forget", "mark", "note", "only", "seen"]

SEEN = (("state", "VARCHAR"), ("snapshot_id", "BIGINT"))
"""Columns of a schema's table ``seen``: at most one row."""


@dataclass(frozen=True)
class Seen:
    """Up to where a schema's tables follow.

    Parameters
    ----------
    state : everything besides the followed table that rows depend on; another one makes them all anew
    snapshot_id : of the lake, at which the followed table was read
    """

    state: str
    snapshot_id: int


@dataclass(frozen=True)
class Behind:
    """How many stays are written anew, and how many are no more."""

    asked: int
    gone: int


@contextmanager
def alone(home: Home, schema: str) -> Iterator[None]:
    """Let one process at a time write a schema's tables; the others wait."""
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"headwater.{schema}",))
        yield


def seen(connection: duckdb.DuckDBPyConnection, schema: str) -> Seen | None:
    """Return up to where the tables follow, None before the first time."""
    row = connection.execute(f"SELECT state, snapshot_id FROM lake.{schema}.seen").fetchone()
    return Seen(*row) if row else None


def note(connection: duckdb.DuckDBPyConnection, schema: str, now: Seen) -> None:
    """Say up to where the tables follow; in the transaction that writes them."""
    connection.execute(f"DELETE FROM lake.{schema}.seen")
    connection.execute(f"INSERT INTO lake.{schema}.seen VALUES ($1, $2)", [now.state, now.snapshot_id])


def mark(connection: duckdb.DuckDBPyConnection, table: str, *, followed: str, after: int | None, until: int) -> Behind:
    """Make the tables ``behind`` and ``gone`` in memory: stays to be written anew, and stays that are no longer there.

    Parameters
    ----------
    table : that follows, as ``<schema>.<name>`` with a column ``stay_id``
    followed : the table that it follows, one row a stay
    after : the snapshot up to which it follows; None to write all rows anew
    until : the snapshot at which the followed table is read
    """
    schema, name = followed.split(".")
    rows = f"lake.{followed} AT (VERSION => {until})"
    if after == until:
        rows += " LIMIT 0"
    elif after is not None:
        # A table that was made anew has all its rows written, which is what is wanted then.
        rows = f"ducklake_table_insertions('lake', '{schema}', '{name}', {after + 1}, {until})"
    # No temporary tables: a cursor that reads while this connection writes must see them too.
    connection.execute(f"CREATE OR REPLACE TABLE behind AS SELECT DISTINCT stay_id FROM {rows}")
    connection.execute(
        f"CREATE OR REPLACE TABLE gone AS SELECT DISTINCT held.stay_id FROM lake.{table} AS held "
        f"ANTI JOIN lake.{followed} AS there AT (VERSION => {until}) USING (stay_id)"
    )
    row = connection.execute("SELECT (SELECT count(*) FROM behind), (SELECT count(*) FROM gone)").fetchone()
    return Behind(*row) if row else Behind(0, 0)


def only(connection: duckdb.DuckDBPyConnection, stay_ids: Sequence[str]) -> None:
    """Make the tables ``behind``, of these stays, and ``gone``, of none, to read what would be written of them."""
    connection.execute("CREATE OR REPLACE TABLE behind (stay_id VARCHAR)")
    connection.execute("CREATE OR REPLACE TABLE gone (stay_id VARCHAR)")
    connection.execute("INSERT INTO behind SELECT unnest($1)", [list(stay_ids)])


def forget(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Remove the rows of stays that are ``behind`` or ``gone``."""
    connection.execute(
        f"DELETE FROM lake.{table} WHERE stay_id IN (SELECT stay_id FROM behind UNION ALL SELECT stay_id FROM gone)"
    )
