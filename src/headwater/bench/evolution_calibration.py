"""Thresholds of detectors by simulation: ``python -m headwater.bench.evolution_calibration > thresholds.csv``.

Streams in which nothing changes, half of their steps absent, normal, with and without memory, are watched with one
threshold after another; what is fitted is the log of the rate of false alarms,

    ln(alarms / observations) = a - b threshold + c memory^3 + d ln(streams),

and turned around. The seeds are no other program's: what benches and tests measure is not what was fitted.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from headwater.adapters.river import River
from headwater.bench.evolution_streams import Law, absent, noise
from headwater.evolution.bank import Bank, Judge
from headwater.evolution.calibration import Threshold
from headwater.evolution.detectors.bayesian import BayesianJudge
from headwater.evolution.detectors.glr import GlrJudge
from headwater.evolution.detectors.pooled import Tiers

__all__ = ["Trial", "fitted", "main", "pooled", "simulated"]

_SEED = 431
_RIVERS = 10
_STREAMS, _ABSENT = 80, 0.5
_STEPS: Mapping[Law, int] = {"normal": 2000, "ar.5": 1000, "ar.7": 1000}
"""Longer streams where the rate grows with age than where it falls, as memory gets known."""


@dataclass(frozen=True)
class Trial:
    """How often one threshold was exceeded.

    Parameters
    ----------
    threshold, memory, streams : what was tried: evidence, mean of ``Scores.caution``, streams pooled
    alarms, observations : counted
    """

    threshold: float
    memory: float
    streams: int
    alarms: int
    observations: int


def simulated(judge: Callable[[Threshold], Judge], tried: Iterable[float], *, law: Law, streams: int) -> list[Trial]:
    """Count the false alarms of a judge at each threshold, on the same streams."""
    trials = []
    for threshold in tried:
        rng = np.random.default_rng([_SEED, len(law)])
        values = noise(rng, (streams, _STEPS[law]), law)
        values[absent(rng, values.shape, _ABSENT, burst=0.0)] = np.nan
        bank = Bank(judge(Threshold(threshold)), streams, steps=1.0)
        alarms = sum(len(bank.update(float(step), values[:, step])) for step in range(_STEPS[law]))
        observations = int((~np.isnan(values)).sum())
        trials.append(Trial(threshold, float(bank.scores.caution.mean()), 1, alarms, observations))
    return trials


def pooled(tried: Iterable[float], *, law: Law, tiers: int, sources: int) -> list[Trial]:
    """Count the false alarms of tiers at each threshold, on the same streams; observations are those of one source."""
    trials = []
    for threshold in tried:
        rng = np.random.default_rng([_SEED, sources, len(law)])
        values = noise(rng, (tiers * sources, _STEPS[law]), law)
        values[absent(rng, values.shape, _ABSENT, burst=0.0)] = np.nan
        watched = Tiers(tiers, sources, steps=1.0, threshold=Threshold(threshold))
        told = values.reshape(tiers, sources, -1)
        alarms = sum(len(watched.update(float(step), told[:, :, step])) for step in range(_STEPS[law]))
        memory = float(watched.scores.caution.mean())
        trials.append(Trial(threshold, memory, sources, alarms, int((~np.isnan(values)).sum()) // sources))
    return trials


def fitted(trials: Iterable[Trial]) -> Threshold:
    """Return the threshold as a function of the observations between two false alarms."""
    used = [trial for trial in trials if trial.alarms >= 5]
    rate = np.log([trial.alarms / trial.observations for trial in used])
    columns = [[1.0] * len(used), [t.threshold for t in used], [t.memory**3 for t in used]]
    columns.append(np.log([t.streams for t in used]).tolist())
    varied = [at for at, column in enumerate(columns) if at == 0 or np.ptp(column) > 0]
    weight = np.sqrt([trial.alarms for trial in used])
    design = np.stack([columns[at] for at in varied], axis=1) * weight[:, None]
    found = dict(zip(varied, np.linalg.lstsq(design, rate * weight)[0].tolist(), strict=True))
    steep = -found[1]
    return Threshold(*(round(value / steep, 3) for value in (found[0], 1.0, found.get(2, 0.0), found.get(3, 0.0))))


def _of_judge(judge: Callable[[Threshold], Judge], tried: Iterable[float], *, streams: int) -> Threshold:
    tried = tuple(tried)
    return fitted(trial for law in _STEPS for trial in simulated(judge, tried, law=law, streams=streams))


def _glr_level(threshold: Threshold) -> Judge:
    return GlrJudge(level=threshold, share=0.0)


def _glr_variance(threshold: Threshold) -> Judge:
    return GlrJudge(variance=threshold, share=1.0)


def _bayesian(threshold: Threshold) -> Judge:
    return BayesianJudge(threshold=threshold)


def _of_tiers() -> Threshold:
    tried = (2.5, 4.0)
    rounds: tuple[tuple[Law, int, int], ...] = (
        ("normal", 40, 1),
        ("normal", 20, 5),
        ("normal", 8, 20),
        ("ar.5", 20, 5),
    )
    return fitted(
        trial for law, tiers, sources in rounds for trial in pooled(tried, law=law, tiers=tiers, sources=sources)
    )


def _of_river(name: str, tried: Iterable[float]) -> Threshold:
    """Fit one of river's, value by value and without absences: it knows no time."""
    values = noise(np.random.default_rng([_SEED, len(name)]), (_RIVERS, _STEPS["normal"]), "normal")
    trials = []
    for threshold in tried:
        watched = (River(name, threshold=Threshold(threshold)) for _ in range(_RIVERS))
        alarms = sum(
            detector.update(float(step), float(value)) is not None
            for detector, stream in zip(watched, values, strict=True)
            for step, value in enumerate(stream)
        )
        trials.append(Trial(threshold, 0.0, 1, alarms, values.size))
    return fitted(trials)


_FITS: Mapping[str, Callable[[], Threshold]] = {
    "glr_level": partial(_of_judge, _glr_level, (4.75, 6.0), streams=_STREAMS),
    "glr_variance": partial(_of_judge, _glr_variance, (4.5, 6.0), streams=_STREAMS),
    "bayesian": partial(_of_judge, _bayesian, (-2.5, -1.0), streams=_STREAMS),
    "pooled": _of_tiers,
    "adwin": partial(_of_river, "adwin", (0.1, 0.7)),
    "kswin": partial(_of_river, "kswin", (4.4, 6.3)),
    "page_hinkley": partial(_of_river, "page_hinkley", (4.5, 6.0)),
}


def main(names: Iterable[str] = tuple(_FITS)) -> None:
    """Write the table to the standard output."""
    writer = csv.DictWriter(sys.stdout, ["name", *Threshold.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    for name in names:
        writer.writerow({"name": name, **asdict(_FITS[name]())})
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:] or _FITS)
