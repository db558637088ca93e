"""Thresholds follow from a stated rate of false alarms, and the table is what the simulation says."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.bench import evolution_calibration
from headwater.bench.evolution_calibration import _PER_MEMORY, Trial, fitted, simulated
from headwater.errors import Refusal
from headwater.evolution import DETECTORS
from headwater.evolution.calibration import Threshold, calibrated, steps_between_alarms
from headwater.evolution.detectors.glr import GlrJudge


def test_steps_from_a_rate_per_week():
    assert steps_between_alarms(0.007, interval_days=1.0) == 1000.0
    assert steps_between_alarms(7.0, interval_days=1 / 24) == pytest.approx(24.0)


@pytest.mark.parametrize(("per_week", "days"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (7.0, 1.0), (float("nan"), 1.0)])
def test_rates_that_mean_nothing_are_refused(per_week, days):
    with pytest.raises(Refusal) as refusal:
        steps_between_alarms(per_week, interval_days=days)
    assert refusal.value.code == "E-DETECTOR-RATE"


def test_every_detector_of_the_engine_takes_a_rate():
    for name in DETECTORS:
        detector = DETECTORS[name](steps=500.0, interval=0.5)
        assert detector.update(1.0, 2.0) is None


def test_the_fit_recovers_a_law():
    law = Threshold(at_once=-1.0, per_log=1.1, per_memory=0.6, per_log_stream=0.2)
    trials = []
    for observations in (100.0, 400.0, 1600.0):
        for memory in (0.0, 0.5):
            for streams in (1, 10):
                threshold = float(law(np.array(observations), memory, streams)) - _PER_MEMORY * memory
                trials.append(Trial(threshold, memory, streams, 10**6, round(observations * 10**6)))
    assert fitted(trials) == law


def test_the_table_is_what_the_simulation_says():
    """A small part of the simulation, run anew: the rate at a threshold is the table's."""
    judge = evolution_calibration._glr_level
    (trial,) = simulated(judge, (6.2,), law="normal", streams=60)
    table = calibrated("glr_level")
    observations = np.exp((6.2 - table.at_once) / table.per_log)
    assert trial.observations / trial.alarms == pytest.approx(observations, rel=0.35)


def test_each_kind_of_evidence_has_its_share():
    judge = GlrJudge()
    assert 0 < judge.share < 1
    alone = replace(judge, share=0.0)
    assert alone.level == judge.level
