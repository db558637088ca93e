"""The cohorts whose sums were ever revealed, in PostgreSQL, append-only."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import psycopg

from headwater.security.requirement import Viewer
from headwater.types import SourceId

__all__ = ["Cohort", "add", "all_of", "locked"]

Cohort: TypeAlias = tuple[SourceId, ...]
"""The members of one sum, by name."""


def locked(connection: psycopg.Connection, *, viewer: Viewer = "region") -> list[Cohort]:
    """Return every cohort ever revealed to a viewer, and let nobody else add one until the transaction ends."""
    connection.execute("lock table ops.revealed_sum in share row exclusive mode")
    return [cohort for who, cohort in all_of(connection) if who == viewer]


def all_of(connection: psycopg.Connection) -> list[tuple[Viewer, Cohort]]:
    """Return every cohort ever revealed, in the order of its names, each with its viewer."""
    rows = connection.execute("select viewer, sources from ops.revealed_sum order by cohort").fetchall()
    return [(row[0], tuple(row[1])) for row in rows]


def add(
    connection: psycopg.Connection,
    cohorts: Iterable[Cohort],
    *,
    region: str,
    at: datetime,
    viewer: Viewer = "region",
) -> None:
    """Add cohorts that a viewer saw; one that stands there already stays as it is."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.revealed_sum (cohort, region, sources, revealed_at, viewer) values (%s, %s, %s, %s, %s) "
            "on conflict do nothing",
            [(_digest(cohort, viewer), region, sorted(cohort), at, viewer) for cohort in cohorts],
        )


def _digest(cohort: Cohort, viewer: Viewer) -> str:
    said: list[object] = [*sorted(cohort)] if viewer == "region" else [viewer, sorted(cohort)]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()
