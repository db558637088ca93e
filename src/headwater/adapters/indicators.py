"""The register of indicators in PostgreSQL: every version of every definition, who defined it and when."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from headwater.claims.indicators import Indicator, from_document, to_document

__all__ = ["Stored", "in_force", "lock", "store", "versions"]


@dataclass(frozen=True)
class Stored:
    """One version of a definition, who defined it and when."""

    indicator: Indicator
    defined_by: str
    defined_at: datetime


def lock(connection: psycopg.Connection) -> None:
    """Wait until nobody else defines an indicator; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('headwater.indicator'))")


def store(connection: psycopg.Connection, indicator: Indicator, *, by: str) -> Stored:
    """Put a definition down as the next version; what is the newest version already stays that version."""
    earlier = versions(connection, indicator.name)
    if earlier and earlier[0].indicator.digest == indicator.digest:
        return earlier[0]
    numbered = replace(indicator, version=len(earlier) + 1)
    connection.execute(
        "insert into ops.indicator (name, version, digest, definition, valid_from, defined_by) "
        "values (%s, %s, %s, %s, %s, %s)",
        (
            *(numbered.name, numbered.version, numbered.digest, Jsonb(to_document(numbered))),
            *(numbered.valid_from, by),
        ),
    )
    return versions(connection, numbered.name)[0]


def versions(connection: psycopg.Connection, name: str) -> list[Stored]:
    """Return every version of an indicator, the newest first."""
    rows = connection.execute(
        "select version, definition, defined_by, defined_at from ops.indicator where name = %s order by version desc",
        (name,),
    )
    return [_stored(row) for row in rows.fetchall()]


def in_force(connection: psycopg.Connection, *, on: date = date.max) -> dict[str, Stored]:
    """Return by name the newest version of each indicator that holds on a day; of all time if no day is given."""
    rows = connection.execute(
        "select distinct on (name) version, definition, defined_by, defined_at from ops.indicator "
        "where valid_from <= %s order by name, version desc",
        (on,),
    )
    found = [_stored(row) for row in rows.fetchall()]
    return {one.indicator.name: one for one in found}


def _stored(row: tuple[Any, ...]) -> Stored:
    version, definition, by, at = row
    return Stored(replace(from_document(definition), version=version), by, at)
