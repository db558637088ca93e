"""What every learner must do behind the five verbs: learn from sums what pooled records would teach it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from headwater.checks.suite import CheckFailure, Suite, refused, require
from headwater.errors import Refusal
from headwater.federation import Asked, Learner, Learnt, TableSource, learn
from headwater.federation.transport import InProcess
from headwater.statistics import FeatureMap, Numeric, Statistic, on_grid
from headwater.types import Vector

__all__ = ["FEATURES", "LEARNER_SUITE", "Pooled", "TRAINING", "Trial", "records"]

Pooled: TypeAlias = Callable[[Vector, Vector, Vector], Vector]
"""From features and labels of all records, and features of others, to what the framework itself predicts for them."""

FEATURES = FeatureMap((*(Numeric(name, 0.0, 1.0) for name in "abcd"), Numeric("grade", 2.0, 2.0)))
"""None of them follows from the others, so that models without a penalty have one solution."""
_SIZES = (90, 160, 250, 300)
_SEED, _LINEAR, _LOSS, _ROUNDS = 20240601, 1e-9, 1.005, 20


@dataclass(frozen=True, eq=False)
class Trial:
    """A learner beside its framework's own training.

    Parameters
    ----------
    learner : of ``FEATURES``
    pooled : the oracle
    labels : ``numbers``, ``counts``, ``positive`` or ``binary``
    agrees : ``predictions`` (to 1e-9), or ``loss`` (within 0.5 % in at most 20 rounds)
    """

    learner: Learner
    pooled: Pooled
    labels: str = "numbers"
    agrees: str = "predictions"


def records(labels: str, rows: int, *, seed: int) -> pa.Table:
    """Return records of one source: its seed moves its features and its level, as hospitals differ."""
    rng = np.random.default_rng([_SEED, seed])
    columns = {name: rng.normal(size=rows) + 0.4 * rng.normal() for name in "abcd"}
    grade = rng.integers(0, 5, rows)
    a, b, c, d = columns.values()
    linear = 0.4 * np.sin(2 * a) + 0.3 * b * (c > 0) + 0.2 * d + 0.2 * (grade == 3) + 0.1 * rng.normal()
    told = {
        "numbers": lambda: linear + 0.3 * rng.normal(size=rows),
        "counts": lambda: rng.poisson(np.exp(linear)).astype(np.float64),
        "positive": lambda: np.exp(linear) * rng.gamma(4.0, 0.25, rows) + 2.0**-14,
        "binary": lambda: (rng.random(rows) < 1 / (1 + np.exp(-linear))).astype(np.float64),
    }[labels]()
    return pa.table({**columns, "grade": grade, "y": told})


def _tables(trial: Trial) -> dict[str, pa.Table]:
    return {f"h{place}": records(trial.labels, rows, seed=place) for place, rows in enumerate(_SIZES)}


def _told(table: pa.Table) -> tuple[Vector, Vector]:
    return FEATURES.transform(table), on_grid(np.asarray(table["y"].to_numpy()))


def _learn(trial: Trial, tables: dict[str, pa.Table]) -> Learnt:
    transport = InProcess([TableSource(name, table) for name, table in tables.items()])
    return learn(trial.learner, transport, features=FEATURES, target="y")


@cache
def _second(trial: Trial) -> Vector:
    """Return the parameters from which the second round starts."""
    start = trial.learner.describe().start
    total = Statistic.total(trial.learner.statistic(start, *_told(table)) for table in _tables(trial).values())
    return trial.learner.solve(start, total)


@cache
def _answers(trial: Trial) -> list[list[Statistic]]:
    """Return what each source says in the first round, and in the second; most checks look at the same answers."""
    told = [_told(table) for table in _tables(trial).values()]
    rounds = (trial.learner.describe().start, _second(trial))
    return [[trial.learner.statistic(parameters, x, y) for x, y in told] for parameters in rounds]


def check_five_verbs(trial: Trial) -> None:
    """Require the verbs, each with the arguments that everyone calls it with."""
    verbs = {
        "describe": (),
        "family": ("parameters",),
        "statistic": ("parameters", "x", "y"),
        "solve": ("parameters", "statistic"),
        "predict": ("parameters", "x"),
    }
    for verb, arguments in verbs.items():
        method = getattr(trial.learner, verb, None)
        require(callable(method), f"it does not {verb}")
        require(tuple(inspect.signature(method).parameters) == arguments, f"{verb} takes other arguments")  # type: ignore[arg-type]


def check_describes_itself(trial: Trial) -> None:
    """Require a framework, a name, rounds, and parameters to start from, the same each time."""
    first, again = trial.learner.describe(), trial.learner.describe()
    require(bool(first.framework and first.name) and first.rounds >= 1, "it does not say what it is")
    require(first.start.ndim == 1 and first.start.tobytes() == again.start.tobytes(), "it starts differently each time")


def check_merge_in_any_order_and_tree(trial: Trial) -> None:
    """Require that order and grouping of merges leave no bit different."""
    for said in _answers(trial):
        require(len({Statistic.total(order).digest for order in permutations(said)}) == 1, "the order shows")
        a, b, c, d = said
        require(a.merge(b).merge(c.merge(d)) == a.merge(b.merge(c.merge(d))), "the grouping shows")


def check_subtract_undoes_merge(trial: Trial) -> None:
    """Require that who joined can leave without a trace."""
    for a, b, *_ in _answers(trial):
        require(a.merge(b).subtract(b) == a, "subtract does not undo merge")


def check_survives_the_journey(trial: Trial) -> None:
    """Require that every answer, and their sum, arrives as it was sent and passes its family's check."""
    for parameters, said in zip((trial.learner.describe().start, _second(trial)), _answers(trial), strict=True):
        for one in (*said, Statistic.total(said)):
            arrived = Statistic.from_bytes(one.to_bytes())
            require(arrived == one, "the message changes the statistic")
            trial.learner.family(parameters).check(arrived)


