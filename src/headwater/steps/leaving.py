"""Leaving: who withdraws, what of theirs is in a model's statistic, and the statistic without it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import audit, features, postgres, versions, withdrawals
from headwater.adapters.held import Held
from headwater.adapters.home import Home
from headwater.adapters.learners import Learner
from headwater.adapters.withdrawals import Gone, Left, Record, Withdrawal
from headwater.errors import Message, Refusal
from headwater.evolution import BASE, Growth
from headwater.federation import TableSource
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Basis", "Leaving", "Places", "bases_of", "found", "shrunk"]


@dataclass(frozen=True)
class Leaving:
    """Who withdraws: exactly one of a source, a person by token, or one stay."""

    source: SourceId | None = None
    person: str | None = None
    stay: str | None = None

    def __post_init__(self) -> None:
        if sum(one is not None and one != "" for one in (self.source, self.person, self.stay)) != 1:
            raise Refusal(
                "E-WITHDRAW-WHO",
                Message("须且只能指明来源、个人或住院之一。", "Exactly one of source, person and stay must be named."),
                Message("例如 --source H0101。", "For example --source H0101."),
            )

    @staticmethod
    def of(one: Withdrawal) -> "Leaving":
        """Return who withdrew."""
        if one.source or one.person:
            return Leaving(one.source, one.person)
        return Leaving(stay=one.stays[0])

    @property
    def told(self) -> dict[str, str]:
        """What logs and certificates say: a person's token and a stay by their SHA-256 only."""
        hidden = {"person_sha256": self.person, "stay_sha256": self.stay}
        told = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in hidden.items() if text}
        return {"source": self.source, **told} if self.source else told


@dataclass(frozen=True)
class Basis:
    """What a version was made from, or what a joint run that is planned will be.

    Parameters
    ----------
    snapshot : None where nobody need look, as the version may not serve
    """

    task: str
    region: str
    snapshot: int | None
    sources: tuple[SourceId, ...]


def bases_of(home: Home, connection: duckdb.DuckDBPyConnection) -> list[Basis]:
    """Return what was learned from, and what joint runs will be that were planned and are no version yet."""
    lines = versions.lines(connection)
    concluded = {line.entry for line in lines}
    with postgres.connect(home) as ops:
        plans = [json.loads(one.body) for one in audit.entries(ops, kind="plan") if one.number not in concluded]
    return [
        *(Basis(line.task, line.region, line.snapshot, line.sources) for line in lines),
        *(Basis(told["task"], told["region"], told["snapshot"], tuple(told["cities"])) for told in plans),
    ]


@dataclass(frozen=True)
class Places:
    """Where the records of whoever withdraws are, of one task in one region.

    Parameters
    ----------
    task, region : None where there are none that could be learned from
    stays : single ones, sorted; none of a source, which withdraws as a whole
    members : of whom records are withdrawn: sources by every name that versions have for them, and ``target`` for the
        bureau's own sample
    records : single stays as they stand where they count
    looked : snapshots in which they were looked for, sorted
    """

    task: str | None
    region: str | None
    stays: tuple[str, ...]
    members: tuple[SourceId, ...]
    records: tuple[Record, ...] = ()
    looked: tuple[int, ...] = ()

    @property
    def gone(self) -> list[Gone]:
        """What would be taken back of each source, before it has an entry."""
        return withdrawals.gone(0, self.members, self.records, self.looked)

    def beyond(self, known: Sequence[Withdrawal]) -> "Places":
        """Return what some withdrawals of the same, from the same task and region, do not tell of."""
        if not self.stays:
            members = {member for one in known for member in one.members}
            return replace(self, members=tuple(one for one in self.members if one not in members))
        stays = {stay for one in known for stay in one.stays}
        # Of a withdrawal that tells of no records, that of a stay is known which it names.
        told = {(one.stay, one.source, one.month) for each in known for one in each.records}
        named = {stay for one in known if not one.records for stay in one.stays}
        records = [
            one for one in self.records if one.stay not in named and (one.stay, one.source, one.month) not in told
        ]
        new = {stay for stay in self.stays if stay not in stays} | {one.stay for one in records}
        members = {one.source for one in records}
        return replace(self, stays=tuple(sorted(new)), members=tuple(sorted(members)), records=tuple(records))


def found(
    connection: duckdb.DuckDBPyConnection, leaving: Leaving, *, snapshot: int, bases: Sequence[Basis]
) -> list[Places]:
    """Return where records of whoever withdraws are, or were when something was made of them; nowhere is refused.

    It is every task and region, for who withdraws takes records back, whatever is learned from them. A source is named
    by its code, whoever delivers it, or as ``deliverer:code``. A person who has stays, but none that any task learns
    from, is in one place without a task and region.

    Parameters
    ----------
    snapshot : the newest
    bases : of all versions and plans; where the lake keeps the snapshot of one no more, its sources are known by name
    """
    rows, looked, unread = _search(connection, leaving, snapshot, bases)
    rows += [
        _Row(basis.task, basis.region, None, name)
        for basis in bases
        for name in basis.sources
        if leaving.source in (name, name.rpartition(":")[2])
    ]
    if rows:
        there = sorted({(row.task, row.region) for row in rows})
        return [_places(*one, [row for row in rows if (row.task, row.region) == one], looked[one[0]]) for one in there]
    seen = set[int]().union(*looked.values())
    if leaving.person and any(_stays(connection, leaving, snapshot=at) for at in seen):
        return [Places(None, None, (), ())]
    raise _unknown(unread)


@dataclass(frozen=True)
class _Row:
    """One record, or one source as a whole, in a snapshot."""

    task: str
    region: str
    stay: str | None
    member: SourceId | None
    month: date | None = None
    snapshot: int = 0


