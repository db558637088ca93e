"""V7 counts what a guard lets through, and every attack changes what its liar says."""

import numpy as np
import pytest

from headwater.bench import valuation_hospitals, valuation_liars
from headwater.bench.valuation_attacks import ATTACKS
from headwater.bench.valuation_hospitals import MADE_UP, drawn
from headwater.valuation.honesty import Report


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(valuation_liars, "_SEEDS", {"ci": {MADE_UP: 1}})
    monkeypatch.setattr(valuation_liars, "_STRENGTHS", {"ci": (1.0,)})
    monkeypatch.setattr(valuation_hospitals, "_LARGE", 300)
    monkeypatch.setattr(
        valuation_liars, "ATTACKS", {name: ATTACKS[name] for name in ("steal", "withhold", "misreport")}
    )
    return monkeypatch


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_changes_its_liar_and_nobody_else(attack):
    federation = drawn(MADE_UP, np.random.default_rng(0), None)
    lied = ATTACKS[attack](np.random.default_rng(1), federation, "h0", 0.5)
    honest, said = federation.says("h0"), lied.says("h0")
    assert said.statistic != honest.statistic
    assert all(lied.held[source] is table for source, table in federation.held.items() if source != "h0")
    assert lied.paid is federation.paid


def test_liars_are_found(small):
    figure = valuation_liars.figures("ci", None)["V7"]
    assert figure.holds
    assert figure.n == 3
    assert figure.baseline["without_claims"] < 1


def test_without_the_guards_v7_does_not_hold(small):
    small.setattr(valuation_liars, "examine", lambda said, target, rng: Report(dict.fromkeys(said, ())))
    figure = valuation_liars.figures("ci", None)["V7"]
    assert not figure.holds
    assert figure.value == 0
    assert figure.also["ranks_gained_undetected"] > 1