def check_partition_does_not_show(trial: Trial) -> None:
    """Require of an exact learner that sources' answers add up to the answer of their records in one place."""
    if not trial.learner.describe().exact:
        return
    told = [_told(table) for table in _tables(trial).values()]
    x, y = (np.concatenate(parts) for parts in zip(*told, strict=True))
    parameters = trial.learner.describe().start
    apart = Statistic.total(trial.learner.statistic(parameters, *one) for one in told)
    steps = np.abs((apart.values - trial.learner.statistic(parameters, x, y).values).view(np.int64))
    require(int(steps.max()) <= len(told) + 1, "the sum of answers is not the answer of all records")


def check_learns_what_the_pooled_records_teach(trial: Trial) -> None:
    """Require predictions equal to the framework's own to 1e-9, or a loss within 0.5 % of its own in 20 rounds."""
    tables = _tables(trial)
    learnt, told = _learn(trial, tables), [_told(table) for table in tables.values()]
    x, y = (np.concatenate(parts) for parts in zip(*told, strict=True))
    held = [_told(records(trial.labels, 500, seed=place + len(tables)))[0] for place in range(2)]
    others = np.concatenate([x, *held])
    ours, theirs = trial.learner.predict(learnt.parameters, others), trial.pooled(x, y, others)
    if trial.agrees == "predictions":
        far = float((np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))).max())
        require(far <= _LINEAR, f"predictions differ from pooled training by {far:.1e}")
        return
    loss, pooled = (float(np.mean((one[: len(y)] - y) ** 2)) for one in (ours, theirs))
    require(learnt.rounds <= _ROUNDS, f"{learnt.rounds} rounds are too many")
    require(loss <= _LOSS * pooled, f"a loss of {loss:.5f} against {pooled:.5f} pooled")


def check_same_records_same_bits(trial: Trial) -> None:
    """Require that nothing but records and parameters shows in an answer."""
    first, again = _answers(trial), _answers.__wrapped__(trial)
    require(first == again, "the same records give different statistics")


