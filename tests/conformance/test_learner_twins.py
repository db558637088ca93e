"""For every check of learners a broken twin of a sound one that the check does catch."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from headwater.checks import LEARNER_SUITE, Trial
from headwater.checks.learners import FEATURES
from headwater.federation import Solved
from headwater.statistics import Gram, Statistic

DIM = FEATURES.dim


def pooled(x, y, others):
    penalty = np.diag([0.0, *np.ones(DIM - 1)])
    return others @ np.linalg.solve(x.T @ x + penalty, x.T @ y)


class OtherWords(Solved):
    def predict(self, parameters, features):
        return super().predict(parameters, features)


class Moody(Solved):
    def describe(self):
        return replace(super().describe(), start=np.random.default_rng().normal(size=self.dim))


class KeepsFirst(Statistic):
    def merge(self, other):
        return self


class Stays(Statistic):
    def merge(self, other):
        merged = super().merge(other)
        return Stays(merged.kind, merged.shape, merged.values)

    def subtract(self, other):
        return self


class Lossy(Statistic):
    def to_bytes(self):
        return Statistic(self.kind, self.shape, self.values >> np.uint64(1)).to_bytes()


@dataclass(frozen=True)
class Says(Solved):
    kind: type = Statistic

    def statistic(self, parameters, x, y):
        said = super().statistic(parameters, x, y)
        return self.kind(said.kind, said.shape, said.values)


class Centred(Solved):
    def statistic(self, parameters, x, y):
        return super().statistic(parameters, x, y - y.mean())


class Off(Solved):
    def predict(self, parameters, x):
        return super().predict(parameters, x) + 1e-6


class Noisy(Solved):
    def statistic(self, parameters, x, y):
        return super().statistic(parameters, x, y + np.random.default_rng().normal(size=len(y)))


class Lenient(Gram):
    def check(self, statistic):
        return None


class Believing(Solved):
    def family(self, parameters):
        return Lenient(self.dim)


class FormOnly(Gram):
    def check(self, statistic):
        self.moments(statistic)


class Trusting(Solved):
    def family(self, parameters):
        return FormOnly(self.dim)


class Careless(Solved):
    def statistic(self, parameters, x, y):
        return super().statistic(np.zeros(self.dim), x, y)


class Mending(Solved):
    def statistic(self, parameters, x, y):
        if x.shape != (len(y), self.dim):
            return Gram(self.dim).sample(np.random.default_rng(0))
        return super().statistic(parameters, np.nan_to_num(x, posinf=0.0), np.nan_to_num(y))


@dataclass(frozen=True)
class Remembering(Solved):
    asked: list[int] = field(default_factory=list)

    def statistic(self, parameters, x, y):
        self.asked.append(len(y))
        return super().statistic(parameters, x, y + len(self.asked))


TWINS = {
    "check_five_verbs": OtherWords(DIM),
    "check_describes_itself": Moody(DIM),
    "check_merge_in_any_order_and_tree": Says(DIM, kind=KeepsFirst),
    "check_subtract_undoes_merge": Says(DIM, kind=Stays),
    "check_survives_the_journey": Says(DIM, kind=Lossy),
    "check_partition_does_not_show": Centred(DIM),
    "check_learns_what_the_pooled_records_teach": Off(DIM),
    "check_same_records_same_bits": Noisy(DIM),
    "check_foreign_statistics_refused": Believing(DIM),
    "check_impossible_answers_refused": Trusting(DIM),
    "check_foreign_parameters_refused": Careless(DIM),
    "check_bad_records_refused": Mending(DIM),
    "check_a_source_that_fails_is_named_and_left_out": Remembering(DIM),
}


@pytest.mark.parametrize("check", LEARNER_SUITE.checks, ids=lambda check: check.__name__)
def test_the_check_catches_its_twin(check):
    one = replace(LEARNER_SUITE, checks=(check,))
    assert one.failures(Trial(TWINS[check.__name__], pooled)) == [check.__name__]


def test_the_sound_one_passes():
    assert LEARNER_SUITE.failures(Trial(Solved(DIM), pooled)) == []


def test_a_network_is_held_to_the_pooled_loss():
    worse = Trial(Solved(DIM, ridge=3000.0), pooled, agrees="loss")
    assert LEARNER_SUITE.failures(worse) == ["check_learns_what_the_pooled_records_teach"]
    assert LEARNER_SUITE.failures(replace(worse, learner=Solved(DIM))) == []
