"""Who is meant: a conditional logit over the candidates of a name with "none of these" among the choices, calibrated.

    P(entry | name) = exp(w.x) / (exp(b) + sum exp(w.x'))          (McFadden 1974)
    P(code | name)  = sum over entries of P(entry | name) * share of the code in the entry

Two references that read the same are two equal choices, so that a tie is as unsure as it is. The weights stay on the
side of reason: an equal attribute never speaks against, a conflict never for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from headwater.claims.coding.blocking import Floats
from headwater.claims.coding.reading import Indices

__all__ = ["Model", "Task", "calibrated", "learned", "prior"]

_PRIOR = {"cosine": 6.0, "told": 3.0, "meant": 3.0, "ratio": 3.0, "sorted": 2.0, "same": 2.0}
_STATES = {"equal": 1.0, "near": 0.5, "conflict": -3.0}
_OUTSIDE = 12.0
_PULL = 0.02
_MOST = 1 - 1e-4
_MOST_BARRED = 0.9
"""Confidence that an answer in conflict never passes: the lessons' conflicts are slips, a hospital's may be none."""
_FEW = 50
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Model:
    """What was learned.

    Parameters
    ----------
    weights : (f,) of the comparisons
    outside : the worth of "none of these"
    sound, barred : (2, k) probability before and after calibration, both rising; of answers in conflict apart
    """

    weights: Floats
    outside: float
    sound: Floats
    barred: Floats

    def chances(self, features: Floats, name: Indices, count: int) -> Floats:
        """Return (p,) probability of each pair before calibration; ``count`` is the number of names."""
        chance, _ = _softmax(features @ self.weights, self.outside, name, count)
        return chance

    def calibrate(self, chance: Floats, barred: Flags) -> Floats:
        """Return how often a best code of such a probability, in conflict or not, is right."""
        doubted = np.minimum(np.interp(chance, *self.barred), _MOST_BARRED)
        return np.asarray(np.where(barred, doubted, np.interp(chance, *self.sound)))


@dataclass(frozen=True)
class Task:
    """Names whose codes are known: p pairs of n names.

    Parameters
    ----------
    features : (p, f)
    name : (p,)
    share : (p,) share of the right code in the pair's entry
    count : n
    """

    features: Floats
    name: Indices
    share: Floats
    count: int


def prior(features: Sequence[str]) -> Model:
    """Return what is believed before anything was learned."""
    weights = np.array([_PRIOR[name] if name in _PRIOR else _STATES[name.rpartition("_")[2]] for name in features])
    return Model(weights, _OUTSIDE, np.array([[0.0, 1.0], [0.0, _MOST]]), np.array([[0.0, 1.0], [0.0, 0.5]]))


def learned(task: Task, features: Sequence[str]) -> Model:
    """Return the weights under which the right codes are most probable, pulled lightly towards the prior."""
    start = prior(features)
    if not task.count:
        return start
    centre = np.append(start.weights, start.outside)
    bounds = [_bound(name) for name in features] + [(0.0, None)]
    found = minimize(_loss, centre, args=(task, centre), jac=True, method="L-BFGS-B", bounds=bounds)
    return Model(found.x[:-1], float(found.x[-1]), start.sound, start.barred)


def _bound(name: str) -> tuple[float | None, float | None]:
    return (None, 0.0) if name.endswith("_conflict") else (None, None) if name.endswith("_near") else (0.0, None)


def _loss(values: Floats, task: Task, centre: Floats) -> tuple[float, Floats]:
    chance, none = _softmax(task.features @ values[:-1], values[-1], task.name, task.count)
    hit = np.bincount(task.name, chance * task.share, minlength=task.count)
    lost = np.bincount(task.name, task.share, minlength=task.count) <= 0
    hit = np.where(lost, none, hit)
    # Responsibility of each choice for the right answer, less its probability: the gradient of the log-likelihood.
    owed = np.where(lost[task.name], 0.0, chance * task.share / np.maximum(hit[task.name], 1e-300))
    gap = owed - chance
    gradient = np.append(gap @ task.features, float(np.sum(np.where(lost, 1.0, 0.0) - none)))
    pull = values - centre
    loss = -float(np.mean(np.log(np.maximum(hit, 1e-300)))) + _PULL * float(pull @ pull) / len(pull)
    return loss, -gradient / task.count + 2 * _PULL * pull / len(pull)


def _softmax(worth: Floats, outside: float, name: Indices, count: int) -> tuple[Floats, Floats]:
    """Return the probability of each pair and, for each name, of none."""
    top = np.full(count, outside, dtype=np.float64)
    np.maximum.at(top, name, worth)
    power, none = np.exp(worth - top[name]), np.exp(outside - top)
    total = none + np.bincount(name, power, minlength=count)
    return power / total[name], none / total


def calibrated(model: Model, chance: Floats, right: Flags, barred: Flags) -> Model:
    """Return the model with rising curves from probability to share of right answers; few answers change nothing."""
    sound = _curve(chance[~barred], right[~barred], model.sound)
    return Model(model.weights, model.outside, sound, _curve(chance[barred], right[barred], model.barred))


def _curve(chance: Floats, right: Flags, otherwise: Floats) -> Floats:
    if len(chance) < _FEW:
        return otherwise
    order = np.argsort(chance, kind="stable")
    fitted = IsotonicRegression(y_min=0.0, y_max=_MOST, out_of_bounds="clip").fit(chance[order], right[order])
    raw, rate = np.asarray(fitted.X_thresholds_, np.float64), np.asarray(fitted.y_thresholds_, np.float64)
    raw, rate = np.concatenate([[0.0], raw, [1.0]]), np.concatenate([[0.0], rate, [rate[-1]]])
    # A tiny slope keeps better names above worse ones where the curve is flat.
    return np.stack([raw, np.minimum(rate, _MOST - 1e-4 + 1e-4 * raw)])
