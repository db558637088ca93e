"""Whoever fails is named and left out; the others are counted to the byte."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import Description, GramQuestion, InProcess, TableSource, ask
from headwater.statistics import FeatureMap, FixedPoint, Gram, Numeric, Statistic

QUESTION = GramQuestion(FeatureMap((Numeric("age", 60.0, 20.0), Numeric("days", 5.0, 5.0))))


def table(count: int, *, seed: int = 0, **changes) -> pa.Table:
    rng = np.random.default_rng(seed)
    columns = {
        "month": pa.array([date(2026, 1, 1)] * count, pa.date32()),
        "age": rng.normal(60, 20, count),
        "days": rng.gamma(2, 3, count),
        "log_cost": rng.normal(9, 1, count),
    }
    return pa.table({**columns, **changes})


class Liar:
    """Answers with something that no records can give."""

    def __init__(self, source_id: str, statistic: Statistic) -> None:
        self.source_id, self.statistic = source_id, statistic

    def describe(self) -> Description:
        return Description(self.source_id, 1, ())

    def answer(self, question) -> Statistic:
        return self.statistic


def negative() -> Statistic:
    values = np.zeros(Gram(3).length)
    values[0], values[-1] = -5.0, 10.0
    return Statistic("gram", (3,), FixedPoint().encode(values))


SOURCES = [
    TableSource("constant", table(20, age=np.full(20, 50.0))),
    TableSource("good", table(50)),
    TableSource("one", table(1)),
    TableSource("empty", table(0)),
    TableSource("infinite", table(5, age=[1.0, np.inf, 2.0, 3.0, 4.0])),
    TableSource("missing", table(5).drop(["days"])),
    TableSource("nan", table(5, log_cost=[np.nan] * 5)),
    TableSource("text", table(5, age=["?"] * 5)),
    Liar("foreign", Gram(7).sample(np.random.default_rng(0))),
    Liar("impossible", negative()),
]


def test_failing_sources_are_named_and_left_out():
    answers = ask(InProcess(SOURCES), QUESTION)
    assert list(answers.statistics) == ["constant", "good", "one"]
    assert {source: error.code for source, error in answers.refused.items()} == {
        "empty": "E-SOURCE-EMPTY",
        "foreign": "E-STATISTIC-FORM",
        "impossible": "E-GRAM-IMPOSSIBLE",
        "infinite": "E-FEATURE-FINITE",
        "missing": "E-FEATURE-COLUMN",
        "nan": "E-FEATURE-FINITE",
        "text": "E-FEATURE-NUMBER",
    }
    for source, error in answers.refused.items():
        assert source in error.reason.en
        assert source in error.reason.zh
        assert error.remedy.zh


def test_bytes_are_question_plus_answer():
    answers = ask(InProcess(SOURCES), QUESTION)
    answer = answers.statistics["good"].nbytes
    assert answers.bytes_by_source["good"] == QUESTION.nbytes + answer
    assert answers.bytes_by_source["impossible"] > QUESTION.nbytes
    assert answers.bytes_by_source["empty"] == QUESTION.nbytes
    assert set(answers.bytes_by_source) == {source.source_id for source in SOURCES}


def test_some_can_be_asked_alone():
    answers = ask(InProcess(SOURCES), QUESTION, sources=["one", "good", "stranger"])
    assert list(answers.statistics) == ["good", "one"]
    assert answers.refused["stranger"].code == "E-SOURCE-FAULT"


def test_the_sum_over_sources_is_the_statistic_of_all_records():
    sources = [TableSource(f"h{seed}", table(40, seed=seed)) for seed in range(4)]
    total = Statistic.total(ask(InProcess(sources), QUESTION).statistics.values())
    assert total == QUESTION.of(pa.concat_tables([source.table for source in sources]))


@pytest.mark.parametrize("sources", [None, []])
def test_asking_nobody_is_refused(sources):
    with pytest.raises(Refusal) as caught:
        ask(InProcess([]), QUESTION, sources=sources)
    assert caught.value.code == "E-ROUND-EMPTY"


class Unreachable:
    """A transport that breaks its promise: what goes wrong arrives as it happened."""

    source_ids = ("far",)

    def send(self, to, question):
        raise TimeoutError("30 s")


def test_a_transport_that_times_out_names_the_source():
    error = ask(Unreachable(), QUESTION).refused["far"]
    assert (error.code, "far gave no answer (30 s)" in error.reason.en) == ("E-SOURCE-FAULT", True)
