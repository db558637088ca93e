"""The part of the evolution bench about growth: its goals are counted, and a step that leaves something is seen."""

import pytest

from headwater.bench import evolution_growth
from headwater.evolution import Growth

SMALL = {"sources": 6, "steps": 4, "retrained": 2}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(evolution_growth, "_WORK", {"ci": SMALL})
    monkeypatch.setattr(evolution_growth, "_LAST_LAYER", {"ci": 3})
    monkeypatch.setattr(evolution_growth, "_MANY", 200)


def test_steps_ask_nobody_else_and_equal_retraining(small):
    figure = evolution_growth.figures("ci", None)["E3"]
    for told in (figure.also, figure.also["last_layer_of_network"]):
        assert told["bytes_from_others"] == 0
        assert told["differing"] == 0
        assert told["bytes_of_the_source_itself"] > 1000
        assert told["retrained_bytes"] > told["bytes_of_the_source_itself"]
    assert figure.also["compared_with_retraining"] == SMALL["retrained"]
    assert figure.value < figure.baseline["retraining_ms"]


def test_a_step_that_leaves_something_does_not_hold(small, monkeypatch):
    remove = Growth.remove

    def leaky(growth, source):
        left = remove(growth, source)
        return left.refresh(min(left.members), growth.members[source])

    monkeypatch.setattr(Growth, "remove", leaky)
    figure = evolution_growth.figures("ci", None)["E3"]
    assert figure.also["differing"] == SMALL["retrained"]
    assert not figure.holds
