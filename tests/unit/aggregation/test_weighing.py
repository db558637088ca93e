"""Exact parts give the exact solution; noisy parts count by public facts, and no more than they are worth."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Mechanism, Part, Tree, aggregate, group
from headwater.aggregation.weighing import Expected, weighed
from headwater.checks.protections import seeded_entropy
from headwater.federation import GramQuestion
from headwater.federation.bounded import BoundedQuestion
from headwater.security import Span
from headwater.statistics import FeatureMap, Numeric, Statistic

RIDGE = 1.0
BETA = np.array([0.3, 1.0, -0.5])
QUESTION = GramQuestion(FeatureMap(numeric=(Numeric("a", 0, 1), Numeric("b", 0, 1))), target="y")
NAMES = ("h0", "h1", "h2", "h3")
TREE = Tree.of(dict.fromkeys(NAMES, "city"), root="region")


def table(rows, seed, *, shift=0.0):
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=rows) + shift, rng.normal(size=rows), rng.normal(size=rows)
    return pa.table({"a": a, "b": b, "y": BETA[0] + BETA[1] * a + BETA[2] * b + noise})


OWN = table(30, 0)
TABLES = {name: table(400, place + 1, shift=0.2 * place) for place, name in enumerate(NAMES)}
RECORDS = {name: one.num_rows for name, one in TABLES.items()}
TOTAL = QUESTION.of(OWN)
ASKED = BoundedQuestion.around(QUESTION, TOTAL, OWN, ridge=RIDGE)
EXPECTED = Expected.of(ASKED, OWN)


def solved(parts, total=TOTAL, asked=ASKED):
    return weighed(asked, total, parts, expected=EXPECTED, records=RECORDS, ridge=RIDGE)


def noisy(mechanism, seed=0):
    answers = {name: ASKED.of(one) for name, one in TABLES.items()}
    span = Span(*ASKED.family.bounds(400))
    groups = group(TREE, dict.fromkeys(NAMES, mechanism), strand="noisy")
    entropy = seeded_entropy(seed)
    return aggregate(groups, answers, round_id="r", entropy=entropy, span=span, l2=ASKED.family.l2).parts


def pooled():
    return QUESTION.family.solve(Statistic.total([TOTAL, *map(QUESTION.of, TABLES.values())]), ridge=RIDGE)


def error(coefficients):
    return float(np.linalg.norm(coefficients - pooled()))


@pytest.mark.parametrize("mechanism", [IN_CLEAR, UNDER_MASKS])
def test_parts_without_noise_give_the_pooled_solution_bit_for_bit(mechanism):
    answers = {name: QUESTION.of(one) for name, one in TABLES.items()}
    groups = group(TREE, dict.fromkeys(NAMES, mechanism))
    total = TOTAL.merge(aggregate(groups, answers, round_id="r", entropy=seeded_entropy(1)).total)
    asked = BoundedQuestion.around(QUESTION, total, OWN, ridge=RIDGE)
    assert np.array_equal(solved({}, total, asked).coefficients, pooled())


def test_bounded_parts_without_noise_leave_little_of_the_distance():
    part = Part(Statistic.total([ASKED.of(one) for one in TABLES.values()]), 0.0, None, frozenset(NAMES))
    found = solved({"exact": part})
    assert found.weights == {"exact": 1.0}
    assert error(found.coefficients) < 0.35 * error(ASKED.known)


@pytest.mark.parametrize(
    "mechanism", [Mechanism("clear", "sender", 1.0, 1e-6), Mechanism("masked", "group", 1.0, 1e-6)]
)
def test_parts_with_noise_are_better_than_none(mechanism):
    errors = [error(solved(noisy(mechanism, seed)).coefficients) for seed in range(12)]
    assert np.mean(errors) < 0.8 * error(ASKED.known)


values = st.lists(st.integers(-(10**6), 10**6), min_size=10, max_size=10)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(values, st.floats(10, 1e5), st.sets(st.sampled_from(NAMES), min_size=1))
def test_what_is_told_has_no_say_in_how_much_it_counts(told, deviation, sources):
    form = ASKED.family
    shape = ASKED.of(OWN)
    assert form.length == len(told)
    parts = [
        Part(replace(shape, values=np.array(many, dtype=np.int64).view(np.uint64)), deviation, None, frozenset(sources))
        for many in (told, [0] * len(told))
    ]
    first, second = (solved({"s": part}) for part in parts)
    assert first.weights == second.weights
    count = sum(RECORDS[name] for name in sources)
    assert first.weights["s"] == EXPECTED.worth(count, deviation=deviation)
    assert np.isfinite(first.coefficients).all()


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_records_and_less_noise_are_worth_more(one, other, some, more):
    few, many, quiet, loud = min(one, other), max(one, other), min(some, more), max(some, more)
    worth = EXPECTED.worth
    assert 0 <= worth(few, deviation=loud) <= worth(many, deviation=loud) <= worth(many, deviation=quiet) <= 1
    assert worth(few, deviation=0.0) == 1
    assert worth(0, deviation=quiet) == 0


def test_noise_without_end_changes_nothing():
    (part,) = noisy(Mechanism("clear", "sender", 1.0, 1e-6)).values()
    found = solved({"s": replace(part, deviation=1e12)})
    assert found.coefficients == pytest.approx(ASKED.known, abs=1e-9)
