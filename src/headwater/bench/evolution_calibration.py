"""Thresholds of detectors by simulation: ``python -m headwater.bench.evolution_calibration > thresholds.csv``.

Streams in which nothing changes, normal, with and without memory, part of their steps absent, are watched with one
threshold after another; what is fitted is the log of the rate of false alarms,

    ln(alarms / observations) = a - b threshold + c memory + d ln(streams),

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
_STREAMS = 320
_ABSENT: Mapping[Law, tuple[float, float]] = {"normal": (0.5, 0.0), "ar.5": (0.3, 5.0), "ar.7": (0.3, 5.0)}
"""Share and bursts of absent values. Memory matters most where little is absent, and that in bursts."""
_STEPS = 1000
"""From a stream's first value on: while little is known the rate is lower, and higher where memory has to be learnt."""
_PER_MEMORY = 31.0
"""What memory adds to thresholds that are tried, so that those of young streams are not too low; near what is found."""


@dataclass(frozen=True)
class Trial:
    """How often one threshold was exceeded.

    Parameters
    ----------
    threshold, memory, streams : what was tried: evidence, mean of ``Scores.caution`` (0: no memory), streams pooled;
        memory adds ``_PER_MEMORY`` to the threshold
    alarms, observations : counted
    """

    threshold: float
    memory: float
    streams: int
    alarms: int
    observations: int


def simulated(judge: Callable[[Threshold], Judge], tried: Iterable[float], *, law: Law, streams: int) -> list[Trial]:
    """Count the false alarms of a judge at each threshold, on the same streams."""
    trials, every = [], np.arange(streams)
    for threshold in tried:
        rng = np.random.default_rng([_SEED, len(law)])
        values = noise(rng, (streams, _STEPS), law)
        share, burst = _ABSENT[law]
        values[absent(rng, values.shape, share, burst=burst)] = np.nan
        bank = Bank(judge(Threshold(threshold, per_memory=_PER_MEMORY)), streams, steps=1.0)
        alarms, caution = 0, 0.0
        for step in range(_STEPS):
            alarms += len(bank.update(float(step), values[:, step]))
            caution += float(bank.scores.caution(every).mean()) / _STEPS
        observations = int((~np.isnan(values)).sum())
        trials.append(Trial(threshold, 0.0 if law == "normal" else caution, 1, alarms, observations))
    return trials


def pooled(tried: Iterable[float], *, law: Law, tiers: int, sources: int) -> list[Trial]:
    """Count the false alarms of tiers at each threshold, on the same streams; observations are those of one source."""
    trials, every = [], np.arange(tiers * sources)
    for threshold in tried:
        rng = np.random.default_rng([_SEED, sources, len(law)])
        values = noise(rng, (tiers * sources, _STEPS), law)
        share, burst = _ABSENT[law]
        values[absent(rng, values.shape, share, burst=burst)] = np.nan
        watched = Tiers(tiers, sources, steps=1.0, threshold=Threshold(threshold, per_memory=_PER_MEMORY))
        told = values.reshape(tiers, sources, -1)
        alarms, caution = 0, 0.0
        for step in range(_STEPS):
            alarms += len(watched.update(float(step), told[:, :, step]))
            caution += float(watched.scores.caution(every).mean()) / _STEPS
        memory = 0.0 if law == "normal" else caution
        trials.append(Trial(threshold, memory, sources, alarms, int((~np.isnan(values)).sum()) // sources))
    return trials


def fitted(trials: Iterable[Trial]) -> Threshold:
    """Return the threshold as a function of the observations between two false alarms.

    What memory adds is fitted last, to what streams without it leave unexplained: they are the most frequent case.
    """
    used = [trial for trial in trials if trial.alarms >= 5]
    plain = [trial for trial in used if not trial.memory]
    design = np.array([_weight(t) * np.array([1.0, -t.threshold, np.log(t.streams)]) for t in plain])
    level, steep, more = np.linalg.lstsq(design, np.array([_weight(t) * _log_rate(t) for t in plain]))[0].tolist()
    left = [
        _log_rate(t) - level + steep * (t.threshold + _PER_MEMORY * t.memory) - more * np.log(t.streams) for t in used
    ]
    memory = np.array([t.memory for t in used])
    weight = np.array([t.alarms for t in used]) * memory
    grows = float(weight @ left / (weight @ memory)) if weight.any() else 0.0
    return Threshold(*(round(value / steep, 3) for value in (level, 1.0, grows, more)))


def _weight(trial: Trial) -> float:
    return float(np.sqrt(trial.alarms))


def _log_rate(trial: Trial) -> float:
    return float(np.log(trial.alarms / trial.observations))


def _of_judge(
    judge: Callable[[Threshold], Judge], tried: tuple[float, ...], *, remembering: tuple[float, ...] = ()
) -> Threshold:
    """Fit a judge; ``remembering`` are the thresholds for streams with memory, if not the same."""
    return fitted(
        trial
        for law in _ABSENT
        for trial in simulated(judge, tried if law == "normal" else remembering or tried, law=law, streams=_STREAMS)
    )


def _glr_level(threshold: Threshold) -> Judge:
    return GlrJudge(level=threshold, share=0.0)


def _glr_variance(threshold: Threshold) -> Judge:
    return GlrJudge(variance=threshold, share=1.0)


def _bayesian(threshold: Threshold) -> Judge:
    return BayesianJudge(threshold=threshold)


def _of_tiers() -> Threshold:
    tried = (3.25, 4.25)
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
    values = noise(np.random.default_rng([_SEED, len(name)]), (_RIVERS, 2 * _STEPS), "normal")
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
    "glr_level": partial(_of_judge, _glr_level, (6.2, 6.8), remembering=(6.4,)),
    "glr_variance": partial(_of_judge, _glr_variance, (5.0, 6.5)),
    "bayesian": partial(_of_judge, _bayesian, (-1.5, -0.5)),
    "pooled": _of_tiers,
    "adwin": partial(_of_river, "adwin", (0.1, 0.7)),
    # Its p-values are few: tried are the last thresholds before 8 and 9 of 10 ranks apart no longer suffice.
    "kswin": partial(_of_river, "kswin", (6.1, 8.3)),
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
