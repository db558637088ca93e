"""In-process sources are reached as if they were far away: by name, in bytes, with their faults contained."""

from dataclasses import dataclass

import numpy as np
import pytest

from headwater.errors import Message, Refusal
from headwater.federation import Description, GramQuestion, InProcess, SourceFault
from headwater.statistics import FeatureMap, Gram, Numeric, Statistic

QUESTION = GramQuestion(FeatureMap((Numeric("age", 0.0, 1.0),)))


@dataclass(frozen=True)
class Fixed:
    source_id: str
    outcome: Statistic | Exception

    def describe(self) -> Description:
        return Description(self.source_id, 0, ())

    def answer(self, question):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def statistic() -> Statistic:
    return Gram(2).sample(np.random.default_rng(0))


def test_answers_travel_as_bytes():
    transport = InProcess([Fixed("b", statistic()), Fixed("a", statistic())])
    assert transport.source_ids == ("a", "b")
    assert Statistic.from_bytes(transport.send("a", QUESTION)) == statistic()


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), OSError("x"), ValueError("x")])
def test_breakdowns_become_faults_that_name_the_source(error):
    with pytest.raises(SourceFault, match="Source a: failed") as caught:
        InProcess([Fixed("a", error)]).send("a", QUESTION)
    assert caught.value.code == "E-SOURCE-FAULT"
    assert caught.value.__cause__ is error


def test_refusals_arrive_as_they_are():
    refusal = Refusal("E-X", Message("", ""), Message("", ""))
    with pytest.raises(Refusal) as caught:
        InProcess([Fixed("a", refusal)]).send("a", QUESTION)
    assert caught.value is refusal


def test_mistakes_in_the_program_are_not_hidden():
    with pytest.raises(TypeError):
        InProcess([Fixed("a", TypeError("x"))]).send("a", QUESTION)


def test_unknown_sources_are_faults():
    with pytest.raises(SourceFault, match="no such source"):
        InProcess([]).send("a", QUESTION)


def test_two_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="stands twice"):
        InProcess([Fixed("a", statistic()), Fixed("a", statistic())])
