"""The inbox on a real server: every event is taken once, with what was done about it, whoever dies or races."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import date

import psycopg
import pytest

from headwater.adapters import inbox, postgres
from headwater.adapters.inbox import Event
from headwater.errors import Message, Refusal

EFFECTS = "create table if not exists effect (event_id text not null, source_id text not null)"


@pytest.fixture
def connection(unopened):
    with postgres.connect(unopened, autocommit=True) as opened:
        opened.execute(EFFECTS)
        yield opened


def of(number, kind="claims", **more):
    return Event(f"h{number:03d}", kind, **more)


def work(connection, event):
    """Leave a row for every time that it was done."""
    connection.execute("insert into effect values (%s, %s)", (event.event_id, event.source_id))


def effects(connection):
    return Counter(row[0] for row in connection.execute("select event_id from effect"))


def states(connection):
    return dict(inbox.counts(connection))


def test_the_same_thing_told_twice_is_one_event(connection):
    month = date(2026, 1, 1)
    told = [of(1, period=month), of(1, period=month), of(1), of(1, period=month, kind="outage"), of(2, period=month)]
    assert [inbox.post(connection, event) for event in told] == [True, False, True, True, True]
    inbox.drain(connection, run="r", work=work)
    assert [inbox.post(connection, event) for event in told] == [False] * 5
    assert effects(connection) == Counter(event.event_id for event in {*told})


def test_events_are_taken_in_the_order_in_which_they_were_posted(connection):
    events = [of(number) for number in (5, 3, 9, 1)]
    for event in events:
        inbox.post(connection, event)
    first = inbox.drain(connection, run="a", work=work, limit=3)
    assert (first.events, first.waiting) == (tuple(events[:3]), 1)
    assert inbox.drain(connection, run="b", work=work).events == (events[3],)
    assert [row[0] for row in connection.execute("select source_id from effect")] == [e.source_id for e in events]


def test_what_is_built_from_a_later_snapshot_waits_until_marts_are(connection):
    early, late, free = of(1, snapshot_id=5), of(2, snapshot_id=6), of(3)
    for event in (late, early, free):
        inbox.post(connection, event)
    assert inbox.drain(connection, run="a", work=work).events == (free,)
    found = inbox.drain(connection, run="b", work=work, built=5)
    assert (found.events, found.waiting) == ((early,), 1)
    assert inbox.drain(connection, run="c", work=work, built=6).events == (late,)


def test_a_run_drained_again_gives_what_it_took_and_does_nothing_twice(connection):
    inbox.post(connection, of(1))
    first = inbox.drain(connection, run="a", work=work)
    assert inbox.finish(connection, "a") == 1
    inbox.post(connection, of(2))
    assert inbox.drain(connection, run="a", work=work).events == (*first.events, of(2))
    assert set(effects(connection).values()) == {1}
    assert states(connection) == {"done": 1, "taken": 1}


def test_what_an_unfinished_run_took_is_given_back_and_what_a_finished_one_took_is_not(connection):
    for number, run in ((1, "dead"), (2, "ended"), (3, "mine")):
        inbox.post(connection, of(number))
        inbox.drain(connection, run=run, work=work)
    inbox.finish(connection, "ended")
    assert inbox.give_back(connection, but="mine") == 1
    assert inbox.drain(connection, run="mine", work=work).events == (of(1), of(3))


def poisoned(connection, event):
    work(connection, event)
    if event.source_id == "h002":
        raise Refusal("E-POISON", Message("毒。", "Poison."), Message("倒掉。", "Pour it out."))
    if event.source_id == "h003":
        connection.execute("select 1 / 0")


def test_a_poison_event_is_set_aside_with_its_reason_and_the_others_are_taken(connection):
    for number in range(5):
        inbox.post(connection, of(number))
    found = inbox.drain(connection, run="a", work=poisoned)
    assert (found.events, found.aside) == ((of(0), of(1), of(4)), 2)
    # What the work did about them before it failed is undone.
    assert effects(connection) == Counter(event.event_id for event in found.events)
    aside = inbox.newest(connection, state="aside")
    assert {(one.event.source_id, one.code) for one in aside} == {("h002", "E-POISON"), ("h003", "E-EVENT-FAILED")}
    assert all(one.reason.zh and one.reason.en for one in aside)
    assert "DivisionByZero" in next(one.reason.en for one in aside if one.code == "E-EVENT-FAILED")
    assert inbox.drain(connection, run="b", work=poisoned).events == ()


def test_an_event_that_was_set_aside_comes_again_when_asked_for(connection):
    inbox.post(connection, of(2))
    inbox.drain(connection, run="a", work=poisoned)
    assert not inbox.again(connection, of(1).event_id)
    assert inbox.again(connection, of(2).event_id)
    assert not inbox.again(connection, of(2).event_id)
    assert inbox.drain(connection, run="b", work=work).events == (of(2),)


def test_a_kind_that_nobody_knows_is_refused(connection):
    with pytest.raises(Refusal) as refusal:
        inbox.post(connection, of(1, kind="rumour"))
    assert refusal.value.code == "E-EVENT-KIND"
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("insert into ops.event (event_id, source_id, kind) values (repeat('a', 64), 'h', 'rumour')")


def test_a_batch_that_never_rang_is_found_and_rings_once(connection):
    batch = "insert into ops.batch (batch_id, source_id, entity, file_name, sha256, bytes, state, snapshot_id, {more}) "
    zeros = ", ".join(
        f"{kind}_{what}" for kind in ("rows", "money") for what in ("in", "loaded", "quarantined", "duplicate")
    )
    for name, state, digest in (("rang", "loaded", "a"), ("lost", "loaded", "b"), ("held", "received", "c")):
        connection.execute(
            batch.format(more=zeros) + "values (%s, 'h1', 'fee_line', 'f', %s, 1, %s, 7, 0, 0, 0, 0, 0, 0, 0, 0)",
            (name, digest * 64, state),
        )
    rang = Event("h1", "delivery", batch_id="rang", sha256="a" * 64, snapshot_id=7)
    inbox.post(connection, rang)
    (found,) = inbox.sweep(connection)
    assert (found.batch_id, found.sha256, found.snapshot_id) == ("lost", "b" * 64, 7)
    assert inbox.sweep(connection) == ()
    # Read again by a mended contract, the batch stands in a later snapshot.
    connection.execute("update ops.batch set snapshot_id = 8 where batch_id = 'rang'")
    assert [event.snapshot_id for event in inbox.sweep(connection)] == [8]


KILLED = """
import os, signal, sys
from headwater.adapters import inbox, postgres
from headwater.adapters.home import Home
sys.path.insert(0, {tests!r})
from test_inbox import work

