r"""How much Gaussian noise hides a record: the analytic mechanism.

A vector of L2 sensitivity 1 with noise of standard deviation σ is (ε, δ)-private exactly when

.. math:: \Phi\!\left(\tfrac{1}{2σ} - εσ\right) - e^{ε} \Phi\!\left(-\tfrac{1}{2σ} - εσ\right) \le δ

Source: Balle and Wang 2018, theorem 8. Releases of sensitivities s_k with noise σ_k compose exactly: together they are
one release of sensitivity √Σ (s_k / σ_k)² with noise 1.
"""

import math

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

__all__ = ["delta_of", "epsilon_of", "noise_for"]


def delta_of(epsilon: float, noise: float) -> float:
    """Return the smallest δ at which noise of this many sensitivities is (ε, δ)-private.

    >>> round(delta_of(1.0, 3.7304), 7)
    1e-05
    """
    near, far = 1 / (2 * noise) - epsilon * noise, -1 / (2 * noise) - epsilon * noise
    # Of a large loss the exponent, which may be great, is taken together with the tail, which is as small.
    return float(ndtr(near) - math.exp(min(epsilon + float(log_ndtr(far)), 0.0)))


def noise_for(epsilon: float, delta: float) -> float:
    """Return the smallest noise, in sensitivities, that is (ε, δ)-private; ε > 0, 0 < δ < 1."""
    if not (epsilon > 0 and 0 < delta < 1):
        raise ValueError("epsilon must be above 0, and delta between 0 and 1")
    low, high = 1e-3, 1.0
    while delta_of(epsilon, high) > delta:
        high *= 2
    return float(brentq(lambda noise: delta_of(epsilon, noise) - delta, low, high, xtol=1e-12)) * (1 + 1e-9)


def epsilon_of(noise: float, delta: float) -> float:
    """Return the smallest ε ≥ 0 at which noise of this many sensitivities is (ε, δ)-private; 0 < δ < 1.

    >>> round(epsilon_of(3.7304, 1e-5), 3)
    1.0
    """
    if not (noise > 0 and 0 < delta < 1):
        raise ValueError("noise must be above 0, and delta between 0 and 1")
    if delta_of(0.0, noise) <= delta:
        return 0.0
    high = 1.0
    while delta_of(high, noise) > delta:
        high *= 2
    # The root is searched for to a hair and then passed, so that what is told is never too small.
    return float(brentq(lambda epsilon: delta_of(epsilon, noise) - delta, 0.0, high, xtol=1e-12)) * (1 + 1e-9) + 1e-12
