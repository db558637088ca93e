"""Who withdrew from models: read with every feature table, so that nothing of them is learned from again."""

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from headwater.types import SourceId

__all__ = ["Left", "left", "members_since", "stays_of_person"]


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


def left(connection: duckdb.DuckDBPyConnection, *, region: str, snapshot: int, until: int | None = None) -> Left:
    """Return what withdrew in a region; stays of persons are those that the snapshot has.

    Parameters
    ----------
    until : the last entry of the audit log that counts; None for all until now
    """
    try:
        rows = connection.execute(
            "SELECT source, person, stays, entry FROM lake.knowledge.withdrawal "
            "WHERE region = $region AND ($until IS NULL OR entry <= $until)",
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
        "SELECT DISTINCT unnest(members) FROM lake.knowledge.withdrawal WHERE region = ? AND entry > ?", [region, since]
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
