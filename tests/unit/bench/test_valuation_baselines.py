import numpy as np
import pytest

from headwater.bench.valuation_baselines import gtg, knn_shapley, knn_values, leave_one_out, permutations
from headwater.bench.valuation_suite import Case, cases
from headwater.valuation.games import ORACLES, Additive, Unanimity
from headwater.valuation.methods.exact import all_coalitions, shapley_of_table


@pytest.fixture(scope="module")
def faulty() -> Case:
    return next(case for case in cases("ci", None) if case.name == "waves/network/fault/0")


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_permutations_reach_the_values_known_in_closed_form(name: str) -> None:
    game = ORACLES[name]
    values, trainings = permutations(game, game.size, orders=1_500, rng=np.random.default_rng(1))
    np.testing.assert_allclose(values, game.shapley(), atol=0.15)
    assert trainings <= 2**game.size - 1


def test_permutations_of_an_additive_game_are_exact_and_count_their_trainings() -> None:
    game = Additive((1.0, 2.0, 4.0))
    values, trainings = permutations(game, 3, orders=1, rng=np.random.default_rng(0))
    np.testing.assert_allclose(values, game.weights)
    assert trainings == 3


def test_a_walk_that_is_near_the_end_is_broken_off() -> None:
    game = Unanimity(8, 1)
    rng = np.random.default_rng(0)
    whole = permutations(game, 8, orders=30, rng=rng)
    broken = permutations(game, 8, orders=30, rng=rng, tolerance=0.01)
    np.testing.assert_allclose(whole[0], game.shapley())
    np.testing.assert_allclose(broken[0], game.shapley())
    assert broken[1] < whole[1]


def test_leave_one_out_is_what_everyone_misses() -> None:
    values, trainings = leave_one_out(Unanimity(4, 2), 4)
    np.testing.assert_array_equal(values, [1, 1, 0, 0])
    assert trainings == 5


@pytest.mark.parametrize(("records", "neighbours"), [(3, 1), (5, 2), (8, 5), (7, 7)])
def test_knn_shapley_is_the_shapley_value_of_its_game(records: int, neighbours: int) -> None:
    rng = np.random.default_rng(records)
    near, labels = rng.normal(size=(2, records)), rng.normal(size=2)
    found = knn_values(near, labels, neighbours=neighbours)
    for own, label, values in zip(near, labels, found, strict=True):
        nearest = [own[members][:neighbours].sum() / neighbours for members in all_coalitions(records)]
        np.testing.assert_allclose(values, shapley_of_table(-((np.asarray(nearest) - label) ** 2)), atol=1e-12)


def test_sources_whose_labels_mean_nothing_are_worth_least_to_neighbours_and_updates(faulty: Case) -> None:
    source = list(faulty.sources)
    sizes = np.array([table.num_rows for table in faulty.sources.values()])
    for values in (knn_shapley(faulty), gtg(faulty, rng=np.random.default_rng(0))[0]):
        assert values.shape == (len(source),)
        assert np.isfinite(values).all()
        assert values[sizes == 120] > np.median(values)
