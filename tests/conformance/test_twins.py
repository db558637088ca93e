"""Broken twins: for every check there is a thing that fails it, and that the check does catch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headwater.checks import (
    CODING_SUITE,
    DETECTOR_SUITE,
    FEATURE_MAP_SUITE,
    METHOD_SUITE,
    STATISTIC_SUITE,
)
from headwater.claims.coding import Matcher
from headwater.errors import Message, Refusal
from headwater.evolution import Change, Glr
from headwater.statistics import Gram, Statistic, on_grid
from headwater.statistics.feature_maps import Degree2, RandomFourier
from headwater.valuation import METHODS, Valuation, exact


# --- statistics ------------------------------------------------------------------------------------------------------
class _Twin(Statistic):
    """A statistic whose operations a test replaces."""


def _twin(**replaced: Callable[..., Any]) -> type[Statistic]:
    def like(self: Statistic, values: np.ndarray) -> Statistic:
        return type(self)(self.kind, self.shape, values)

    def merge(self: Statistic, other: Statistic) -> Statistic:
        return like(self, Statistic.merge(self, other).values)

    def subtract(self: Statistic, other: Statistic) -> Statistic:
        return like(self, Statistic.subtract(self, other).values)

    return type("Twin", (_Twin,), {"merge": merge, "subtract": subtract, **replaced})


class _Family:
    kind = "gram"

    def __init__(self, twin: type[Statistic], kind: str = "gram", rng: np.random.Generator | None = None) -> None:
        self.twin, self.told, self.rng = twin, kind, rng

    def sample(self, rng: np.random.Generator) -> Statistic:
        statistic = Gram(4).sample(self.rng or rng)
        return self.twin(self.told, statistic.shape, statistic.values)


def _keeps_first(self, other):
    return self


def _halves(self, other):
    values = self.values // np.uint64(2) + other.values // np.uint64(2)
    return type(self)(self.kind, self.shape, values)


def _wraps(self, other):
    return type(self)(self.kind, self.shape, self.values + other.values)


class _Writable(Statistic):
    def __post_init__(self) -> None:
        object.__setattr__(self, "values", self.values.copy())


STATISTIC_TWINS = {
    "check_kind_is_the_familys": _Family(Statistic, kind="other"),
    "check_merge_in_any_order": _Family(_twin(merge=_keeps_first)),
    "check_merge_in_any_tree": _Family(_twin(merge=_halves)),
    "check_subtract_undoes_merge": _Family(_twin(subtract=_keeps_first)),
    "check_message_round_trip": _Family(_twin(to_bytes=lambda self: Statistic.to_bytes(self) + bytes(8))),
    "check_foreign_forms_refused": _Family(_twin(merge=_wraps)),
    "check_overflow_refused": _Family(_twin(merge=_wraps)),
    "check_cannot_be_changed": _Family(_Writable),
    "check_same_records_same_bits": _Family(Statistic, rng=np.random.default_rng(0)),
}


# --- feature maps ----------------------------------------------------------------------------------------------------
class _Nameless(Degree2):
    @property
    def names(self):
        return super().names[:-1]


class _OffTheGrid(Degree2):
    def transform(self, table):
        return super().transform(table) * (1 + 2.0**-20)


class _Centred(Degree2):
    def transform(self, table):
        x = super().transform(table)
        return x - on_grid(x.mean(axis=0)) * (np.arange(self.dim) > 0) if len(x) else x


class _Moody(Degree2):
    turn = count()

    @classmethod
    def fit(cls, base, x, y, *, dim, seed):
        return super().fit(base, x, y, dim=base.dim + 1 + next(cls.turn) % 2, seed=seed)


class _Silent(Degree2):
    def to_json(self):
        return "{}"


class _Narrow(Degree2):
    def transform(self, table):
        if "新" in table["c"].to_pylist():
            raise Refusal("E-DUMMY", Message("不认识", "unknown"), Message("", ""))
        return super().transform(table)


class _Guessing(Degree2):
    def transform(self, table):
        missing = [name for name in self.base.columns if name not in table.column_names]
        for name in missing:
            table = table.append_column(name, pa.array(np.zeros(table.num_rows)))
        return super().transform(table)


class _Wide(Degree2):
    @classmethod
    def fit(cls, base, x, y, *, dim, seed):
        return super().fit(base, x, y, dim=base.dim + 3, seed=seed)


FEATURE_MAP_TWINS = {
    "check_layout": _Nameless,
    "check_on_the_grid_and_bounded": _OffTheGrid,
    "check_a_record_stands_alone": _Centred,
    "check_additive": _Centred,
    "check_same_seed_same_map": _Moody,
    "check_constants_are_json": _Silent,
    "check_unseen_codes_and_empty_tables": _Narrow,
    "check_missing_columns_refused": _Guessing,
    "check_small_dimensions": _Wide,
}


# --- valuation methods -----------------------------------------------------------------------------------------------
def _altered(**changes: Callable[[Valuation], Any]) -> Callable[..., Valuation]:
    def method(game, players, *, rng, budget=None):
        valuation = exact(game, players, rng=rng, budget=budget)
        return replace(valuation, **{name: change(valuation) for name, change in changes.items()})

    return method


def _random_values(game, players, *, rng, budget=None):
    valuation = exact(game, players, rng=rng, budget=budget)
    return replace(valuation, values=np.random.default_rng().normal(size=len(players)))


def _unbudgeted(game, players, *, rng, budget=None):
    return exact(game, players, rng=rng)


def _lenient(game, players, *, rng, budget=None):
    return exact(game, list(dict.fromkeys(players)) or ["anyone"], rng=rng, budget=budget)


def _shifted(valuation: Valuation) -> np.ndarray:
    return valuation.values + np.linspace(1, 2, len(valuation.players))


METHOD_TWINS = {
    "check_meets_the_oracles": _altered(values=lambda v: v.values[::-1]),
    "check_shares_out_everything": _altered(values=lambda v: 2 * v.values),
    "check_nothing_for_null_players": _altered(values=_shifted),
    "check_alike_players_alike": _altered(low=_shifted, high=_shifted),
    "check_names_do_not_matter": _altered(values=_shifted),
    "check_same_seed_same_values": _random_values,
    "check_interval_holds_the_value": _altered(low=lambda v: v.values + 1),
    "check_counts_evaluations": _altered(evaluations=lambda v: v.evaluations - 1),
    "check_tiny_budget_refused": _unbudgeted,
    "check_no_players_refused": _lenient,
}


# --- detectors -------------------------------------------------------------------------------------------------------
class _Detector(Glr):
    """Reads the stream wrongly in a way that a subclass says."""


class _Deaf(_Detector):
    def update(self, time, value):
        super().update(time, value)


class _Nervous(_Detector):
    def __init__(self) -> None:
        super().__init__(steps=20.0)


class _TakesAbsenceForZero(_Detector):
    def update(self, time, value):
        return super().update(time, 0.0 if value is None else value)


class _ForgetsAtOutage(_Detector):
    def update(self, time, value):
        if value is None:
            self.__post_init__()
        return super().update(time, value)


class _TrustsOutliers(_Detector):
    def update(self, time, value):
        change = super().update(time, value)
        if value is not None and value < -10:
            return Change(time, time, value, 1.0)
        return change


class _Absolute(_Detector):
    def update(self, time, value):
        change = super().update(time, value)
        return change if value is None or abs(value) < 100 else None


class _FearsConstancy(_Detector):
    def update(self, time, value):
        change = super().update(time, value)
        return Change(time, time, 1.0, 1.0) if value == 0.25 else change


class _Careless(_Detector):
    def update(self, time, value):
        try:
            return super().update(time, value)
        except Refusal:
            return None


DETECTOR_TWINS = {
    "check_finds_a_change": _Deaf,
    "check_quiet_without_a_change": _Nervous,
    "check_absence_is_not_a_low_value": _TakesAbsenceForZero,
    "check_finds_a_change_behind_an_outage": _ForgetsAtOutage,
    "check_survives_outliers": _TrustsOutliers,
    "check_unit_and_clock_do_not_matter": _Absolute,
    "check_constant_stream_is_quiet": _FearsConstancy,
    "check_time_must_advance": _Careless,
    "check_strange_values_refused": _Careless,
}


# --- matchers --------------------------------------------------------------------------------------------------------
class _Matcher:
    """A matcher whose answers a subclass spoils."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher

    @classmethod
    def fit(cls, reference, *, kind):
        return cls(Matcher.fit(reference, kind=kind))

    @property
    def version(self):
        return self.matcher.version

    def save(self, folder):
        self.matcher.save(folder)

    @classmethod
    def load(cls, folder):
        return cls(Matcher.load(folder))

    def match(self, table):
        answers = self.matcher.match(table)
        spoiled = [self.spoiled(row, answer) for row, answer in enumerate(answers.to_pylist())]
        return pa.Table.from_pylist(spoiled, schema=answers.schema)

    def spoiled(self, row, answer):
        return answer


