"""The inbox of events in PostgreSQL: posted once, taken in their order, each with what was done about it or not at all.

An event is only a doorbell. What it says is read from lake and batches; so an event that is lost costs nothing but time
(``sweep`` finds it), and one that rings twice costs nothing at all (its identity is its content).
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg.rows import dict_row

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.types import SourceId

__all__ = [
    "KINDS",
    "Drained",
    "Event",
    "Kind",
    "Posted",
    "Work",
    "act",
    "again",
    "aside",
    "counts",
    "drain",
    "finish",
    "give_back",
    "newest",
    "outages",
    "post",
    "sweep",
]

Kind: TypeAlias = Literal["delivery", "claims", "withdrawal", "outage"]

KINDS: Mapping[Kind, Message] = {
    "delivery": Message("送报入库", "delivery accepted"),
    "claims": Message("新结算", "claims came"),
    "withdrawal": Message("撤回", "withdrawal"),
    "outage": Message("中断通知", "outage notice"),
}

_AT_ONCE = 10_000
_FIELDS = "source_id, kind, period, batch_id, sha256, snapshot_id"
_WAITING = "state = 'waiting', run = null, code = null, reason_zh = null, reason_en = null"
_LOST = """
select batch.source_id, batch.batch_id, batch.sha256, batch.snapshot_id from ops.batch as batch
where batch.state = 'loaded' and not exists (
    select from ops.event as event
    where event.kind = 'delivery' and event.batch_id = batch.batch_id and event.snapshot_id = batch.snapshot_id
)
order by batch.loaded_at, batch.batch_id
"""


@dataclass(frozen=True)
class Event:
    """Something came from a source, or will not come.

    Parameters
    ----------
    period : first day of the month that it concerns; None for what a batch holds, or for all
    batch_id : of ``ops.batch``, or whatever name its sender has for it
    sha256 : of what was sent, in hexadecimal
    snapshot_id : of the lake, with what was sent in it; until marts are built from that one the event waits
    """

    source_id: SourceId
    kind: Kind
    period: date | None = None
    batch_id: str | None = None
    sha256: str | None = None
    snapshot_id: int | None = None

    @property
    def event_id(self) -> str:
        """SHA-256 of the content: the same thing told twice is one event."""
        said = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
        return hashlib.sha256(said.encode()).hexdigest()


Work: TypeAlias = Callable[[psycopg.Connection, Event], None]
"""What is done about one event, in its transaction; what it raises sets the event aside."""


@dataclass(frozen=True)
class Posted:
    """An event as it stands in the inbox.

    Parameters
    ----------
    state : ``waiting``, ``taken`` by a run that has not ended, ``done``, or ``aside``
    run : that took it, or set it aside
    code, reason : why it was set aside
    """

    event: Event
    posted_at: datetime
    state: str
    run: str | None
    code: str | None
    reason: Message | None

    def to_dict(self) -> dict[str, object]:
        """Return plain values, the reason in both languages."""
        reason = {"zh": self.reason.zh, "en": self.reason.en} if self.reason else None
        mine = {"event_id": self.event.event_id, **asdict(self.event), "posted_at": self.posted_at}
        return {**mine, "state": self.state, "run": self.run, "code": self.code, "reason": reason}


@dataclass(frozen=True)
class Drained:
    """What a run took: its events in their order, how many it set aside, and how many wait for marts to be built."""

    run: str
    events: tuple[Event, ...]
    aside: int
    waiting: int


def post(connection: psycopg.Connection, event: Event) -> bool:
    """Put an event into the inbox; False where it lies there already, whatever became of it.

    Whoever withdraws again is heard again, for the withdrawal may have been revoked, or refused, in between.
    """
    if event.kind not in KINDS:
        raise _unknown_kind(event.kind)
    found = connection.execute(
        f"insert into ops.event as had (event_id, {_FIELDS}) values (%s, %s, %s, %s, %s, %s, %s) "
        f"on conflict (event_id) do update set {_WAITING} "
        "where had.kind = 'withdrawal' and had.state in ('done', 'aside') returning event_id",
        (event.event_id, *asdict(event).values()),
    ).fetchone()
    return found is not None


def sweep(connection: psycopg.Connection) -> tuple[Event, ...]:
    """Ring for every accepted batch that never rang, e.g. of an earlier version, and return these events."""
    rows = connection.execute(_LOST).fetchall()
    lost = [Event(row[0], "delivery", batch_id=row[1], sha256=row[2], snapshot_id=row[3]) for row in rows]
    return tuple(event for event in lost if post(connection, event))


def drain(
    connection: psycopg.Connection,
    *,
    run: str,
    work: Work,
    kinds: Collection[Kind] = tuple(KINDS),
    built: int | None = None,
    limit: int = _AT_ONCE,
) -> Drained:
    """Take what waits, the oldest first, and do ``work`` about each, all in one transaction.

    Killed in between, nothing was taken and nothing was done. Drains follow each other, so two never take the same. The
    same run drained again, as a task that is repeated does, gives what it took before and whatever came since.

    Parameters
    ----------
    run : on whose behalf; what it took is done when ``finish`` says so
    work : an event for which it raises is set aside with the reason, and what it did about it is undone; only a
        server that is gone, or would not, ends the drain
    kinds : only events of these
    built : the snapshot that the marts stand on; None where there are none. Events of later ones wait
    limit : how many events at most
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('headwater.drain'))")
        connection.execute("insert into ops.drain (run) values (%s) on conflict do nothing", (run,))
        connection.execute("update ops.drain set finished_at = null where run = %s", (run,))
        rows = _read(
            connection,
            "state = 'waiting' and kind = any(%s) and (snapshot_id is null or snapshot_id <= %s) "
            "order by place limit %s",
            (list(kinds), -1 if built is None else built, limit),
        )
        aside = sum(not _done(connection, run, one.event, work) for one in rows)
        mine = _read(connection, "run = %s and state in ('taken', 'done') order by place", (run,))
        waiting = counts(connection)["waiting"]
    return Drained(run, tuple(one.event for one in mine), aside, waiting)


