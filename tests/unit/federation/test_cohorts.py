"""Nothing but sums of cohorts leaves, and no combination of them is one source."""

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.federation import CohortSums, GramQuestion, InProcess, TableSource
from headwater.federation.cohorts import Share
from headwater.federation.division import leverage
from headwater.security import CLEAR, MASKED
from headwater.statistics import FeatureMap, Numeric, Statistic

QUESTION = GramQuestion(FeatureMap(numeric=(Numeric("age", 50, 20),)), target="cost")
SOURCES = 12


def _table(seed, rows=20):
    rng = np.random.default_rng(seed)
    return pa.table({"age": rng.normal(50, 20, rows), "cost": rng.normal(size=rows)})


TABLES = {f"h{place:02d}": _table(place) for place in range(SOURCES)}


def _entropy():
    count = itertools.count()
    return lambda size: hashlib.shake_256(str(next(count)).encode()).digest(size)


def _sums(protection=MASKED, tables=TABLES, **options):
    sources = [TableSource(name, table) for name, table in tables.items()]
    return CohortSums(InProcess(sources), QUESTION, protection, entropy=_entropy(), **options)


def _mask(*members):
    return np.isin(np.arange(SOURCES), members)


HALVES = np.stack([_mask(*range(6)), _mask(*range(6, 12))])


@pytest.mark.parametrize("protection", [None, CLEAR, MASKED], ids=["none", "clear", "masked"])
def test_sums_are_those_of_the_members(protection):
    first, second = _sums(protection).reveal(HALVES)
    own = [QUESTION.of(table) for table in TABLES.values()]
    assert first == Statistic.total(own[:6])
    assert second == Statistic.total(own[6:])


def test_only_what_travels_under_masks_is_nobodys():
    masked, clear = _sums(MASKED), _sums(CLEAR)
    masked.reveal(HALVES)
    clear.reveal(HALVES)
    assert masked.attributable == {}
    assert min(clear.attributable.values()) >= 8 * QUESTION.family.length


@pytest.mark.parametrize("members", [1, 4, 8, 11, 12])
def test_a_cohort_too_small_or_with_too_few_outside_is_refused(members):
    with pytest.raises(Refusal, match="E-COHORT-SMALL") as refusal:
        _sums().reveal(_mask(*range(members))[None])
    assert f"{members} of 12" in refusal.value.reason.en


def test_sums_whose_difference_is_a_source_are_refused_before_anyone_is_asked():
    sums = _sums()
    sums.reveal(_mask(*range(6))[None])
    before = dict(sums.asked)
    with pytest.raises(Refusal, match="E-COHORT-LEVERAGE") as refusal:
        sums.reveal(_mask(*range(7))[None])
    assert "h06" in refusal.value.reason.en
    assert "1.000" in refusal.value.reason.en
    assert sums.asked == before
    assert sums.leverage == pytest.approx(1 / 6)


