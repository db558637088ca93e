"""A chosen set is affordable, as good as the best, certified, explained, and the same again."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.valuation import Budget, Statistics, Target, cautious, select
from headwater.valuation.games import ORACLES, Additive, Square, Unanimity
from headwater.valuation.methods import exact
from headwater.valuation.selection import (
    Problem,
    affordable,
    backward,
    certify,
    greedy,
    guided,
    improved,
    lazy,
    relaxation,
    returns,
    stochastic,
)
from headwater.valuation.selection.certificate import Certificate


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


ALGORITHMS = {
    "backward": backward,
    "greedy": greedy,
    "improved": lambda problem: improved(problem, problem.nobody),
    "lazy": lazy,
    "relaxation": lambda problem: relaxation(problem, rng()),
    "stochastic": lambda problem: stochastic(problem, rng()),
}


def named(game) -> list[str]:
    return [f"h{place}" for place in range(game.size)]


def best(problem: Problem) -> float:
    sets = affordable(problem)
    assert sets is not None
    return float(problem.utilities(sets).max())


@pytest.mark.parametrize("budget", [1, 2, 4])
@pytest.mark.parametrize("oracle", sorted(ORACLES))
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_algorithm_keeps_the_budget_and_repeats_itself(algorithm, oracle, budget):
    game = ORACLES[oracle]
    costs = Budget(float(budget), {name: 1.0 + place % 2 / 2 for place, name in enumerate(named(game))})
    problem = Problem.of(game, named(game), costs)
    chosen = ALGORITHMS[algorithm](problem)
    assert problem.fits(chosen[None, :])[0]
    assert 0 <= problem.utility(chosen) <= best(problem) + 1e-12
    np.testing.assert_array_equal(chosen, ALGORITHMS[algorithm](problem))


def test_the_list_of_algorithms_is_whole():
    """Guided choice needs a game that knows its slopes and is tested with cautious utilities."""
    from headwater.valuation import selection

    functions = {name for name in selection.__all__ if name.islower()}
    others = {"affordable", "cautious", "certify", "pruned", "returns", "select"}
    assert functions - others - set(ALGORITHMS) == {guided.__name__}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_the_bound_is_never_below_the_best(data):
    """On any game whatever: a conditional certificate is asked for only where returns do diminish."""
    size = data.draw(st.integers(2, 6))
    table = np.array(data.draw(st.lists(st.integers(-9, 9), min_size=2**size, max_size=2**size)), dtype=float)
    table[0] = 0.0

    def game(coalitions):
        return table[coalitions @ (1 << np.arange(size))]

    costs = {f"h{place}": data.draw(st.floats(0.5, 3.0)) for place in range(size)}
    selection = select(game, list(costs), budget=Budget(3.0, costs), rng=rng())
    problem = Problem.of(game, list(costs), Budget(3.0, costs))
    assert selection.utility == best(problem) == selection.certificate.bound
    assert selection.share == 1.0
    assert selection.cost <= 3.0 + 1e-9
    assert set(selection.reasons) == set(costs)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.sets(st.integers(0, 12), min_size=1, max_size=5), min_size=14, max_size=16), st.integers(2, 5))
def test_where_returns_diminish_the_conditional_bound_holds(sets, budget):
    covers = np.array([[float(item in one) for item in range(13)] for one in sets])

    def covered(coalitions):
        return (coalitions.astype(float) @ covers > 0).sum(axis=1).astype(float)

    names = [f"h{place}" for place in range(len(sets))]
    problem = Problem.of(covered, names, budget)
    found = returns(problem, rng())
    assert found.diminish
    assert found.monotone
    selection = select(covered, names, budget=budget, rng=rng())
    assert selection.algorithm.startswith("lazy")
    assert selection.certificate.conditional
    assert selection.utility >= (1 - 1 / np.e) * best(problem)
    assert selection.certificate.bound >= best(problem)


def test_complements_are_found_together():
    game = Unanimity(14, 2)
    selection = select(game, named(game), budget=3, rng=rng())
    assert set(selection.chosen) == {"h0", "h1"}
    assert not selection.returns.diminish


def test_returns_are_told_apart():
    linear, growing = Additive(tuple(map(float, range(1, 9)))), Square(tuple(map(float, range(1, 9))))
    straight = returns(Problem.of(linear, named(linear), 3), rng())
    assert straight.diminish
    assert straight.ratio == pytest.approx(1.0)
    rising = returns(Problem.of(growing, named(growing), 3), rng())
    assert not rising.diminish
    assert rising.high < 1
    assert rising.violated_low > 0.5


def test_who_harms_beyond_the_interval_is_never_chosen():
    game = Square((1.0, -0.5, 2.0))
    valuation = exact(game, named(game), rng=rng())
    selection = select(game, named(game), budget=3, rng=rng(), valuation=valuation)
    assert "h1" not in selection.chosen
    assert "below 0" in selection.reasons["h1"].en
    # Twice negative is positive: without the valuation the pair would have looked like a gain.
    pair = Square((-1.0, -0.5))
    assert set(select(pair, named(pair), budget=2, rng=rng()).chosen) == {"h0", "h1"}


def test_every_source_has_a_sentence():
    game = Additive((3.0, 1.0, -2.0, 2.0))
    selection = select(game, named(game), budget=2, rng=rng())
    assert selection.chosen == ("h0", "h3")
    assert selection.gains == (3.0, 2.0)
    assert "place 1" in selection.reasons["h0"].en
    assert "budget is spent; it would add +1.0000" in selection.reasons["h1"].en
    assert "changes the utility by -2.0000" in selection.reasons["h2"].en
    assert "预算已用完" in selection.reasons["h1"].zh


def test_of_equals_the_smaller_set():
    assert select(lambda c: np.zeros(len(c)), ["a", "b"], budget=2, rng=rng()).chosen == ()


def test_without_knowledge_there_is_no_bound():
    game = Square(tuple(float(place % 5) - 1.5 for place in range(20)))
    problem = Problem.of(game, named(game), 8)
    certificate = certify(problem, problem.nobody, returns(problem, rng()), optimum=None)
    assert certificate == Certificate(np.inf, certificate.proof, False)
    assert select(game, named(game), budget=8, rng=rng()).share == 0.0


@pytest.mark.parametrize("budget", [2, 2.0, np.int64(2), Budget(2)])
def test_a_number_of_sources_may_be_of_any_kind(budget):
    worth = np.array([3.0, 1.0, 2.0, -1.0])
    found = select(lambda masks: masks @ worth, list("abcd"), budget=budget, rng=np.random.default_rng(0))
    assert set(found.chosen) == {"a", "c"}


@pytest.mark.parametrize("budget", ["3", None, [1]])
def test_a_budget_that_is_no_number_is_refused(budget):
    with pytest.raises(Refusal, match="E-SELECT-BUDGET"):
        select(lambda masks: masks.sum(axis=1), ["a", "b"], budget=budget, rng=np.random.default_rng(0))


@pytest.mark.parametrize("unit", ["money", "bytes", "epsilon"])
def test_a_budget_in_what_no_source_has_a_cost_in_is_refused(unit):
    with pytest.raises(Refusal, match=f"E-SELECT-COST.*{unit}"):
        select(lambda masks: masks.sum(axis=1), ["a", "b"], budget=Budget(50, unit=unit), rng=rng())


def test_a_budget_below_every_cost_names_the_cheapest():
    with pytest.raises(Refusal, match="E-SELECT-BUDGET.*cheapest, b, costs 7000"):
        select(
            lambda masks: masks.sum(axis=1),
            ["a", "b"],
            budget=Budget(5_000, {"a": 8_000.0, "b": 7_000.0}, "bytes"),
            rng=rng(),
        )


def _ridge_game():
    numbers = np.random.default_rng(1)

    def table(rows):
        x = numbers.normal(size=rows)
        return pa.table({"x": x, "y": x + numbers.normal(size=rows)})

    target = Target.of(table(40), label="y", rng=numbers)
    federation = InProcess.of({name: table(20) for name in "abcd"})
    return Statistics().play(federation, target, target.features, rng=numbers)


@pytest.mark.parametrize("form", [lambda asked: asked, lambda asked: asked.game, lambda asked: cautious(asked.game)])
def test_players_in_another_order_than_the_games_are_refused(form):
    game = form(_ridge_game())
    select(game, game.players, budget=2, rng=rng())
    for others in (game.players[::-1], game.players[:2], [*game.players, "e"]):
        with pytest.raises(Refusal, match="E-VALUE-PLAYERS"):
            select(game, others, budget=2, rng=rng())


@pytest.mark.parametrize(
    "game",
    [
        lambda masks: np.full(len(masks), np.nan),
        lambda masks: np.where(masks.all(axis=1), np.inf, 0.0),
        lambda masks: masks.sum(axis=1)[:, None],
        lambda masks: 1.0,
    ],
)
def test_a_game_that_tells_no_numbers_is_refused(game):
    for players in ("abc", [f"h{place}" for place in range(20)]):
        with pytest.raises(Refusal, match="E-VALUE-FINITE"):
            select(game, list(players), budget=2, rng=rng())


def test_a_seed_is_no_generator():
    with pytest.raises(Refusal, match="E-VALUE-RNG"):
        select(lambda masks: masks.sum(axis=1), ["a", "b"], budget=1, rng=7)
