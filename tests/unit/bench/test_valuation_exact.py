"""V2 agrees with retraining, and would tell if it did not."""

import pytest

from headwater.bench import valuation_exact


@pytest.fixture
def small(monkeypatch):
    for name, parts in {"_COMPARED": 4, "_SEEDS": 1, "_TIMED": (6,)}.items():
        monkeypatch.setattr(valuation_exact, name, {"ci": parts})
    monkeypatch.setattr(valuation_exact, "_GOALS_S", {6: float("inf")})
    return monkeypatch


def test_values_are_those_of_retraining(small):
    figure = valuation_exact.figures("ci", None)["V2"]
    assert figure.holds
    assert figure.value is not None
    assert 0 < figure.value < 1e-9
    assert set(figure.also) == {"seconds_6"}


def test_another_ridge_shows(small):
    ridge = valuation_exact._by_retraining

    def other(*parts):
        small.setattr(valuation_exact, "_RIDGE", 2.0)
        table = ridge(*parts)
        small.setattr(valuation_exact, "_RIDGE", 1.0)
        return table

    small.setattr(valuation_exact, "_by_retraining", other)
    assert not valuation_exact.figures("ci", None)["V2"].holds
