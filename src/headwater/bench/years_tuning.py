"""How the baselines of the three years were given their settings: ``python -m headwater.bench.years_tuning``.

Every setting below is run on the seeds 101–103, and the one of least loss stands in ``BASELINES`` of
``evolution_years``, whose figure is of other seeds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

from headwater.adapters.river import SETTINGS
from headwater.bench.years_baselines import Heard, Watch, clustered, heard, periodic, target_only, triggered
from headwater.bench.years_world import WARMUP, world
from headwater.types import Vector

__all__ = ["GRIDS", "SEEDS", "losses"]

SEEDS = range(101, 104)

Baseline = Callable[[Heard], Vector]


def _alarms(name: str, thresholds: Sequence[float]) -> dict[str, Baseline]:
    return {
        f"threshold={threshold} keep={keep}": partial(
            triggered, watch=Watch(partial(SETTINGS[name], threshold), keep=keep)
        )
        for threshold, keep in product(thresholds, (4, 8))
    }


GRIDS: Mapping[str, Mapping[str, Baseline]] = {
    "adwin": _alarms("adwin", (0.3, 0.7, 1.5, 3.0)),
    "kswin": _alarms("kswin", (2.0, 3.0, 4.0)),
    "page_hinkley": _alarms("page_hinkley", (3.0, 6.0, 12.0)),
    "periodic": {
        f"every={every} window={window}": partial(periodic, every=every, window=window)
        for every, window in product((1, 4), (4, 8, 13, 26))
    },
    "periodic_quarterly": {f"window={window}": partial(periodic, every=13, window=window) for window in (4, 8, 13, 26)},
    "feddrift": {
        f"opens={opens} apart={apart} together={together}": partial(
            clustered, opens=opens, apart=apart, together=together
        )
        for opens, apart, together in product((0.5, 0.7, 1.0), (0.1, 0.2, 0.3), (3, 4, 6))
    },
    "target_only": {f"window={window}": partial(target_only, window=window) for window in (6, 8, 10, 13, 20)},
}
"""The settings that were tried, by baseline."""


def losses(seeds: Sequence[int]) -> Iterator[tuple[str, str, float]]:
    """Yield baseline, setting and cumulative loss over all seeds."""
    made = [world(seed) for seed in seeds]
    known = [heard(one) for one in made]
    for name, grid in GRIDS.items():
        for setting, baseline in grid.items():
            models = [baseline(one) for one in known]
            pairs = zip(made, models, strict=True)
            total = sum(one.loss(WARMUP + k, model) for one, found in pairs for k, model in enumerate(found))
            yield name, setting, total


if __name__ == "__main__":
    found = list(losses(SEEDS))
    for tuned in GRIDS:
        loss, setting = min((loss, setting) for name, setting, loss in found if name == tuned)
        print(f"{tuned}: {setting} ({loss:.1f})")