def act(connection: psycopg.Connection, *, run: str, kind: Kind, work: Callable[[Event], None]) -> tuple[Event, ...]:
    """Do what no transaction holds about each event of a kind that a run took, and return those set aside for it.

    Each is done when its work has ended. Killed in between it stands as taken, and comes again with its work, which
    must do no harm twice. What refuses an event sets it aside; any other fault says nothing about it, so that it stays
    taken, and is raised when the others are done. No lock is held meanwhile: the connection must commit by itself.
    """
    if not connection.autocommit:
        raise ValueError("an event would be locked while its work is done")
    aside, faults = [], []
    for posted in _read(connection, "run = %s and kind = %s and state = 'taken' order by place", (run, kind)):
        try:
            work(posted.event)
        except HeadwaterError as error:
            _put_aside(connection, run, posted.event, error)
            aside.append(posted.event)
        except Exception as error:  # noqa: BLE001
            faults.append(error)
        else:
            connection.execute("update ops.event set state = 'done' where event_id = %s", (posted.event.event_id,))
    if faults:
        raise faults[0]
    return tuple(aside)


def finish(connection: psycopg.Connection, run: str, *, but: Collection[SourceId] = ()) -> int:
    """Note that all is done about what a run took, and return how many events these are.

    Parameters
    ----------
    but : sources that could not be followed; what came of them stands as taken, so that it is given back
    """
    with connection.transaction():
        connection.execute("update ops.drain set finished_at = clock_timestamp() where run = %s", (run,))
        done = connection.execute(
            "update ops.event set state = 'done' where run = %s and state = 'taken' "
            "and not (kind in ('delivery', 'claims') and source_id = any(%s))",
            (run, list(but)),
        )
    return done.rowcount


def outages(connection: psycopg.Connection) -> frozenset[tuple[SourceId, date]]:
    """Return the months for which outages were announced and accepted, by the names that the notices use."""
    rows = connection.execute(
        "select source_id, period from ops.event where kind = 'outage' and state in ('taken', 'done')"
    ).fetchall()
    return frozenset((str(source), month) for source, month in rows if month is not None)


