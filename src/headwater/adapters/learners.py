"""What every learner can do: ask a question, train at home, solve the sum of the answers, predict."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from headwater import federation
from headwater.content.models import Model
from headwater.errors import Message, Refusal
from headwater.federation import Described, GramQuestion, Question, UpdateQuestion
from headwater.federation.solved import Solved
from headwater.statistics import Gram, Statistic
from headwater.types import Vector

__all__ = ["Learner", "Ridge", "equally", "learner", "predict"]


class Learner(federation.Learner, Protocol):
    """The five verbs for a definition in ``models/``, and what versions need: questions, and a part that is exact."""

    @property
    def model(self) -> Model:
        """The definition it learns."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether the sum of the sources' answers is the answer of their records in one place."""
        ...

    @property
    def rounds(self) -> int:
        """How many times the sources are asked."""
        ...

    def start(self, own: pa.Table, *, seed: int) -> Vector:
        """Return the parameters that the bureau starts from; it may look at its ``own`` records."""
        ...

    def question(self, parameters: Vector, *, seed: int) -> Question:
        """Return what the sources are asked in the round that starts from ``parameters``."""
        ...

    def train(self, table: pa.Table, question: UpdateQuestion) -> tuple[Vector, int]:
        """Return the parameters (dim,) that training on ``table`` gives, and the number of records used."""
        ...

    def exact(self, parameters: Vector, *, months: tuple[date, ...] | None = None) -> GramQuestion:
        """Return the question whose summed answers give the exact part of ``parameters``."""
        ...

    def resolve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return ``parameters`` with their exact part solved from the sum of the answers to ``exact``."""
        ...

    def share(self, parameters: Vector) -> tuple[int, int]:
        """Return how many of the parameters are the exact part, and how many there are."""
        ...


@dataclass(frozen=True)
class Ridge:
    """The learner of a ``gram`` model: one question, one exact solution."""

    model: Model
    is_exact = True
    rounds = 1

    @cached_property
    def gram(self) -> Gram:
        """The family of its statistic."""
        built = self.model.build(self.model.spec.features.dim)
        if not isinstance(built, Gram):
            name = self.model.spec.name
            raise Refusal(
                "E-MODEL-BUILD",
                Message(f"模型“{name}”的 build 没有返回 Gram。", f"build of the model {name!r} returns no Gram."),
                Message("应返回 Gram(dim)。", "Return Gram(dim)."),
            )
        return built

    def start(self, own: pa.Table, *, seed: int) -> Vector:
        """Return zeros: a ridge has one solution wherever it starts."""
        return np.zeros(self.model.spec.features.dim)

    def question(self, parameters: Vector, *, seed: int) -> GramQuestion:
        """Return the only question; it depends on nothing."""
        return self.asked()

    def asked(self, *, months: tuple[date, ...] | None = None) -> GramQuestion:
        """Return the question about some months, by default all."""
        return GramQuestion(self.model.spec.features, target=self.model.spec.target, months=months)

    def train(self, table: pa.Table, question: UpdateQuestion) -> tuple[Vector, int]:
        """Refuse: a ridge is solved, not trained."""
        raise Refusal(
            "E-MODEL-TRAIN",
            Message(f"岭回归不接受“{question.model}”的训练问题。", f"A ridge is not trained as {question.model!r}."),
            Message("请改问 Gram 统计量。", "Ask for the Gram statistic."),
        )

    @property
    def solved(self) -> Solved:
        """The five verbs."""
        return Solved(self.model.spec.features.dim, ridge=self.model.spec.ridge)

    def describe(self) -> Described:
        """Return what there is to learn."""
        return self.solved.describe()

    def family(self, parameters: Vector) -> Gram:
        """Return the family of the only round."""
        return self.gram

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return Gram matrix and moment of records."""
        return self.solved.statistic(parameters, x, y)

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the coefficients, whatever they were."""
        return self.coefficients(statistic)

    def coefficients(self, statistic: Statistic) -> Vector:
        """Return the coefficients."""
        return self.gram.solve(statistic, ridge=self.model.spec.ridge)

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return ``x @ parameters``."""
        return self.solved.predict(parameters, x)

    def exact(self, parameters: Vector, *, months: tuple[date, ...] | None = None) -> GramQuestion:
        """Return the only question: a ridge is exact as a whole."""
        return self.asked(months=months)

    def resolve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the coefficients that the statistic gives, whatever they were."""
        return self.coefficients(statistic)

    def share(self, parameters: Vector) -> tuple[int, int]:
        """Return that all are exact."""
        return parameters.size, parameters.size


def learner(model: Model) -> Learner:
    """Return the learner that the model declares."""
    if model.spec.learner == "gram":
        return Ridge(model)
    # PyTorch takes a second to import; a ridge does not wait for it.
    from headwater.adapters.network import Network

    return Network(model)


def predict(of: Learner, parameters: Vector, table: pa.Table) -> Vector:
    """Return the (rows,) predictions for a feature table."""
    return of.predict(parameters, of.model.spec.features.transform(table))


def equally(question: Question, statistics: list[Statistic]) -> list[Statistic]:
    """Return the statistics scaled so that every source counts as much as the average one, whatever its size."""
    family = question.family
    records = [family.records(statistic) for statistic in statistics]
    mean = sum(records) / len(records)
    return [
        Statistic(s.kind, s.shape, family.encoding.encode(family.encoding.decode(s.values) * (mean / n)))
        for s, n in zip(statistics, records, strict=True)
    ]
