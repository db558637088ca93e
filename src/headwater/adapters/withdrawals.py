"""Who withdrew from models: read with every feature table, so that nothing of them is learned from again."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import audit, knowledge, lake, postgres
from headwater.adapters.home import Home
from headwater.types import SourceId

__all__ = [
    "Gone",
    "Left",
    "Record",
    "Stands",
    "Withdrawal",
    "adopt",
    "by_entry",
    "enter",
    "gone",
    "gone_since",
    "in_force",
    "left",
    "members_since",
    "pending",
    "standing",
    "stays_of_person",
]

_MOMENT = ("entry", "as_of", "snapshot")
"""Columns that tell when a withdrawal was entered, not what it is."""


@dataclass(frozen=True)
class Left:
    """What may not be learned from.

    Parameters
    ----------
    sources : that withdrew, as they were named: by a hospital's code whoever delivers it, or by ``deliverer:code``
    stays : single ones, and those of persons who withdrew, whatever source they are of
    entry : of the last withdrawal or revocation in the audit log, 0 where there is none
    """

    sources: frozenset[SourceId]
    stays: frozenset[str]
    entry: int

    def beyond(self, other: "Left") -> "Left":
        """Return what is not in the other: a person's stays may have withdrawn one by one before."""
        return Left(self.sources - other.sources, self.stays - other.stays, self.entry)

    def beside(self, other: "Left") -> "Left":
        """Return what is in either."""
        return Left(self.sources | other.sources, self.stays | other.stays, self.entry)

    def named(self, hospitals: pa.Table) -> frozenset[SourceId]:
        """Return what a table's ``source`` calls the sources that withdrew.

        A hospital's name there depends on who else delivers, its rows do not: they have ``source_id`` and ``hospital``.
        """
        qualified = pc.binary_join_element_wise(hospitals["source_id"], hospitals["hospital"], ":")
        said = pa.array(sorted(self.sources), pa.string())
        gone = pc.or_(pc.is_in(hospitals["hospital"], said), pc.is_in(qualified, said))
        return frozenset(pc.unique(hospitals["source"].filter(gone)).to_pylist())


@dataclass(frozen=True)
class Record:
    """A single stay that is withdrawn, as it stood in some snapshots of the lake.

    Parameters
    ----------
    source : in whose statistic it counts, ``target`` for the bureau's own
    month : first day
    snapshots : in which it stood so, of those that were looked at, sorted
    """

    stay: str
    source: SourceId
    month: date
    snapshots: tuple[int, ...]


@dataclass(frozen=True)
class Gone:
    """What one withdrawal took back of one source.

    Parameters
    ----------
    entry : of the withdrawal in the audit log
    month : None for all that there is
    snapshots, looked : those that have it, of those that were looked at
    """

    entry: int
    source: SourceId
    month: date | None = None
    snapshots: frozenset[int] = frozenset()
    looked: frozenset[int] = frozenset()

    def was_in(self, snapshot: int) -> bool:
        """Return whether a snapshot had it; one that nobody looked at may have."""
        return self.month is None or snapshot in self.snapshots or snapshot not in self.looked


def enter(home: Home, connection: duckdb.DuckDBPyConnection, told: Mapping[str, Any], row: Mapping[str, object]) -> int:
    """Enter a withdrawal in the audit log and its row in the lake, and return the number of the entry.

    First the log is told that it begins, so that nobody else can put such a row into the lake. Then it waits until the
    row is there. So an entry that can be seen has its row, and whoever sees the row of an entry sees those of all
    entries before it. Broken off between both, the row is minded all the same, and is adopted by whatever comes next,
    so that its number is never another's.

    Parameters
    ----------
    told : what the log says, to which the row's digest is added
    row : of ``knowledge.withdrawal``, without ``entry``
    """
    postgres.prepare(home)
    digest = _digest(row)
    with postgres.connect(home) as ops:
        # What broke off before keeps its number, if nobody else had an entry since.
        _adopt(home, connection, ops)
        audit.add(home, ops, "withdrawal_begun", {"row": digest})
    with postgres.connect(home) as ops:
        _adopt(home, connection, ops)
        entry = audit.add(home, ops, "withdrawal", {**told, "row": digest}).number
        with lake.transaction(connection):
            knowledge.insert(connection, "withdrawal", [{**row, "entry": entry}])
    return entry


