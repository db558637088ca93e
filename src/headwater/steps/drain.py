"""Drain: what rang since the last run, held against lake and register, as the sources that have to be looked at."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import duckdb

from headwater.adapters import inbox, lake, postgres, raw, redis_streams
from headwater.adapters.home import Home
from headwater.adapters.inbox import Drained, Event, Kind, Posted
from headwater.adapters.postgres import Connection
from headwater.errors import Message, Refusal
from headwater.types import SourceId

__all__ = ["DrainReport", "again", "drain", "events", "finish", "post"]


@dataclass(frozen=True)
class DrainReport:
    """What rang, by the names that models know sources by: a deliverer's event is one of each of its hospitals.

    Parameters
    ----------
    changed : source to the first month that may have changed; None for any
    withdrawn : sources that take back what they said, likewise
    outages : source to the months in which nothing will come
    events, aside, waiting : taken, set aside, left until marts are built from their snapshot
    swept : how many accepted batches had never rung
    """

    run: str
    changed: Mapping[SourceId, date | None]
    withdrawn: Mapping[SourceId, date | None]
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
            "withdrawn": {source: _told(month) for source, month in self.withdrawn.items()},
            "outages": {source: [_told(month) for month in months] for source, months in self.outages.items()},
        }


def drain(home: Home, *, run: str, alone: bool = False) -> DrainReport:
    """Take what waits and return what it means; under the same run again, the same and what came since.

    Parameters
    ----------
    run : whoever will do something about it, and then calls ``finish``
    alone : no other run is at work, so that what an earlier one took and never finished is taken again
    """
    postgres.prepare(home)
    with lake.connect(home, threads=1) as opened:
        built, hospitals = raw.built(opened), _hospitals(opened)
    if url := os.environ.get(redis_streams.URL_VARIABLE):
        with postgres.connect(home, autocommit=True) as connection:
            redis_streams.forward(connection, url)
    with postgres.connect(home) as connection:
        swept = inbox.sweep(connection)
        if alone:
            inbox.give_back(connection, but=run)
        work = partial(_verify, known=hospitals)
        drained = inbox.drain(connection, run=run, work=work, built=built)
    return _report(drained, hospitals, swept=len(swept))


def finish(home: Home, *, run: str) -> int:
    """Note that a run did all that its events called for, and return how many these were."""
    with postgres.connect(home) as connection:
        return inbox.finish(connection, run)


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


def _hospitals(connection: duckdb.DuckDBPyConnection) -> dict[SourceId, tuple[SourceId, ...]]:
    """Return the sources that models know by each name that an event may use: a deliverer's or their own."""
    query = "SELECT DISTINCT source_id, fixmedins_code FROM lake.marts.dim_hospital ORDER BY ALL"
    try:
        rows = connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return {}
    found: dict[SourceId, tuple[SourceId, ...]] = {str(code): (str(code),) for _, code in rows}
    for deliverer in {str(row[0]) for row in rows} - set(found):
        found[deliverer] = tuple(str(code) for source, code in rows if source == deliverer)
    return found


def _verify(connection: Connection, event: Event, *, known: Iterable[SourceId]) -> None:
    """Refuse an event whose truth is not where it says: a doorbell at a house that is not there."""
    if event.kind == "delivery":
        row = connection.execute(
            "select state from ops.batch where batch_id = %s and source_id = %s", (event.batch_id, event.source_id)
        ).fetchone()
        # One that was superseded meanwhile has a later event of its own, and is looked at again all the same.
        if row is None or row[0] not in ("loaded", "superseded", "received"):
            raise _no_batch(event)
    elif event.source_id not in known:
        raise _no_source(event)


def _report(drained: Drained, hospitals: Mapping[SourceId, tuple[SourceId, ...]], *, swept: int) -> DrainReport:
    def of(*kinds: Kind) -> dict[SourceId, list[date | None]]:
        found: dict[SourceId, list[date | None]] = {}
        for event in drained.events:
            if event.kind in kinds:
                for source in hospitals.get(event.source_id, (event.source_id,)):
                    found.setdefault(source, []).append(event.period)
        return dict(sorted(found.items()))

    outages = {source: tuple(sorted({m for m in months if m})) for source, months in of("outage").items()}
    return DrainReport(
        run=drained.run,
        changed={source: _first(months) for source, months in of("delivery", "claims").items()},
        withdrawn={source: _first(months) for source, months in of("withdrawal").items()},
        outages=outages,
        events=len(drained.events),
        aside=drained.aside,
        waiting=drained.waiting,
        swept=swept,
    )


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