def check_foreign_statistics_refused(trial: Trial) -> None:
    """Require that what is no answer to the question is neither accepted nor solved."""
    learner, start = trial.learner, trial.learner.describe().start
    foreign = Statistic("another", (1,), np.ones(3, dtype=np.uint64))
    refused(lambda: learner.family(start).check(foreign), "E-STATISTIC-FORM")
    refused(lambda: learner.solve(start, foreign), "E-STATISTIC-FORM")


def check_impossible_answers_refused(trial: Trial) -> None:
    """Require that the family refuses numbers that no records give."""
    start = trial.learner.describe().start
    sound = _answers(trial)[0][0]
    false = Statistic(sound.kind, sound.shape, np.full(sound.values.size, 2**64 - 2**20, dtype=np.uint64))
    try:
        trial.learner.family(start).check(false)
    except Refusal as refusal:
        _spoken(refusal)
    else:
        raise CheckFailure("an impossible answer is accepted")


def check_foreign_parameters_refused(trial: Trial) -> None:
    """Require that parameters of another model are refused."""
    (x, y), *_ = (_told(table) for table in _tables(trial).values())
    for parameters in (np.zeros(5), np.zeros(4001)):
        refused(lambda given=parameters: trial.learner.statistic(given, x, y), "E-MODEL-PARAMETERS")  # type: ignore[misc]


def check_bad_records_refused(trial: Trial) -> None:
    """Require that what are no records of the model is refused in both languages."""
    (x, y), *_ = (_told(table) for table in _tables(trial).values())
    broken = np.where(np.arange(len(y)) == 1, np.nan, y)
    for features, labels in ((x[:, :-1], y), (x, y[:-1]), (x, broken), (np.full_like(x, np.inf), y)):
        try:
            trial.learner.statistic(trial.learner.describe().start, features, labels)
        except Refusal as refusal:
            require(refusal.code == "E-LEARNER-RECORDS", f"refused with {refusal.code}")
            _spoken(refusal)
        else:
            raise CheckFailure("bad records are accepted")


def check_a_source_that_fails_is_named_and_left_out(trial: Trial) -> None:
    """Require that one source without a column stops nobody, and that nothing is learnt from nobody."""
    tables = _tables(trial)
    good, bad = dict(list(tables.items())[:3]), tables["h3"].drop_columns(["a"])
    answers = Asked(trial.learner, FEATURES, "y", trial.learner.describe().start)
    refused(lambda: answers.of(bad), "E-FEATURE-COLUMN")
    learnt = _learn(trial, {**good, "h3": bad})
    require(set(learnt.refused) == {"h3"} and "h3" in learnt.refused["h3"].reason.en, "it is not named")
    require(learnt.parameters.tobytes() == _learn(trial, good).parameters.tobytes(), "it shows in what was learnt")
    refused(lambda: _learn(trial, {"h3": bad}), "E-LEARN-EMPTY")


def _spoken(refusal: Refusal) -> None:
    for message in (refusal.reason, refusal.remedy):
        require(any("\u4e00" <= letter <= "\u9fff" for letter in message.zh), "it does not speak Chinese")
        require(message.en.isascii() and len(message.en) > 10, "it does not speak English")


TRAINING = (check_learns_what_the_pooled_records_teach, check_a_source_that_fails_is_named_and_left_out)
"""Checks that learn to the end, which takes longer than all others together."""

LEARNER_SUITE: Suite[Trial] = Suite(
    "learner",
    (
        check_five_verbs,
        check_describes_itself,
        check_merge_in_any_order_and_tree,
        check_subtract_undoes_merge,
        check_survives_the_journey,
        check_partition_does_not_show,
        check_learns_what_the_pooled_records_teach,
        check_same_records_same_bits,
        check_foreign_statistics_refused,
        check_impossible_answers_refused,
        check_foreign_parameters_refused,
        check_bad_records_refused,
        check_a_source_that_fails_is_named_and_left_out,
    ),
)
