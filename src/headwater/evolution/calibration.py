"""Thresholds from a stated rate of false alarms.

``thresholds.csv`` is the result of simulation, made by ``python -m headwater.bench.evolution_calibration`` with the
seeds that stand there: for each detector the threshold that lets ``observations`` pass between two false alarms is

    at_once + per_log * ln(observations) + per_memory * memory + per_log_stream * ln(streams)

where ``memory`` is the correlation of scores with the one before over the root of how many are known
(``Scores.caution``) and ``streams`` are those that are pooled.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from headwater.errors import Message, Refusal
from headwater.types import Vector

__all__ = ["STEPS", "Threshold", "calibrated", "steps_between_alarms"]

STEPS = 1000.0
"""Steps from one false alarm to the next that detectors are made with, in the mean."""

_TABLE = Path(__file__).with_name("thresholds.csv")


@dataclass(frozen=True)
class Threshold:
    """One row of the table: what evidence it takes."""

    at_once: float
    per_log: float = 0.0
    per_memory: float = 0.0
    per_log_stream: float = 0.0

    def __call__(self, observations: Vector, memory: Vector | float = 0.0, streams: int = 1) -> Vector:
        """Return the thresholds for streams that let ``observations`` pass between two false alarms."""
        least = self.at_once + self.per_log_stream * float(np.log(streams))
        return np.asarray(least + self.per_log * np.log(observations) + self.per_memory * memory)


@cache
def calibrated(name: str) -> Threshold:
    """Return the threshold of a detector, or of one part of its evidence."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = {row.pop("name"): row for row in csv.DictReader(file)}
    return Threshold(**{column: float(value) for column, value in rows[name].items()})


def steps_between_alarms(per_week: float, *, interval_days: float) -> float:
    """Return how many steps pass from one false alarm to the next, in the mean.

    Parameters
    ----------
    per_week : false alarms that people bear in a week, over 0
    interval_days : from one step to the next, over 0

    >>> steps_between_alarms(0.007, interval_days=1.0)
    1000.0
    >>> round(steps_between_alarms(0.05, interval_days=30.4), 1)
    4.6
    """
    steps = 7.0 / (per_week * interval_days) if per_week > 0 and interval_days > 0 else 0.0
    if not 2.0 <= steps < float("inf"):
        raise Refusal(
            "E-DETECTOR-RATE",
            Message(
                f"每周 {per_week:g} 次误报、每 {interval_days:g} 天一步，无法校准。",
                f"{per_week:g} false alarms a week at a step every {interval_days:g} days cannot be calibrated.",
            ),
            Message(
                "两者都应大于 0，且相邻误报之间至少有两步。",
                "Both must be over 0, with at least two steps between false alarms.",
            ),
        )
    return round(steps, 9)
