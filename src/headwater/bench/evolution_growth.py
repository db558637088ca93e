"""E3: a source is added or removed by one merge or subtraction, held against retraining from all records.

The stays are made up, the questions are those of the models in ``models/``: 68 features of the ridge, the last layer
of the network over a frozen body. What a source says travels as bytes through a transport that counts them; retraining
asks everybody who remains, through the same transport, in the same run.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.adapters.home import Home
from headwater.adapters.learners import Learner, learner
from headwater.bench.figures import Figure, Size
from headwater.content import models
from headwater.content.models import ModelSpec
from headwater.evolution import Growth
from headwater.federation import InProcess, Question, TableSource, Transport, ask
from headwater.federation.source import Computed
from headwater.statistics import Gram, Statistic
from headwater.types import SourceId, Vector

__all__ = ["figures"]

_GOAL_MS = 1.0
_SEED = 20260303
_RECORDS, _OWN = 60, 400
_WORK = {"ci": {"sources": 200, "steps": 60, "retrained": 2}, "full": {"sources": 2_000, "steps": 400, "retrained": 2}}
_MANY = 10_000
_LAST_LAYER = {"ci": 20, "full": 100}
"""Sources of the network: each answer takes a pass through its body."""


@dataclass
class _Counting:
    """Counts the bytes of questions and answers by source."""

    transport: Transport
    sent: Counter[SourceId] = field(default_factory=Counter)

    @property
    def source_ids(self) -> tuple[SourceId, ...]:
        return self.transport.source_ids

    def send(self, to: SourceId, question: Question | Computed) -> bytes:
        answer = self.transport.send(to, question)
        self.sent[to] += question.nbytes + len(answer)
        return answer


@dataclass(frozen=True)
class _Measured:
    """What steps took, and what retraining did.

    Parameters
    ----------
    add, remove, withdrawn : (steps,) milliseconds; ``withdrawn`` takes single records from a source
    solve, proof : milliseconds of solving the parameters, and of building anew from all that is held
    others : bytes exchanged with any other source during all steps
    own : bytes that the source which joins sends, once
    differing : comparisons with retraining that were not bit for bit, of ``compared``
    retrained_ms, retrained_bytes : of one retraining from the records of all who remain
    """

    add: Vector
    remove: Vector
    withdrawn: Vector
    solve: float
    proof: float
    others: int
    own: int
    differing: int
    compared: int
    retrained_ms: float
    retrained_bytes: int

    @property
    def slower(self) -> float:
        """Median milliseconds of adding or of removing, whichever is slower."""
        return float(max(np.median(self.add), np.median(self.remove)))

    def told(self) -> dict[str, Any]:
        """Return the further numbers."""
        each = {"add": self.add, "remove": self.remove, "withdraw_records": self.withdrawn}
        return {
            **{f"{name}_ms_median": round(float(np.median(values)), 4) for name, values in each.items()},
            **{f"{name}_ms_p99": round(float(np.quantile(values, 0.99)), 4) for name, values in each.items()},
            "solve_ms": round(self.solve, 3),
            "proof_from_all_members_ms": round(self.proof, 3),
            "bytes_from_others": self.others,
            "bytes_of_the_source_itself": self.own,
            "compared_with_retraining": self.compared,
            "differing": self.differing,
            "retrained_ms": round(self.retrained_ms, 1),
            "retrained_bytes": self.retrained_bytes,
        }


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Measure both models; ``data`` is not read, for time and bytes hang on the question, not on what is answered."""
    room, work = Home.from_environment().project / "models", _WORK[size]
    ridge = _measured(learner(models.load(room, "stay_cost_ridge")), **work)
    network = _measured(
        learner(models.load(room, "stay_cost_network")), **{**work, "sources": _LAST_LAYER[size], "retrained": 1}
    )
    is_exact = not (ridge.differing or network.differing or ridge.others or network.others)
    return {
        "E3": Figure(
            ridge.slower,
            "ms",
            "<= 1, 0 bytes from others, bit-identical",
            max(ridge.slower, network.slower) <= _GOAL_MS and is_exact,
            baseline={"retraining_ms": ridge.retrained_ms, "retraining_bytes": float(ridge.retrained_bytes)},
            n=work["steps"],
            note=f"median of the slower of add and remove, certificate included, of {work['sources']} sources",
            also={
                **ridge.told(),
                "of_10000_members_ms": round(_among_many(), 4),
                "last_layer_of_network": {"sources": _LAST_LAYER[size], **network.told()},
            },
        )
    }


