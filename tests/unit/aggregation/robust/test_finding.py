"""What was judged is told as JSON and read again, whatever could not be known."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest

from headwater.aggregation.robust import Judgement, judged
from headwater.bench.poison_attacks import spoken
from headwater.bench.poison_federations import FAMILIES
from headwater.bench.tiers_poison import revealed_sums
from headwater.statistics import Statistic

SOURCES = 15


@pytest.fixture(scope="module")
def drawn():
    return FAMILIES["made_up"](np.random.default_rng(3), SOURCES, None)


@pytest.fixture(scope="module")
def poisoned(drawn):
    rows = [drawn.rows(table) for table in drawn.sources]
    return spoken(drawn.target.question.family, rows, (4, 9), "replaced", np.random.default_rng(1))


@pytest.fixture(scope="module")
def impossible(poisoned):
    """Give statistics of which one spoils every sum that it stands in."""
    return [poisoned[0], Statistic(poisoned[1].kind, poisoned[1].shape, poisoned[1].values * np.uint64(10**6))] + (
        poisoned[2:]
    )


def found(said, drawn):
    return judged(revealed_sums(said), drawn.target, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["poisoned", "impossible"])
def test_a_judgement_comes_back_as_it_was_told(kind, drawn, request):
    robust = found(request.getfixturevalue(kind), drawn)
    told = json.loads(json.dumps(robust.to_dict(), allow_nan=False))
    again = Judgement.from_dict(told)
    assert repr(again) == repr(Judgement(*(getattr(robust, one.name) for one in fields(Judgement))))
    assert again.to_dict() == told
    assert again.left_out == robust.left_out != ()
    assert math.isinf(again.harm) == (kind == "impossible")


def test_everybody_is_joined_or_it_is_said_why_not(poisoned, drawn):
    robust = found(poisoned, drawn)
    assert set(robust.joined_sources) | set(robust.missing) == set(robust.weights)
    assert not set(robust.joined_sources) & set(robust.missing)
    assert set(robust.left_out) <= set(robust.missing)
    for source in robust.excluded:
        assert robust.missing[source] == robust.excluded[source].told
    for source in set(robust.missing) - set(robust.left_out):
        assert "nothing is held against it" in robust.missing[source].en