class _AlwaysTheSame(_Matcher):
    def spoiled(self, row, answer):
        return {**answer, "code": self.matcher.reference.codes[0]}


class _WorstFirst(_Matcher):
    def spoiled(self, row, answer):
        return {**answer, "alternatives": answer["alternatives"][::-1]}


class _NeverTheSame(_Matcher):
    turn = count()

    @property
    def version(self):
        return str(next(self.turn))


class _Forgetful(_Matcher):
    @classmethod
    def load(cls, folder):
        return _AlwaysTheSame(Matcher.load(folder))


class _Counting(_Matcher):
    def spoiled(self, row, answer):
        return {**answer, "confidence": 1 / (row + 2)}


class _Believing(_Matcher):
    def spoiled(self, row, answer):
        return {**answer, "code": answer["code"] or self.matcher.reference.codes[0]}


class _Choosy(_Matcher):
    def match(self, table):
        if not pa.types.is_string(table.schema.field("name").type):
            return super().match(table.slice(0, 0))
        return super().match(table)


class _TakesAnything(_Matcher):
    def match(self, table):
        try:
            return super().match(table)
        except Refusal:
            return pa.table({})


class _Sure(_Matcher):
    def spoiled(self, row, answer):
        return {**answer, "decision": "auto"}


CODING_TWINS = {
    f"check_{name}": partial(twin.fit, kind="service")
    for name, twin in {
        "own_name_finds_its_code": _AlwaysTheSame,
        "answers_are_well_formed": _WorstFirst,
        "same_twice": _NeverTheSame,
        "saved_is_equal": _Forgetful,
        "rows_do_not_matter_to_each_other": _Counting,
        "hostile_names_are_none": _Believing,
        "any_text_column_will_do": _Choosy,
        "wrong_tables_are_refused": _TakesAnything,
        "conflict_is_never_sure": _Sure,
        "equals_are_left_to_a_person": _Sure,
        "what_is_missing_is_not_taken_for_another": _Sure,
    }.items()
}

