"""The cohorts whose sums were ever revealed, in PostgreSQL, append-only."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import psycopg

from headwater.types import SourceId

__all__ = ["Cohort", "add", "all_of", "locked"]

Cohort: TypeAlias = tuple[SourceId, ...]
"""The members of one sum, by name."""


def locked(connection: psycopg.Connection) -> list[Cohort]:
    """Return every cohort ever revealed, and let nobody else add one until the transaction ends."""
    connection.execute("lock table ops.revealed_sum in share row exclusive mode")
    return all_of(connection)


def all_of(connection: psycopg.Connection) -> list[Cohort]:
    """Return every cohort ever revealed, each in the order of its names."""
    rows = connection.execute("select sources from ops.revealed_sum order by cohort").fetchall()
    return [tuple(row[0]) for row in rows]


def add(connection: psycopg.Connection, cohorts: Iterable[Cohort], *, region: str, at: datetime) -> None:
    """Add cohorts; one that stands there already stays as it is."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.revealed_sum (cohort, region, sources, revealed_at) values (%s, %s, %s, %s) "
            "on conflict do nothing",
            [(_digest(cohort), region, sorted(cohort), at) for cohort in cohorts],
        )


def _digest(cohort: Cohort) -> str:
    return hashlib.sha256(json.dumps(sorted(cohort), ensure_ascii=False).encode()).hexdigest()
