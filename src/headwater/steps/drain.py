"""Drain: what rang since the last run, held against lake and register, and what it means for the models."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TypeAlias

import duckdb

from headwater.adapters import inbox, lake, postgres, raw, redis_streams
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.inbox import KINDS, Event, Kind, Posted
from headwater.adapters.knowledge import Run
from headwater.adapters.postgres import Connection
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.steps import audit
from headwater.steps.leaving import Leaving
from headwater.steps.regions import regions
from headwater.steps.withdraw import Taken, withdraw
from headwater.types import SourceId

__all__ = ["DrainReport", "again", "departures", "drain", "events", "finish", "outages", "post", "require_none_aside"]


@dataclass(frozen=True)
class DrainReport:
    """What rang, by the names that models know sources by: a deliverer's event is one of each of its hospitals.

    Parameters
    ----------
    changed : source to the first month that may have changed; None for any
    withdrawn : sources that have left all models
    outages : source to the months in which nothing will come
    events, aside, waiting : taken, set aside, left until marts are built from their snapshot
    swept : how many accepted batches had never rung
    """

    run: str
    changed: Mapping[SourceId, date | None]
    withdrawn: tuple[SourceId, ...]
    outages: Mapping[SourceId, tuple[date, ...]]
    events: int
    aside: int
    waiting: int
    swept: int

    def to_dict(self) -> dict[str, object]:
        """Return JSON-safe values, months as ``2026-01``."""
        counted = {name: getattr(self, name) for name in ("events", "aside", "waiting", "swept")}
        return {
            "run": self.run,
            **counted,
            "changed": {source: _told(month) for source, month in self.changed.items()},
            "withdrawn": list(self.withdrawn),
            "outages": {source: [_told(month) for month in months] for source, months in self.outages.items()},
        }


def drain(home: Home, *, run: str, at: datetime, alone: bool = False) -> DrainReport:
    """Take what waits, let those leave who withdraw, and return what it means.

    Under the same run again it is the same, and what came since. Announced outages are minded by every later month that
    is followed (``outages``).

    Parameters
    ----------
    run : whoever will do something about it, and then calls ``finish``
    at : when, with time zone
    alone : no other run is at work, so that what an earlier one took and never finished is taken again
    """
    return _drained(home, run=run, at=at, alone=alone, kinds=tuple(KINDS))


def departures(home: Home, *, run: str, at: datetime) -> DrainReport:
    """Take the withdrawals that wait and let them leave; all else goes on waiting for whoever follows it.

    Parameters
    ----------
    run, at : as in ``drain``; nothing is left to ``finish``
    """
    return _drained(home, run=run, at=at, alone=False, kinds=("withdrawal",))


def _drained(home: Home, *, run: str, at: datetime, alone: bool, kinds: tuple[Kind, ...]) -> DrainReport:
    postgres.prepare(home)
    with lake.connect(home, threads=1) as opened:
        built, names = raw.built(opened), _names(opened)
    if url := os.environ.get(redis_streams.URL_VARIABLE):
        with postgres.connect(home, autocommit=True) as connection:
            redis_streams.forward(connection, url)
    with postgres.connect(home) as connection:
        swept = inbox.sweep(connection)
        # Whoever is taken out twice is out: a withdrawal that a run left undone waits for nobody else to end.
        inbox.give_back(connection, but=run, kinds=tuple(KINDS) if alone else ("withdrawal",))
        work = partial(_verify, names=names, at=at)
        drained = inbox.drain(connection, run=run, work=work, kinds=kinds, built=built)
    with postgres.connect(home, autocommit=True) as connection:
        inbox.act(connection, run=run, kind="outage", work=partial(_announce, home))
        leave = partial(_leave, home, names, at=at)
        failed = inbox.act(connection, run=run, kind="withdrawal", work=leave)
    events = [event for event in drained.events if event not in failed]
    return DrainReport(
        run=run,
        changed={source: _first(months) for source, months in _of(events, names, "delivery", "claims").items()},
        withdrawn=tuple(_of(events, names, "withdrawal")),
        outages={source: _months(months) for source, months in _of(events, names, "outage").items()},
        events=len(events),
        aside=drained.aside + len(failed),
        waiting=drained.waiting,
        swept=len(swept),
    )


def finish(home: Home, *, run: str, task: str = "stay_cost", followed: Collection[str] | None = None) -> int:
    """Note that a run did all that its events called for, and return how many these were.

    Parameters
    ----------
    followed : regions whose sources were followed for the task; what came of the others' comes again, where they have
        enough sources. None: of all
    """
    left: frozenset[SourceId] = frozenset()
    if followed is not None:
        due = set(regions(home, task=task).usable).difference(followed)
        with lake.connect(home, threads=1) as opened:
            names = _names(opened)
        left = frozenset(name for name, meant in names.items() if any(one.region in due for one in meant))
    with postgres.connect(home) as connection:
        return inbox.finish(connection, run, but=left)


def outages(home: Home, region: Region) -> Callable[[date], frozenset[SourceId]]:
    """Return who of a region's sources announced an outage of a month, as the inbox has it now."""
    postgres.prepare(home)
    with lake.connect(home, threads=1) as opened, postgres.connect(home) as connection:
        names, notices = _names(opened), inbox.outages(connection)
    found: dict[date, set[SourceId]] = {}
    for name, month in notices:
        meant = (one.source for one in names.get(name, ()) if one.region == region.name)
        found.setdefault(month, set()).update(meant)
    return lambda month: frozenset(found.get(month, ()))


