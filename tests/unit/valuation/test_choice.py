"""The choice keeps within its bytes, is the ridge's own game for linear learners, and loses no source in silence."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from headwater.federation import InProcess
from headwater.valuation import Target
from headwater.valuation.choice import choose_features
from headwater.valuation.utilities.statistics import Statistics
from headwater.valuation.value import Approach, value


def table(rng: np.random.Generator, rows: int, noise: float = 0.3) -> pa.Table:
    x = rng.normal(size=(rows, 4))
    y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + noise * rng.normal(size=rows)
    return pa.table({**{f"x{at}": x[:, at] for at in range(4)}, "y": y})


RNG = np.random.default_rng(0)
OWN = table(RNG, 120)
SOURCES = {f"h{at}": table(RNG, 60, noise) for at, noise in enumerate((0.1, 0.3, 4.0))}
TARGET = Target.of(OWN, label="y", rng=np.random.default_rng(1))


def test_linear_learners_keep_their_own_game():
    choice = choose_features(TARGET)
    play = choice.play(InProcess.of(SOURCES), TARGET, TARGET.features, rng=RNG)
    own = Statistics().play(InProcess.of(SOURCES), TARGET, TARGET.features, rng=RNG)
    masks = np.array([[True, False, True], [True, True, True]])
    np.testing.assert_allclose(play(masks), own(masks), rtol=1e-3)  # labels of statistics are on the grid


@pytest.mark.parametrize("learner", ["network", "trees"])
def test_lifted_choices_keep_within_their_bytes(learner):
    target = replace(TARGET, learner=learner)
    choice = choose_features(target)
    play = choice.play(InProcess.of(SOURCES), target, target.features, rng=RNG)
    assert len(choice.parts) == 3
    assert all(10_000 < play.exchange.bytes_of(source) <= 20_000 for source in SOURCES)
    assert play(np.zeros((1, 3), dtype=bool)) == 0.0
    assert choice.scores[choice.parts[0].name] > choice.scores["linear"]
    assert choice.parts[0].name in choice.why.en
    assert choice.parts[0].name in choice.why.zh


def test_values_rank_the_noisy_source_last():
    target = replace(TARGET, learner="network")
    found = value(InProcess.of(SOURCES), target, method=Approach(choose_features(target)), rng=RNG)
    assert found.ranked()[-1] == "h2"


@pytest.mark.parametrize("learner", ["network", "trees"])
def test_values_are_by_the_choice_unless_features_are_named(learner):
    target, sources = replace(TARGET, learner=learner), InProcess.of(SOURCES)
    found, chosen = (
        value(sources, target, rng=RNG),
        value(sources, target, method=Approach(choose_features(target)), rng=RNG),
    )
    own, linear = value(sources, target, feature_map="linear", rng=RNG), value(sources, TARGET, rng=RNG)
    np.testing.assert_array_equal(found.values, chosen.values)
    np.testing.assert_array_equal(own.values, linear.values)
    assert [json.loads(line)["kind"] for line in found.feature_map.splitlines()] == [
        part.name for part in choose_features(target).parts
    ]
    assert found.why == choose_features(target).why
    assert own.why is None
    assert "linear" in linear.why.en


def test_the_blend_predicts_the_mean_of_its_parts():
    target = replace(TARGET, learner="trees")
    choice, masks = choose_features(target), np.array([[True, False, True], [False, False, False]])
    blend = choice.play(InProcess.of(SOURCES), target, target.features, rng=RNG).game
    alone = [
        replace(choice, parts=(part,)).play(InProcess.of(SOURCES), target, target.features, rng=RNG).game
        for part in choice.parts
    ]
    mean = np.mean([game.predictions(masks) for game in alone], axis=0)
    np.testing.assert_allclose(blend.predictions(masks), mean)
    np.testing.assert_array_equal(blend.records, [TARGET.train.num_rows, 60, 60, 60])
    for part, game in zip(choice.parts, alone, strict=True):
        own = replace(target, ridge=part.ridge)
        exact = Statistics().play(InProcess.of(SOURCES), own, part.features, rng=RNG)
        np.testing.assert_allclose(game(masks), exact(masks), rtol=1e-3, atol=1e-5)


def outcomes(records):
    happened = (records["y"].to_numpy() > 0.8).astype(float)
    return records.set_column(records.schema.get_field_index("y"), "y", pa.array(happened))


def test_chances_of_linear_learners_are_newtons_first_step():
    target = replace(TARGET, train=outcomes(TARGET.train), valid=outcomes(TARGET.valid))
    sources = {name: outcomes(records) for name, records in SOURCES.items()}
    blend = choose_features(target).play(InProcess.of(sources), target, target.features, rng=RNG).game
    everyone = pa.concat_tables([target.train, *sources.values()])
    x, y = target.features.transform(everyone), everyone["y"].to_numpy()
    penalty = np.diag([0.0, *[target.ridge] * (x.shape[1] - 1)])
    step = np.linalg.solve(x.T @ x / 4 + penalty, x.T @ (y - 0.5))
    chance = 1 / (1 + np.exp(-target.features.transform(target.valid) @ step))
    np.testing.assert_allclose(blend.predictions(np.ones((1, 3), dtype=bool))[0], chance, atol=1e-3)


@pytest.mark.parametrize("learner", ["linear", "network", "trees"])
@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("players", [("h0", "h1", "h2"), ("h2", "h0")])
def test_marginals_of_all_players_are_the_differences_that_each_makes(learner, is_binary, players):
    target, sources = replace(TARGET, learner=learner), SOURCES
    if is_binary:
        target = replace(target, train=outcomes(target.train), valid=outcomes(target.valid))
        sources = {name: outcomes(records) for name, records in SOURCES.items()}
    game = choose_features(target).play(InProcess.of(sources), target, target.features, rng=RNG).game
    # Whose answer to one of the parts could not be used is no player, though its other statistics are at hand.
    game = replace(game, players=players)
    alone = np.eye(len(players), dtype=bool)
    coalitions = np.concatenate([alone, ~alone, np.zeros_like(alone[:1]), np.ones_like(alone[:1])])
    expected = np.stack([game(coalitions | member) - game(coalitions & ~member) for member in alone], axis=1)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(game.marginals(coalitions), expected, atol=1e-10)


def test_without_room_the_own_features_are_kept_and_told():
    choice = choose_features(replace(TARGET, learner="trees"), limit=400)
    assert [part.name for part in choice.parts] == ["linear"]
    assert "400" in choice.why.en


def test_a_source_that_fails_is_left_out_by_name():
    target = replace(TARGET, learner="network")
    spoilt = {**SOURCES, "h3": SOURCES["h0"].drop_columns(["x3"])}
    play = choose_features(target).play(InProcess.of(spoilt), target, target.features, rng=RNG)
    assert play.players == ("h0", "h1", "h2")
    assert set(play.refused) == {"h3"}
