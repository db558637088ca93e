"""Every approach × everything a source, a frame or a transport may do wrong: it is named, and the rest is valued."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess, TableSource
from headwater.security import MASKED
from headwater.statistics import Gram, Statistic
from headwater.valuation import Approach, Target, approaches, value
from headwater.valuation.utilities import Sums

ROWS = 30


def hospital(seed, rows=ROWS, **changes):
    rng = np.random.default_rng(seed)
    age, ward = rng.normal(60, 15, rows), rng.choice(["外科", "内科"], rows)
    risk = (age - 60) / 15 + (ward == "外科") + rng.normal(0, 1, rows)
    return pd.DataFrame({"age": age, "ward": ward, "died": (risk > 0.5).astype(int)}).assign(**changes)


TARGET = Target.of(hospital(0, 40), label="died", rng=np.random.default_rng(0))
GOOD = {f"h{seed:02d}": hospital(seed) for seed in range(1, 11)}
"""Ten, the fewest whose sums are no source's."""

APPROACHES = {name: name for name in approaches()} | {"masked sums": Approach(Sums(MASKED))}
"""Every name that ``value`` takes, and the sums as they should be used."""


def asked(approach, federation, target=TARGET):
    return value(federation, target, method=APPROACHES[approach], rng=np.random.default_rng(1))


@cache
def alone(approach):
    return asked(approach, InProcess.of(GOOD))


class Broken(Exception):
    """What nobody here knows of."""


class Elsewhere:
    """A transport whose source ``bad`` does as it is told."""

    def __init__(self, does):
        self.inner, self.does = InProcess.of(GOOD), does
        self.source_ids = (*self.inner.source_ids, "bad")

    def send(self, to, question):
        return self.does(question) if to == "bad" else self.inner.send(to, question)


def raising(error):
    def does(question):
        raise error

    return does


def with_(table):
    return InProcess.of({**GOOD, "bad": table})


def doubled(frame):
    return pd.concat([frame, frame[["age"]]], axis=1)


BAD = {
    "one record": (with_(hospital(9, 1)), "E-VALUE-RECORDS"),
    "no record": (with_(hospital(9, 0)), "E-SOURCE-EMPTY"),
    "no column": (with_(pd.DataFrame()), "E-SOURCE-EMPTY"),
    "other columns": (with_(hospital(9).rename(columns={"age": "years"})), "E-FEATURE-COLUMN"),
    "other case": (with_(hospital(9).rename(columns=str.upper)), "E-FEATURE-COLUMN"),
    "no label": (with_(hospital(9).drop(columns="died")), "E-FEATURE-COLUMN"),
    "a column twice": (with_(doubled(hospital(9))), "E-FEATURE-TWICE"),
    "a column twice in arrow": (
        with_(pa.table([[1.0, 2.0], [3.0, 4.0], ["a", "b"], [1, 0]], names=["age", "age", "ward", "died"])),
        "E-FEATURE-TWICE",
    ),
    "infinite": (with_(hospital(9, age=np.inf)), "E-FEATURE-FINITE"),
    "nan in arrow": (with_(pa.table({"age": [np.nan] * 4, "ward": ["a"] * 4, "died": [0, 1] * 2})), "E-FEATURE-FINITE"),
    "no numbers": (with_(hospital(9, age="old")), "E-FEATURE-NUMBER"),
    "yes and no": (with_(hospital(9, died="yes")), "E-FEATURE-NUMBER"),
    "empty labels": (with_(hospital(9, died=np.nan)), "E-FEATURE-EMPTY"),
    "huge labels": (with_(hospital(9, died=1e9)), "E-FIXED-RANGE"),
    "none": (with_(None), "E-TABLE-KIND"),
    "lists": (with_({"age": [1.0], "died": [1]}), "E-TABLE-KIND"),
    "a column": (with_(hospital(9)["age"]), "E-TABLE-KIND"),
    "timeout": (Elsewhere(raising(TimeoutError("30 s"))), "E-SOURCE-FAULT"),
    "gone": (Elsewhere(raising(ConnectionResetError())), "E-SOURCE-FAULT"),
    "unknown exception": (Elsewhere(raising(Broken("out of order"))), "E-SOURCE-FAULT"),
    "type error": (Elsewhere(raising(TypeError())), "E-SOURCE-FAULT"),
    "nothing": (Elsewhere(lambda question: None), "E-SOURCE-FAULT"),
    "text": (Elsewhere(lambda question: "fine"), "E-SOURCE-FAULT"),
    "no bytes": (Elsewhere(lambda question: b""), "E-STATISTIC-MESSAGE"),
    "another protocol": (Elsewhere(lambda question: b'{"ok": true}'), "E-STATISTIC-MESSAGE"),
    "cut off": (Elsewhere(lambda question: b"HWS1" + b"\xff" * 100), "E-STATISTIC-MESSAGE"),
}


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("name", BAD)
def test_every_approach_names_a_bad_source_and_values_the_others_as_without_it(name, approach):
    federation, code = BAD[name]
    if approach == "retraining" and isinstance(federation, Elsewhere):
        with pytest.raises(Refusal, match="E-VALUE-AT-HAND"):
            asked(approach, federation)
        return
    found = asked(approach, federation)
    error = found.refused["bad"]
    assert (list(found.refused), error.code) == (["bad"], code)
    assert error.reason.en.startswith("Source bad")
    assert "bad" in error.reason.zh
    assert error.remedy.zh
    assert error.remedy.en
    assert found.players == alone(approach).players
    assert found.values.tobytes() == alone(approach).values.tobytes()


