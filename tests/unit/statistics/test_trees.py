"""Trees grown where histograms are summed: the same whoever holds which records, and best at every split."""

from itertools import product

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.statistics import Bins, Growth, Statistic, Trees

ROWS = 240


def drawn(seed: int = 3):
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 5, size=(ROWS, 3)).astype(np.float64)
    return x, np.rint((np.where(x[:, 0] > 1, 2.0, x[:, 1] / 4) + 0.1 * rng.normal(size=ROWS)) * 2**14) / 2**14


def grown(trees: Trees, x, y, *, owners):
    parameters = trees.start
    for _ in range(trees.rounds):
        said = [trees.statistic(parameters, x[owners == one], y[owners == one]) for one in np.unique(owners)]
        parameters = trees.solve(parameters, Statistic.total(said))
    return parameters


@pytest.mark.parametrize("single", [False, True])
def test_who_holds_which_records_leaves_no_bit_different(single):
    x, y = drawn()
    trees = Trees(Bins.quantiles(x, 8), Growth(trees=3, depth=3, single=single))
    alone = grown(trees, x, y, owners=np.zeros(ROWS))
    for seed in range(2):
        owners = np.random.default_rng(seed).integers(5, size=ROWS)
        assert grown(trees, x, y, owners=owners).tobytes() == alone.tobytes()


def test_the_first_split_is_the_best_of_all_and_leaves_are_shrunken_means():
    x, y = drawn()
    bins, ridge, rate = Bins.quantiles(x, 9), 1.0, 0.5
    trees = Trees(bins, Growth(trees=1, depth=1, rate=rate, ridge=ridge))
    parameters = grown(trees, x, y, owners=np.zeros(ROWS))
    assert parameters[0] == pytest.approx(y.mean(), abs=1e-6)
    rest = y - parameters[0]

    def gain(feature: int, place: int) -> float:
        right = bins.of(x)[:, feature] > place
        return sum(rest[side].sum() ** 2 / (side.sum() + ridge) for side in (right, ~right))

    feature, place, _ = trees.nodes(parameters)[0, 0]
    best = max(product(range(3), range(8)), key=lambda at: gain(*at))
    assert (feature, place) == best
    right = bins.of(x)[:, best[0]] > best[1]
    for node, side in ((1, ~right), (2, right)):
        expected = rate * rest[side].sum() / (side.sum() + ridge)
        assert trees.nodes(parameters)[0, node, 2] == pytest.approx(expected, abs=1e-6)


def test_a_side_with_too_few_records_is_not_split_off():
    x, y = drawn()
    trees = Trees(Bins.quantiles(x, 9), Growth(trees=2, depth=3, least_records=70))
    parameters = grown(trees, x, y, owners=np.zeros(ROWS))
    listed = trees.listed(trees.nodes(parameters)[0])
    assert 1 < len(listed.value) < 2**4 - 1
    assert (np.array(listed.left) < 0).sum() == len(listed.value) // 2 + 1
    again = trees.solve(parameters, trees.statistic(parameters, x, y))
    assert again.tobytes() == parameters.tobytes()


def test_scores_follow_the_edges_and_a_value_on_one_lies_above_it():
    bins = Bins(((0.0, 1.0),))
    trees = Trees(bins, Growth(trees=1, depth=1, rate=1.0, ridge=0.0))
    x, y = np.array([[-1.0], [-1.0], [0.0], [1.0]]), np.array([0.0, 0.0, 4.0, 4.0])
    parameters = grown(trees, x, y, owners=np.zeros(4))
    assert trees.scores(parameters, np.array([[-1e-3], [0.0], [7.0]])).tolist() == [0.0, 4.0, 4.0]
    assert trees.listed(trees.nodes(parameters)[0]).edge[0] == 0.0


def test_equal_gains_are_taken_as_the_rules_say():
    x = np.array([[0.0, 0.0], [3.0, 3.0]] * 4)
    y = np.array([0.0, 1.0] * 4)
    found = {}
    for highest in (False, True):
        trees = Trees(Bins(((1.0, 2.0), (1.0,))), Growth(trees=1, depth=1, highest=highest))
        found[highest] = tuple(trees.nodes(grown(trees, x, y, owners=np.zeros(8)))[0, 0, :2])
    assert found == {False: (0.0, 0.0), True: (0.0, 1.0)}


def test_no_records_and_foreign_parameters_are_refused():
    trees = Trees(Bins(((0.0,),)), Growth(trees=1, depth=1))
    with pytest.raises(Refusal) as refusal:
        trees.solve(trees.start, trees.statistic(trees.start, np.empty((0, 1)), np.empty(0)))
    assert refusal.value.code == "E-TREES-EMPTY"
    with pytest.raises(Refusal) as refusal:
        trees.family(np.zeros(4))
    assert refusal.value.code == "E-MODEL-PARAMETERS"


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"depth": 0}, {"depth": 9}, {"rate": 0.0}, {"ridge": -1.0}])
def test_rules_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValueError, match="needed"):
        Growth(**wrong)


def test_edges_ascend_and_few_values_have_a_bin_each():
    with pytest.raises(ValueError, match="ascend"):
        Bins(((1.0, 1.0),))
    assert Bins.quantiles(np.array([[1.0], [2.0], [2.0], [5.0]]), 3).edges == ((2.0, 5.0),)
    many = Bins.quantiles(np.arange(1000.0)[:, None], 10)
    assert many.most == 10
    assert np.bincount(many.of(np.arange(1000.0)[:, None])[:, 0]).max() <= 101
