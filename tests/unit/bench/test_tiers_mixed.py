"""Mixed requirements: every source's own is honoured, and what a halved sensitivity would give away is found."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from headwater.adapters import accounting
from headwater.aggregation import Mechanism
from headwater.aggregation.grouping import parted
from headwater.bench.ledger_audit import least_epsilon
from headwater.bench.tiers_classes import CLASSES, DELTA, NOISY, SOURCES, classes, planned
from headwater.bench.tiers_federations import Federation
from headwater.bench.tiers_mixed import closed, spent
from headwater.bench.tiers_trial import Trial
from headwater.checks.protections import seeded_entropy
from headwater.federation import GramQuestion
from headwater.federation.bounded import BoundedQuestion
from headwater.security.events import NonPrivate
from headwater.security.tally import Tally
from headwater.statistics import FeatureMap, Numeric

FEATURES = "abcdefgh"
QUESTION = GramQuestion(FeatureMap(numeric=tuple(Numeric(name, 0, 1) for name in FEATURES)), target="y")
NAMES = tuple(f"h{place:02d}" for place in range(SOURCES))
MEMBERS = tuple((kind, tuple(names)) for kind, names in classes(NAMES).items())


def table(rows, rng):
    columns = {name: rng.normal(size=rows) for name in FEATURES}
    noise = 2 * rng.normal(size=rows)
    return pa.table(columns | {"y": columns["a"] - 0.5 * columns["b"] + 0.2 * columns["c"] + noise})


def federation(seed):
    rng = np.random.default_rng(seed)
    sources = {name: table(30 + 2 * place, rng) for place, name in enumerate(NAMES)}
    return Federation(QUESTION, table(20, rng), table(2_000, rng), sources)


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_no_source_spends_more_than_its_requirement_allows(epsilon):
    plan = planned(MEMBERS, epsilon, 16)
    assert not plan.refused
    for kind, names in MEMBERS:
        for name in names:
            events = [exposure.event for exposure in plan.exposures[name]]
            assert isinstance(events[-1], NonPrivate) == (kind not in NOISY)
            if kind in NOISY:
                assert 0.98 * epsilon < accounting.epsilon(Tally().plus(events[-1]), DELTA) <= epsilon
            if kind == "strict":
                assert not any(isinstance(event, NonPrivate) for event in events)
    assert {kind for kind, cost in spent(epsilon).items() if cost is not None} == set(NOISY)


def test_every_source_is_asked_once_exactly_or_with_noise():
    exact, noisy = parted(planned(MEMBERS, 1.0, 16).groups)
    asked = [name for group in (*exact, *noisy) for name in group.members if name in NAMES]
    assert sorted(asked) == sorted(NAMES)
    dealt = dict(MEMBERS)
    assert {name for group in noisy for name in group.members} & set(NAMES) == {
        name for kind in NOISY for name in dealt[kind]
    }


def test_mixed_requirements_keep_what_the_strictest_for_all_lose():
    trials = [Trial(federation(seed), 1.0, seed) for seed in range(3)]
    losses = [trial.losses() | trial.others() for trial in trials]
    share = closed({way: [one[way] for one in losses] for way in losses[0]})
    assert {f"only_{kind}" for kind in CLASSES} < set(share)
    assert share["target"] == 0
    assert share["non_private"] == 1
    assert share["mixed"] > 0.85
    assert share["strictest_ssp"] < share["strictest"] < share["mixed"]
    assert share["strictest_ssp"] < 0


def test_the_largest_hospitals_can_be_those_that_demand_noise():
    chosen = federation(0).against()
    dealt = classes(sorted(chosen.sources))
    smallest = min(chosen.records[name] for kind in NOISY for name in dealt[kind])
    assert all(chosen.records[name] < smallest for kind in CLASSES if kind not in NOISY for name in dealt[kind])
    assert sorted(chosen.records.values()) == sorted(federation(0).records.values())


@pytest.mark.parametrize(("share", "kept"), [(1.0, True), (0.5, False)])
def test_an_audit_finds_half_a_sensitivity_and_not_the_whole(share, kept):
    """Two tables differ in one record whose label changes its sign: the worst that noise has to hide."""
    rng = np.random.default_rng(1)
    own = table(60, rng)
    asked = BoundedQuestion.around(QUESTION, QUESTION.of(own), own, ridge=1.0)
    told = [
        asked.of(pa.table(dict.fromkeys(FEATURES, [0.0]) | {"a": [8.0], "y": [y]})).values.view(np.int64)
        for y in (1e3, -1e3)
    ]
    moved = (told[0] - told[1]).astype(float)
    noise = Mechanism("clear", "sender", 1.0, DELTA).drawn(1, l2=share * asked.family.l2, length=len(moved))
    scores = [_seen(noise, one, moved / np.linalg.norm(moved)) for one in told]
    middle = float(np.mean([one @ moved / np.linalg.norm(moved) for one in told]))
    assert (least_epsilon(*scores, middle, DELTA) <= 1.0) == kept


def _seen(noise, values, direction, times=40_000):
    """Ask many times; return what is seen in the direction in which the tables differ."""
    draw = partial(noise.noised, entropy=seeded_entropy(int(values[0]) % 1_000))
    many = draw(np.tile(values, times).view(np.uint64)).view(np.int64).reshape(times, -1)
    return many @ direction
