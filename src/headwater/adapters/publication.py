"""The register of publications: which snapshot of the lake readers see, flipped by one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import psycopg
from psycopg.rows import class_row

from headwater.adapters import postgres
from headwater.adapters.home import Home

__all__ = ["Publication", "Verdict", "claim", "current", "flip", "marts_changed_after", "newest", "newest_verdict"]


@dataclass(frozen=True)
class Publication:
    """What readers see.

    Parameters
    ----------
    snapshot_id : of the lake
    quality_run : the check that found this snapshot good
    published_by : a user, or the run that did it
    """

    snapshot_id: int
    quality_run: str
    published_by: str
    published_at: datetime


@dataclass(frozen=True)
class Verdict:
    """The newest check of quality: the snapshot it judged, whether it judged marts, and errors it found."""

    run_id: str
    snapshot_id: int
    has_marts: bool
    errors: int


@contextmanager
def claim(home: Home) -> Iterator[psycopg.Connection]:
    """Give the only transaction that may publish; whoever else wants to waits until it ends."""
    # The lock ends with the transaction that writes, so a claim whose connection was cut cannot write any more.
    with postgres.connect(home) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('headwater.publish'))")
        yield connection


def newest(connection: psycopg.Connection) -> Publication | None:
    """Return what readers see, None before anything was published."""
    with connection.cursor(row_factory=class_row(Publication)) as cursor:
        cursor.execute(
            "select snapshot_id, quality_run, published_by, published_at from ops.publication "
            "order by snapshot_id desc limit 1"
        )
        return cursor.fetchone()


def current(home: Home) -> Publication | None:
    """Return what readers of this installation see, None before anything was published."""
    with postgres.connect(home) as connection:
        return newest(connection)


def flip(connection: psycopg.Connection, publication: Publication) -> bool:
    """Let readers see another snapshot; return False, and change nothing, unless it is newer than what they see."""
    written = connection.execute(
        "insert into ops.publication (snapshot_id, quality_run, published_by, published_at) select %s, %s, %s, %s "
        "where not exists (select 1 from ops.publication where snapshot_id >= %s) returning snapshot_id",
        (
            *(publication.snapshot_id, publication.quality_run, publication.published_by, publication.published_at),
            publication.snapshot_id,
        ),
    ).fetchone()
    return written is not None


def newest_verdict(connection: duckdb.DuckDBPyConnection) -> Verdict | None:
    """Return the newest check that the lake keeps, None where there is none."""
    present = connection.execute(
        "SELECT 1 FROM information_schema.tables "
        "WHERE table_catalog = 'lake' AND table_schema = 'quality' AND table_name = 'result'"
    ).fetchone()
    if present is None:
        return None
    row = connection.execute(
        "SELECT run_id, snapshot_id, bool_or(stage = 'marts'), "
        "count(*) FILTER (NOT success AND (severity = 'error' OR error IS NOT NULL)) FROM lake.quality.result "
        "GROUP BY run_id, snapshot_id, checked_at ORDER BY checked_at DESC, snapshot_id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Verdict(*row)


def marts_changed_after(connection: duckdb.DuckDBPyConnection, snapshot_id: int) -> int | None:
    """Return the newest snapshot after this one that changed a mart, None if none did."""
    # A change names a table that it makes, and numbers a table that it fills.
    row = connection.execute(
        "WITH change AS (SELECT snapshot_id, unnest(flatten(map_values(changes))) AS what "
        "FROM ducklake_snapshots('lake') WHERE snapshot_id > $after), "
        "mart AS (SELECT CAST(t.table_id AS VARCHAR) AS id FROM __ducklake_metadata_lake.public.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.public.ducklake_schema AS s USING (schema_id) WHERE s.schema_name = 'marts') "
        "SELECT max(snapshot_id) FROM change WHERE what LIKE 'marts.%' OR what IN (SELECT id FROM mart)",
        {"after": snapshot_id},
    ).fetchone()
    return None if row is None else row[0]
