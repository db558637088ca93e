"""Three years as ``headwater evolve`` follows them: its own step, with the platform's policy, detectors and memory.

A week is to it what a month is in use. It asks who has new records, values them, decides, and merges or subtracts; the
target's own records are split into those it trains on and those it judges by. Nothing of it is set for these years but
when it begins, and that it follows every week: in use a month counts when half of the sources delivered, and here they
seldom do in a week.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.adapters.features import DataSeen, Region, Target
from headwater.adapters.learners import Ridge
from headwater.bench.years_world import GRAM, TICKS, WARMUP, World
from headwater.content.models import Model, ModelSpec
from headwater.errors import Message
from headwater.federation import TableSource
from headwater.statistics.features import FeatureMap, Numeric
from headwater.statistics.gram import Gram
from headwater.steps.evolve import watch_of
from headwater.steps.history import History
from headwater.steps.replay import follow
from headwater.types import SourceId, Vector

__all__ = ["evolved"]

_LABEL = "label"
_NUMERIC = tuple(Numeric(f"x{place}", 0, 1) for place in range(1, GRAM.dim))
_JUDGES = 3
"""Of the target's records one in so many judges, the others train."""
_FEWEST = 5
_FIRST_YEAR = 2001


@dataclass(frozen=True, eq=False)
class _Weekly(History):
    """A history in which every week is followed, however few answered in it."""

    @property
    def followed(self) -> tuple[date, ...]:
        return self.months[self.opening - 1 :]


def evolved(world: World, *, seed: int) -> Vector:
    """Return (TICKS, dim) coefficients, each made before its week; nothing is known of a week before it is over."""
    last = WARMUP + TICKS - 1
    heard: dict[SourceId, list[tuple[int, tuple[Vector, Vector]]]] = {}
    for week, told in enumerate(world.records[:last]):
        for name, records in told.items():
            heard.setdefault(name, []).append((week, records))
    sources = tuple(TableSource(name, _table(heard[name])) for name in sorted(heard))
    own = _table(enumerate(world.own[:last]))
    judges = np.arange(own.num_rows) % _JUDGES == 0
    target = Target(own.filter(pa.array(~judges)), own.filter(pa.array(judges)), own.slice(0, 0))
    region = Region(
        name="target",
        currency="",
        origins=("simulated",),
        data=DataSeen("years", 0, "", own.num_rows),
        sources=sources,
        cities={source.source_id: "" for source in sources},
        stays={source.source_id: source.table.num_rows for source in sources},
        small={},
        target=target,
        pooled=TableSource("pooled", own),
    )
    whole = History.of(region, _learner(), fewest=_FEWEST)
    given = {one.name: getattr(whole, one.name) for one in fields(whole)}
    history = _Weekly(**given | {"months": tuple(_month(week) for week in range(last)), "opening": WARMUP})
    states = follow(history, seed=seed, watch=watch_of(history))
    return np.array([state.coefficients["evolving"] for state in states])


def _learner() -> Ridge:
    spec = ModelSpec(
        name="years",
        title=Message("三年", "Three years"),
        task="years",
        learner="gram",
        target=_LABEL,
        features=FeatureMap(_NUMERIC),
        ridge=1.0,
    )
    return Ridge(Model(spec, Gram, Path(__file__), ""))


def _table(told: Iterable[tuple[int, tuple[Vector, Vector]]]) -> pa.Table:
    """Return records of some weeks as sources hold them."""
    weeks, records = zip(*told, strict=True)
    x, y = (np.concatenate(part) for part in zip(*records, strict=True))
    months = [_month(week) for week, (_, outcomes) in zip(weeks, records, strict=True) for _ in outcomes]
    columns = {numeric.name: x[:, place] for place, numeric in enumerate(_NUMERIC, start=1)}
    return pa.table({"month": pa.array(months, pa.date32()), **columns, _LABEL: y})


def _month(week: int) -> date:
    return date(_FIRST_YEAR + week // 12, week % 12 + 1, 1)
