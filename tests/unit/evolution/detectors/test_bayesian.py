"""Posterior odds of a change: at their word, quick, and with an eye for variance."""

import numpy as np
import pytest
from tests.unit.evolution.streams import banked, changes, with_gaps

from headwater.bench.evolution_streams import changed, noise
from headwater.evolution import Bayesian
from headwater.evolution.detectors.bayesian import BayesianJudge
from headwater.evolution.scores import Scores


@pytest.mark.parametrize("law", ["normal", "t3", "ar.5"])
def test_false_alarms_per_1000_steps(law):
    values = with_gaps(noise(np.random.default_rng(1), (50, 1000), law), 0.5)
    assert len(banked(BayesianJudge(), values)) <= 65


@pytest.mark.parametrize(
    ("settings", "variances"), [({"level": 2.0}, (0, 10)), ({"scale": 2.5}, (16, 40)), ({"scale": 0.3}, (30, 40))]
)
def test_changes_of_level_and_of_variance_are_found_and_told_apart(settings, variances):
    """A few far values on one side look like a level until more come."""
    values = changed(np.random.default_rng(2).normal(size=(40, 400)), 250, **settings)
    after = {row: change for row, change in reversed(banked(BayesianJudge(), values)) if change.time >= 250}
    assert len(after) >= 39
    assert variances[0] <= sum(change.kind == "variance" for change in after.values()) <= variances[1]


def test_a_long_gap_is_a_likelier_place_of_a_change():
    rows, times = np.array([0]), np.concatenate([np.arange(40.0), np.arange(940.0, 950.0)])
    scores = Scores(1)
    for time, value in zip(times, np.random.default_rng(3).normal(size=50), strict=True):
        scores.push(rows, np.array([time]), np.array([value]))
    hazard = BayesianJudge(steps=1000.0)._hazard(scores, rows)[0]
    assert hazard[-10] == pytest.approx(1 - np.exp(-901 / 1000))
    assert hazard[-9] == pytest.approx(1 - np.exp(-1 / 1000))


def test_the_evidence_is_the_ratio_of_marginal_likelihoods():
    """Against numerical integration over level and variance, for one onset."""
    judge, scores, rows = BayesianJudge(), Scores(1), np.array([0])
    rng = np.random.default_rng(4)
    for time in range(30):
        scores.push(rows, np.array([float(time)]), rng.normal(size=1) + 2.0 * (time >= 26))
    said, weight = scores.sums(rows, 4)
    white = scores.white[0, -4:]
    factor = np.concatenate([scores.jump[0, -4:-3], scores.level[0, -3:]])
    assert said[0, 0] == pytest.approx(float(factor @ white))
    assert weight[0, 0] == pytest.approx(float(factor @ factor))
    level, precision = np.meshgrid(np.linspace(-12, 12, 1201), np.linspace(0.002, 12, 2000), indexing="ij")
    prior = precision * np.exp(-2.0 * precision) * 4.0 * np.sqrt(0.5 * precision / (2 * np.pi))
    prior *= np.exp(-0.25 * precision * level**2)
    apart = sum((z - f * level) ** 2 for z, f in zip(white, factor, strict=True))
    after = precision**2 * np.exp(-precision * apart / 2)
    total = np.log((prior * after).sum() * (level[1, 0] - level[0, 0]) * (precision[0, 1] - precision[0, 0]))
    evidence, _ = judge.evidence(scores, rows)
    assert evidence[0, -4] == pytest.approx(total + float(white @ white) / 2, abs=0.02)


def test_confidence_is_the_posterior_probability():
    found = changes(Bayesian(), changed(np.random.default_rng(5).normal(size=(1, 80)), 50, level=5.0)[0])
    assert found
    assert 0.9 <= found[-1].confidence <= 1.0


def test_a_bank_says_exactly_what_single_detectors_say():
    values = with_gaps(changed(noise(np.random.default_rng(6), (5, 250), "ar.5"), 150, level=3.0), 0.4)
    together = banked(BayesianJudge(), values)
    alone = []
    for row, stream in enumerate(values):
        detector = Bayesian()
        told = [detector.update(float(t), None if np.isnan(v) else float(v)) for t, v in enumerate(stream)]
        alone += [(row, change) for change in told if change is not None]
    assert len(alone) >= 5
    assert sorted(together, key=lambda found: (found[0], found[1].time)) == alone
