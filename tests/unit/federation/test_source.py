"""A table answers questions with statistics of exactly the records asked for."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import Description, GramQuestion, TableSource, UpdateQuestion
from headwater.statistics import Categorical, FeatureMap, Numeric, Statistic

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
MAP = FeatureMap((Numeric("age", 60.0, 20.0),), (Categorical("chapter", 3),))


def table(months=(JANUARY, JANUARY, FEBRUARY)) -> pa.Table:
    count = len(months)
    return pa.table(
        {
            "month": pa.array(months, pa.date32()),
            "age": np.linspace(20, 80, count),
            "chapter": [("I", "J")[place % 2] for place in range(count)],
            "log_cost": np.linspace(8, 10, count),
        }
    )


def test_describes_itself():
    assert TableSource("h1", table()).describe() == Description("h1", 3, (JANUARY, FEBRUARY))


def test_months_add_up_to_the_whole():
    source = TableSource("h1", table())
    parts = [source.answer(GramQuestion(MAP, months=(month,))) for month in (JANUARY, FEBRUARY)]
    whole = source.answer(GramQuestion(MAP))
    assert Statistic.total(parts) == whole == source.answer(GramQuestion(MAP, months=(JANUARY, FEBRUARY, MARCH)))
    assert GramQuestion(MAP).family.records(whole) == 3


def test_a_question_knows_its_answer_without_a_source():
    assert GramQuestion(MAP).of(table()) == TableSource("h1", table()).answer(GramQuestion(MAP))


def test_networks_are_trained_by_the_trainer():
    seen = []

    def trainer(records, question):
        seen.append((records.num_rows, question.seed))
        return question.parameters + 1, records.num_rows

    question = UpdateQuestion("net", MAP, np.arange(4.0), months=(JANUARY,), seed=9)
    answer = TableSource("h1", table(), trainer).answer(question)
    assert seen == [(2, 9)]
    np.testing.assert_array_equal(question.family.solve(answer), np.arange(4.0) + 1)


@pytest.mark.parametrize(
    ("source", "question", "code"),
    [
        (TableSource("h1", table()), GramQuestion(MAP, months=(MARCH,)), "E-SOURCE-EMPTY"),
        (TableSource("h1", table()), GramQuestion(MAP, months=()), "E-SOURCE-EMPTY"),
        (TableSource("h1", table(())), GramQuestion(MAP), "E-SOURCE-EMPTY"),
        (TableSource("h1", table()), UpdateQuestion("net", MAP, np.zeros(2)), "E-SOURCE-TRAINER"),
        (TableSource("h1", table()), GramQuestion(MAP, target="cost"), "E-FEATURE-COLUMN"),
        (TableSource("h1", table().drop(["age"])), GramQuestion(MAP), "E-FEATURE-COLUMN"),
    ],
)
def test_refusals(source, question, code):
    with pytest.raises(Refusal) as caught:
        source.answer(question)
    assert caught.value.code == code


def test_questions_have_a_size():
    assert GramQuestion(MAP).nbytes == len(MAP.to_json()) + len("log_cost")
    assert GramQuestion(MAP, months=(MARCH,)).nbytes == GramQuestion(MAP).nbytes + 4
    assert UpdateQuestion("net", MAP, np.zeros(100)).nbytes > 800


def test_a_data_frame_is_as_good_as_a_table():
    assert TableSource("h1", table().to_pandas()).answer(GramQuestion(MAP)) == GramQuestion(MAP).of(table())
