r"""What a stay is expected to cost, by gradient-boosted trees (scikit-learn), no stay judged by itself.

Stays are dealt into folds, all stays of a person into one; each fold is expected by trees that were grown on the
others. Trees learn the logarithm of cost from what is known of the patient and the group, not from what was done or
how long it took, as these are what a review asks about. The hospital is no feature either: it would excuse its own
dearness. A DRG has more values than trees can take as categories, so it stands as the mean logarithm of the other
folds' stays in it, drawn towards its ADRG, MDC and the whole by :math:`n/(n + 10)` each.

Back in money the mean of the other stays' :math:`\exp(\text{residual})` is multiplied in (smearing), as the
exponential of a mean logarithm is the median, not the mean. The spread of a stay's logarithm is that of the
out-of-fold residuals of its DRG, robust (1.4826 times the median distance from 0), drawn towards that of all.

Sources: Duan 1983, Smearing estimate, J Am Stat Assoc 78:605; Micci-Barreca 2001 (categories as shrunken means);
Friedman 2001 (gradient boosting); Chernozhukov et al 2018 (cross-fitting).
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from headwater.claims.comparing.cells import Integers, coded, exact
from headwater.types import Vector

__all__ = ["FEATURES", "FOLDS", "expect"]

FOLDS = 5
FEATURES = ("age_years", "gend", "hosp_lv", "cc_count", "dept", "is_emergency")
"""What is known of a patient beside the group."""

_NESTED = ("mdc", "adrg", "drg")
_DRAWN = 10.0
_MOST_CATEGORIES = 200
_LEAST = 200


def expect(stays: pa.Table, *, seed: int, folds: int = FOLDS, features: Sequence[str] = FEATURES) -> pa.Table:
    """Append what each stay is expected to cost.

    Parameters
    ----------
    stays : stay_id, region, currency, mdc, adrg, drg, medfee_sumamt (decimal), psn_no and any of ``features``
    seed : of the folds and the trees
    features : what is known beside the group; text counts as a category, and what is not there is not used

    Returns
    -------
    pyarrow.Table
        the same rows with expected (money, float), spread (of the logarithm) and cases (stays that were learned from);
        null for stays without DRG or a cost above zero, and in a region of fewer than 200 others
    """
    fen, _ = exact(stays["medfee_sumamt"], "medfee_sumamt")
    known = stays["drg"].is_valid().to_numpy() & (fen > 0)
    region, regions = coded(stays, "region", "currency")
    expected, spread = np.full(len(stays), np.nan), np.full(len(stays), np.nan)
    cases = np.zeros(len(stays), dtype=np.int64)
    for number in range(len(regions)):
        rows = np.flatnonzero(known & (region == number))
        if len(rows) >= _LEAST:
            here = stays.take(pa.array(rows))
            known_of = _features(here.select([name for name in features if name in here.column_names]))
            found = _crossed(here, np.log(fen[rows] / 100), known_of, seed=seed, folds=folds)
            expected[rows], spread[rows], cases[rows] = found
    mask = np.isnan(expected)
    for name, values in (("expected", expected), ("spread", spread), ("cases", cases)):
        stays = stays.append_column(name, pa.array(values, mask=mask))
    return stays


def _crossed(
    stays: pa.Table, y: Vector, known: tuple[list[Vector], list[bool]], *, seed: int, folds: int
) -> tuple[Vector, Vector, Integers]:
    """Return expectations, spreads and numbers of others for stays of one region."""
    fold = _dealt(stays, seed=seed, folds=folds)
    nested = [coded(stays, *_NESTED[: depth + 1])[0] for depth in range(len(_NESTED))]
    features, is_category = known
    fitted = np.empty(len(y))
    for number in range(folds):
        here = fold == number
        means = _nested_means(nested, y, ~here)
        x = np.column_stack([*features, means])
        trees = HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.1,
            min_samples_leaf=30,
            l2_regularization=1.0,
            categorical_features=[*is_category, False],
            random_state=seed,
        )
        # A stay that is learned from must not stand in the mean of its own group either.
        x[~here, -1] = _inner_means(nested, y, fold, leaving=number)[~here]
        # Threads of trees wait for each other busily: on a machine with other work one is the fastest.
        with threadpool_limits(1):
            fitted[here] = trees.fit(x[~here], y[~here]).predict(x[here])
    left = y - fitted
    others = np.array([(fold != number).sum() for number in range(folds)])
    # Extreme stays themselves must not raise what is expected: their residuals are drawn in to three spreads.
    width = 3 * 1.4826 * float(np.median(np.abs(left)))
    ratio = np.exp(np.clip(left, -width, width))
    smear = np.array([ratio[fold != number].mean() for number in range(folds)])
    return np.exp(fitted) * smear[fold], _spread(nested[-1], left), others[fold]


def _dealt(stays: pa.Table, *, seed: int, folds: int) -> Integers:
    """Deal stays into folds by person, or by stay where persons are not known."""
    name = "psn_no" if "psn_no" in stays.column_names else "stay_id"
    person, persons = coded(stays, name, *(["stay_id"] if stays[name].null_count else []))
    return np.random.default_rng(seed).integers(0, folds, len(persons))[person]


def _nested_means(nested: Sequence[Integers], y: Vector, use: Vector) -> Vector:
    """Return for every stay the mean of its DRG over the stays in use, drawn towards wider groups."""
    mean = np.full(len(y), y[use].mean())
    for group in nested:
        size = int(group.max()) + 1
        number = np.bincount(group[use], minlength=size)[group]
        total = np.bincount(group[use], weights=y[use], minlength=size)[group]
        mean = (total + _DRAWN * mean) / (number + _DRAWN)
    return mean


def _inner_means(nested: Sequence[Integers], y: Vector, fold: Integers, *, leaving: int) -> Vector:
    """Return means for the stays that are learned from, each over the folds beside its own and the one left."""
    means = np.empty(len(y))
    for number in np.unique(fold):
        here = fold == number
        means[here] = _nested_means(nested, y, (fold != leaving) & ~here)[here]
    return means


def _features(stays: pa.Table) -> tuple[list[Vector], list[bool]]:
    """Return every column as numbers, and which of them are categories."""
    columns, is_category = [], []
    for name in stays.column_names:
        column = stays[name]
        text = pa.types.is_string(column.type)
        if text:
            number, kinds = coded(stays, name)
            # The rarest beyond what trees can tell apart count as one.
            order = np.argsort(-np.bincount(number, minlength=len(kinds)), kind="stable")
            rank = np.empty(len(kinds), dtype=np.int64)
            rank[order] = np.arange(len(kinds))
            columns.append(np.minimum(rank[number], _MOST_CATEGORIES).astype(np.float64))
        else:
            columns.append(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
        is_category.append(text)
    return columns, is_category


def _spread(group: Integers, left: Vector) -> Vector:
    """Return each stay's spread: that of its DRG's residuals, drawn towards that of all."""
    distance = np.abs(left)
    common = 1.4826 * float(np.median(distance))
    order = np.argsort(group, kind="stable")
    parts = np.split(distance[order], np.searchsorted(group[order], np.arange(1, int(group.max()) + 1)))
    own = np.array([1.4826 * np.median(part) if len(part) else common for part in parts])
    number = np.array([len(part) for part in parts])
    drawn = np.sqrt((number * own**2 + 3 * _DRAWN * common**2) / (number + 3 * _DRAWN))
    return np.asarray(np.maximum(drawn, 1e-6)[group])