def test_the_account_of_leverage_is_what_refuses():
    """The broken twin: an account that forgets what was revealed lets one source be computed."""
    sums = _sums()
    first = sums.reveal(_mask(*range(6))[None])[0]
    sums.revealed = sums.revealed[:0]
    second = sums.reveal(_mask(*range(7))[None])[0]
    assert second.subtract(first) == QUESTION.of(TABLES["h06"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_leverage_is_one_exactly_where_a_combination_is_one_source(seed, count):
    masks = np.random.default_rng(seed).random((count, 6)) < 0.5
    found = leverage(masks)
    assert found.sum() == pytest.approx(np.linalg.matrix_rank(masks.astype(float)))
    for place, unit in enumerate(np.eye(6)):
        weights = np.linalg.lstsq(masks.T.astype(float), unit, rcond=None)[0]
        misses = np.square(weights @ masks - unit).sum()
        assert found[place] == pytest.approx(1 - misses, abs=1e-8)


def test_who_cannot_answer_is_named_before_anything_is_summed():
    poor = {**TABLES, "h03": _table(3).drop_columns(["age"]), "h07": _table(7, rows=1)}
    sums = _sums(tables=poor)
    assert {name: error.code for name, error in sums.refused.items()} == {
        "h03": "E-FEATURE-COLUMN",
        "h07": "E-VALUE-RECORDS",
    }
    assert "h03" in sums.refused["h03"].reason.en
    assert set(sums.sources) == set(TABLES) - {"h03", "h07"}


@pytest.mark.parametrize("options", [{"floor": 3}, {"floor": 0}, {"limit": 1.0}, {"floor": 4, "limit": 0.4}])
def test_a_floor_or_a_limit_that_hides_nobody_is_refused_before_anyone_is_asked(options):
    with pytest.raises(Refusal, match="E-COHORT-LIMITS"):
        _sums(**options)


def test_a_source_without_a_name_is_refused_alone():
    sums = _sums(tables={**TABLES, "": _table(99)})
    assert {name: error.code for name, error in sums.refused.items()} == {"": "E-SOURCE-NAME"}
    assert set(sums.sources) == set(TABLES)
    assert len(sums.reveal(HALVES)) == 2


class _Forged:
    """A question whose answers no records can give."""

    def __init__(self, question):
        self.question, self.nbytes, self.months = question, question.nbytes, question.months

    def of(self, table):
        honest = self.question.of(table)
        return Statistic(honest.kind, honest.shape, np.zeros_like(honest.values) - 50 * honest.values)


class _Liar(TableSource):
    """A source that is ready like any, and then adds what no records can give."""

    def answer(self, question):
        if isinstance(question, Share):
            return super().answer(replace(question, question=_Forged(question.question)))
        return _Forged(question).of(self.table) if isinstance(question, GramQuestion) else super().answer(question)


def test_a_sum_that_no_records_can_give_is_refused_with_its_members():
    honest = [TableSource(name, table) for name, table in TABLES.items() if name != "h03"]
    sums = CohortSums(InProcess([*honest, _Liar("h03", TABLES["h03"])]), QUESTION, MASKED)
    assert "h03" in sums.sources
    with pytest.raises(Refusal, match="E-COHORT-IMPOSSIBLE.*h03"):
        sums.reveal(HALVES)


def test_an_open_answer_that_no_records_can_give_is_named_alone():
    honest = [TableSource(name, table) for name, table in TABLES.items() if name != "h03"]
    sums = CohortSums(InProcess([*honest, _Liar("h03", TABLES["h03"])]), QUESTION)
    with pytest.raises(Refusal, match="E-COHORT-INCOMPLETE.*h03"):
        sums.reveal(HALVES)
    assert {source: error.code for source, error in sums.refused.items()} == {"h03": "E-GRAM-IMPOSSIBLE"}


def test_what_was_revealed_counts_for_those_who_are_left():
    sums = _sums(None)
    sums.reveal(HALVES)
    sums.keep([name for name in TABLES if name != "h11"])
    assert sums.leverage == pytest.approx(1 / 6)
    others = np.stack([np.arange(11) % 2 == 0, np.arange(11) % 2 == 1])
    assert sums.leverages(others).max() == pytest.approx(
        leverage(np.stack([*HALVES, np.append(others[0], False), np.append(others[1], False)])).max()
    )
    # h11 alone is the sum of everybody less that of all others.
    with pytest.raises(Refusal, match="E-COHORT-LEVERAGE"):
        sums.reveal(others)


@pytest.mark.parametrize(
    "bits", [[], [np.float32("nan").view(np.uint32)], [np.float32("inf").view(np.uint32)], [2**40], [1, 1]]
)
def test_a_number_that_is_none_is_no_answer_and_named(bits):
    class Told:
        months, nbytes = None, 1

        def __init__(self, values):
            self.values = values

        def of(self, table):
            return Statistic("value", (len(self.values),), np.array(self.values, dtype=np.uint64))

    sums = _sums()
    fine = [np.float32(0.5).view(np.uint32)]
    assert sums.scalars({name: Told(fine) for name in TABLES}).tolist() == [0.5] * SOURCES
    with pytest.raises(Refusal, match="E-COHORT-INCOMPLETE.*h05") as refused:
        sums.scalars({name: Told(bits if name == "h05" else fine) for name in TABLES})
    assert "h04" not in str(refused.value)
