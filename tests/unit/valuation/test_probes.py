"""Probes mend what the surrogate got wrong: exactly where they are, in closed form elsewhere, never more than asked."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.valuation import Approach, Target, value
from headwater.valuation.choice import choose_features
from headwater.valuation.methods.exact import shapley_of_table
from headwater.valuation.probes import _NOISE, Candidates, Kinship, Mended, Probed, design
from headwater.valuation.utilities import Information, Retraining
from headwater.valuation.utilities.retraining import ridge
from headwater.valuation.utility import gain

ALL = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)
RNG = np.random.default_rng(0)
LABELS = RNG.normal(size=40)
KINSHIP = Kinship(np.array([50.0, 60, 20, 90, 60, 30, 60]))
EVERY = Candidates.of(6, RNG)


@dataclass
class Model:
    """Predicts the labels the better, the more weight its coalition has; ``bend`` makes it no linear function."""

    weights: np.ndarray
    direction: np.ndarray
    bend: float = 0.3
    asked: list[int] = field(default_factory=list)

    labels = LABELS
    records = KINSHIP.records

    def predictions(self, coalitions):
        self.asked.append(len(coalitions))
        brought = coalitions @ self.weights
        return np.outer(brought / (1 + brought), LABELS) + self.bend * np.outer(
            coalitions.sum(axis=1) > 2, self.direction
        )

    def __call__(self, coalitions):
        return gain(self, coalitions)


TRUTH = Model(np.array([1.0, 0.2, 0.5, 0.0, 0.7, 0.3]), RNG.normal(size=40))
SURROGATE = Model(np.array([0.3, 0.6, 0.4, 0.4, 0.2, 0.5]), RNG.normal(size=40))
EXACT = shapley_of_table(TRUTH(ALL))


def mended(probes, surrogate=SURROGATE, truth=TRUTH):
    return Mended.by(surrogate, truth, KINSHIP, design(KINSHIP, EVERY, probes))


def test_the_kinship_is_a_covariance():
    whole = KINSHIP(ALL, ALL)
    np.testing.assert_allclose(whole, whole.T)
    np.testing.assert_allclose(np.diag(whole), KINSHIP.of_each(ALL))
    assert np.linalg.eigvalsh(whole)[0] > 0


def test_weights_give_shapley_values():
    v = RNG.normal(size=64)
    v[0] = 0.0
    np.testing.assert_allclose(EVERY.weights @ v[(EVERY.coalitions @ (1 << np.arange(6)))], shapley_of_table(v))


def test_weights_of_a_sample_estimate_shapley_values():
    worth = np.linspace(-1, 1, 30)
    sample = Candidates.of(30, np.random.default_rng(1))
    assert len(sample.coalitions) <= 2_048
    found = sample.weights @ (sample.coalitions @ worth)
    assert np.corrcoef(found, worth)[0, 1] > 0.98


def test_a_right_surrogate_is_left_alone():
    np.testing.assert_allclose(mended(12, TRUTH)(ALL), TRUTH(ALL), atol=1e-12)


def test_probes_bring_values_nearer_and_more_of_them_nearer_still():
    errors = {0: [], 12: [], 40: []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth, surrogate = (Model(rng.uniform(0, 1, 6), rng.normal(size=40), 0.1) for _ in range(2))
        exact = shapley_of_table(truth(ALL))
        for probes, found in errors.items():
            game = mended(probes, surrogate, truth) if probes else surrogate
            found.append(np.abs(shapley_of_table(game(ALL)) - exact).mean())
    assert np.mean(errors[12]) < 0.5 * np.mean(errors[0])
    assert np.mean(errors[40]) < 0.5 * np.mean(errors[12])


def test_the_posterior_is_that_of_a_gaussian_process():
    game = mended(9)
    joint = KINSHIP(game.probes, game.probes) + _NOISE * np.eye(10)
    rest = TRUTH.predictions(game.probes) - SURROGATE.predictions(game.probes)
    expected = SURROGATE.predictions(ALL) + KINSHIP(ALL, game.probes) @ np.linalg.solve(joint, rest)
    np.testing.assert_allclose(game.predictions(ALL), expected, atol=1e-10)


def test_intervals_are_as_wide_as_the_probes_are_missed():
    game = mended(12)
    half = replace(game, truth=(game.truth + game.told) / 2)
    assert (half.reach(EVERY) < game.reach(EVERY)).all()
    assert (mended(12, TRUTH).reach(EVERY) < 1e-12).all()
    found = shapley_of_table(game(ALL))
    assert (np.abs(found - EXACT) <= game.reach(EVERY)).all()


def test_each_probe_is_the_best_next_one():
    masks = design(KINSHIP, EVERY, 3)
    assert len(np.unique(masks, axis=0)) == 3

    def spread(chosen):
        seen = np.vstack([np.zeros((1, 6), dtype=bool), chosen])
        joint = KINSHIP(seen, seen) + _NOISE * np.eye(len(seen))
        across = KINSHIP(ALL, seen)
        left = KINSHIP(ALL, ALL) - across @ np.linalg.solve(joint, across.T)
        weights = EVERY.weights[:, np.argsort(EVERY.coalitions @ (1 << np.arange(6)))]
        return np.trace(weights @ left @ weights.T)

    others = [spread(np.vstack([masks[:2], mask[None]])) for mask in ALL[1:]]
    assert spread(masks) == pytest.approx(min(others))


def test_many_players_are_probed_from_a_sample_without_repetition():
    masks = design(Kinship(np.full(31, 60.0)), Candidates.of(30, np.random.default_rng(0)), 20)
    assert masks.shape == (20, 30)
    assert len(np.unique(masks, axis=0)) == 20
    assert masks.any(axis=1).all()


@pytest.mark.parametrize("probes", [0, 64])
def test_impossible_numbers_of_probes_are_refused(probes):
    with pytest.raises(Refusal) as caught:
        design(KINSHIP, EVERY, probes)
    assert caught.value.code == "E-VALUE-PROBES"


def table(rng, rows, noise):
    x = rng.normal(size=(rows, 3))
    y = x[:, 0] * x[:, 1] + x[:, 2] + noise * rng.normal(size=rows)
    return pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})


TARGET = replace(Target.of(table(RNG, 120, 0.3), label="y", rng=RNG), learner="network")
SOURCES = {f"h{at}": table(RNG, 60, noise) for at, noise in enumerate((0.1, 0.5, 1.0, 3.0))}


def test_values_come_through_the_one_call_and_account_for_the_records_probes_need():
    trained = []

    def fit(records):
        trained.append(records.num_rows)
        return ridge(TARGET, TARGET.features)(records)

    probed = Approach(Probed(Retraining(fit), probes=5))
    found = value(InProcess.of(SOURCES), TARGET, method=probed, rng=np.random.default_rng(0))
    plain = value(InProcess.of(SOURCES), TARGET, rng=np.random.default_rng(0))
    assert len(trained) == 6
    assert found.method == "probed/exact"
    assert (found.high > found.values).all()
    assert (plain.high == plain.values).all()
    for source, records in SOURCES.items():
        assert found.exchange.answered[source] == plain.exchange.answered[source] + records.nbytes


def test_a_source_that_only_one_side_can_use_is_left_out_by_name():
    sources = {**SOURCES, "odd": table(RNG, 30, 0.1).drop_columns(["c"])}
    found = value(InProcess.of(sources), TARGET, method=Approach(_own(probes=4)), rng=np.random.default_rng(0))
    assert set(found.players) == set(SOURCES)
    assert "odd" in found.refused


def test_every_coalition_probed_gives_the_values_of_retraining():
    found = value(InProcess.of(SOURCES), TARGET, method=Approach(_own(probes=15)), rng=np.random.default_rng(0))
    truth = value(InProcess.of(SOURCES), TARGET, method=Approach(_own().truth), rng=np.random.default_rng(0))
    assert found.ranked() == truth.ranked()
    assert np.abs(found.values - truth.values).max() < 0.2 * np.ptp(truth.values)


def test_truths_that_do_not_predict_are_refused():
    with pytest.raises(Refusal) as caught:
        value(InProcess.of(SOURCES), TARGET, method=Approach(Probed(Information())), rng=RNG)
    assert caught.value.code == "E-VALUE-PREDICTIONS"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_sources_have_all_their_coalitions_probed(count):
    few, trained = {source: SOURCES[source] for source in sorted(SOURCES)[:count]}, []

    def fit(records):
        trained.append(records.num_rows)
        return ridge(TARGET, TARGET.features)(records)

    found = value(InProcess.of(few), TARGET, method=Probed(Retraining(fit)), rng=np.random.default_rng(0))
    assert len(set(trained)) == count + 1
    assert len(trained) == 2**count
    assert np.isfinite(found.high).all()


@pytest.mark.parametrize("probes", ["12", 0, -1, 2.5, None])
def test_a_number_of_probes_that_is_none_is_refused(probes):
    with pytest.raises(Refusal, match="E-VALUE-PROBES"):
        _own(probes)


def test_the_features_that_were_asked_are_told_and_why():
    found = value(InProcess.of(SOURCES), TARGET, method=_own(4), rng=np.random.default_rng(0))
    choice = choose_features(TARGET)
    assert found.feature_map.splitlines() == [part.features.to_json() for part in choice.parts]
    assert found.why == choice.why


def _own(probes=12):
    return Probed(Retraining(ridge(TARGET, TARGET.features)), probes=probes)