SUITES = (
    (STATISTIC_SUITE, STATISTIC_TWINS),
    (FEATURE_MAP_SUITE, FEATURE_MAP_TWINS),
    (METHOD_SUITE, METHOD_TWINS),
    (DETECTOR_SUITE, DETECTOR_TWINS),
    (CODING_SUITE, CODING_TWINS),
)


@pytest.mark.parametrize(
    ("suite", "check", "twin"),
    [
        pytest.param(suite, check, twins.get(check.__name__), id=f"{suite.kind}-{check.__name__}")
        for suite, twins in SUITES
        for check in suite.checks
    ],
)
def test_the_check_catches_its_twin(suite, check, twin):
    assert twin is not None, f"{check.__name__} has no broken twin"
    assert replace(suite, checks=(check,)).failures(twin) == [check.__name__]


def test_a_twin_for_every_check():
    assert sum(len(twins) for _, twins in SUITES) == sum(len(suite.checks) for suite, _ in SUITES) == 48


@pytest.mark.parametrize(
    ("suite", "sound"),
    [
        (STATISTIC_SUITE, _Family(Statistic)),
        (FEATURE_MAP_SUITE, RandomFourier),
        *((METHOD_SUITE, METHODS[name]) for name in METHODS),
        (DETECTOR_SUITE, Glr),
        (CODING_SUITE, partial(_Matcher.fit, kind="operation")),
    ],
)
def test_sound_things_pass_through_the_same_harness(suite, sound):
    assert suite.failures(sound) == []
