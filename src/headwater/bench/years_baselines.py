"""What others do with the same three years: keep a model, refit it, forget at an alarm, or cluster.

All of them know what headwater knows: every delivery of every source as its statistic, and the target's own records of
each week once it is over. Where a baseline can choose sources, it chooses those that lower the loss on the target's
newest records, which is kinder to it than taking all. Settings were chosen by ``years_tuning``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.adapters.river import Drift
from headwater.bench.years_world import GRAM, NOISE, TICKS, WARMUP, World
from headwater.evolution.agreement import Sums
from headwater.types import SourceId, Vector

__all__ = ["Heard", "Watch", "clustered", "heard", "periodic", "static", "target_only", "triggered"]

_RIDGE = 1.0
_JUDGED = 13


@dataclass(frozen=True, eq=False)
class Heard:
    """A world as those see it who follow it.

    Parameters
    ----------
    said : for each week, the decoded statistic of each source that answered
    own : for each week, the target's own
    records : for each week, the target's own features and outcomes
    """

    said: tuple[Mapping[SourceId, Sums], ...]
    own: tuple[Sums, ...]
    records: tuple[tuple[Vector, Vector], ...]

    @property
    def scored(self) -> range:
        """The weeks after each of which a model for the next is asked for."""
        return range(WARMUP - 1, WARMUP + TICKS - 1)

    def target(self, weeks: range) -> Sums:
        """Return the target's own records of some weeks."""
        return sum((self.own[week] for week in weeks), Sums.nothing(GRAM))

    def sources(self, start: Callable[[SourceId], int], week: int) -> dict[SourceId, Sums]:
        """Return what each source said from its own ``start`` until ``week``."""
        found: dict[SourceId, Sums] = {}
        for past in range(week + 1):
            for source, sums in self.said[past].items():
                if past >= start(source):
                    found[source] = found[source] + sums if source in found else sums
        return found


def heard(world: World) -> Heard:
    """Decode a world once for all baselines."""
    said = tuple({source: Sums.of(GRAM, one) for source, one in week.items()} for week in world.said)
    return Heard(said, tuple(Sums.of(GRAM, GRAM.statistic(x, y)) for x, y in world.own), world.own)


def target_only(heard: Heard, *, window: int) -> Vector:
    """Return (TICKS, dim): each week a fit on the target's own records of the last ``window`` weeks."""
    return np.array([heard.target(_last(window, week)).coefficients(_RIDGE) for week in heard.scored])


def static(heard: Heard) -> Vector:
    """Return (TICKS, dim): the model of the first half year, never changed."""
    return np.repeat(_fitted(heard, WARMUP - 1, window=WARMUP)[None], TICKS, axis=0)


def periodic(heard: Heard, *, every: int, window: int) -> Vector:
    """Return (TICKS, dim): every ``every`` weeks a fit on what all said in the last ``window`` weeks."""
    fits = [_fitted(heard, week, window=window) for week in heard.scored[::every]]
    return np.repeat(fits, every, axis=0)[:TICKS]


@dataclass(frozen=True)
class Watch:
    """How alarms are raised, and what is done then.

    Parameters
    ----------
    detector : makes one for the target, fed with the squared error of each of its records, and one for each source,
        fed with the mean squared error of each of its deliveries under the fit of its own window
    keep : weeks that are kept after an alarm of the target
    """

    detector: Callable[[], Drift]
    keep: int


def triggered(heard: Heard, watch: Watch) -> Vector:
    """Return (TICKS, dim): each week a fit on windows that start anew at alarms, each source having its own."""
    detectors: dict[SourceId, Drift] = {}
    starts: dict[SourceId, int] = {}
    own, start = watch.detector(), 0
    windows: dict[SourceId, Sums] = {}
    models = [np.zeros(GRAM.dim)]
    for week in range(WARMUP + TICKS - 1):
        for source, sums in heard.said[week].items():
            window = windows.get(source, Sums.nothing(GRAM))
            error = float(sums.squares(window.coefficients(_RIDGE)[None])[0]) / sums.records
            detector = detectors.setdefault(source, watch.detector())
            alarm = window.records > 0 and _alarmed(detector, [error])
            starts[source] = week if alarm else starts.get(source, week)
            windows[source] = sums if alarm else window + sums
        x, y = heard.records[week]
        if _alarmed(own, ((y - x @ models[-1]) ** 2).tolist()):
            start = week - watch.keep + 1
        models.append(_useful_fit(heard, range(start, week + 1), windows))
    return np.array(models[WARMUP:])


