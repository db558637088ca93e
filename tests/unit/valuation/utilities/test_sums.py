"""From sums of cohorts and four bytes of each source nearly the values of the whole game."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from headwater.errors import Message, Refusal
from headwater.federation import InProcess, TableSource
from headwater.federation.cohorts import Share
from headwater.federation.division import division, leverage
from headwater.security import MASKED
from headwater.statistics import FeatureMap, Numeric
from headwater.valuation import Target, value
from headwater.valuation.utilities.sums import Sums
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


def _asked_again(calls=5, sources=10):
    """Return the leverage over all calls with as many seeds, and their valuations."""
    revealed = []
    target, federation = _federation(sources)
    found = [
        value(
            federation, target, method=Approach(Sums(MASKED, recorded=revealed.extend)), rng=np.random.default_rng(seed)
        )
        for seed in range(calls)
    ]
    members = sorted({source for cohort in revealed for source in cohort})
    masks = np.array([[source in cohort for source in members] for cohort in revealed])
    return leverage(masks).max(), found


def test_asking_again_with_other_seeds_reveals_nothing_new():
    exposed, found = _asked_again()
    assert exposed == pytest.approx(found[0].exchange.leverage)
    assert exposed <= 0.5
    # Nor do sources tell other numbers of themselves.
    assert all((other.values == found[0].values).all() for other in found)


def test_cohorts_drawn_from_the_seed_would_expose_a_source(monkeypatch):
    """The broken twin: the same five calls, each dividing by chance, and a combination of the sums is one source."""
    chance = np.random.default_rng(0)

    def by_chance(sources, *, partitions):
        order = chance.permutation(len(sources))
        return tuple(masks[:, order] for masks in division(sources, partitions=partitions))

    monkeypatch.setattr("headwater.valuation.utilities.sums.division", by_chance)
    assert _asked_again()[0] > 0.9


def test_whoever_records_the_cohorts_may_refuse_before_anything_is_summed():
    def refuse(cohorts):
        raise Refusal("E-TEST", Message("不可。", "No."), Message("无。", "Nothing."))

    target, federation = _federation(10)
    watched = []

    class _Watched:
        source_ids = federation.source_ids

        def send(self, to, question):
            watched.append(question)
            return federation.send(to, question)

    with pytest.raises(Refusal, match="E-TEST"):
        value(_Watched(), target, method=Approach(Sums(MASKED, recorded=refuse)), rng=np.random.default_rng(0))
    assert watched
    assert not [question for question in watched if isinstance(question, Share)]


@pytest.mark.parametrize("limit", [0.0, 0.6, 1.0, float("nan")])
def test_a_limit_that_hides_nobody_is_refused(limit):
    with pytest.raises(Refusal, match="E-COHORT-LIMITS"):
        _value(Approach(Sums(MASKED, limit=limit, partitions=30)), 20)
