"""The ledger on a real server: nothing is overspent, whatever the order and whoever races."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.adapters import ledger, postgres
from headwater.adapters.accounting import epsilon
from headwater.adapters.ledger import Account, Debit
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.security.events import Gaussian, Laplace, NonPrivate
from headwater.security.requirement import Caps, Release, Requirement
from headwater.security.tally import NOTHING
from headwater.statistics.gaussian import noise_for

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
NEXT = datetime(2026, 12, 1, tzinfo=UTC)
CAPS = Caps(1, 2, 4)
RULE = Requirement(
    name="r",
    title=Message("要求", "R"),
    sources=None,
    patients="stays",
    sees={"statistic": "region", "sum": "region", "noisy": "region"},
    delta=1e-6,
    caps=CAPS,
    purposes={"a": CAPS, "b": Caps(1, 1.5, 4)},
    mechanisms=frozenset({"clear", "gaussian", "laplace", "non_private"}),
)
ONE = Gaussian(noise_for(1.0, 1e-6))
SMALL = Gaussian(noise_for(0.25, 1e-6))


@pytest.fixture
def connection(home):
    with postgres.connect(home, autocommit=True) as opened:
        yield opened


def of(number, *, source="h1", purpose="a", event=ONE, tier="region", rule=RULE):
    return Debit(Release(f"release {number}", source, purpose, event, tier=tier), rule)


def spent(connection, source="h1", purpose="", tier="", period="lifetime"):
    return next(
        one for one in ledger.balances(connection) if one.account == Account("stays", source, tier, purpose, period)
    )


def entries(connection, **some):
    return list(ledger.entries(connection, **some))


def codes(found):
    return [one.code if isinstance(one, HeadwaterError) else "" for one in found]


def test_a_debit_counts_in_six_accounts_and_stands_for_ever(connection):
    (entry,) = ledger.reserve(connection, [of(1, tier="tier")], at=AT)
    found = {(one.account.tier, one.account.purpose, one.account.period) for one in ledger.balances(connection)}
    assert found == {(t, p, m) for t, p in (("", ""), ("", "a"), ("tier", "a")) for m in ("2026-11", "lifetime")}
    assert {round(one.spent, 6) for one in ledger.balances(connection)} == {1.0}
    (kept,) = entries(connection)
    assert kept.body == entry.body
    assert kept.digest == entry.digest
    assert kept.entry_id > 0
    assert entries(connection, after=kept.entry_id) == []
    assert entries(connection, source="h2") == []
    for statement in ("update ops.privacy_entry set event = ''", "delete from ops.privacy_entry"):
        with pytest.raises(psycopg.DatabaseError, match="never changed"):
            connection.execute(statement)
    with pytest.raises(psycopg.DatabaseError, match="never taken back"):
        connection.execute("update ops.privacy_balance set releases = 0")


def test_costs_are_composed_and_the_caps_hold_by_month_and_for_ever(connection):
    assert codes(ledger.debit(connection, [of(n) for n in range(5)], at=AT)) == ["", "", "", *["E-LEDGER-SPENT"] * 2]
    assert spent(connection).spent == pytest.approx(epsilon(NOTHING.plus(ONE, 3), 1e-6))
    later = [datetime(2027, month, 1, tzinfo=UTC) for month in range(1, 8)]
    kept = [
        code == ""
        for month, at in enumerate(later)
        for code in codes(ledger.debit(connection, [of(f"{month} {n}") for n in range(4)], at=at))
    ]
    total = 3 + sum(kept)
    assert epsilon(NOTHING.plus(ONE, total), 1e-6) <= 4 < epsilon(NOTHING.plus(ONE, total + 1), 1e-6)


def test_the_refusal_names_what_is_spent_asked_and_allowed_in_both_languages(connection):
    ledger.debit(connection, [of(n) for n in range(3)], at=AT)
    with pytest.raises(Refusal) as refusal:
        ledger.reserve(connection, [of(3)], at=AT)
    for text in (refusal.value.reason.zh, refusal.value.reason.en):
        assert all(number in text for number in ("1.814", "2.123", "2026-11", "1e-06")), text
    assert "上限 2" in refusal.value.reason.zh
    assert "cap 2" in refusal.value.reason.en


def test_purposes_have_their_own_caps_within_those_of_all(connection):
    assert codes(ledger.debit(connection, [of(n, purpose="b") for n in range(3)], at=AT)) == ["", "", "E-LEDGER-SPENT"]
    assert codes(ledger.debit(connection, [of(n + 3) for n in range(3)], at=AT)) == ["", *["E-LEDGER-SPENT"] * 2]


def test_tiers_share_one_cap(connection):
    tiers = ["tier", "region", "tier", "region"]
    debits = [of(n, tier=tier) for n, tier in enumerate(tiers)]
    assert codes(ledger.debit(connection, debits, at=AT)) == ["", "", "", "E-LEDGER-SPENT"]


def test_one_release_may_be_too_large_by_itself(connection):
    with pytest.raises(Refusal) as refusal:
        ledger.reserve(connection, [of(1, event=Gaussian(noise_for(1.1, 1e-6)))], at=AT)
    assert refusal.value.code == "E-LEDGER-SPENT"
    assert "cap 1" in refusal.value.reason.en


def test_a_release_without_noise_costs_infinity(connection):
    with pytest.raises(Refusal) as refusal:
        ledger.reserve(connection, [of(1, event=NonPrivate())], at=AT)
    assert "∞" in refusal.value.reason.zh
    assert entries(connection) == []


def test_what_the_requirement_does_not_permit_is_not_debited(connection):
    rule = replace(RULE, mechanisms=frozenset({"clear", "laplace"}))
    assert codes(ledger.debit(connection, [of(1, rule=rule)], at=AT)) == ["E-REQUIRE-MECHANISM"]
    assert entries(connection) == []


def test_the_same_release_counts_once_and_another_under_its_name_is_a_conflict(connection):
    for at in (AT, NEXT):
        ledger.reserve(connection, [of(1), of(1)], at=at)
    assert spent(connection).releases == 1
    assert len(entries(connection)) == 1
    for other in (of(1, event=SMALL), of(1, purpose="b"), of(1, tier="tier"), of(1, rule=replace(RULE, patients="x"))):
        with pytest.raises(Refusal) as refusal:
            ledger.reserve(connection, [other], at=AT)
        assert refusal.value.code == "E-LEDGER-CONFLICT"
    assert spent(connection).releases == 1
    assert codes(ledger.debit(connection, [of(1, source="h2")], at=AT)) == [""]


def test_a_run_is_reserved_wholly_or_not_at_all(connection):
    ledger.debit(connection, [of(n) for n in range(3)], at=AT)
    run = [of("run", source=source) for source in ("h0", "h1", "h2")]
    with pytest.raises(Refusal) as refusal:
        ledger.reserve(connection, run, at=AT)
    assert refusal.value.code == "E-LEDGER-RUN"
    assert "1 of 3" in refusal.value.reason.en
    assert {entry.source_id for entry in entries(connection)} == {"h1"}
    assert codes(ledger.debit(connection, run, at=AT)) == ["", "E-LEDGER-SPENT", ""]


def test_a_stricter_requirement_is_held_against_all_that_was_spent(connection):
    ledger.debit(connection, [of(n) for n in range(2)], at=AT)
    strict = replace(RULE, delta=1e-8, caps=Caps(1, 1.2, 4), purposes={"a": Caps(1, 1.2, 4)})
    assert codes(ledger.debit(connection, [of(3, event=SMALL, rule=strict)], at=AT)) == ["E-LEDGER-SPENT"]
    assert codes(ledger.debit(connection, [of(4, event=SMALL, rule=strict)], at=NEXT)) == [""]
    assert spent(connection).delta == 1e-8


def test_the_database_refuses_what_a_program_would_overspend(connection):
    ledger.debit(connection, [of(1)], at=AT)
    for value in ("cap * 1.0001", "'infinity'", "'nan'"):
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"update ops.privacy_balance set spent = {value}")


def test_a_ledger_that_moved_is_noticed_even_without_locks(connection, home, monkeypatch):
    """The broken twin of the row lock: what was read is stale, and the conditional update notices."""
    ledger.debit(connection, [of(1)], at=AT)
    real = ledger._locked

    def stale(opened, wanted, debits):
        found = real(opened, wanted, debits)
        return {account: replace(one, releases=0, tally=NOTHING) for account, one in found.items()}

    monkeypatch.setattr(ledger, "_locked", stale)
    with pytest.raises(Refusal) as refusal:
        ledger.debit(connection, [of(2)], at=AT)
    assert refusal.value.code == "E-LEDGER-MOVED"
    assert len(entries(connection)) == 1


FRESH = itertools.count()
MIXED = st.sampled_from([ONE, SMALL, Laplace(4.0), Gaussian(9.0)])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(MIXED, st.sampled_from("ab"), st.sampled_from(["tier", "region"])), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_of_debits_does_not_matter_while_all_fit(connection, found, random):
    wide = Caps(100, 100, 100)
    rule = replace(RULE, caps=wide, purposes={"a": wide, "b": wide})
    told = []
    for source in (f"fresh {next(FRESH)}", f"fresh {next(FRESH)}"):
        debits = [
            of(f"{source} {n}", source=source, event=event, purpose=purpose, tier=tier, rule=rule)
            for n, (event, purpose, tier) in enumerate(found)
        ]
        assert set(codes(ledger.debit(connection, debits, at=AT))) == {""}
        mine = ledger.balances(connection, source=source)
        told.append({(replace(one.account, source_id=""), one.spent, one.tally, one.releases) for one in mine})
        random.shuffle(found)
    assert told[0] == told[1]


def test_writers_that_race_never_overspend_and_fill_the_cap(home, connection):
    writers, each = 16, 6
    found: Counter[str] = Counter()
    start = threading.Barrier(writers, timeout=120)

    def write(name):
        with postgres.connect(home, autocommit=True) as opened:
            start.wait()
            for n in range(each):
                sources = ("h1", "h2") if name % 2 else ("h2", "h1")
                debits = [of(f"{name} {n}", source=source, event=SMALL) for source in sources]
                found.update(codes(ledger.debit(opened, debits, at=AT)))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    for source in ("h1", "h2"):
        count = spent(connection, source, period="2026-11").releases
        assert epsilon(NOTHING.plus(SMALL, count), 1e-6) <= 2 < epsilon(NOTHING.plus(SMALL, count + 1), 1e-6)
        assert len(entries(connection, source=source)) == count
    assert found[""] == len(entries(connection))
    assert set(found) == {"", "E-LEDGER-SPENT"}


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from headwater.adapters import ledger, postgres
from headwater.adapters.home import Home
sys.path.insert(0, {tests!r})
from test_ledger import AT, of
with postgres.connect(Home.from_environment(), autocommit=True) as connection:
    ledger.debit(connection, [of("killed")], at=AT)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_program_killed_between_debit_and_release_has_paid(connection):
    script = KILLED.format(tests=os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [entry.release_id for entry in entries(connection)] == ["release killed"]
    assert codes(ledger.debit(connection, [of("killed")], at=AT)) == [""]
    assert spent(connection).releases == 1