def give_back(connection: psycopg.Connection, *, but: str, kinds: Collection[Kind] = tuple(KINDS)) -> int:
    """Let what runs took that never ended wait again, and return how many events these are.

    Parameters
    ----------
    but : the run that asks; it must know that none of the others is still at work
    kinds : only events of these; of one that does no harm twice, others may be at work
    """
    return connection.execute(
        "update ops.event set state = 'waiting', run = null where state = 'taken' and run <> %s and kind = any(%s)",
        (but, list(kinds)),
    ).rowcount


def again(connection: psycopg.Connection, event_id: str) -> bool:
    """Let an event that was set aside wait again, once its cause is mended; False if it does not lie aside."""
    moved = connection.execute(f"update ops.event set {_WAITING} where event_id = %s and state = 'aside'", (event_id,))
    return moved.rowcount > 0


def counts(connection: psycopg.Connection) -> Counter[str]:
    """Return the number of events by state."""
    rows = connection.execute("select state, count(*) from ops.event group by state").fetchall()
    return Counter({str(state): int(count) for state, count in rows})


def aside(connection: psycopg.Connection) -> list[Posted]:
    """Return all events that lie aside, the oldest first."""
    return _read(connection, "state = 'aside' order by place", ())


def newest(connection: psycopg.Connection, *, state: str | None = None, limit: int = 50) -> list[Posted]:
    """Return the newest events of a state, or of all."""
    return _read(connection, "(%s::text is null or state = %s) order by place desc limit %s", (state, state, limit))


def _done(connection: psycopg.Connection, run: str, event: Event, work: Work) -> bool:
    """Do the work about one event and mark it, or set it aside; the work's own effects stand or fall with that."""
    try:
        with connection.transaction():
            work(connection, event)
    # A server that is gone says nothing about the event: it is taken again.
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    # Whatever an event does to the work, it must not keep the others from being taken.
    except Exception as error:  # noqa: BLE001
        _put_aside(connection, run, event, error)
        return False
    connection.execute("update ops.event set state = 'taken', run = %s where event_id = %s", (run, event.event_id))
    return True


def _put_aside(connection: psycopg.Connection, run: str, event: Event, error: Exception) -> None:
    why = error if isinstance(error, HeadwaterError) else _failed(event, error)
    connection.execute(
        "update ops.event set state = 'aside', run = %s, code = %s, reason_zh = %s, reason_en = %s where event_id = %s",
        (run, why.code, why.told.zh, why.told.en, event.event_id),
    )


def _read(connection: psycopg.Connection, condition: str, values: Sequence[object]) -> list[Posted]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            f"select {_FIELDS}, posted_at, state, run, code, reason_zh, reason_en from ops.event where {condition}",
            values,
        )
        return [_posted(row) for row in cursor.fetchall()]


def _posted(row: Mapping[str, Any]) -> Posted:
    event = Event(**{name: row[name] for name in _FIELDS.split(", ")})
    reason = Message(row["reason_zh"], row["reason_en"]) if row["code"] else None
    return Posted(event, row["posted_at"], row["state"], row["run"], row["code"], reason)


def _failed(event: Event, error: Exception) -> Refusal:
    # The text of a foreign exception may quote a record: it goes to the log alone.
    logging.getLogger("headwater").error("%s %s", event.kind, event.event_id, exc_info=error)
    told = type(error).__name__
    return Refusal(
        "E-EVENT-FAILED",
        Message(f"处理“{event.source_id}”的事件时出错：{told}。", f"An event of {event.source_id} failed: {told}."),
        Message("排除原因后，用 headwater events again 重新排队。", "Mend the cause, then headwater events again."),
    )


def _unknown_kind(kind: str) -> Refusal:
    return Refusal(
        "E-EVENT-KIND",
        Message(f"没有“{kind}”类事件。", f"There is no kind of event {kind!r}."),
        Message(f"可用：{'、'.join(KINDS)}。", f"Known: {', '.join(KINDS)}."),
    )