def post(home: Home, event: Event) -> bool:
    """Ring; False where the same rang before."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return inbox.post(connection, event)


def events(home: Home, *, state: str | None = None, limit: int = 50) -> tuple[list[Posted], Mapping[str, int]]:
    """Return the newest events of a state, or of all, and the number of events by state."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return inbox.newest(connection, state=state, limit=limit), inbox.counts(connection)


def again(home: Home, event_id: str) -> None:
    """Let an event that was set aside wait again.

    Raises
    ------
    Refusal
        ``E-EVENT-ASIDE`` when no such event lies aside
    """
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        moved = inbox.again(connection, event_id)
    if not moved:
        raise Refusal(
            "E-EVENT-ASIDE",
            Message(f"没有被搁置的事件 {event_id}。", f"No event {event_id} was set aside."),
            Message("用 headwater events list --state aside 查看。", "See headwater events list --state aside."),
        )


def require_none_aside(home: Home) -> int:
    """Refuse while a withdrawal of somebody known lies aside, with its reason; return how many other events do.

    Raises
    ------
    Refusal
        ``E-EVENT-WITHDRAWAL``: somebody withdrew, and may still be learned from
    """
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        aside = inbox.aside(connection)
    # Who has no records is not learned from.
    left = [one for one in aside if one.event.kind == "withdrawal" and one.code != "E-WITHDRAW-UNKNOWN"]
    if left:
        first = left[0]
        reason = first.reason or Message("", "")
        raise Refusal(
            "E-EVENT-WITHDRAWAL",
            Message(
                f"{len(left)} 个退出尚未完成；首个是“{first.event.source_id}”（{first.code}）：{reason.zh}",
                f"{len(left)} withdrawals are not done; the first is of {first.event.source_id} ({first.code}): "
                f"{reason.en}",
            ),
            Message(
                "用 headwater events list --state aside 查看，排除原因后用 headwater events again 重新排队。",
                "See headwater events list --state aside; mend the cause, then headwater events again.",
            ),
        )
    return len(aside)


@dataclass(frozen=True, order=True)
class _Hospital:
    """Region, deliverer and code of a hospital, and what its region's models call it."""

    region: str
    deliverer: str
    code: str
    source: SourceId


_Names: TypeAlias = Mapping[str, tuple[_Hospital, ...]]
"""The hospitals that a name means: a code, ``deliverer:code``, or a deliverer that is no hospital's code as well."""


def _names(connection: duckdb.DuckDBPyConnection) -> _Names:
    try:
        known = [_Hospital(*row) for row in connection.execute(_LISTED).fetchall()]
    except duckdb.CatalogException:
        known = []
    found: dict[str, set[_Hospital]] = {}
    for one in known:
        for name in (one.code, f"{one.deliverer}:{one.code}"):
            found.setdefault(name, set()).add(one)
    for deliverer in {one.deliverer for one in known} - {one.code for one in known}:
        found[deliverer] = {one for one in known if one.deliverer == deliverer}
    return {name: tuple(sorted(meant)) for name, meant in found.items()}


# Models know a hospital by its code, if one delivers it.
_LISTED = """
WITH hospital AS (
    SELECT DISTINCT region, source_id, fixmedins_code AS code FROM lake.marts.dim_hospital
)
SELECT region, source_id, code,
       CASE WHEN count(*) OVER (PARTITION BY region, code) > 1 THEN source_id || ':' || code ELSE code END
FROM hospital ORDER BY ALL
"""


def _verify(connection: Connection, event: Event, *, names: _Names, at: datetime) -> None:
    """Refuse an event whose truth is not where it says: a doorbell at a house that is not there."""
    meant = names.get(event.source_id, ())
    if event.kind == "delivery":
        row = connection.execute(
            "select state from ops.batch where batch_id = %s and source_id = %s", (event.batch_id, event.source_id)
        ).fetchone()
        # One that was superseded meanwhile has a later event of its own, and is looked at again all the same.
        if row is None or row[0] not in ("loaded", "superseded", "received"):
            raise _no_batch(event)
    # Who is in a model and delivers no more may leave it all the same: withdrawing tells who is unknown.
    elif event.kind != "withdrawal" and not meant:
        raise _no_source(event)
    if event.kind == "withdrawal" and event.period is not None:
        raise _month("来源整体退出，不能只退出某月。", "A source withdraws as a whole, not one month of it.")
    if event.kind == "outage":
        _require_near(event.period, at)
    if event.kind in ("withdrawal", "outage") and event.source_id in {one.code for one in meant}:
        _require_one_region(event, meant)


