"""E6: real time. An evolving model against periodic full retraining, in error of the next period and in cost.

Every period the platform's own replay follows the sources within a budget of bytes: who is asked is asked for what is
new alone, valued, decided about, and merged or subtracted. Full retraining asks every source anew about all there is,
and fits all of it. Both start from the same first model, whose cost is neither's; costs are seconds and bytes of all
periods after it, asking and answering included. Errors are those of the target's records in the next period, which no
model has seen, over several draws of the target.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import sqrt
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd

from headwater.bench.evolution_records import RECORDS, Records, available, region
from headwater.bench.figures import Figure, Size
from headwater.evolution import Budgets
from headwater.federation import ask
from headwater.statistics import Statistic
from headwater.steps.evolve import watch_of
from headwater.steps.history import History
from headwater.steps.replay import best_weight, follow, weighted
from headwater.types import Vector

__all__ = ["Outcome", "figures", "measured"]

_SEEDS: Mapping[Size, range] = {"ci": range(2), "full": range(10)}
_ASKED = 1 / 24
"""Of what asking everybody once costs: the bytes that a period may spend, enough for one source at least."""
_KNOWN_FROM = 5
_GOAL = 0.1


@dataclass(frozen=True)
class Outcome:
    """One set of records, all draws together.

    Parameters
    ----------
    errors : mean over draws and periods of the root mean squared error, by model
    seconds, byte_counts : of all updates, by ``evolving`` and ``retraining``
    above : how much the evolving model's error lies above retraining's, by draw, as a share
    sources, periods : of a draw, at most
    """

    errors: Mapping[str, float]
    seconds: Mapping[str, float]
    byte_counts: Mapping[str, float]
    above: tuple[float, ...]
    sources: int
    periods: int
    origin: str

    @property
    def error(self) -> float:
        """Error of the evolving model over that of full retraining."""
        return self.errors["evolving"] / self.errors["retraining"]

    @property
    def cost(self) -> float:
        """The dearer of both costs of evolving, over that of full retraining."""
        return max(
            self.seconds["evolving"] / self.seconds["retraining"],
            self.byte_counts["evolving"] / self.byte_counts["retraining"],
        )


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return E6; without the data sets it is not measured."""
    names = available(data)
    if data is None or not names:
        note = "needs the data sets, see --data"
        return {"E6": Figure(None, "x", f"<= 1 at <= {_GOAL} of the cost", holds=False, note=note)}
    return {"E6": _figure({name: measured(RECORDS[name], data, size) for name in names})}


def _figure(found: Mapping[str, Outcome]) -> Figure:
    error, cost = max(one.error for one in found.values()), max(one.cost for one in found.values())
    missing = [name for name in RECORDS if name not in found]
    return Figure(
        value=error,
        unit="x error of full retraining, worst set",
        goal=f"<= 1 at <= {_GOAL} of the cost",
        holds=error <= 1.0 and cost <= _GOAL and not missing,
        baseline={
            f"{name}_{model}": value
            for name, one in found.items()
            for model, value in one.errors.items()
            if model != "evolving"
        },
        n=sum(len(one.above) for one in found.values()),
        note="; ".join(
            [
                "error: RMSE of the log in the next period, mean over periods and draws of the target",
                "cost: seconds and bytes of all updates after the first model, which all share",
                *(f"{name}: {one.origin}, {one.sources} sources, {one.periods} periods" for name, one in found.items()),
                *(f"{name}: not at hand" for name in missing),
            ]
        ),
        also={"cost": cost, **{name: _told(one) for name, one in found.items()}},
    )


def _told(one: Outcome) -> dict[str, object]:
    above = np.array(one.above)
    spread = 1.96 * float(above.std(ddof=1)) / sqrt(len(above)) if len(above) > 1 else float("nan")
    return {
        "error": one.error,
        "error_interval": [one.error - spread, one.error + spread],
        "seconds": one.seconds["evolving"] / one.seconds["retraining"],
        "bytes": one.byte_counts["evolving"] / one.byte_counts["retraining"],
        "rmse_evolving": one.errors["evolving"],
        "seconds_retraining": one.seconds["retraining"],
        "bytes_retraining": one.byte_counts["retraining"],
    }


def measured(records: Records, data: Path, size: Size) -> Outcome:
    """Follow a set of records through its periods, once for each draw of the target."""
    frame = records.read(data / records.folder, records.files[0 if size == "full" else 1])
    draws = [_drawn(records, frame, seed) for seed in _SEEDS[size]]
    models = draws[0].errors.keys()
    return Outcome(
        errors={model: float(np.mean([draw.errors[model] for draw in draws])) for model in models},
        seconds={who: sum(draw.seconds[who] for draw in draws) for who in draws[0].seconds},
        byte_counts={who: sum(draw.byte_counts[who] for draw in draws) for who in draws[0].byte_counts},
        above=tuple(draw.errors["evolving"] / draw.errors["retraining"] - 1 for draw in draws),
        sources=max(draw.sources for draw in draws),
        periods=max(draw.periods for draw in draws),
        origin=records.origin,
    )


@dataclass(frozen=True)
class _Draw:
    errors: Mapping[str, float]
    seconds: Mapping[str, float]
    byte_counts: Mapping[str, float]
    sources: int
    periods: int


def _drawn(records: Records, frame: pd.DataFrame, seed: int) -> _Draw:
    learner = records.learner
    history = replace(
        History.of(region(records, frame, seed=seed), learner, fewest=_KNOWN_FROM),
        opening=records.opening,
    )
    one = history.hearing.cost("").bytes
    watch = watch_of(history, Budgets(bytes=max(one, _ASKED * one * len(history.sources))))
    errors: dict[str, list[float]] = defaultdict(list)
    seconds, byte_counts = {"evolving": 0.0, "retraining": 0.0}, {"evolving": 0.0, "retraining": 0.0}
    followed = history.followed
    states = follow(history, seed=seed, watch=watch)
    for place, month in enumerate(followed):
        started = process_time()
        state = next(states)
        spent = process_time() - started
        models, again, exchanged = _retrained(history, month)
        if place:
            seconds["evolving"] += spent
            seconds["retraining"] += again
            byte_counts["evolving"] += state.bytes
            byte_counts["retraining"] += exchanged
        following = [at for at in history.months if at > month][:1]
        if following and learner.gram.records(history.unseen.by_month[following[0]]):
            for name, model in {**state.coefficients, **models}.items():
                errors[name].append(learner.gram.loss(history.unseen.by_month[following[0]], model) ** 0.5)
    means = {name: float(np.mean(found)) for name, found in errors.items()}
    return _Draw(means, seconds, byte_counts, len(history.sources), len(followed))


def _retrained(history: History, month: date) -> tuple[dict[str, Vector], float, int]:
    """Ask everybody about everything until a month; return models, and what the plain one cost in seconds and bytes.

    ``retraining`` counts all records alike; ``retraining_weighted`` weighs the target's own as the evolving model does.
    """
    started = process_time()
    months = tuple(at for at in history.months if at <= month)
    known = sorted(history.hearing.delivered.known(month, fewest=history.fewest))
    answers = ask(history.hearing.transport, history.learner.asked(months=months), sources=known)
    own = history.train.until(month)
    plain = history.learner.coefficients(Statistic.total([own, *answers.statistics.values()]))
    seconds = process_time() - started
    others = Statistic.total(answers.statistics.values())
    heavy = history.learner.coefficients(others.merge(weighted(own, best_weight(history, own, others, month))))
    return {"retraining": plain, "retraining_weighted": heavy}, seconds, sum(answers.bytes_by_source.values())
