"""The bench of detectors counts what it says it counts."""

import numpy as np
import pytest

from headwater.bench import evolution_detectors, evolution_outages
from headwater.bench.evolution_detectors import CELLS, Cell, _times
from headwater.bench.evolution_streams import absent, changed, noise
from headwater.bench.evolution_watches import watched


class Scripted:
    """Alarms of given rows at given steps."""

    def __init__(self, script):
        self.script, self.seen = script, []

    def alarms(self, step, values):
        self.seen.append(np.flatnonzero(~np.isnan(values)).tolist())
        return self.script.get(step, [])


def test_false_alarms_delays_and_misses():
    watch = Scripted({3: [0, 2], 12: [1], 15: [0]})
    run = watched(watch, np.zeros((3, 20)), 10)
    assert run.false_alarms == pytest.approx(1000 * 2 / 30)
    assert run.delays.tolist() == [5.0, 2.0, np.inf]
    assert run.median == 5.0
    assert run.missed == pytest.approx(1 / 3)
    assert watch.seen[12] == [0, 1, 2]
    assert watch.seen[13] == [0, 2]


def test_a_group_alarms_as_one():
    run = watched(Scripted({1: [2], 6: [0]}), np.zeros((4, 10)), 5, group=2)
    assert run.false_alarms == pytest.approx(1000 / 10)
    assert run.delays.tolist() == [1.0, np.inf]


@pytest.mark.parametrize("law", ["normal", "t3", "ar.5"])
def test_noise_has_deviation_one_and_its_memory(law):
    values = noise(np.random.default_rng(1), (200, 2000), law)
    assert values.std() == pytest.approx(1.0, abs=0.1)
    memory = np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]
    assert memory == pytest.approx(0.5 if law == "ar.5" else 0.0, abs=0.02)


@pytest.mark.parametrize("burst", [0.0, 5.0])
def test_absences_have_their_share_and_length(burst):
    gone = absent(np.random.default_rng(2), (100, 2000), 0.7, burst=burst)
    assert gone.mean() == pytest.approx(0.7, abs=0.02)
    runs = (gone[:, 1:] & ~gone[:, :-1]).sum()
    assert gone.sum() / runs == pytest.approx(burst or 1 / 0.3, rel=0.05)


def test_a_change_is_reached_over_its_ramp():
    values = changed(np.zeros((1, 20)), 10, level=1.0, ramp=4)[0]
    assert values[9:14].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert changed(np.ones((1, 20)), 10, scale=2.0)[0, [9, 10]].tolist() == [1.0, 2.0]


def test_cells_cross_noise_absence_and_bursts():
    assert len(CELLS) == len({str(cell) for cell in CELLS}) == 18
    one, other = (Cell("normal", 0.5, burst).streams(5, 100, seed=1) for burst in (0.0, 5.0))
    assert not np.array_equal(np.isnan(one), np.isnan(other))
    assert _times(np.inf, 100.0) == 5.0


def test_a_deaf_detector_misses_and_a_nervous_one_breaks_the_word(monkeypatch):
    sizes = evolution_detectors._Counts(6, 300, 8, 3, 4, 8)
    monkeypatch.setattr(evolution_detectors._Counts, "of", classmethod(lambda cls, size: sizes))
    # Of the cells that ``ci`` looks at the first, over a fifth of the time.
    monkeypatch.setattr(evolution_detectors, "CELLS", CELLS[:2])
    for name in ("_AT", "_WITHIN"):
        monkeypatch.setattr(evolution_detectors, name, 100)
    monkeypatch.setattr(evolution_detectors, "STEPS", 20.0)
    nervous = evolution_detectors.figures("ci", None)["E1"]
    assert nervous.value > 1.2
    assert not nervous.holds
    monkeypatch.setattr(evolution_detectors, "STEPS", 1e9)
    deaf = evolution_detectors.figures("ci", None)["E1"]
    assert deaf.value == 0.0
    assert not deaf.also["goals"]["delay at 50%"]


def test_an_outage_read_as_low_is_seen(monkeypatch):
    drops, called = evolution_outages._drops, []

    def kept(values, lengths):
        called.append(drops(values, lengths))
        return called[-1]

    monkeypatch.setattr(evolution_outages, "_drops", kept)
    assert evolution_outages.figures("ci", None)["E2"].holds
    again = iter(called)

    def misread(values, lengths):
        fallen = next(again)
        if lengths.any():
            fallen[:, evolution_outages._BEFORE] = 1.0
        return fallen

    monkeypatch.setattr(evolution_outages, "_drops", misread)
    assert not evolution_outages.figures("ci", None)["E2"].holds