def _alarmed(detector: Drift, errors: Sequence[float]) -> bool:
    """Feed errors one by one and return whether any of them raised an alarm."""
    alarms = []
    for error in errors:
        detector.update(error)
        alarms.append(detector.drift_detected)
    return any(alarms)


def clustered(heard: Heard, *, opens: float, apart: float, together: int) -> Vector:
    """Return (TICKS, dim): the model of the target's cluster, clusters being found as FedDrift does.

    Every client is judged by its newest ``together`` batches: one alone is few records here. A client whose best
    cluster's loss on them rose by more than ``opens`` opens a cluster with its new batch; every other batch
    joins the cluster of least loss. Clusters whose models lose less than ``apart`` on each other's data are merged.
    Every model is its clusters' exact ridge solution, so none is hurt by unfinished training.

    Source: Jothimurugesan, Hsieh, Wang, Joshi, Gibbons 2023, FedDrift (hierarchical), arXiv 2206.00799.
    """
    clusters: list[Sums] = []
    last: dict[SourceId, float] = {}
    newest: dict[SourceId, list[Sums]] = {}
    models = []
    for week in range(WARMUP + TICKS - 1):
        batches = [*sorted(heard.said[week].items()), ("target", heard.own[week])]
        fits = [cluster.coefficients(_RIDGE) for cluster in clusters]
        fresh: list[Sums] = []
        mine = -1
        for client, sums in batches:
            recent = newest[client] = [*newest.get(client, [])[-together + 1 :], sums] if together > 1 else [sums]
            judges = sum(recent, Sums.nothing(GRAM))
            losses = judges.squares(np.stack(fits)) / judges.records if fits else np.array([np.inf])
            best = int(losses.argmin())
            is_new = not fits or losses[best] > last.get(client, losses[best]) + opens
            last[client] = NOISE**2 if is_new else float(losses[best])
            if is_new:
                newest[client] = [sums]
                fresh.append(sums)
            else:
                clusters[best] += sums
            mine = (len(clusters) + len(fresh) - 1 if is_new else best) if client == "target" else mine
        clusters, mine = _merged([*clusters, *fresh], mine, apart)
        models.append(clusters[mine].coefficients(_RIDGE))
    return np.array(models[WARMUP - 1 :])


def _merged(clusters: list[Sums], mine: int, apart: float) -> tuple[list[Sums], int]:
    """Merge the two nearest clusters again and again, and return them with the place of the target's own."""
    while len(clusters) > 1:
        fits = np.stack([cluster.coefficients(_RIDGE) for cluster in clusters])
        losses = np.stack([cluster.squares(fits) / cluster.records for cluster in clusters], axis=1)
        excess = losses - np.diagonal(losses)[None]
        distance = np.maximum(excess, excess.T) + np.diag(np.full(len(clusters), np.inf))
        one, other = sorted(int(place) for place in np.unravel_index(int(distance.argmin()), distance.shape))
        if distance[one, other] >= apart:
            break
        clusters[one] += clusters.pop(other)
        mine = one if mine == other else mine - (mine > other)
    return clusters, mine


def _last(window: int, week: int) -> range:
    return range(max(0, week - window + 1), week + 1)


def _fitted(heard: Heard, week: int, *, window: int) -> Vector:
    weeks = _last(window, week)
    return _useful_fit(heard, weeks, heard.sources(lambda source: weeks.start, week))


def _useful_fit(heard: Heard, weeks: range, sources: Mapping[SourceId, Sums]) -> Vector:
    """Fit the target's records of some weeks with those sources that, one by one, add to them.

    Whether a source adds is judged on the newer half of those weeks, 13 at most, beside the target's records before.
    """
    judging = min(_JUDGED, (len(weeks) + 1) // 2)
    judges, base = heard.target(weeks[-judging:]), heard.target(weeks[:-judging])
    players: Sequence[Sums] = list(sources.values())
    fits = np.stack([one.coefficients(_RIDGE) for one in (base, *(base + player for player in players))])
    losses = judges.squares(fits)
    kept: Iterator[Sums] = (player for player, loss in zip(players, losses[1:], strict=True) if loss < losses[0])
    return sum(kept, base + judges).coefficients(_RIDGE)
