"""What the bench of the ledger would notice: each guard has a twin without it."""

from contextlib import contextmanager

import numpy as np
import pytest

from headwater.adapters import ledger, postgres
from headwater.bench import ledger_race
from headwater.bench.ledger_audit import _audited, _score, _squares, least_epsilon
from headwater.bench.ledger_exact import _cases
from headwater.statistics.gaussian import noise_for


@pytest.fixture
def small(home, monkeypatch):
    @contextmanager
    def here():
        yield home

    monkeypatch.setattr(ledger_race, "_installation", here)
    monkeypatch.setattr(ledger_race, "_SCALES", {"ci": ledger_race._Scale(640, 4, 2, 12)})


def test_a_race_fills_the_caps_and_overspends_nothing(small):
    found = ledger_race.race("ci")
    assert found["overspends"] == 0
    assert found["tried"] == 640
    assert found["kills"] > 0
    assert found["released"] < found["granted"] <= 4 * found["fit"]


def test_without_the_lock_and_the_condition_the_race_is_lost(small, home, monkeypatch):
    """The broken twin: balances are read without locking and written over whatever stands there."""
    execute = ledger.psycopg.Connection.execute

    def unlocked(self, query, *args, **options):
        if isinstance(query, str):
            query = query.replace(" for update of b", "")
        return execute(self, query, *args, **options)

    monkeypatch.setattr(ledger.psycopg.Connection, "execute", unlocked)
    monkeypatch.setattr(ledger, "_UPDATE", ledger._UPDATE.replace("and b.releases = k.o", "and k.o >= 0"))
    with postgres.connect(home) as connection:
        connection.execute("alter table ops.privacy_balance disable trigger never_shrinks")
    assert ledger_race.race("ci")["overspends"] > 0


def test_a_naive_ledger_is_overspent(home):
    with postgres.connect(home, autocommit=True) as connection:
        assert ledger_race._naive(home, connection) > 0


@pytest.mark.parametrize("ask", [_squares, _score])
def test_an_audit_accepts_the_claim_and_catches_half_the_noise(ask):
    assert _audited(ask(1.0), 2_000) <= 1.0 < _audited(ask(0.5), 2_000)


def test_an_audit_of_many_answers_comes_near_the_claim():
    rng = np.random.default_rng(0)
    mu = 1 / noise_for(1.0, 1e-6)
    here, there = rng.normal(mu, 1, 400_000), rng.normal(0, 1, 400_000)
    assert 0.95 < least_epsilon(here, there, mu / 2, 1e-6) <= 1.0
    assert least_epsilon(there, here, mu / 2, 1e-6) == 0.0


def test_cases_are_many_and_their_truth_is_above_nothing():
    cases = _cases("ci")
    assert len(cases) >= 15
    assert all(exact() > 0 for *_, exact in cases)