def dying(connection, event):
    work(connection, event)
    if event.source_id == "h002":
        os.kill(os.getpid(), signal.SIGKILL)

with postgres.connect(Home.from_environment(), autocommit=True) as connection:
    inbox.drain(connection, run="killed", work=dying)
"""


def test_a_drain_killed_in_between_took_nothing_and_the_next_does_all_once(connection):
    events = tuple(of(number) for number in range(5))
    for event in events:
        inbox.post(connection, event)
    script = KILLED.format(tests=os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # Waits for the dead program's transaction to end, as any drain does.
    assert inbox.drain(connection, run="next", work=work).events == events
    assert effects(connection) == Counter(event.event_id for event in events)
    assert states(connection) == {"taken": 5}


def test_drains_that_race_never_take_the_same(unopened, connection):
    events = [of(number) for number in range(60)]
    for event in events:
        inbox.post(connection, event)
    taken, start = {}, threading.Barrier(4, timeout=120)

    def race(name):
        with postgres.connect(unopened, autocommit=True) as opened:
            start.wait()
            taken[name] = inbox.drain(opened, run=name, work=work, limit=20).events

    threads = [threading.Thread(target=race, args=(f"run {name}",)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert sorted(map(len, taken.values())) == [0, 20, 20, 20]
    assert Counter(event for found in taken.values() for event in found) == Counter(events)
    assert effects(connection) == Counter(event.event_id for event in events)


def test_without_the_lock_racing_drains_do_the_same_twice(unopened, connection):
    """The broken twin of the lock: two that read before either has written both do the work."""
    inbox.post(connection, of(1))
    both = threading.Barrier(2, timeout=120)

    def unlocked(opened, run):
        with opened.transaction():
            opened.execute("insert into ops.drain (run) values (%s)", (run,))
            rows = inbox._read(opened, "state = 'waiting' order by place", ())
            both.wait()
            for one in rows:
                inbox._done(opened, run, one.event, work)

    def race(name):
        with postgres.connect(unopened, autocommit=True) as opened:
            unlocked(opened, name)

    threads = [threading.Thread(target=race, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert effects(connection)[of(1).event_id] == 2
