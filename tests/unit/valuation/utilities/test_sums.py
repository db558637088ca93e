"""From sums of cohorts and four bytes of each source nearly the values of the whole game."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from headwater.errors import Refusal
from headwater.federation import InProcess, TableSource
from headwater.security import MASKED
from headwater.statistics import FeatureMap, Numeric
from headwater.valuation import Target, value
from headwater.valuation.utilities.sums import Sums, partitioned
from headwater.valuation.value import Approach


def _rows(rng, rows, noise=1.0, apart=0.0):
    x = rng.normal(size=(rows, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": x @ [1.0 - apart, apart - 0.5] + noise * rng.normal(size=rows)})


def _federation(sources, seed=0):
    rng = np.random.default_rng(seed)
    features = FeatureMap(numeric=(Numeric("a", 0, 1), Numeric("b", 0, 1)))
    target = Target(_rows(rng, 15), _rows(rng, 400), "y", features)
    tables = [_rows(rng, int(rng.integers(10, 80)), 1 + place % 3, 0.7 * (place % 4 == 0)) for place in range(sources)]
    return target, InProcess([TableSource(f"h{place:02d}", table) for place, table in enumerate(tables)])


def _value(method, sources, seed=0):
    target, federation = _federation(sources, seed)
    return value(federation, target, method=method, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def twenty():
    return _value(Approach(Sums(MASKED)), 20), _value("statistics/permutation", 20)


def test_nearly_the_values_of_the_whole_game(twenty):
    found, whole = twenty
    assert spearmanr(found.values, whole.values).statistic > 0.9
    assert found.values.sum() == pytest.approx(whole.values.sum(), rel=1e-6)


def test_four_attributable_bytes_and_bounded_leverage(twenty):
    exchange = twenty[0].exchange
    assert set(exchange.attributable.values()) == {4}
    assert 0 < exchange.leverage <= 0.5


def test_without_a_protection_every_statistic_is_attributable():
    assert min(_value("sums", 10).exchange.attributable.values()) > 4


def test_fewer_sources_than_two_cohorts_are_refused():
    with pytest.raises(Refusal, match="E-COHORT-FEW"):
        _value("sums", 9)


def test_any_other_coalition_stays_hidden():
    with pytest.raises(Refusal, match="E-COHORT-HIDDEN"):
        _value("sums/exact", 10)


@pytest.mark.parametrize("sources", [10, 11, 14, 50, 57, 203, 1_000])
def test_partitions_hold_each_source_once_in_cohorts_of_five_or_more(sources):
    masks = partitioned(sources, 5, np.random.default_rng(0))
    assert (masks.sum(axis=0) == 1).all()
    assert masks.sum(axis=1).min() >= 5
    assert len(masks) <= 60