def poisoned(change) -> Statistic:
    values = Gram(TARGET.features.dim).encoding.decode(TARGET.question.of(pa.table(hospital(9))).values)
    change(values)
    return Statistic("gram", (TARGET.features.dim,), np.rint(values * 2.0**28).astype(np.int64).view(np.uint64))


def negative_square(values):
    values[TARGET.features.dim] = -5.0


def negative_count(values):
    values[[0, -1]] = -3.0


def false_count(values):
    values[-1] = 3.0


def beyond_range(values):
    values[TARGET.features.dim] = 2.0**34


class Poisoning(TableSource):
    """Is ready like any other, then answers with what no records can give."""

    def __init__(self, said):
        super().__init__("bad", pa.table(hospital(9)))
        object.__setattr__(self, "said", said)

    def answer(self, question):
        honest = super().answer(question)
        return self.said if honest.kind == "gram" else honest


POISON = {
    **{change.__name__: poisoned(change) for change in (negative_square, negative_count, false_count, beyond_range)},
    "wrong length": Statistic("gram", (TARGET.features.dim,), np.zeros(3, dtype=np.uint64)),
    "another size": Gram(TARGET.features.dim + 1).sample(np.random.default_rng(0)),
    "another kind": replace(poisoned(lambda values: None), kind="update"),
}


@pytest.mark.parametrize("approach", [name for name in APPROACHES if "sums" not in name])
@pytest.mark.parametrize("name", POISON)
def test_every_approach_names_a_poisoned_statistic(name, approach):
    sources = [TableSource(other, pa.table(frame)) for other, frame in GOOD.items()]
    found = asked(approach, InProcess([*sources, Poisoning(POISON[name])]))
    assert list(found.refused) == ["bad"]
    assert found.values.tobytes() == alone(approach).values.tobytes()


@pytest.mark.parametrize("name", POISON)
def test_open_sums_begin_anew_without_a_poisoned_statistic(name):
    sources = [TableSource(other, pa.table(frame)) for other, frame in GOOD.items()]
    found = asked("sums", InProcess([*sources, Poisoning(POISON[name])]))
    assert list(found.refused) == ["bad"]
    assert found.players == alone("sums").players
    assert np.corrcoef(found.values, alone("sums").values)[0, 1] > 0.9
    assert found.exchange.leverage <= 0.5


class Dying(TableSource):
    """Is ready like any other, and gone when its share is asked for."""

    def answer(self, question):
        if hasattr(question, "member"):
            raise TimeoutError("30 s")
        return super().answer(question)


def test_masked_sums_begin_anew_without_a_source_that_dies_half_way():
    sources = [TableSource(other, pa.table(frame)) for other, frame in GOOD.items()]
    found = asked("masked sums", InProcess([*sources, Dying("bad", pa.table(hospital(9)))]))
    assert {source: error.code for source, error in found.refused.items()} == {"bad": "E-SOURCE-FAULT"}
    assert found.players == alone("masked sums").players
    assert found.exchange.leverage <= 0.5


def yes(frame):
    return frame["died"] == 1


@dataclass(frozen=True)
class OtherLibrary:
    """A frame of a library that is not known here, but speaks Arrow."""

    table: pa.Table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


