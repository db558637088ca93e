r"""Statistics more alike than two hospitals' records can be: copies, scaled or noisy ones, and mixtures of others.

Means of products of features and label over :math:`n_a` and :math:`n_b` independent records of one law differ by

.. math:: d^2 = \frac{\lVert W (z_a - z_b) \rVert^2}{1/n_a + 1/n_b} \sim \chi^2_k

with :math:`W` whitening the products of single records, estimated on the target's own; different laws differ more. So
only the lower tail speaks: an honest hospital, however unusual, is never too near to another one. Which of two is the
original cannot be told from statistics; an audit can.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa
from scipy import optimize, stats

from headwater.errors import Message
from headwater.federation import GramQuestion
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector
from headwater.valuation.honesty.finding import Finding

__all__ = ["copies"]

_UNLIKELY = 1e-6
_ROWS_PER_DIRECTION = 4
_MOST_DIRECTIONS = 40
_FEWEST_DIRECTIONS = 8
_SUM_TO_ONE = 1e3


def copies(
    said: Mapping[SourceId, Statistic], question: GramQuestion, own: pa.Table
) -> dict[SourceId, tuple[Finding, ...]]:
    """Suspect sources that are too near to each other, to a mixture of the others, or to the target's own records."""
    found: dict[SourceId, list[Finding]] = {source: [] for source in said}
    whitening = _whitening(question, own)
    directions = whitening.shape[1]
    if directions < _FEWEST_DIRECTIONS:
        return {source: () for source in said}
    means = {source: _means(question, statistic) @ whitening for source, statistic in said.items()}
    records = {source: max(question.family.records(statistic), 1) for source, statistic in said.items()}
    mine, count = _means(question, question.of(own)) @ whitening, own.num_rows
    bound = float(stats.chi2.ppf(_UNLIKELY, directions))
    for one, other in combinations(said, 2):
        distance = _distance(means[one] - means[other], records[one], records[other])
        if distance < bound:
            found[one].append(_near(other, distance, directions))
            found[other].append(_near(one, distance, directions))
    for source in said:
        if _distance(means[source] - mine, records[source], count) < bound:
            found[source].append(_near(None, _distance(means[source] - mine, records[source], count), directions))
        elif not found[source]:
            found[source] += _mixture(source, means, records[source])
    return {source: tuple(findings) for source, findings in found.items()}


def _whitening(question: GramQuestion, own: pa.Table) -> Vector:
    """Return (products, k): directions in which the target's single records vary, scaled to variance 1.

    Every other record says which directions, the rest how much they vary: records of which the widest directions were
    taken vary more along these than others do, and honest sources would seem too near to each other.
    """
    x, y = question.feature_map.transform(own), question.labels(own)
    rows, columns = np.triu_indices(x.shape[1])
    products = np.column_stack([x[:, rows] * x[:, columns], x * y[:, None], y * y, y])
    turned, held = products[::2], products[1::2]
    _, scale, axes = np.linalg.svd(turned - turned.mean(axis=0), full_matrices=False)
    kept = min(_MOST_DIRECTIONS, len(turned) // _ROWS_PER_DIRECTION, int((scale > scale[0] * 1e-4).sum()))
    spread = (held @ axes[:kept].T).std(axis=0)
    varies = spread > scale[:kept] / np.sqrt(len(turned)) * 1e-4
    return np.asarray(axes[:kept][varies].T / spread[varies])


def _means(question: GramQuestion, statistic: Statistic) -> Vector:
    values = question.family.encoding.decode(statistic.values)
    return np.asarray(values[:-1] / max(values[-1], 1.0))


def _distance(away: Vector, records: int, others: float) -> float:
    return float(away @ away / (1 / records + 1 / others))


def _mixture(source: SourceId, means: Mapping[SourceId, Vector], records: int) -> list[Finding]:
    """Return a finding if the source's means are a weighted mean of others', nearer than its records allow."""
    others = [name for name in means if name != source]
    degrees = len(means[source]) - len(others)
    if not others or degrees < _FEWEST_DIRECTIONS:
        return []
    system = np.vstack([np.stack([means[name] for name in others], axis=1), _SUM_TO_ONE * np.ones(len(others))])
    weights, _ = optimize.nnls(system, np.append(means[source], _SUM_TO_ONE))
    away = means[source] - system[:-1] @ weights
    distance = _distance(away, records, np.inf)
    if distance >= float(stats.chi2.ppf(_UNLIKELY, degrees)):
        return []
    message = Message("与其他来源的混合过于相同。", "Is nearer to a mixture of others than records can be.")
    return [Finding("copies", False, message, {"distance": distance, "degrees": degrees})]


def _near(other: SourceId | None, distance: float, degrees: int) -> Finding:
    """Return the finding about another source, or about the target."""
    zh, en = ("目标方的记录", "the target") if other is None else (f"“{other}”", other)
    message = Message(f"与{zh}过于相同。", f"Is nearer to {en} than records of two can be.")
    return Finding("copies", False, message, {"distance": distance, "degrees": degrees}, other)
