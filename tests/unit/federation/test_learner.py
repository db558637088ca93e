"""Asking round by round, whoever learns."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.checks.learners import FEATURES as WIDE
from headwater.checks.learners import records
from headwater.errors import Refusal
from headwater.federation import Asked, InProcess, Solved, learn
from headwater.statistics import FeatureMap, FixedPoint, Numeric, Statistic

FEATURES = FeatureMap((Numeric("a", 0.0, 1.0),))


def table(seed: int, rows: int = 40) -> pa.Table:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=rows)
    return pa.table({"a": a, "y": 2 * a + 1 + 0.1 * rng.normal(size=rows)})


TABLES = {f"h{seed}": table(seed) for seed in range(3)}


class Halving(Solved):
    """Comes half the way to the solution in a round."""

    def describe(self):
        told = super().describe()
        return type(told)(told.framework, "halving", 100, told.exact, np.zeros(self.dim))

    def solve(self, parameters, statistic):
        return (parameters + super().solve(parameters, statistic)) / 2


def test_it_ends_where_a_round_changes_nothing_and_counts_every_byte():
    found = learn(Halving(2), InProcess.of(TABLES), features=FEATURES, target="y")
    once = learn(Solved(2), InProcess.of(TABLES), features=FEATURES, target="y")
    assert once.rounds == 1
    assert 30 < found.rounds < 60
    assert np.abs(found.parameters - once.parameters).max() < 1e-9
    for name, spent in once.bytes_by_source.items():
        question = Asked(Solved(2), FEATURES, "y", np.empty(0))
        assert spent == question.nbytes + question.of(TABLES[name]).nbytes
        assert found.bytes_by_source[name] == found.rounds * (spent + found.parameters.nbytes)
    assert once.total == Statistic.total(question.of(one) for one in TABLES.values())


def test_only_those_named_are_asked_and_a_sum_can_be_made_otherwise():
    seen = []

    def combine(said):
        seen.append(sorted(said))
        return Statistic.total(said.values())

    found = learn(Solved(2), InProcess.of(TABLES), features=FEATURES, target="y", sources=["h0", "h2"], combine=combine)
    assert seen == [["h0", "h2"]]
    assert set(found.bytes_by_source) == {"h0", "h2"}


def test_nobody_who_answers_is_refused_with_everyones_reason():
    with pytest.raises(Refusal) as refusal:
        learn(Solved(2), InProcess.of(TABLES), features=FEATURES, target="z")
    assert refusal.value.code == "E-LEARN-EMPTY"
    assert all(name in refusal.value.reason.en and name in refusal.value.reason.zh for name in TABLES)


def test_a_coarse_encoding_travels_in_fewer_bytes_and_is_hardly_another_model():
    tables = {f"h{seed}": records("numbers", 200, seed=seed) for seed in range(3)}
    fine, coarse = (
        learn(Solved(WIDE.dim, encoding=encoding), InProcess.of(tables), features=WIDE, target="y")
        for encoding in (FixedPoint(), FixedPoint(fraction_bits=6))
    )
    assert max(coarse.bytes_by_source.values()) < min(fine.bytes_by_source.values())
    assert np.abs(coarse.parameters - fine.parameters).max() < 1e-3
