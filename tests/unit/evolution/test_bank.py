"""What an outage alone would tell is no alarm."""

import numpy as np

from headwater.bench.evolution_streams import noise
from headwater.evolution.bank import Bank, Verdict

SILENCE = 100


class Newest:
    """Judges the newest score alone, once it listens."""

    least = np.inf

    def __call__(self, scores, rows, observations, allowed):
        newest = np.abs(scores.white[rows, -1])
        return Verdict(newest - self.least, np.full(len(rows), 2), newest, np.zeros(len(rows), dtype=bool))

    def doubt(self, evidence):
        return 0.0


def alarms(last, *, silence):
    """Return whether a value behind a high one is an alarm, in a stream that seems to remember, but not surely."""
    judge = Newest()
    bank, values = Bank(judge, 1, steps=1000.0), noise(np.random.default_rng(9), (1, 60), "ar.5")[0]
    for step, value in enumerate([*values, 3.0]):
        bank.update(float(step), np.array([value]))
    judge.least = 1.8
    return bool(bank.update(61.0 + silence, np.array([last])))


def test_a_high_value_behind_an_outage_is_an_alarm_only_if_it_were_one_without(monkeypatch):
    assert not alarms(2.2, silence=0)
    assert not alarms(2.2, silence=SILENCE)
    assert alarms(-2.5, silence=0)
    assert alarms(-2.5, silence=SILENCE)
    monkeypatch.setattr(Bank, "_stands", lambda *told: True)
    assert alarms(2.2, silence=SILENCE)
