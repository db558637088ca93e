"""Sources that require different things: how much of what joining gives is kept (A6).

The gap runs from the bureau's own records alone to all records exactly and in one place, by mean squared error on
records held out. Sources are planned by their requirements, asked in two rounds (exact parts first), and joined through
real masks and real noise.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from headwater.adapters import accounting
from headwater.bench.figures import Figure, Size
from headwater.bench.tiers_classes import DELTA, SOURCES, classes, planned
from headwater.bench.tiers_federations import at_hand, drawn
from headwater.bench.tiers_trial import Trial
from headwater.security.events import NonPrivate
from headwater.security.tally import Tally

__all__ = ["closed", "figures", "spent"]

_SEED = 20261130
_EPSILON = 1.0
_EPSILONS: Mapping[Size, tuple[float, ...]] = {"ci": (), "full": (0.5, 3.0, 8.0)}
_SEEDS: Mapping[Size, int] = {"ci": 6, "full": 40}
_BESIDE = 20
"""Draws behind what stands beside the figure."""
_FEWER: Mapping[Size, tuple[int, ...]] = {"ci": (), "full": (25, 50, 100)}
_GOAL = 0.9
_RESAMPLED = 2_000

Losses = Mapping[str, list[float]]


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return A6 over the federations that are at hand, at other ε, and with fewer records."""
    kinds = at_hand(data)
    found = {kind: _of(_trials(kind, data, draws=_SEEDS[size]), _compared) for kind in kinds}
    tables = {kind: closed(losses) for kind, losses in found.items()}
    worst = min(kinds, key=lambda kind: tables[kind]["mixed"])
    strictest = max(max(table["strictest_ssp"], table["strictest_adassp"]) for table in tables.values())
    return {
        "A6": Figure(
            value=tables[worst]["mixed"],
            unit="share of the gap closed, worst federation",
            goal=">= .90, where strictest for all closes < 0",
            holds=tables[worst]["mixed"] >= _GOAL and strictest < 0,
            baseline={
                "strictest_for_all_adassp_or_ssp": strictest,
                "strictest_for_all_weighed": max(table["strictest"] for table in tables.values()),
                "floor_tried_shared_noise_for_all": 0.67,
            },
            n=_SEEDS[size],
            note=f"{SOURCES} sources, dealt to five classes by chance in every draw; epsilon {_EPSILON:g} at delta "
            f"{DELTA:g}; ratio of mean losses over the draws "
            f"({_BESIDE} draws beside the figure); worst of {', '.join(kinds)}",
            also={
                "worst": worst,
                "closed": tables,
                "interval_95": {kind: _interval(losses) for kind, losses in found.items()},
                "epsilons": _by_epsilon(size, data),
                "records": _by_records(size, data),
                "largest_demand_noise": _largest(size, data),
                "spent": spent(_EPSILON),
            },
        )
    }


def closed(losses: Losses) -> dict[str, float]:
    """Return the share of the gap that each way closes: of the means over all draws."""
    means = {way: float(np.mean(many)) for way, many in losses.items()}
    gap = means["target"] - means["non_private"]
    return {way: (means["target"] - mean) / gap for way, mean in means.items()}


def spent(epsilon: float) -> dict[str, float | None]:
    """Return the most ε that a source of each class spends in the mixed plan; None where a sum is told exactly."""
    members = classes([f"h{place:02d}" for place in range(SOURCES)])
    seen = planned(tuple((kind, tuple(names)) for kind, names in members.items()), epsilon, 16).exposures
    found: dict[str, float | None] = {}
    for kind, names in members.items():
        events = [seen[name][-1].event for name in names]
        exact = any(isinstance(event, NonPrivate) for event in events)
        costs = [accounting.epsilon(Tally().plus(event), DELTA) for event in events if not exact]
        found[kind] = max(costs) if costs else None
    return found


def _trials(
    kind: str,
    data: Path | None,
    *,
    draws: int = _BESIDE,
    epsilon: float = _EPSILON,
    most: int | None = None,
    against: bool = False,
) -> Iterator[Trial]:
    """Yield every draw; ``against``: the largest hospitals demand noise."""
    for seed in range(draws):
        federation = drawn(kind, np.random.default_rng([_SEED, seed]), data, most=most)
        yield Trial(federation.against() if against else federation, epsilon, seed)


def _of(trials: Iterable[Trial], ways: Callable[[Trial], Mapping[str, float]] = Trial.losses) -> Losses:
    """Return the losses of every way in every draw."""
    losses: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        for way, loss in ways(trial).items():
            losses[way].append(loss)
    return losses


def _compared(trial: Trial) -> dict[str, float]:
    return trial.losses() | trial.others()


def _interval(losses: Losses) -> list[float]:
    """Return what the mixed federation closes, between 2.5 and 97.5 %, were the draws drawn again."""
    rng = np.random.default_rng(_SEED)
    target, mixed, all_ = (np.array(losses[way]) for way in ("target", "mixed", "non_private"))
    picks = rng.integers(len(target), size=(_RESAMPLED, len(target)))
    target, mixed, all_ = (many[picks].mean(axis=1) for many in (target, mixed, all_))
    return [float(bound) for bound in np.quantile((target - mixed) / (target - all_), [0.025, 0.975])]


def _by_epsilon(size: Size, data: Path | None) -> dict[str, dict[str, dict[str, float]]]:
    return {
        f"{epsilon:g}": {kind: closed(_of(_trials(kind, data, epsilon=epsilon))) for kind in at_hand(data)}
        for epsilon in _EPSILONS[size]
    }


def _by_records(size: Size, data: Path | None) -> dict[str, dict[str, float]]:
    """Return the same of hospitals with fewer records, by records of each."""
    return {str(most): closed(_of(_trials("simulated", data, most=most))) for most in _FEWER[size]}


def _largest(size: Size, data: Path | None) -> dict[str, dict[str, float]]:
    """Return the same where the largest hospitals demand noise, so that most records are under it."""
    kinds = at_hand(data) if size == "full" else ()
    return {kind: closed(_of(_trials(kind, data, against=True))) for kind in kinds if kind != "simulated"}
