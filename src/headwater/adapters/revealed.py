"""The cohorts whose sums were ever revealed, in PostgreSQL, append-only."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

import psycopg

from headwater.security.requirement import Viewer
from headwater.types import SourceId

__all__ = ["Cohort", "Records", "add", "all_of", "locked", "records_of"]

Cohort: TypeAlias = tuple[SourceId, ...]
"""The members of one sum, by name."""


Records: TypeAlias = Mapping[SourceId, str]
"""Of each source a text that changes with its records."""


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
    cohorts: Sequence[Cohort],
    *,
    region: str,
    at: datetime,
    viewer: Viewer = "region",
    records: Records = MappingProxyType({}),
) -> None:
    """Add cohorts that a viewer saw, and of what records; one that stands there already stays as it is."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.revealed_sum (cohort, region, sources, revealed_at, viewer) values (%s, %s, %s, %s, %s) "
            "on conflict do nothing",
            [(_digest(cohort, viewer), region, sorted(cohort), at, viewer) for cohort in cohorts],
        )
        cursor.executemany(
            "insert into ops.revealed_records (cohort, digest, records, revealed_at) values (%s, %s, %s, %s) "
            "on conflict do nothing",
            [
                (_digest(cohort, viewer), hashlib.sha256(said.encode()).hexdigest(), said, at)
                for cohort in cohorts
                if (said := _said(cohort, records))
            ],
        )


def records_of(connection: psycopg.Connection, cohort: Cohort, *, viewer: Viewer = "region") -> list[Records]:
    """Return of what records the sum of a cohort was revealed, every time that they were others."""
    rows = connection.execute(
        "select records from ops.revealed_records where cohort = %s", (_digest(cohort, viewer),)
    ).fetchall()
    return [dict(row[0]) for row in rows]


def _said(cohort: Cohort, records: Records) -> str:
    told = {name: records[name] for name in sorted(cohort) if name in records}
    return json.dumps(told, ensure_ascii=False) if told else ""


def _digest(cohort: Cohort, viewer: Viewer) -> str:
    said: list[object] = [*sorted(cohort)] if viewer == "region" else [viewer, sorted(cohort)]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()
