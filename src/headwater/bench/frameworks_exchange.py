"""F6: bytes of one source for an accuracy, by one exact sum and by federated averaging on the same records."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.bench.figures import Figure, Size
from headwater.bench.frameworks_averaging import Block, Setting, bytes_to_reach
from headwater.bench.tiers_federations import Federation, at_hand, drawn
from headwater.federation import InProcess, learn
from headwater.federation.solved import Solved
from headwater.statistics import FeatureMap, FixedPoint
from headwater.statistics.feature_maps import FEATURE_MAPS
from headwater.types import Vector

__all__ = ["figures"]

_SEED, _GOAL, _SLACK = 3, 0.1, 0.001
_RIDGE, _CODE = 30.0, FixedPoint(fraction_bits=0)
_DIM = {"simulated": 32, "sih": 64}
_LABEL = "label"


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return F6: the worst federation's share of the bytes that averaging needs."""
    kinds = [kind for kind in at_hand(data) if kind in _DIM and (size == "full" or kind == "simulated")]
    told = {kind: _compared(drawn(kind, np.random.default_rng(_SEED), data), _DIM[kind], size) for kind in kinds}
    worst = max(told.values(), key=lambda one: one["share"])
    note = (
        "one exact sum of degree-2 features against the cheapest setting of averaging that comes within .001 of "
        "its R2; where none does, against what the best one had sent by then; recipes counted on both sides"
    )
    return {
        "F6": Figure(
            value=worst["share"],
            unit="share of the bytes",
            goal="<= 0.1",
            holds=worst["share"] <= _GOAL,
            baseline={"averaging_bytes": worst["averaging_bytes"], "averaging_r2": worst["averaging_r2"]},
            n=len(told),
            note=note,
            also=told,
        )
    }


def _compared(federation: Federation, dim: int, size: Size) -> dict[str, float]:
    question, base = federation.question, federation.question.feature_map
    assert isinstance(base, FeatureMap)
    own, theirs = base.transform(federation.own), question.labels(federation.own)
    lifted = FEATURE_MAPS["degree2"].fit(base, own, theirs, dim=dim, seed=1)
    tables = {name: _labelled(federation, table) for name, table in federation.sources.items()}
    learner = Solved(lifted.dim, ridge=_RIDGE, encoding=_CODE)
    learnt = learn(learner, InProcess.of(tables), features=lifted, target=_LABEL)
    labels, held = question.labels(federation.test), lifted.transform(federation.test)
    reached, ours = _r2(labels, learner.predict(learnt.parameters, held)), max(learnt.bytes_by_source.values())
    recipe = len(base.to_json().encode())
    reaching, (sent, score) = _averaged(federation, size, goal=reached - _SLACK)
    return {
        "share": ours / (sent + recipe),
        "our_bytes": ours,
        "our_r2": reached,
        "averaging_bytes": sent + recipe,
        "averaging_r2": score,
        "settings_that_reach": len(reaching),
        "median_share": ours / (float(np.median(reaching or [sent])) + recipe),
    }


def _averaged(federation: Federation, size: Size, *, goal: float) -> tuple[list[int], tuple[int, float]]:
    """Return the bytes of every setting of averaging that reaches ``goal``, and the fewest with the R² they gave.

    Where none does, the fewest are what the best setting had sent in the end.
    """
    recipe, labels = federation.question.feature_map, federation.question.labels(federation.test)
    held = recipe.transform(federation.test)
    block = Block.of((recipe.transform(one), federation.question.labels(one)) for one in federation.sources.values())
    rounds, reached, best = 100 if size == "full" else 40, list[tuple[int, float]](), (0, -np.inf)
    for setting in _settings(size):
        heard: list[float] = []

        def score(one: Setting, parameters: list[Vector], told: list[float] = heard) -> float:
            told.append(_r2(labels, one.predict(parameters, held)))
            return told[-1]

        sent = bytes_to_reach(setting, block, score, goal, rounds=rounds)
        if sent >= 0:
            reached.append((sent, heard[-1]))
        best = max(best, (setting.sent(held.shape[1], rounds), max(heard, default=-np.inf)), key=lambda one: one[1])
    return [sent for sent, _ in reached], min(reached, default=best)


def _settings(size: Size) -> Iterator[Setting]:
    hidden, epochs, rates = (
        ((0, 4, 8, 16), (1, 5, 20), (0.03, 0.1, 0.3)) if size == "full" else ((0, 8), (5,), (0.1, 0.3))
    )
    yield from (Setting(units, passes, rate) for units in hidden for passes in epochs for rate in rates)


def _labelled(federation: Federation, table: pa.Table) -> pa.Table:
    place = table.column_names.index(_LABEL)
    return table.set_column(place, _LABEL, pa.array(federation.question.labels(table)))


def _r2(labels: Vector, predicted: Vector) -> float:
    return 1.0 - float(np.mean((predicted - labels) ** 2)) / float(np.var(labels))
