"""E4: three simulated years under abrupt, gradual and recurring changes, against an oracle and against what others do.

Thirty-six hospitals answer in 30 % of the weeks, in spells; the target has twelve records a week of its own. Loss is
the expected squared error on the target's records of the coming week, exact from what holds then, summed over 156
weeks. The seeds of the figure were not used for any setting, of headwater or of a baseline.

The figure is that of a library: a mixture over regimes that all sources share, each with a version of its own, and a
policy (``years_followed``). No command runs it. What ``headwater evolve`` decides on the same streams, by the likeliest
of these regimes, stands beside it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from headwater.adapters.river import SETTINGS, default
from headwater.bench.figures import Figure, Size
from headwater.bench.years_baselines import Heard, Watch, clustered, heard, periodic, static, target_only, triggered
from headwater.bench.years_evolved import evolved
from headwater.bench.years_followed import Followed, followed
from headwater.bench.years_oracle import oracle
from headwater.bench.years_world import NOISE, TICKS, WARMUP, World, world
from headwater.evolution import Policy
from headwater.types import Vector

__all__ = ["BASELINES", "POLICY", "figures"]

_SEEDS: Mapping[Size, range] = {"ci": range(1, 3), "full": range(1, 9)}
_GOAL = 1.03
_LIBRARY, _PLATFORM = "regimes", "headwater_evolve"

POLICY = Policy(harm=-0.005, use=0.0, demote_after=3, promote_after=2)
"""Values are in R²; one below what their own scatter reaches is harm."""

BASELINES: Mapping[str, Callable[[Heard], Vector]] = {
    "adwin": partial(triggered, watch=Watch(partial(SETTINGS["adwin"], 0.3), keep=4)),
    "adwin_default": partial(triggered, watch=Watch(partial(default, "adwin"), keep=4)),
    "kswin": partial(triggered, watch=Watch(partial(SETTINGS["kswin"], 2.0), keep=8)),
    "page_hinkley": partial(triggered, watch=Watch(partial(SETTINGS["page_hinkley"], 3.0), keep=8)),
    "periodic": partial(periodic, every=1, window=8),
    "periodic_quarterly": partial(periodic, every=13, window=8),
    "feddrift": partial(clustered, opens=1.0, apart=0.1, together=4),
    "no_adaptation": static,
    "target_only": partial(target_only, window=10),
}
"""Others, each with the settings that were best for it on seeds of their own, see ``years_tuning``."""


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return E4; ``ci`` runs two seeds, ``full`` eight. No data are needed."""
    losses: dict[str, list[float]] = {}
    acted: list[Followed] = []
    for seed in _SEEDS[size]:
        made = world(seed)
        known = heard(made)
        acted.append(followed(made, policy=POLICY, seed=seed))
        models = {_LIBRARY: acted[-1].models, _PLATFORM: evolved(made, seed=seed)}
        models |= {"oracle": oracle(made, known), "told_late": oracle(made, known, ahead=0)}
        models |= {name: baseline(known) for name, baseline in BASELINES.items()}
        for name, found in models.items():
            losses.setdefault(name, []).append(_cumulative(made, found))
    return {"E4": _figure({name: np.array(found) for name, found in losses.items()}, acted)}


def _cumulative(world: World, models: Vector) -> float:
    return sum(world.loss(WARMUP + tick, model) for tick, model in enumerate(models))


def _figure(losses: Mapping[str, Vector], acted: list[Followed]) -> Figure:
    ours, best = losses[_LIBRARY], losses["oracle"]
    ratio = float(ours.sum() / best.sum())
    baseline = {name: float(losses[name].sum() / best.sum()) for name in BASELINES}
    unavoidable = TICKS * NOISE**2
    return Figure(
        ratio,
        "x of the oracle's cumulative loss",
        f"<= {_GOAL} and below every baseline",
        ratio <= _GOAL and ratio < min(baseline.values()),
        baseline,
        n=len(ours),
        note="what ran: regimes and belief of headwater.evolution with a version for each, which no command runs;"
        " what headwater evolve decides, a week for a month, stands under headwater_evolve; simulated hospitals; the"
        " oracle knows every change of everyone before it happens; losses are exact and hold the noise that nobody"
        " can explain, 1 a week: what is lost beyond it stands under excess_a_week",
        also={
            "oracle_told_when_a_changes_first_week_is_over": float(losses["told_late"].sum() / best.sum()),
            **_beside(losses, _LIBRARY),
            _PLATFORM: {"loss": float(losses[_PLATFORM].sum() / best.sum()), **_beside(losses, _PLATFORM)},
            "excess_a_week": {name: float((found - unavoidable).mean() / TICKS) for name, found in losses.items()},
            "actions": {
                action: sum(one.actions.get(action, 0) for one in acted)
                for action in sorted({action for one in acted for action in one.actions})
            },
            "exact_steps": sum(one.steps for one in acted),
            "changes_seen": sum(one.changes[0] for one in acted),
            "returns_seen": sum(one.changes[1] for one in acted),
        },
    )


def _beside(losses: Mapping[str, Vector], who: str) -> dict[str, object]:
    """Return how one did seed by seed, beside the oracle and beside every baseline."""
    times = losses[who] / losses["oracle"]
    return {
        "worst_seed": float(times.max()),
        "by_seed": times.round(4).tolist(),
        "seeds_in_which_beaten": {name: int((losses[who] < losses[name]).sum()) for name in BASELINES},
    }
