r"""Hierarchical models: what a hospital adds to its DRGs, drawn towards its peers as far as its stays leave doubt.

**Amounts**: a random intercept for hospitals beside fixed DRGs on the logarithm,

.. math:: \log c_i = \alpha_{d(i)} + u_{h(i)} + \epsilon_i, \quad u_h \sim N(0, \sigma_u^2),
          \epsilon \sim N(0, \sigma^2)

by restricted maximum likelihood. DRGs are absorbed: with M the projection that centres within DRGs, A = Z'MZ and r =
Z'My are (H, H) and (H,) sums of counts and residuals, and with the eigenvalues of A the likelihood is a function of
:math:`\lambda = \sigma^2/\sigma_u^2` alone. :math:`\hat u = (A + \lambda I)^{-1} r` with variance :math:`\sigma^2 (A +
\lambda I)^{-1}`, in which the doubt about the DRGs' means is contained.

**Counts**: :math:`O_h \sim Poisson(E_h \theta_h), \theta_h \sim Gamma(a, a)`, a by maximum likelihood of the negative
binomial; given O the ratio is Gamma(a + O, a + E).

Sources: Henderson 1975, Biometrics 31:423; Patterson and Thompson 1971, Biometrika 58:545; Searle, Casella and
McCulloch 1992, Variance Components; Clayton and Kaldor 1987, Biometrics 43:671.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import optimize, special, stats

from headwater.claims.comparing.cells import PEERS, Cells, Integers, by, cells, coded, exact
from headwater.types import Vector

__all__ = ["Effects", "hospital_effects", "random_intercept", "shrunken_counts"]

_LOG_LAMBDA = (-12.0, 18.0)
"""Where the ratio of variances is sought; at the upper end hospitals do not differ."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects of H hospitals on a logarithm.

    Parameters
    ----------
    effect, se : (H,) shrunken effects and the standard errors of their prediction
    between, within : variances between hospitals and within hospital and DRG
    """

    effect: Vector
    se: Vector
    between: float
    within: float


def random_intercept(y: Vector, group: Integers, hospital: Integers) -> Effects:
    """Fit fixed groups and random hospitals by restricted maximum likelihood.

    Parameters
    ----------
    y : (n,)
    group, hospital : (n,) numbers from 0 on
    """
    groups, hospitals = int(group.max()) + 1, int(hospital.max()) + 1
    number = np.bincount(group, minlength=groups)
    centred = y - (np.bincount(group, weights=y, minlength=groups) / number)[group]
    # Rarely more than some hundred hospitals are peers, so that the table of groups by hospitals fits.
    table = np.zeros((groups, hospitals))
    np.add.at(table, (group, hospital), 1.0)
    gram = np.diag(table.sum(axis=0)) - table.T @ (table / number[:, None])
    right = np.bincount(hospital, weights=centred, minlength=hospitals)
    values, vectors = np.linalg.eigh(gram)
    values, turned = np.maximum(values, 0.0), vectors.T @ right
    freedom, squares = len(y) - groups, float(centred @ centred)
    if freedom < 1 or squares <= 0:
        return Effects(np.zeros(hospitals), np.zeros(hospitals), 0.0, 0.0)

    def left(log_lambda: float) -> float:
        return squares - float((turned**2 / (values + np.exp(log_lambda))).sum())

    def deviance(log_lambda: float) -> float:
        return float(freedom * np.log(left(log_lambda)) + np.log1p(values / np.exp(log_lambda)).sum())

    found = optimize.minimize_scalar(deviance, bounds=_LOG_LAMBDA, method="bounded", options={"xatol": 1e-8})
    best = float(found.x) if found.fun < deviance(_LOG_LAMBDA[1]) else _LOG_LAMBDA[1]
    within, ratio = left(best) / freedom, float(np.exp(best))
    inverse = vectors / (values + ratio)
    return Effects(inverse @ turned, np.sqrt(within * (inverse * vectors).sum(axis=1)), within / ratio, within)


def hospital_effects(stays: pa.Table, measure: str = "medfee_sumamt", *, confidence: float = 0.95) -> pa.Table:
    """Return every hospital's factor on a measure among its peers, shrunken.

    Parameters
    ----------
    stays : as of `cells`; stays whose measure is not above zero have no logarithm and are left out
    measure : money or days

    Returns
    -------
    pyarrow.Table
        a row a hospital: hospital_id, region, hosp_lv, currency, measure, stays, factor, lower, upper, reliability (how
        much of the doubt before any stay was seen is gone), between and within (variances)
    """
    positive = stays.filter(pa.array(exact(stays[measure], measure)[0] > 0))
    found = cells(positive)
    amounts, scale = found.values(measure)
    peers, groups = coded(found.hospitals, *PEERS)
    columns = {name: np.zeros(len(found.hospitals)) for name in ("factor", "lower", "upper", "reliability")}
    columns |= {name: np.zeros(len(found.hospitals)) for name in ("between", "within")}
    reach = stats.norm.ppf((1 + confidence) / 2)
    of_stay = peers[found.hospital]
    for number, rows in enumerate(by(of_stay, len(groups))):
        hospitals, place = np.unique(found.hospital[rows], return_inverse=True)
        group = np.unique(found.cell[rows], return_inverse=True)[1]
        fit = random_intercept(np.log(amounts[rows] / scale), group, place)
        columns["factor"][hospitals] = np.exp(fit.effect)
        columns["lower"][hospitals] = np.exp(fit.effect - reach * fit.se)
        columns["upper"][hospitals] = np.exp(fit.effect + reach * fit.se)
        columns["reliability"][hospitals] = 1 - fit.se**2 / fit.between if fit.between > 0 else 0.0
        columns["between"][peers == number], columns["within"][peers == number] = fit.between, fit.within
    return _table(found, measure, columns)


def _table(found: Cells, measure: str, columns: dict[str, Vector]) -> pa.Table:
    table = found.hospitals.append_column("measure", pa.array([measure] * len(found.hospitals), pa.string()))
    table = table.append_column("stays", pa.array(np.bincount(found.hospital, minlength=len(table))))
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


def shrunken_counts(observed: Vector, expected: Vector, *, confidence: float = 0.95) -> tuple[Vector, Vector, Vector]:
    """Return the (H,) posterior means and limits of ratios of counts among peers, whose mean is 1.

    Parameters
    ----------
    observed, expected : (H,) counts and their expectations, above zero
    """

    def deviance(log_a: float) -> float:
        a = np.exp(log_a)
        terms = special.gammaln(a + observed) - special.gammaln(a) + a * np.log(a / (a + expected))
        return -float((terms + observed * np.log(expected / (a + expected))).sum())

    found = optimize.minimize_scalar(deviance, bounds=(-5.0, 15.0), method="bounded", options={"xatol": 1e-8})
    a, tail = float(np.exp(found.x)), (1 - confidence) / 2
    shape, rate = a + observed, a + expected
    return shape / rate, stats.gamma.ppf(tail, shape) / rate, stats.gamma.ppf(1 - tail, shape) / rate
