"""In-process sources are reached as if they were far away: by name, in bytes, with their faults contained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from headwater.errors import Message, Refusal
from headwater.federation import Description, GramQuestion, InProcess, Remembering, SourceFault, Without
from headwater.federation.round import carried
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


@pytest.mark.parametrize(
    "error",
    [
        *(ZeroDivisionError("x"), KeyError("x"), OSError("x"), ValueError("x"), RuntimeError("x")),
        *(pa.ArrowTypeError("x"), TypeError(), AssertionError("x"), StopIteration(), NotImplementedError()),
    ],
)
def test_whatever_a_source_raises_is_its_own_fault_and_the_cause_is_kept(error):
    with pytest.raises(SourceFault, match="Source a gave no answer") as caught:
        carried(InProcess([Fixed("a", error)]), "a", QUESTION)
    assert caught.value.code == "E-SOURCE-FAULT"
    assert caught.value.__cause__ is error


def test_refusals_keep_their_code_and_are_named():
    refusal = Refusal("E-X", Message("甲", "one"), Message("乙", "two"))
    with pytest.raises(Refusal, match="E-X: Source a: one") as caught:
        carried(InProcess([Fixed("a", refusal)]), "a", QUESTION)
    assert caught.value.__cause__ is refusal


@pytest.mark.parametrize("given", [None, {"age": [1.0]}, np.zeros((2, 2)), pd.Series([1.0]), "h1.csv"])
def test_what_is_no_table_is_refused_when_it_is_asked(given):
    federation = InProcess.of({"a": given, "b": pa.table({"age": [1.0, 2.0], "log_cost": [1.0, 2.0]})})
    assert federation.send("b", QUESTION)
    with pytest.raises(Refusal, match="E-TABLE-KIND"):
        federation.send("a", QUESTION)


def test_unknown_sources_are_faults():
    with pytest.raises(SourceFault, match="no such source"):
        InProcess([]).send("a", QUESTION)


def test_two_of_one_name_are_an_error():
    with pytest.raises(Refusal, match="a stands twice"):
        InProcess([Fixed("a", statistic()), Fixed("a", statistic())])


def test_an_answer_that_is_none_is_a_fault():
    with pytest.raises(SourceFault, match="Source a: gave no statistic"):
        InProcess([Fixed("a", None)]).send("a", QUESTION)


def test_tables_and_data_frames_make_sources_by_name():
    frames = {"a": pa.table({"age": [1.0, 2.0], "log_cost": [1.0, 2.0]}), 7: pd.DataFrame({"age": [1.0], "x": ["?"]})}
    transport = InProcess.of(frames)
    assert transport.source_ids == ("7", "a")
    assert Gram(2).records(Statistic.from_bytes(transport.send("a", QUESTION))) == 2
    with pytest.raises(Refusal, match="no column 'log_cost'"):
        transport.send("7", QUESTION)


def test_records_are_had_of_tables_alone():
    table = pa.table({"age": [1.0]})
    assert InProcess.of({"a": table}).records("a") is table
    for name in ("a", "b"):
        with pytest.raises(SourceFault, match=f"Source {name}: has no table"):
            InProcess([Fixed("a", statistic())]).records(name)


def test_a_question_is_asked_once_and_a_failure_again():
    asked = []

    class Moody(Fixed):
        def answer(self, question):
            asked.append(question.target)
            if len(asked) == 1:
                raise OSError("busy")
            return super().answer(question)

    transport = Remembering(InProcess([Moody("a", statistic())]))
    with pytest.raises(OSError, match="busy"):
        transport.send("a", QUESTION)
    other = GramQuestion(QUESTION.feature_map, target="days")
    answers = [transport.send("a", question) for question in (QUESTION, QUESTION, other)]
    assert transport.source_ids == ("a",)
    assert asked == ["log_cost", "log_cost", "days"]
    assert answers[0] == answers[1]


def test_who_is_left_out_is_reached_no_more():
    table = pa.table({"a": [1.0], "y": [2.0]})
    left = Without(InProcess.of({"east": table, "west": table}), frozenset({"west"}))
    assert left.source_ids == ("east",)
    question = GramQuestion(FeatureMap((Numeric("a", 0.0, 1.0),)), target="y")
    assert left.send("east", question)
    with pytest.raises(SourceFault, match="left out"):
        left.send("west", question)