SHAPES = {
    "booleans": lambda frame: frame.assign(died=yes(frame)),
    "digits as text": lambda frame: frame.assign(died=frame["died"].astype(str)),
    "decimals": lambda frame: frame.assign(died=[Decimal(int(each)) for each in frame["died"]]),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow in pandas": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda frame: frame.astype({"ward": "category", "died": "category"}),
    "arrow": lambda frame: pa.Table.from_pandas(frame),
    "record batch": lambda frame: pa.RecordBatch.from_pandas(frame),
    "another library": lambda frame: OtherLibrary(pa.Table.from_pandas(frame)),
    "any index": lambda frame: frame.set_index(pd.Index([7] * len(frame), name="age")),
    "two indexes": lambda frame: frame.set_index(pd.MultiIndex.from_arrays([range(len(frame))] * 2)),
    "dates": lambda frame: frame.assign(day=date(2026, 1, 1)),
    "times": lambda frame: frame.assign(at=pd.date_range("2026", periods=len(frame), tz="Asia/Shanghai")),
    "lists": lambda frame: frame.assign(codes=[["a"]] * len(frame)),
    "bytes": lambda frame: frame.assign(raw=b"\xff"),
    "whole labels beyond 2**53": lambda frame: frame.assign(died=frame["died"] * 2**60 + 1),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_records_are_worth_the_same_in_any_shape(shape):
    shaped = SHAPES[shape]
    target = Target.of(shaped(hospital(0, 40)), label="died", rng=np.random.default_rng(0))
    found = asked("auto", InProcess.of({name: shaped(frame) for name, frame in GOOD.items()}), target)
    assert not found.refused
    assert found.values == pytest.approx(alone("auto").values, abs=2e-4)


def test_chinese_names_and_codes():
    names = {"age": "年龄", "ward": "科室", "died": "死亡"}
    target = Target.of(hospital(0, 40).rename(columns=names), label="死亡", rng=np.random.default_rng(0))
    found = asked("auto", InProcess.of({f"医院{k}": v.rename(columns=names) for k, v in GOOD.items()}), target)
    assert found.values.tobytes() == alone("auto").values.tobytes()


def test_identifiers_of_18_digits_and_intervals_are_features_like_any():
    def more(frame):
        bands = pd.cut(frame["age"], [0, 50, 70, 200])
        return frame.assign(card=110101199001010001 + 10**15 * np.arange(len(frame)), band=bands)

    target = Target.of(more(hospital(0, 40)), label="died", rng=np.random.default_rng(0))
    found = asked("auto", InProcess.of({name: more(frame) for name, frame in GOOD.items()}), target)
    assert not found.refused
    assert {"card", "band#0"} <= set(target.features.names)


def asked_with(budget):
    return value(InProcess.of(GOOD), TARGET, method="permutation", budget=budget, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: asked("auto", InProcess.of({})), "E-ROUND-EMPTY"),
        (lambda: asked("sums", InProcess.of({})), "E-VALUE-SOURCES"),
        (lambda: asked("auto", GOOD), "E-ROUND-FEDERATION"),
        (lambda: asked("sums", GOOD), "E-ROUND-FEDERATION"),
        (lambda: InProcess(GOOD), "E-SOURCE-KIND"),
        (lambda: asked_with(100.0), "E-VALUE-BUDGET"),
        (lambda: asked_with(-1), "E-VALUE-BUDGET"),
        (lambda: InProcess.of({1: hospital(1), "1": hospital(2)}), "E-SOURCE-TWICE"),
        (lambda: Target.of(doubled(hospital(0)), label="died", rng=np.random.default_rng(0)), "E-FEATURE-TWICE"),
        (lambda: Target.of({"age": [1]}, label="died", rng=np.random.default_rng(0)), "E-TABLE-KIND"),
        (lambda: Target.of(hospital(0, 3), label="died", rng=np.random.default_rng(0)), "E-TARGET-SMALL"),
        (lambda: Target.of(hospital(0, died=1), label="died", rng=np.random.default_rng(0)), "E-TARGET-CONSTANT"),
        (lambda: Target.of(hospital(0, died="yes"), label="died", rng=np.random.default_rng(0)), "E-FEATURE-NUMBER"),
        (
            lambda: Target.of(hospital(0), label="died", learner="svm", rng=np.random.default_rng(0)),
            "E-TARGET-LEARNER",
        ),
        (lambda: asked("exact", InProcess.of({f"h{at}": hospital(at) for at in range(25)})), "E-VALUE-EXACT"),
    ],
)
def test_what_cannot_be_valued_is_refused(call, code):
    with pytest.raises(Refusal, match=code) as caught:
        call()
    assert caught.value.remedy.zh


@pytest.mark.parametrize("learner", ["linear", "network", "trees"])
def test_a_target_of_five_records_values_one_source(learner):
    own = hospital(0, 5, died=[0, 1, 1, 0, 1])
    target = Target.of(own, label="died", learner=learner, rng=np.random.default_rng(0))
    found = asked("auto", InProcess.of({"only": GOOD["h01"]}), target)
    assert np.isfinite(found.values).all()
