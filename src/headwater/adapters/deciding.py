"""What every register of questions and decisions does alike: questions are replaced, decisions are put down once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.types.json import Jsonb

__all__ = ["Conflict", "lock", "put_down", "renew"]


class Conflict(Exception):
    """Somebody else decided meanwhile, or the decision does not wait (any more)."""


def lock(connection: psycopg.Connection, subject: str, key: str) -> None:
    """Wait until nobody else decides about this; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", (f"headwater.{subject}", key))


def renew(
    connection: psycopg.Connection, table: str, questions: Sequence[Any], *, columns: str, json: Collection[str]
) -> None:
    """Write questions; one that was asked before is brought up to date and keeps its day.

    Parameters
    ----------
    questions : dataclasses with the columns as fields
    columns : their names, the key first, as SQL lists them
    json : which of them are written as JSON
    """
    names = columns.split(", ")
    update = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {table} ({columns}) values ({', '.join(['%s'] * len(names))}) "
            f"on conflict ({names[0]}) do update set {update}",
            [
                tuple(Jsonb(getattr(one, name)) if name in json else getattr(one, name) for name in names)
                for one in questions
            ],
        )


def put_down(connection: psycopg.Connection, table: str, values: Mapping[str, Any], *, number: str) -> int:
    """Append a decision and return its number, the column ``number``; mappings are written as JSON.

    Raises
    ------
    Conflict
        when another decision stands at this place
    """
    marks = ", ".join(["%s"] * len(values))
    try:
        row = connection.execute(
            f"insert into {table} ({', '.join(values)}) values ({marks}) returning {number}",
            tuple(Jsonb(dict(one)) if isinstance(one, Mapping) else one for one in values.values()),
        ).fetchone()
    except errors.UniqueViolation as error:
        raise Conflict from error
    if row is None:
        raise AssertionError("an insert that returns has a row")
    return int(row[0])