def _search(
    connection: duckdb.DuckDBPyConnection, leaving: Leaving, snapshot: int, bases: Sequence[Basis]
) -> tuple[list[_Row], dict[str, list[int]], list[int]]:
    """Return what was found, the snapshots that were looked at by task, and those that cannot be read any more."""
    wanted = {(task, snapshot) for task in features.tasks(connection)}
    wanted |= {(basis.task, basis.snapshot) for basis in bases if basis.snapshot is not None}
    rows: list[_Row] = []
    looked: dict[str, list[int]] = {basis.task: [] for basis in bases}
    unread: list[int] = []
    for task, at in sorted(wanted):
        try:
            rows += _at(connection, leaving, task, snapshot=at)
        # The lake keeps it no more, or its mart had another layout then. That must not keep anybody from leaving.
        except (Refusal, duckdb.InvalidInputException, duckdb.CatalogException, duckdb.BinderException):
            if at == snapshot:
                raise
            unread.append(at)
        else:
            looked.setdefault(task, []).append(at)
    return rows, looked, unread


def _at(connection: duckdb.DuckDBPyConnection, leaving: Leaving, task: str, *, snapshot: int) -> list[_Row]:
    mart = f"marts.feat_{task}"
    hospitals = features.hospitals(connection, mart, snapshot=snapshot)
    if leaving.source is not None:
        wanted = Left(frozenset({leaving.source}), frozenset(), 0)
        regions = pc.unique(hospitals["region"]).to_pylist()
        parts = {region: hospitals.filter(pc.equal(hospitals["region"], region)) for region in regions}
        return [_Row(task, region, None, name) for region, part in parts.items() for name in wanted.named(part)]
    names = {(one["region"], one["source_id"], one["hospital"]): one["source"] for one in hospitals.to_pylist()}
    stays = features.where(connection, mart, _stays(connection, leaving, snapshot=snapshot), snapshot=snapshot)
    return [
        _Row(task, region, stay, _member(split, names[region, deliverer, hospital]), month, snapshot)
        for region, stay, split, deliverer, hospital, month in stays
    ]


def _member(split: str, source: SourceId) -> SourceId | None:
    """Return in whose statistic a stay counts: its source's, the bureau's own, or none."""
    return {"source": source, "target_train": BASE}.get(split)


def _places(task: str, region: str, rows: Sequence[_Row], looked: Sequence[int]) -> Places:
    records: dict[tuple[str, SourceId, date], set[int]] = {}
    for row in rows:
        if row.stay is not None and row.member is not None and row.month is not None:
            records.setdefault((row.stay, row.member, row.month), set()).add(row.snapshot)
    return Places(
        task,
        region,
        tuple(sorted({row.stay for row in rows if row.stay is not None})),
        tuple(sorted({row.member for row in rows if row.member is not None})),
        tuple(Record(*one, tuple(sorted(there))) for one, there in sorted(records.items())),
        tuple(looked) if records else (),
    )


def _stays(connection: duckdb.DuckDBPyConnection, leaving: Leaving, *, snapshot: int) -> set[str]:
    if leaving.stay:
        return {leaving.stay}
    return withdrawals.stays_of_person(connection, [str(leaving.person)], snapshot=snapshot)


def shrunk(held: Held, left: Left, stays: pa.Table, *, learner: Learner, parameters: Vector) -> Growth:
    """Return the growth without all that left; the same where nothing of it was in there.

    A source's own statistic is held and subtracted. Of single stays the statistic is computed where their records are,
    under the very question that their source answered, and subtracted.

    Parameters
    ----------
    stays : of the version's snapshot, as ``features.stays_of`` gives them
    parameters : of the version, whose exact part the statistic is of
    """
    growth = held.growth
    for source in sorted(left.named(stays) & set(growth.members)):
        growth = growth.remove(source)
    rows = stays.filter(pc.is_in(stays.column("stay_id"), pa.array(sorted(left.stays), pa.string())))
    for source in sorted({*rows.column("source").to_pylist()} & set(growth.members)):
        mine = rows.filter(pc.and_(pc.equal(rows["source"], source), pc.equal(rows["split"], "source")))
        part = _statistic(source, mine, learner, parameters, months=held.months.get(source) or None)
        growth = growth.reduce(source, part) if part else growth
    own = held.own(rows.filter(pc.equal(rows["split"], "target_train")))
    part = _statistic(BASE, own, learner, parameters)
    return growth.reduce(BASE, Statistic.total([part] * held.weight)) if part else growth


def _statistic(
    source: SourceId,
    rows: pa.Table,
    learner: Learner,
    parameters: Vector,
    *,
    months: tuple[date, ...] | None = None,
) -> Statistic | None:
    """Return the statistic of single stays, None where none of them was asked about."""
    if months is not None:
        rows = rows.filter(pc.is_in(rows["month"], value_set=pa.array(months, type=rows["month"].type)))
    return TableSource(source, rows).answer(learner.exact(parameters)) if rows.num_rows else None


def _unknown(unread: Sequence[int]) -> Refusal:
    numbers = ", ".join(map(str, unread))
    there = (f"（快照 {numbers} 已不可读）", f" (snapshots {numbers} are kept no more)") if unread else ("", "")
    return Refusal(
        "E-WITHDRAW-UNKNOWN",
        Message(
            f"没有属于它的住院记录{there[0]}，未作任何改动。", f"No stays are of it{there[1]}; nothing was changed."
        ),
        Message(
            "请核对来源代码、个人标识（psn_no 的假名）或住院号。",
            "Check the source's code, the person's token (the pseudonym in psn_no) or the stay.",
        ),
    )
