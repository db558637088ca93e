"""Three years of made-up hospitals that change, week by week, beside a target with few records of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from headwater.statistics import Gram, Statistic
from headwater.statistics.fixed_point import on_grid
from headwater.types import SourceId, Vector

__all__ = ["GRAM", "NOISE", "TICKS", "WARMUP", "World", "world"]

WARMUP, TICKS = 26, 156
"""Weeks before the first model, and weeks that are followed and scored."""

NOISE = 1.0
"""Standard deviation of what no model explains."""

GRAM = Gram(dim=8, intercept=False)

_WEEKS = WARMUP + TICKS
_CONCEPTS, _APART = 6, 1.0
"""Relations of target to features, and the usual squared distance between two of them."""
_OFFSET = 0.05
_OWN_RECORDS, _RECORDS = 12, (30, 80)
_RETURNS, _FALLS_SILENT = 0.15, 0.35
"""Chances per week; an answer comes in 30 % of the weeks and an outage lasts seven weeks on average."""
_FOLLOWERS, _ABRUPT, _GRADUAL, _RECURRING, _FAULTY = 16, 6, 6, 6, 2
_CLOSING, _JOINING = 2, 2


@dataclass(frozen=True, eq=False)
class World:
    """What is recorded and said, and what is true.

    Parameters
    ----------
    records : for each week, features (n, dim) and outcomes (n,) of each source that answered
    own : for each week, those of the target
    truth : (weeks, dim) what held for the target
    drawn : (sources, weeks, dim) what held for each source, in the order of ``sources``
    sources : all that ever answer
    """

    records: tuple[Mapping[SourceId, tuple[Vector, Vector]], ...]
    own: tuple[tuple[Vector, Vector], ...]
    truth: Vector
    drawn: Vector
    sources: tuple[SourceId, ...]

    @cached_property
    def said(self) -> tuple[Mapping[SourceId, Statistic], ...]:
        """For each week, the statistic of each source that answered."""
        return tuple({source: GRAM.statistic(*told) for source, told in week.items()} for week in self.records)

    def loss(self, week: int, coefficients: Vector) -> float:
        """Return the expected squared error of a model on the target's records of a week: exact, not sampled."""
        return NOISE**2 + float(((coefficients - self.truth[week]) ** 2).sum())


def world(seed: int) -> World:
    """Return the world of one seed."""
    rng = np.random.default_rng([seed, 20])
    concepts = rng.normal(size=GRAM.dim) / 2 + rng.normal(size=(_CONCEPTS, GRAM.dim)) * np.sqrt(_APART / 2 / GRAM.dim)
    turns = _target_turns(rng)
    truth = _path(turns, concepts)
    drawn, open_ = _sources(rng, turns, concepts)
    names = tuple(f"H{number:02d}" for number in range(len(drawn)))
    answers = _answers(rng, open_)
    shifts = 0.3 * rng.normal(size=(len(drawn), GRAM.dim - 1))
    sizes = rng.integers(*_RECORDS, size=len(drawn))
    records = tuple(
        {
            names[place]: _records(rng, drawn[place, week], int(sizes[place]), shifts[place])
            for place in np.flatnonzero(answers[:, week])
        }
        for week in range(_WEEKS)
    )
    own = tuple(_records(rng, truth[week], _OWN_RECORDS, np.zeros(GRAM.dim - 1)) for week in range(_WEEKS))
    return World(records, own, truth, drawn, names)


_Flags = npt.NDArray[np.bool_]
_Turn = tuple[int, int, int]
"""First week of a change, weeks until it is complete (0: abrupt), and the concept that holds then."""


def _target_turns(rng: np.random.Generator) -> list[_Turn]:
    """Return the target's changes: abrupt, gradual, and back to where it began."""
    when = np.array([34, 72, 124]) + WARMUP + rng.integers(-5, 6, size=3)
    return [(0, 0, 0), (int(when[0]), 0, 1), (int(when[1]), 26, 2), (int(when[2]), 0, 0)]