def _require_near(month: date | None, at: datetime) -> None:
    """Refuse a notice of no month, or of one that nobody can know anything about yet."""
    if month is None:
        raise _month("中断通知须指明月份。", "An outage notice must name its month.")
    if 12 * (month.year - at.year) + month.month - at.month > _AHEAD:
        raise _month(
            f"中断通知最多提前 {_AHEAD} 个月，{month:%Y-%m} 过远。",
            f"An outage is announced {_AHEAD} months ahead at most; {month:%Y-%m} is too far.",
        )


_AHEAD = 12


def _require_one_region(event: Event, meant: Collection[_Hospital]) -> None:
    """Refuse a code under which several regions know a hospital: one of them would speak for the other."""
    if len({one.region for one in meant}) > 1:
        names = " ".join(sorted({f"{one.deliverer}:{one.code}" for one in meant}))
        raise Refusal(
            "E-EVENT-SEVERAL",
            Message(
                f"多个统筹区都有编号为“{event.source_id}”的医院。",
                f"Several regions have a hospital {event.source_id}.",
            ),
            Message(f"请写明送报方：{names}。", f"Name its deliverer as well: {names}."),
        )


def _leave(home: Home, names: _Names, event: Event, *, at: datetime) -> None:
    """Let every hospital that the event means leave, whatever becomes of the others; then raise what went wrong."""
    faults: list[HeadwaterError] = []
    taken: list[Taken] = []
    for source in _leaving(names, event.source_id):
        run = Run(f"event {event.event_id[:16]} {source} {at:%Y-%m-%dT%H:%M:%SZ}", at, seed=0)
        signed = event.source_id, f"event {event.event_id}"
        try:
            taken += withdraw(home, run=run, leaving=Leaving(source), signed=signed).taken
        except HeadwaterError as error:
            faults.append(error)
    for one in taken:
        if one.code == "E-WITHDRAW-FAILED":
            # No fault of the event's, as where a registry does not answer: it stays taken, and is tried again.
            raise RuntimeError(str(one.why))
        if one.outcome in ("sums", "failed"):
            faults.append(Refusal(one.code or "E-WITHDRAW-SUMS", one.why, one.remedy or _AGAIN))
    # Of a deliverer's hospitals some may have no stays yet.
    if faults := [fault for fault in faults if not taken or fault.code != "E-WITHDRAW-UNKNOWN"]:
        raise faults[0]


def _leaving(names: _Names, name: str) -> list[SourceId]:
    """Return who leaves by a name: itself, or all hospitals of a deliverer, and of no other that has the same code."""
    meant = names.get(name, ())
    if meant and all(one.deliverer == name != one.code for one in meant):
        return sorted({f"{one.deliverer}:{one.code}" for one in meant})
    return [name]


def _announce(home: Home, event: Event) -> None:
    audit.enter(home, "outage", {"source": event.source_id, "month": _told(event.period), "event": event.event_id})


_AGAIN = Message("排除原因后，用 headwater events again 重新排队。", "Mend the cause, then headwater events again.")


def _of(events: Iterable[Event], names: _Names, *kinds: Kind) -> dict[SourceId, list[date | None]]:
    """Return source to the months that events of some kinds name."""
    found: dict[SourceId, list[date | None]] = {}
    for event in events:
        if event.kind in kinds:
            for source in {one.source for one in names.get(event.source_id, ())} or {event.source_id}:
                found.setdefault(source, []).append(event.period)
    return dict(sorted(found.items()))


def _months(months: Iterable[date | None]) -> tuple[date, ...]:
    return tuple(sorted({month for month in months if month}))


def _first(months: Iterable[date | None]) -> date | None:
    """Return the first of some months; None, which stands for any, comes before all."""
    return min(months, key=lambda month: month or date.min)


def _told(month: date | None) -> str | None:
    return f"{month:%Y-%m}" if month else None


def _no_batch(event: Event) -> Refusal:
    return Refusal(
        "E-EVENT-BATCH",
        Message(
            f"来源“{event.source_id}”没有入库批次 {event.batch_id}。",
            f"Source {event.source_id} has no loaded batch {event.batch_id}.",
        ),
        Message("先入库，再用 headwater events again 重新排队。", "Land it, then run headwater events again."),
    )


def _no_source(event: Event) -> Refusal:
    return Refusal(
        "E-EVENT-SOURCE",
        Message(f"没有来源“{event.source_id}”。", f"There is no source {event.source_id}."),
        Message("请核对来源编号；见 headwater deliveries。", "Check its name: headwater deliveries."),
    )


def _month(zh: str, en: str) -> Refusal:
    remedy = Message(
        "请改正后重新登记：headwater events post。", "Post it again as it is meant: headwater events post."
    )
    return Refusal("E-EVENT-MONTH", Message(zh, en), remedy)
