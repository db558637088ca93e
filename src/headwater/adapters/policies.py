"""The register of policies in PostgreSQL: every version that people added, its text, who added it, when and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import class_row

__all__ = ["Entry", "add", "entries", "lock", "standing"]


@dataclass(frozen=True)
class Entry:
    """One version as it was added.

    Parameters
    ----------
    version : of the policy that the text states
    replaces : version that stood at this name and day before, of an entry or of a file; None where nothing did
    supersedes : the entry that stood there before
    """

    entry_id: int
    name: str
    valid_from: date
    version: str
    body: str
    replaces: str | None
    supersedes: int | None
    added_by: str
    why: str
    added_at: datetime


_COLUMNS = "entry_id, name, valid_from, version, body, replaces, supersedes, added_by, why, added_at"


def lock(connection: psycopg.Connection) -> None:
    """Wait until nobody else adds a policy; released when the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('headwater.policy'))")


def add(
    connection: psycopg.Connection,
    key: tuple[str, date],
    *,
    text: tuple[str, str],
    replaces: tuple[str | None, int | None],
    signed: tuple[str, str],
) -> Entry:
    """Put a version down and return it.

    Parameters
    ----------
    key : name and first day
    text : version and body
    replaces : version and entry that stood there before
    signed : who adds it, and why
    """
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        cursor.execute(
            "insert into ops.policy (name, valid_from, version, body, replaces, supersedes, added_by, why) "
            f"values (%s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}",
            (*key, *text, *replaces, *signed),
        )
        (entry,) = cursor.fetchall()
    return entry


def entries(connection: psycopg.Connection) -> list[Entry]:
    """Return every entry, the newest first."""
    # An installation that was set up before policies could be added has no such table until it is prepared again.
    if connection.execute("select to_regclass('ops.policy')").fetchone() == (None,):
        return []
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        cursor.execute(f"select {_COLUMNS} from ops.policy order by entry_id desc")
        return cursor.fetchall()


def standing(found: Sequence[Entry]) -> list[Entry]:
    """Return those of all entries that no other one supersedes."""
    superseded = {one.supersedes for one in found}
    return [one for one in found if one.entry_id not in superseded]
