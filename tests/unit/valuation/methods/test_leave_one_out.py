"""What is missed without each player, by one coalition each."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation import METHODS
from headwater.valuation.games import ORACLES, Glove

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_closed_form(name):
    game = ORACLES[name]
    found = METHODS["leave_one_out"](game, [str(place) for place in range(game.size)], rng=RNG)
    np.testing.assert_allclose(found.values, game.leave_one_out(), atol=1e-12)
    assert (found.evaluations, found.concept) == (game.size + 1, "leave_one_out")


def test_a_coalition_too_few_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-BUDGET"):
        METHODS["leave_one_out"](Glove(5), list("abcde"), rng=RNG, budget=5)
