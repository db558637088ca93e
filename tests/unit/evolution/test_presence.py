"""Absence is a state of its own, judged by each source's own habit."""

import numpy as np
import pytest

from headwater.bench.evolution_streams import absent
from headwater.errors import Refusal
from headwater.evolution.presence import Presence, _Rate


def follow(answers):
    presence = Presence()
    return [presence.update(float(time), bool(answered)) for time, answered in enumerate(answers)], presence


def habit(share, steps, *, seed, burst=0.0):
    return ~absent(np.random.default_rng(seed), (1, steps), 1 - share, burst=burst)[0]


@pytest.mark.parametrize(("share", "burst"), [(1.0, 0.0), (0.95, 0.0), (0.5, 0.0), (0.3, 0.0), (0.5, 5.0), (0.3, 10.0)])
def test_a_steady_habit_is_present(share, burst):
    states = [state for seed in range(40) for state in follow(habit(share, 300, seed=seed, burst=burst))[0]]
    assert np.mean([state == "present" for state in states]) >= 0.97
    assert np.mean([state == "closed" for state in states]) <= 0.001


def test_silence_is_an_outage_sooner_where_answers_are_frequent():
    begins = []
    for share in (0.95, 0.3):
        first = [follow([*habit(share, 200, seed=seed), *[False] * 60])[0][200:].index("outage") for seed in range(30)]
        begins.append(np.median(first))
    assert begins[0] < 6 < begins[1] < 25


def test_a_silence_without_end_is_closed_and_a_return_is_present():
    states, presence = follow([*habit(0.8, 200, seed=1), *[False] * 300, True])
    assert states[-2:] == ["closed", "present"]
    assert states.index("outage") < states.index("closed")
    assert presence.silence == 0
    assert presence.since == 500.0


def test_a_source_that_answers_ever_less_is_leaving():
    found = 0
    for seed in range(40):
        states, _ = follow([*habit(0.9, 200, seed=seed), *habit(0.3, 150, seed=seed + 100)])
        found += "leaving" in states[200:] and "leaving" not in states[:200]
    assert found >= 36


def test_one_outage_is_no_farewell():
    for seed in range(20):
        states, _ = follow([*habit(0.9, 100, seed=seed), *[False] * 50, *habit(0.9, 100, seed=seed + 100)])
        assert "leaving" not in states


def test_the_tail_is_the_predictive_law_of_runs():
    rate = _Rate(3.0, 5.0)
    rng = np.random.default_rng(2)
    chance = rng.beta(3.0, 5.0, size=200_000)
    for more in (0, 1, 4, 12):
        assert rate.tail(more) == pytest.approx(float(((1 - chance) ** more).mean()), abs=0.005)


def test_time_must_advance():
    presence = Presence()
    presence.update(1.0, True)
    with pytest.raises(Refusal) as refusal:
        presence.update(1.0, False)
    assert refusal.value.code == "E-STREAM-TIME"