def _path(turns: list[_Turn], concepts: Vector) -> Vector:
    path = np.repeat(concepts[turns[0][2]][None], _WEEKS, axis=0)
    weeks = np.arange(_WEEKS)
    for start, length, concept in turns[1:]:
        share = np.clip((weeks - start + 1) / max(1, length), 0.0, 1.0)[:, None]
        path = (1 - share) * path + share * concepts[concept]
    return path


def _sources(rng: np.random.Generator, turns: list[_Turn], concepts: Vector) -> tuple[Vector, _Flags]:
    """Return what held for each source, (sources, weeks, dim), and whether it existed, (sources, weeks)."""
    paths = [_path(_followed(rng, turns), concepts) for _ in range(_FOLLOWERS)]
    paths += [_path(_wandering(rng, gradual=False), concepts) for _ in range(_ABRUPT)]
    paths += [_path(_wandering(rng, gradual=True), concepts) for _ in range(_GRADUAL)]
    paths += [_path(_alternating(rng), concepts) for _ in range(_RECURRING)]
    paths += [_path([(0, 0, 0)], rng.normal(size=(1, GRAM.dim))) for _ in range(_FAULTY)]
    drawn = np.array(paths)
    drawn += _OFFSET * rng.normal(size=(len(drawn), 1, GRAM.dim))
    there: _Flags = np.ones(drawn.shape[:2], dtype=np.bool_)
    for place in range(_CLOSING):
        there[place, WARMUP + int(rng.integers(60, 110)) :] = False
    for place in range(_CLOSING, _CLOSING + _JOINING):
        there[place, : WARMUP + int(rng.integers(20, 60))] = False
    return drawn, there


def _followed(rng: np.random.Generator, turns: list[_Turn]) -> list[_Turn]:
    """Return the target's changes, each some weeks earlier or later."""
    return [turns[0], *((start + int(rng.integers(-3, 6)), length, concept) for start, length, concept in turns[1:])]


def _wandering(rng: np.random.Generator, *, gradual: bool) -> list[_Turn]:
    """Return changes to concepts at random, a year apart on average."""
    turns, week = [(0, 0, int(rng.integers(_CONCEPTS)))], int(rng.integers(10, 60))
    while week < _WEEKS:
        other = (turns[-1][2] + int(rng.integers(1, _CONCEPTS))) % _CONCEPTS
        turns.append((week, int(rng.integers(16, 31)) if gradual else 0, other))
        week += int(rng.integers(35, 70))
    return turns


def _alternating(rng: np.random.Generator) -> list[_Turn]:
    """Return changes to and fro between two concepts, every half to whole year."""
    pair = [int(concept) for concept in rng.choice(_CONCEPTS, size=2, replace=False)]
    every, first = int(rng.integers(20, 45)), int(rng.integers(0, 20))
    return [(0, 0, pair[0]), *((week, 0, pair[k % 2]) for k, week in enumerate(range(first + every, _WEEKS, every), 1))]


def _answers(rng: np.random.Generator, there: _Flags) -> _Flags:
    """Return (sources, weeks): whether an answer came, in spells of answering and of silence."""
    state = rng.random(len(there)) < _RETURNS / (_RETURNS + _FALLS_SILENT)
    answers = np.zeros(there.shape, dtype=np.bool_)
    for week in range(there.shape[1]):
        answers[:, week] = state
        draw = rng.random(len(there))
        state = np.where(state, draw >= _FALLS_SILENT, draw < _RETURNS)
    return np.logical_and(answers, there)


def _records(rng: np.random.Generator, coefficients: Vector, count: int, shift: Vector) -> tuple[Vector, Vector]:
    x = np.hstack([np.ones((count, 1)), shift + rng.normal(size=(count, GRAM.dim - 1))])
    return on_grid(x), on_grid(x @ coefficients + NOISE * rng.normal(size=count))