def adopt(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Enter in the audit log the withdrawals in the lake that broke off before their entry was kept.

    A revocation that no entry tells of did not take place, and goes. A withdrawal that never began is nobody's, and is
    left for ``audit.verify`` to find.
    """
    postgres.prepare(home)
    with postgres.connect(home) as ops:
        _adopt(home, connection, ops)


def _adopt(home: Home, connection: duckdb.DuckDBPyConnection, ops: postgres.Connection) -> None:
    audit.hold(ops)
    entered = list(audit.entries(ops, kind="withdrawal"))
    told, begun = {one.number for one in entered}, pending([*entered, *audit.entries(ops, kind="withdrawal_begun")])
    for row in _rows(connection):
        if row["entry"] in told:
            continue
        if row["revokes"] is not None:
            ended = "DELETE FROM lake.knowledge.withdrawal WHERE entry = ? AND revokes IS NOT NULL"
            connection.execute(ended, [row["entry"]])
            continue
        digest = _digest(row)
        if not begun[digest]:
            continue
        begun[digest] -= 1
        known = {name: row[name] for name in ("region", "source", "members")}
        known |= {"by": row["signed_by"], "why": row["why"]}
        entry = audit.add(home, ops, "withdrawal", {**known, "stays": len(row["stays"] or ()), "row": digest})
        # Where others were entered since, its number is later; to be minded later than it was is safe.
        moved = "UPDATE lake.knowledge.withdrawal SET entry = ? WHERE entry = ? AND revokes IS NULL"
        connection.execute(moved, [entry.number, row["entry"]])


def pending(told: Iterable[audit.Entry]) -> Counter[str]:
    """Return the digests of the rows that began to be entered and are not yet, with how often."""
    counted: Counter[str] = Counter()
    for one in told:
        if one.kind in ("withdrawal", "withdrawal_begun"):
            counted[json.loads(one.body).get("row", "")] += 1 if one.kind == "withdrawal_begun" else -1
    # One that was entered before beginnings were has none, and before that not even a digest.
    return +counted


@dataclass(frozen=True)
class Stands:
    """A withdrawal or revocation as it stands in the lake: its entry, and the digest that the audit log tells of it."""

    entry: int
    digest: str
    revokes: int | None


def standing(connection: duckdb.DuckDBPyConnection) -> list[Stands]:
    """Return all withdrawals and revocations in the lake, by their entries."""
    return [Stands(int(row["entry"]), _digest(row), row["revokes"]) for row in _rows(connection)]


def _rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    query = f"SELECT * FROM {knowledge.complete('withdrawal')} ORDER BY entry"
    try:
        found: list[dict[str, Any]] = connection.execute(query).to_arrow_table().to_pylist()
    except duckdb.CatalogException:
        # Before anything is known there is no such table.
        return []
    return found


def _digest(row: Mapping[str, object]) -> str:
    said = {name: value for name, value in row.items() if value is not None and name not in _MOMENT}
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def left(connection: duckdb.DuckDBPyConnection, *, region: str, snapshot: int, until: int | None = None) -> Left:
    """Return what withdrew in a region, persons in any; stays of persons are those that the snapshot has.

    Parameters
    ----------
    until : the last entry of the audit log that counts; None for all until now
    """
    # In one query: what is entered while it runs is in both, rows and last entry, or in neither.
    rows = knowledge.read(
        connection,
        f"{_IN_FORCE} SELECT entry, entry IN (SELECT entry FROM in_force), source, person, stays FROM counted "
        "WHERE coalesce(region, $region) = $region OR person IS NOT NULL",
        {"region": region, "until": until},
    )
    holding = [(source, person, single) for _, holds, source, person, single in rows if holds]
    stays = {stay for _, _, single in holding for stay in single or ()}
    if persons := {person for _, person, _ in holding if person}:
        stays |= stays_of_person(connection, persons, snapshot=snapshot)
    sources = frozenset(source for source, *_ in holding if source)
    return Left(sources, frozenset(stays), max((int(entry) for entry, *_ in rows), default=0))


def members_since(connection: duckdb.DuckDBPyConnection, *, region: str, since: int) -> set[SourceId]:
    """Return of whom records were withdrawn after an entry of the audit log, and are still."""
    rows = knowledge.read(
        connection,
        f"{_IN_FORCE} SELECT DISTINCT unnest(members) FROM in_force "
        "WHERE coalesce(region, $region) = $region AND entry > $since",
        {"region": region, "since": since, "until": None},
    )
    return {str(row[0]) for row in rows}


def gone_since(connection: duckdb.DuckDBPyConnection, *, region: str, since: int) -> list[Gone]:
    """Return what was withdrawn after an entry of the audit log, and is still.

    Of single stays it is told by month and snapshot; of those that were entered before this was kept, all of a source.
    """
    rows = knowledge.read(
        connection,
        f"{_IN_FORCE} SELECT entry, members, records, looked FROM in_force "
        "WHERE coalesce(region, $region) = $region AND entry > $since ORDER BY entry",
        {"region": region, "since": since, "until": None},
    )
    found: list[Gone] = []
    for entry, members, records, looked in rows:
        found += gone(entry, members or (), list(map(_record, records or ())), looked or ())
    return found


def gone(entry: int, members: Collection[SourceId], records: Collection[Record], looked: Collection[int]) -> list[Gone]:
    """Return what a withdrawal takes back of each source: all, or the single stays that are told."""
    if not records:
        return [Gone(entry, one) for one in members]
    return [Gone(entry, one.source, one.month, frozenset(one.snapshots), frozenset(looked)) for one in records]


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal that was not revoked; task and region are None where a person has no stays to learn from."""

    task: str | None
    region: str | None
    entry: int
    source: SourceId | None
    person: str | None
    stays: tuple[str, ...]
    members: tuple[SourceId, ...]
    records: tuple[Record, ...]


def in_force(
    connection: duckdb.DuckDBPyConnection, *, source: SourceId | None, person: str | None, stay: str | None
) -> list[Withdrawal]:
    """Return every withdrawal of exactly this source, person or stay that was not revoked, in order."""
    return _in_force(
        connection,
        "source = $source OR person = $person OR (source IS NULL AND person IS NULL AND stays = [$stay])",
        {"source": source, "person": person, "stay": stay},
    )


def by_entry(connection: duckdb.DuckDBPyConnection, entries: Collection[int]) -> list[Withdrawal]:
    """Return the withdrawals of some entries of the audit log that were not revoked, in order."""
    return _in_force(connection, "entry IN (SELECT unnest($entries))", {"entries": sorted(entries)})


def _in_force(connection: duckdb.DuckDBPyConnection, which: str, values: Mapping[str, object]) -> list[Withdrawal]:
    rows = knowledge.read(
        connection,
        f"{_IN_FORCE} SELECT task, region, entry, source, person, coalesce(stays, []), coalesce(members, []), "
        f"coalesce(records, []) FROM in_force WHERE {which} ORDER BY entry",
        {**values, "until": None},
    )
    return [
        Withdrawal(task, region, entry, source, person, tuple(stays), tuple(members), tuple(map(_record, records)))
        for task, region, entry, source, person, stays, members, records in rows
    ]


def _record(told: Mapping[str, Any]) -> Record:
    return Record(told["stay"], told["source"], told["month"], tuple(told["snapshots"]))


_IN_FORCE = f"""
WITH counted AS (SELECT * FROM {knowledge.complete("withdrawal")} WHERE $until IS NULL OR entry <= $until),
in_force AS (
    SELECT * FROM counted
    WHERE revokes IS NULL AND entry NOT IN (SELECT revokes FROM counted WHERE revokes IS NOT NULL)
)
"""


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
