"""The register of indicators in PostgreSQL: every version of every definition, who defined it and who retired it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from headwater.claims.indicators import Indicator, Months, from_document, to_document

__all__ = ["Retirement", "Stored", "in_force", "lock", "periods", "retire", "store", "versions"]

Known = dict[str, "Stored"]
"""Indicators by name."""


@dataclass(frozen=True)
class Retirement:
    """Why an indicator is no more computed."""

    why: str
    retired_by: str
    retired_at: datetime


@dataclass(frozen=True)
class Stored:
    """One version of a definition, who defined it and when, and whether it was retired."""

    indicator: Indicator
    defined_by: str
    defined_at: datetime
    retirement: Retirement | None = None


def lock(connection: psycopg.Connection) -> None:
    """Wait until nobody else defines or retires an indicator; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('headwater.indicator'))")


def store(connection: psycopg.Connection, indicator: Indicator, *, by: str) -> Stored:
    """Put a definition down as the next version; what is the newest version already stays that version."""
    earlier = versions(connection, indicator.name)
    if earlier and earlier[0].indicator.digest == indicator.digest and earlier[0].retirement is None:
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


def retire(connection: psycopg.Connection, stored: Stored, *, by: str, why: str) -> None:
    """Say that a version, the newest of its indicator, is no more computed."""
    connection.execute(
        "insert into ops.indicator_retirement (name, version, why, retired_by) values (%s, %s, %s, %s)",
        (stored.indicator.name, stored.indicator.version, why, by),
    )


def versions(connection: psycopg.Connection, name: str | None = None) -> list[Stored]:
    """Return every version of an indicator, or of all of them, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select version, definition, defined_by, defined_at, why, retired_by, retired_at from ops.indicator "
            "left join ops.indicator_retirement using (name, version) "
            "where %(name)s::text is null or name = %(name)s order by name, version desc",
            {"name": name},
        ).fetchall()
    return [
        Stored(
            replace(from_document(row["definition"]), version=row["version"]),
            row["defined_by"],
            row["defined_at"],
            Retirement(row["why"], row["retired_by"], row["retired_at"]) if row["why"] else None,
        )
        for row in rows
    ]


def in_force(connection: psycopg.Connection, *, on: date = date.max) -> Known:
    """Return by name the newest version of each indicator that holds on a day, of all time if no day is given.

    What was retired holds no more, its earlier versions neither.
    """
    return _in_force(versions(connection), on)


def periods(connection: psycopg.Connection, *, on: date) -> list[tuple[Months, Known]]:
    """Return which versions were in force in which months, as it is known on a day, the earliest months first.

    A month is computed by what was in force on its first day. What is not in force on the day is in no month.
    """
    every, now = versions(connection), in_force(connection, on=on)
    held = [one for one in every if one.indicator.name in now and one.indicator.valid_from <= on]
    begins = sorted({_month(one.indicator.valid_from) for one in held})
    ends = [*begins[1:], None][: len(begins)]
    return [
        ((None if begin == date.min else begin, end), _in_force(held, begin))
        for begin, end in zip(begins, ends, strict=True)
    ]


def _in_force(every: Sequence[Stored], on: date) -> Known:
    """Return the newest version of each that holds; ``every`` begins with the newest of each."""
    found: Known = {}
    for one in every:
        if one.indicator.valid_from <= on:
            found.setdefault(one.indicator.name, one)
    return {name: one for name, one in found.items() if one.retirement is None}


def _month(day: date) -> date:
    """Return the first day of the first month that begins no earlier than a day."""
    if day.day == 1:
        return day
    return date(day.year + (day.month == 12), day.month % 12 + 1, 1)