def _measured(teacher: Learner, *, sources: int, steps: int, retrained: int) -> _Measured:
    rng, spec = np.random.default_rng(_SEED), teacher.model.spec
    own = _stays(rng, spec, _OWN)
    tables = {f"s{place:05d}": _stays(rng, spec, _RECORDS) for place in range(sources)}
    counting = _Counting(InProcess([TableSource(name, table) for name, table in tables.items()]))
    parameters = teacher.start(own, seed=_SEED)
    question = teacher.exact(parameters)
    growth = Growth.start(question.of(own), ask(counting, question).statistics)
    own_bytes = counting.sent["s00000"]
    counting.sent.clear()
    add, remove, withdrawn = _stepped(growth, list(tables), steps, rng, tables, question.of)
    others = counting.sent.total()
    differing, spent = 0, []
    for name in rng.choice(list(tables), retrained, replace=False).tolist():
        counting.sent.clear()
        started = time.perf_counter()
        rest = [other for other in tables if other != name]
        anew = Statistic.total([question.of(own), *ask(counting, question, sources=rest).statistics.values()])
        solved = teacher.resolve(parameters, anew)
        spent.append(time.perf_counter() - started)
        left = growth.remove(name)
        same = left.total == anew and teacher.resolve(parameters, left.total).tobytes() == solved.tobytes()
        differing += not (same and left.add(name, growth.members[name]).total == growth.total)
    return _Measured(
        add,
        remove,
        withdrawn,
        _timed(lambda: teacher.resolve(parameters, growth.total)),
        _timed(growth.proven),
        others,
        own_bytes,
        differing,
        retrained,
        1000 * float(np.median(spent)),
        counting.sent.total(),
    )


def _stepped(
    growth: Growth,
    names: list[SourceId],
    steps: int,
    rng: np.random.Generator,
    tables: dict[SourceId, pa.Table],
    of: Callable[[pa.Table], Statistic],
) -> tuple[Vector, Vector, Vector]:
    """Return milliseconds of adding, removing, and of taking three records from a source, statistic included."""
    add, remove, withdrawn = np.empty(steps), np.empty(steps), np.empty(steps)
    for turn, name in enumerate(rng.choice(names, steps).tolist()):
        said = growth.members[name]
        remove[turn] = _timed(lambda name=name: growth.remove(name))  # type: ignore[misc]
        left = growth.remove(name)
        add[turn] = _timed(lambda left=left, name=name, said=said: left.add(name, said))  # type: ignore[misc]
        rows = tables[name].slice(0, 3)
        withdrawn[turn] = _timed(lambda name=name, rows=rows: growth.reduce(name, of(rows)))  # type: ignore[misc]
    return add, remove, withdrawn


def _among_many() -> float:
    """Return the median milliseconds of removing one of 10,000 members: only their list is longer."""
    said = Gram(68).sample(np.random.default_rng(_SEED))
    growth = Growth.start(said, {f"s{place:05d}": said for place in range(_MANY)})
    return float(np.median([_timed(lambda at=at: growth.remove(f"s{at:05d}")) for at in range(0, _MANY, 100)]))  # type: ignore[misc]


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)


def _stays(rng: np.random.Generator, spec: ModelSpec, count: int) -> pa.Table:
    """Return made-up stays with the columns that a model reads."""
    return pa.table(dict(_columns(rng, spec, count)))


def _columns(rng: np.random.Generator, spec: ModelSpec, count: int) -> Iterator[tuple[str, Any]]:
    total = np.zeros(count)
    for numeric in spec.features.numeric:
        drawn = rng.normal(size=count)
        total += 0.1 * drawn
        yield numeric.name, numeric.center + numeric.scale * drawn
    for categorical in spec.features.categorical:
        code = rng.integers(0, 2 * categorical.buckets, count)
        total += 0.2 * np.sin(code)
        yield categorical.name, [f"C{number:03d}" for number in code]
    yield spec.target, 9.0 + total + rng.normal(0, 0.4, count)
