r"""Funnel limits: how far a hospital may lie from its peers by chance, given how many stays it has.

Ratios are made comparable by a transformation with known variance: counts :math:`y = \sqrt{O/E}, s = 1/(2\sqrt E)`,
amounts :math:`y = \log(O/E)` with the standard error of the standardisation. Hospitals of a level differ by more than
chance, and a funnel without that calls nearly all of them outliers. So the dispersion :math:`\hat\phi = \frac1I \sum_i
z_i^2` of the winsorised :math:`z_i = (y_i - y_0)/s_i` gives a variance between hospitals

.. math:: \hat\tau^2 = \max\Bigl(0, \frac{I\hat\phi - (I - 1)}{\sum w_i - \sum w_i^2 / \sum w_i}\Bigr),
          \quad w_i = s_i^{-2}

and limits stand at :math:`y_0 \pm z\sqrt{s_i^2 + \hat\tau^2}`.

Sources: Spiegelhalter 2005, Funnel plots for comparing institutional performance, Stat Med 24:1185; Spiegelhalter
2005, Handling over-dispersion of performance indicators, Qual Saf Health Care 14:347; DerSimonian and Laird 1986;
Benjamini and Hochberg 1995.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy import stats

from headwater.claims.comparing.cells import PEERS, by, coded
from headwater.types import Vector

__all__ = ["LEVELS", "Overdispersion", "funnel", "overdispersion"]

LEVELS = {"95": 0.95, "998": 0.998}
"""Names of the limits and how likely a hospital like its peers lies within them."""

_WINSORISED = 0.1


class Overdispersion(NamedTuple):
    """How much more hospitals differ than chance makes them: ``phi`` as a factor, ``tau2`` as a variance."""

    phi: float
    tau2: float


def overdispersion(y: Vector, se: Vector, *, winsorised: float = _WINSORISED) -> Overdispersion:
    """Estimate the variance between hospitals around a centre of 0.

    Parameters
    ----------
    y, se : (I,) distances from the centre and their standard errors
    winsorised : share at each end that is drawn in, lest true outliers widen the limits that should find them
    """
    if len(y) < 2:
        return Overdispersion(1.0, 0.0)
    z = y / se
    z = np.clip(z, *np.quantile(z, (winsorised, 1 - winsorised)))
    phi, weight = float(np.mean(z**2)), se**-2
    excess = len(y) * phi - (len(y) - 1)
    return Overdispersion(phi, max(0.0, float(excess / (weight.sum() - (weight**2).sum() / weight.sum()))))


def funnel(standardised: pa.Table) -> pa.Table:
    """Place hospitals in the funnel of their peers.

    Parameters
    ----------
    standardised : as `standardise` returns, of one measure

    Returns
    -------
    pyarrow.Table
        the same rows with hospitals (in this funnel), phi, tau2, z (with tau2), p, q (Benjamini-Hochberg within the
        funnel), low_95, high_95, low_998, high_998 (of the ratio) and place: within, high or low beyond the 99.8 %
        limits, rather high or rather low between these and the 95 % limits; null where nothing is expected or
        nobody is a peer
    """
    size = len(standardised)
    peers, groups = coded(standardised, *PEERS)
    names = ["phi", "tau2", "z", "p", "q", *(f"{side}_{name}" for name in LEVELS for side in ("low", "high"))]
    found = {name: np.full(size, np.nan) for name in names}
    hospitals = np.zeros(size, dtype=np.int64)
    usable = standardised["ratio"].is_valid().to_numpy()
    for rows in by(peers, len(groups)):
        known = rows[usable[rows]]
        hospitals[rows] = len(known)
        # A hospital alone is its own expectation, and its place says nothing.
        if len(known) > 1:
            for name, values in _placed(standardised.take(pa.array(known))).items():
                found[name][known] = values
    ratio = standardised["ratio"].to_numpy(zero_copy_only=False)
    usable &= hospitals > 1
    table = standardised.append_column("hospitals", pa.array(hospitals))
    for name, values in found.items():
        table = table.append_column(name, pa.array(values, mask=~usable))
    return table.append_column("place", pa.array(_said(ratio, found), type=pa.string(), mask=~usable))


def _placed(rows: pa.Table) -> dict[str, Vector]:
    """Return what is said about the hospitals of one funnel."""
    ratio = rows["ratio"].to_numpy()
    if rows["is_count"][0].as_py():
        y, se, back = np.sqrt(ratio) - 1, rows["se"].to_numpy() / 2, _squared
    else:
        y, se, back = np.log(ratio), rows["se"].to_numpy(), _exponential
    # A hospital that alone has all its groups is its own expectation: no error, no distance.
    se = np.maximum(se, 1e-12)
    phi, tau2 = overdispersion(y, se)
    width = np.sqrt(se**2 + tau2)
    z = y / width
    p = 2 * stats.norm.sf(np.abs(z))
    said = {"phi": np.full(len(y), phi), "tau2": np.full(len(y), tau2), "z": z, "p": p}
    said["q"] = stats.false_discovery_control(p)
    for name, level in LEVELS.items():
        reach = stats.norm.ppf((1 + level) / 2) * width
        said[f"low_{name}"], said[f"high_{name}"] = back(-reach), back(reach)
    return said


def _squared(y: Vector) -> Vector:
    return np.asarray(np.maximum(1 + y, 0.0) ** 2)


def _exponential(y: Vector) -> Vector:
    return np.asarray(np.exp(y))


def _said(ratio: Vector, found: dict[str, Vector]) -> list[str]:
    conditions = [
        *(ratio > found["high_998"], ratio < found["low_998"]),
        *(ratio > found["high_95"], ratio < found["low_95"]),
    ]
    said = np.select(conditions, ["high", "low", "rather high", "rather low"], "within")
    return [str(one) for one in said]
