"""Leaving: who withdraws, what of theirs is in a model's statistic, and the statistic without it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import features, withdrawals
from headwater.adapters.held import Held
from headwater.adapters.learners import Learner
from headwater.adapters.versions import Line
from headwater.adapters.withdrawals import Left
from headwater.errors import Message, Refusal
from headwater.evolution import BASE, Growth
from headwater.federation import TableSource
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Leaving", "Places", "found", "shrunk"]


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

    @property
    def told(self) -> dict[str, str]:
        """What logs and certificates say: a person's token and a stay by their SHA-256 only."""
        hidden = {"person_sha256": self.person, "stay_sha256": self.stay}
        told = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in hidden.items() if text}
        return {"source": self.source, **told} if self.source else told


@dataclass(frozen=True)
class Places:
    """Where the records of whoever withdraws are, of one task in one region.

    Parameters
    ----------
    task, region : None where there are none that could be learned from
    stays : single ones, sorted; none of a source, which withdraws as a whole
    members : of whom records are withdrawn: sources by every name that versions have for them, and ``target`` for the
        bureau's own sample
    """

    task: str | None
    region: str | None
    stays: tuple[str, ...]
    members: tuple[SourceId, ...]


def found(
    connection: duckdb.DuckDBPyConnection, leaving: Leaving, *, snapshot: int, lines: Sequence[Line]
) -> list[Places]:
    """Return where records of whoever withdraws are or were when a version was made; nowhere is refused.

    It is every task and region, for who withdraws takes records back, whatever is learned from them. A source is named
    by its code, whoever delivers it, or as ``deliverer:code``. A person who has stays, but none that any task learns
    from, is in one place without a task and region.

    Parameters
    ----------
    snapshot : the newest
    lines : all versions
    """
    marts = features.tasks(connection)
    snapshots = {task: {line.snapshot for line in lines if line.task == task} for task in {one.task for one in lines}}
    for task in marts:
        snapshots.setdefault(task, set()).add(snapshot)
    rows = [
        (task, *row)
        for task in sorted(snapshots)
        for at in sorted(snapshots[task])
        for row in _at(connection, leaving, f"marts.feat_{task}", snapshot=at)
    ]
    rows += [(line.task, line.region, None, leaving.source) for line in lines if leaving.source in line.sources]
    if rows:
        return [_places(task, region, rows) for task, region in sorted({(task, region) for task, region, *_ in rows})]
    if leaving.person and any(_stays(connection, leaving, snapshot=at) for at in set().union(*snapshots.values())):
        return [Places(None, None, (), ())]
    raise _unknown()


_Row: TypeAlias = tuple[str, str | None, SourceId | None]
"""Region, a single stay, and of whom records are withdrawn."""


def _at(connection: duckdb.DuckDBPyConnection, leaving: Leaving, mart: str, *, snapshot: int) -> list[_Row]:
    hospitals = features.hospitals(connection, mart, snapshot=snapshot)
    if leaving.source is not None:
        return _named(hospitals, leaving.source)
    stays = features.where(connection, mart, _stays(connection, leaving, snapshot=snapshot), snapshot=snapshot)
    return _at_members(hospitals, stays)


def _places(task: str, region: str, rows: Sequence[tuple[str, *_Row]]) -> Places:
    here = [(stay, member) for *where, stay, member in rows if where == [task, region]]
    return Places(
        task,
        region,
        tuple(sorted({stay for stay, _ in here if stay is not None})),
        tuple(sorted({member for _, member in here if member is not None})),
    )


def _named(hospitals: pa.Table, source: SourceId) -> list[_Row]:
    wanted = Left(frozenset({source}), frozenset(), 0)
    regions = pc.unique(hospitals["region"]).to_pylist()
    parts = {region: hospitals.filter(pc.equal(hospitals["region"], region)) for region in regions}
    return [(region, None, name) for region, part in parts.items() for name in wanted.named(part)]


def _at_members(hospitals: pa.Table, stays: Sequence[tuple[str, str, str, str, str]]) -> list[_Row]:
    names = {(one["region"], one["source_id"], one["hospital"]): one["source"] for one in hospitals.to_pylist()}
    return [
        (region, stay, {"source": names[region, deliverer, hospital], "target_train": BASE}.get(split))
        for region, stay, split, deliverer, hospital in stays
    ]


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
    own = rows.filter(pc.equal(rows["split"], "target_train"))
    if held.until is not None:
        own = own.filter(pc.less_equal(own["month"], pa.scalar(held.until, own["month"].type)))
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


def _unknown() -> Refusal:
    return Refusal(
        "E-WITHDRAW-UNKNOWN",
        Message("没有属于它的住院记录，未作任何改动。", "No stays are of it; nothing was changed."),
        Message(
            "请核对来源代码、个人标识（psn_no 的假名）或住院号。",
            "Check the source's code, the person's token (the pseudonym in psn_no) or the stay.",
        ),
    )
