"""Who withdrew from models: read with every feature table, so that nothing of them is learned from again."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from headwater.adapters import audit, knowledge, lake, postgres
from headwater.adapters.home import Home
from headwater.types import SourceId

__all__ = ["Left", "digests", "enter", "left", "members_since", "stays_of_person"]

_MOMENT = ("entry", "as_of", "snapshot")
"""Columns that tell when a withdrawal was entered, not what it is."""


@dataclass(frozen=True)
class Left:
    """What may not be learned from.

    Parameters
    ----------
    sources : that withdrew
    stays : single ones, and those of persons who withdrew, whatever source they are of
    entry : of the last withdrawal in the audit log, 0 where nobody withdrew
    """

    sources: frozenset[SourceId]
    stays: frozenset[str]
    entry: int

    def beyond(self, other: "Left") -> "Left":
        """Return what is not in the other: a person's stays may have withdrawn one by one before."""
        return Left(self.sources - other.sources, self.stays - other.stays, self.entry)


def enter(home: Home, connection: duckdb.DuckDBPyConnection, told: Mapping[str, Any], row: Mapping[str, object]) -> int:
    """Enter a withdrawal in the audit log and its row in the lake, and return the number of the entry.

    The log waits until the row is in the lake. So an entry that can be seen has its row, and whoever sees the row of an
    entry sees those of all entries before it. Broken off between both, the row is minded all the same; the next
    withdrawal enters it first, so that its number is never another's.

    Parameters
    ----------
    told : what the log says, to which the row's digest is added
    row : of ``knowledge.withdrawal``, without ``entry``
    """
    postgres.prepare(home)
    with postgres.connect(home) as ops:
        for broken in _rows(connection, after=audit.hold(ops)):
            members, stays = broken["members"], len(broken["stays"] or ())
            known = {"region": broken["region"], "source": broken["source"], "members": members, "stays": stays}
            audit.add(home, ops, "withdrawal", {**known, "row": _digest(broken)})
        entry = audit.add(home, ops, "withdrawal", {**told, "row": _digest(row)}).number
        with lake.transaction(connection):
            knowledge.insert(connection, "withdrawal", [{**row, "entry": entry}])
    return entry


def digests(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Return of each withdrawal in the lake the digest that its entry in the audit log tells."""
    return {int(row["entry"]): _digest(row) for row in _rows(connection, after=0)}


def _rows(connection: duckdb.DuckDBPyConnection, *, after: int) -> list[dict[str, Any]]:
    query = "SELECT * FROM lake.knowledge.withdrawal WHERE entry > ? ORDER BY entry"
    try:
        found: list[dict[str, Any]] = connection.execute(query, [after]).to_arrow_table().to_pylist()
    except duckdb.CatalogException:
        # Before anything is known there is no such table.
        return []
    return found


def _digest(row: Mapping[str, object]) -> str:
    said = {name: value for name, value in row.items() if value is not None and name not in _MOMENT}
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def left(connection: duckdb.DuckDBPyConnection, *, region: str, snapshot: int, until: int | None = None) -> Left:
    """Return what withdrew in a region; stays of persons are those that the snapshot has.

    Parameters
    ----------
    until : the last entry of the audit log that counts; None for all until now
    """
    try:
        rows = connection.execute(
            "SELECT source, person, stays, entry FROM lake.knowledge.withdrawal "
            "WHERE coalesce(region, $region) = $region AND ($until IS NULL OR entry <= $until)",
            {"region": region, "until": until},
        ).fetchall()
    except duckdb.CatalogException:
        # Before anything is known there is no such table.
        rows = []
    stays = {stay for _, _, single, _ in rows for stay in single or ()}
    if persons := {person for _, person, _, _ in rows if person}:
        stays |= stays_of_person(connection, persons, snapshot=snapshot)
    sources = frozenset(source for source, *_ in rows if source)
    return Left(sources, frozenset(stays), max((entry for *_, entry in rows), default=0))


def members_since(connection: duckdb.DuckDBPyConnection, *, region: str, since: int) -> set[SourceId]:
    """Return of whom records were withdrawn after an entry of the audit log."""
    rows = connection.execute(
        "SELECT DISTINCT unnest(members) FROM lake.knowledge.withdrawal WHERE coalesce(region, $region) = $region "
        "AND entry > $since",
        {"region": region, "since": since},
    ).fetchall()
    return {str(row[0]) for row in rows}


def stays_of_person(connection: duckdb.DuckDBPyConnection, persons: Collection[str], *, snapshot: int) -> set[str]:
    """Return the stays of persons, who are named by their tokens; none where no front pages are kept."""
    try:
        rows = connection.execute(
            f"SELECT stay_id FROM lake.marts.fct_stay AT (VERSION => {int(snapshot)}) "
            "WHERE psn_no IN (SELECT unnest($persons))",
            {"persons": sorted(persons)},
        ).fetchall()
    except duckdb.CatalogException:
        return set()
    return {str(row[0]) for row in rows}
