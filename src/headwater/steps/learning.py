"""Learning: all rounds of a model over sources whose own answers may be seen, the bureau's records joining in each."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from headwater.adapters.features import Region
from headwater.adapters.learners import Learner
from headwater.federation import Answers, InProcess, Question, Source, TableSource, ask
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Combine", "learn", "plainly"]

Combine: TypeAlias = Callable[[Question, Answers], Statistic | None]
"""From the answers of a round to their sum; None if there are none."""


def learn(
    teacher: Learner,
    region: Region,
    sources: Sequence[Source],
    asked: Sequence[SourceId],
    combine: Combine,
    *,
    seed: int,
) -> Vector:
    """Return the parameters that rounds over ``asked`` give, the bureau's own records joining in each."""
    transport, own = InProcess(sources), TableSource("target", region.target.train, teacher.train)
    parameters = teacher.start(region.target.train, seed=seed)
    for turn in range(teacher.rounds):
        question = teacher.question(parameters, seed=seed + turn)
        total = own.answer(question)
        theirs = combine(question, ask(transport, question, sources=asked)) if asked else None
        parameters = teacher.solve(parameters, total.merge(theirs) if theirs is not None else total)
    return parameters


def plainly(question: Question, answers: Answers) -> Statistic | None:
    """Return the sum of the answers."""
    return Statistic.total(answers.statistics.values()) if answers.statistics else None
