"""Whatever a source does, it is named or valued, and the others are valued as if it were not there."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.federation import Description, InProcess, TableSource
from headwater.statistics import FixedPoint, Gram, Statistic
from headwater.valuation import Target, value


def records(count: int, seed: int, **changes) -> pa.Table:
    rng = np.random.default_rng(seed)
    x, codes = rng.normal(size=(count, 2)), rng.choice(["内科", "外科", "儿科"], count)
    y = (x @ [1.0, -1.0] + (codes == "外科") + rng.normal(size=count) > 0).astype(float)
    columns = {"id": [f"p{place}" for place in range(count)], "a": x[:, 0], "b": x[:, 1], "ward": codes, "y": y}
    return pa.table({**columns, **changes})


TARGET = Target.of(records(40, 0), label="y", rng=np.random.default_rng(0))
GOOD = {f"h{seed}": TableSource(f"h{seed}", records(30, seed)) for seed in (1, 2, 3)}
DIM = TARGET.features.dim


def valued(*bad):
    return value(InProcess([*GOOD.values(), *bad]), TARGET, rng=np.random.default_rng(1))


ALONE = valued()


@dataclass(frozen=True)
class Answering:
    """A source that answers with what it was given, or breaks."""

    source_id: str
    outcome: object

    def describe(self) -> Description:
        return Description(self.source_id, 1, ())

    def answer(self, question):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def poisoned(change) -> Statistic:
    sound = TARGET.question.of(records(30, 9))
    numbers = FixedPoint().decode(sound.values)
    change(numbers)
    return Statistic("gram", (DIM,), np.rint(numbers * 2.0**28).astype(np.int64).view(np.uint64))


def negative(numbers):
    numbers[DIM] = -5.0


def miscounted(numbers):
    numbers[-1] = 3.0


def fractional(numbers):
    numbers[[0, -1]] = 30.5


def overflowing(numbers):
    numbers[DIM] = 2.0**34


BAD = {
    "one": (TableSource("bad", records(1, 5)), "E-VALUE-RECORDS"),
    "empty": (TableSource("bad", records(0, 5)), "E-SOURCE-EMPTY"),
    "nan": (TableSource("bad", records(3, 5, a=[1.0, np.nan, 2.0])), "E-FEATURE-FINITE"),
    "infinite label": (TableSource("bad", records(3, 5, y=[1.0, np.inf, 0.0])), "E-FEATURE-FINITE"),
    "text label": (TableSource("bad", records(3, 5, y=["是", "否", "是"])), "E-FEATURE-NUMBER"),
    "no label": (TableSource("bad", records(3, 5, y=[1.0, None, 0.0])), "E-FEATURE-EMPTY"),
    "other columns": (TableSource("bad", pa.table({"x": [1.0]})), "E-FEATURE-COLUMN"),
    "nested": (TableSource("bad", records(2, 5, ward=[["a"], ["b"]])), "E-SOURCE-FAULT"),
    "huge label": (TableSource("bad", records(3, 5, y=[1e9, 0.0, 1.0])), "E-FIXED-RANGE"),
    "silent": (Answering("bad", TimeoutError("30 s")), "E-SOURCE-FAULT"),
    "nothing": (Answering("bad", None), "E-SOURCE-FAULT"),
    "foreign": (Answering("bad", Gram(DIM + 1).sample(np.random.default_rng(0))), "E-STATISTIC-FORM"),
    "not semidefinite": (Answering("bad", poisoned(negative)), "E-GRAM-IMPOSSIBLE"),
    "false count": (Answering("bad", poisoned(miscounted)), "E-GRAM-IMPOSSIBLE"),
    "fractions": (Answering("bad", poisoned(fractional)), "E-GRAM-IMPOSSIBLE"),
    "overflow": (Answering("bad", poisoned(overflowing)), "E-FIXED-RANGE"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_is_named_and_the_others_are_valued_without_it(name):
    source, code = BAD[name]
    found = valued(source)
    error = found.refused["bad"]
    assert error.code == code
    assert "bad" in error.reason.en
    assert "bad" in error.reason.zh
    assert error.remedy.zh
    assert error.remedy.en
    assert found.players == ALONE.players
    assert found.values.tobytes() == ALONE.values.tobytes()


@pytest.mark.parametrize("method", ["statistics", "retraining"])
def test_a_source_without_a_name_is_refused_alone(method):
    tables = {name: source.table for name, source in GOOD.items()}
    alone, found = (
        value(InProcess.of(given), TARGET, method=method, rng=np.random.default_rng(1))
        for given in (tables, {**tables, "": records(30, 9)})
    )
    assert found.refused[""].code == "E-SOURCE-NAME"
    assert found.players == alone.players
    assert found.values.tobytes() == alone.values.tobytes()


def test_all_bad_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-SOURCES.*bad"):
        value(InProcess([BAD["nan"][0]]), TARGET, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "changes",
    [
        {"a": np.zeros(30)},
        {"a": np.zeros(30), "b": np.full(30, 7.0), "ward": ["内科"] * 30},
        {"y": np.ones(30)},
        {"a": pa.nulls(30, pa.float64()), "ward": pa.nulls(30, pa.string())},
        {"a": np.full(30, 1e12)},
        {"ward": ["从未见过"] * 30},
        {"a": [None, *range(29)], "y": [True, False] * 15},
        {"ward": pa.array(["内科"] * 30).dictionary_encode()},
    ],
)
def test_odd_but_sound_sources_are_valued(changes):
    found = valued(TableSource("odd", records(30, 5, **changes)))
    assert not found.refused
    assert np.isfinite(found.values).all()
    assert len(found.players) == 4


def test_one_source_alone_gets_everything():
    found = value(InProcess([GOOD["h1"]]), TARGET, rng=np.random.default_rng(0))
    both = value(InProcess([GOOD["h1"]]), TARGET, method="permutation", rng=np.random.default_rng(0))
    assert both.values == pytest.approx(found.values)


def test_the_same_records_twice_are_worth_the_same():
    found = value(InProcess.of({"a": records(30, 5), "b": records(30, 5)}), TARGET, rng=np.random.default_rng(0))
    assert found.of("a") == pytest.approx(found.of("b"), abs=1e-12)


cells = st.one_of(st.none(), st.floats(), st.integers(-(2**70), 2**70), st.text(max_size=3), st.booleans())


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.lists(st.fixed_dictionaries({name: cells for name in ("a", "b", "ward", "y")}), max_size=6))
def test_no_table_breaks_the_valuation_of_the_others(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "ward", "y"], dtype=object)
    found = value(
        InProcess.of({**{name: source.table for name, source in GOOD.items()}, "any": frame}),
        TARGET,
        rng=np.random.default_rng(1),
    )
    assert np.isfinite(found.values).all()
    if "any" in found.refused:
        assert found.values.tobytes() == ALONE.values.tobytes()
        assert "any" in found.refused["any"].reason.en
