"""Under privacy: debited first, noisy always, and values that are still of use."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import pearsonr

from headwater.errors import Message, Refusal
from headwater.federation import InProcess, TableSource
from headwater.federation.cohorts import Share
from headwater.federation.private import NoisyScore, NoisySquares
from headwater.security import MASKED
from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.gaussian import noise_for
from headwater.valuation import Target, value
from headwater.valuation.utilities import PrivateSums
from headwater.valuation.value import Approach


@dataclass
class _Ledger:
    """In memory; refuses whom it is told to."""

    events: list = field(default_factory=list)
    empty: tuple = ()

    def debit(self, source, *, noise, purpose):
        if source in self.empty:
            raise Refusal("E-LEDGER-SPENT", Message("额度已用完。", "Nothing is left."), Message("请等待。", "Wait."))
        self.events.append(("debit", source, noise))


@dataclass
class _Watched:
    """A transport that writes down what it carried."""

    inner: InProcess
    events: list

    @property
    def source_ids(self):
        return self.inner.source_ids

    def send(self, to, question):
        if isinstance(question, Share | NoisySquares | NoisyScore):
            self.events.append(("released", to, question))
        return self.inner.send(to, question)


def _rows(rng, rows, apart=0.0):
    x = rng.normal(size=(rows, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": (1 - apart) * x @ [1.0, -0.5] + rng.normal(size=rows)})


def _federation(sources=10, rows=1_000):
    rng = np.random.default_rng(3)
    features = FeatureMap(numeric=(Numeric("a", 0, 1), Numeric("b", 0, 1)))
    target = Target(_rows(rng, 30), _rows(rng, 300), "y", features)
    tables = {f"h{place:02d}": _rows(rng, rows, place / 9) for place in range(sources)}
    return target, InProcess([TableSource(name, table) for name, table in tables.items()])


def _value(ledger, *, sources=10, epsilon=1.0, watched=None):
    target, federation = _federation(sources)
    transport = _Watched(federation, ledger.events) if watched else federation
    approach = Approach(PrivateSums(ledger, epsilon, protection=MASKED))
    return value(transport, target, method=approach, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def told():
    ledger = _Ledger()
    return _value(ledger, watched=True), ledger.events


def test_values_are_near_those_without_noise(told):
    target, federation = _federation()
    plain = value(federation, target, method="statistics/exact", rng=np.random.default_rng(0))
    assert pearsonr(told[0].values, plain.values).statistic > 0.9


def test_everyone_is_debited_before_anything_is_released(told):
    kinds = [event[0] for event in told[1]]
    assert kinds[:10] == ["debit"] * 10
    assert set(kinds[10:]) == {"released"}
    assert {event[1:] for event in told[1][:10]} == {(f"h{place:02d}", noise_for(1.0, 1e-5)) for place in range(10)}


def test_noise_of_all_releases_together_is_what_was_debited(told):
    """Composed: squares in a sum without one's own share, and the score, each in its own sensitivity."""
    shares = [e[2].question for e in told[1][10:] if isinstance(e[2], Share) and e[2].is_first]
    scores = [e[2] for e in told[1][10:] if isinstance(e[2], NoisyScore)]
    assert len(shares) == len(scores) == 10
    for share, score in zip(shares, scores, strict=True):
        of_squares = 2**0.5 * share.clipping.radius**2 / (share.noise * 4**0.5)
        of_score = 2 * score.clip / score.noise
        assert (of_squares**2 + of_score**2) ** -0.5 == pytest.approx(noise_for(1.0, 1e-5), rel=1e-9)


def test_what_is_told_of_it(told):
    exchange = told[0].exchange
    assert exchange.epsilon == 1.0
    assert exchange.leverage <= 0.5
    assert set(exchange.attributable.values()) == {8 + 4}


def test_who_has_nothing_left_is_named_and_asked_nothing():
    ledger = _Ledger(empty=("h02",))
    found = _value(ledger, sources=11, watched=True)
    assert found.refused["h02"].code == "E-LEDGER-SPENT"
    assert "h02" not in found.players
    assert not [event for event in ledger.events if event[1] == "h02"]


@pytest.mark.parametrize("share", [0, 1, 1.5, 2, -0.5, float("nan"), "half"])
def test_a_share_that_leaves_no_noise_to_one_release_is_refused(share):
    with pytest.raises(Refusal, match="E-VALUE-PRIVACY.*share"):
        PrivateSums(_Ledger(), 1.0, share=share)


@pytest.mark.parametrize("epsilon", [0, -1, float("nan"), float("inf"), 1e9, "1", None])
def test_an_epsilon_that_is_none_is_refused(epsilon):
    with pytest.raises(Refusal, match="E-VALUE-PRIVACY.*epsilon"):
        PrivateSums(_Ledger(), epsilon)


@pytest.mark.parametrize("delta", [0, 1, -1e-5, float("nan"), "1e-5"])
def test_a_delta_that_is_none_is_refused(delta):
    with pytest.raises(Refusal, match="E-VALUE-PRIVACY.*delta"):
        PrivateSums(_Ledger(), 1.0, delta)


@pytest.mark.parametrize("options", [{"floor": 1}, {"floor": 4}, {"limit": 1.0}])
def test_a_floor_or_a_limit_that_hides_nobody_is_refused(options):
    with pytest.raises(Refusal, match="E-COHORT-LIMITS"):
        PrivateSums(_Ledger(), 1.0, **options)


def _refused(code, *, target=None, sources=10, **approach):
    """Value with a mistake and return what the ledger holds afterwards."""
    own, federation = _federation(sources)
    ledger = _Ledger()
    options = {key: approach.pop(key) for key in ("floor", "limit") if key in approach}
    utility = PrivateSums(ledger, 1.0, protection=MASKED, **options)
    solver = approach.pop("method", "auto")
    with pytest.raises(Refusal, match=code):
        value(federation, target or own, method=Approach(utility, solver), rng=np.random.default_rng(0), **approach)
    return ledger.events


@pytest.mark.parametrize(
    ("code", "mistake"),
    [
        ("E-COHORT-FEW", {"sources": 1}),
        ("E-COHORT-FEW", {"sources": 9}),
        ("E-COHORT-FEW", {"sources": 10, "floor": 6}),
        ("E-COHORT-LEVERAGE", {"limit": 0.1}),
        ("E-COHORT-HIDDEN", {"method": "exact"}),
        ("E-UNKNOWN-NAME", {"method": "nonsense"}),
        ("E-VALUE-BUDGET", {"budget": 0}),
        ("E-VALUE-BUDGET", {"budget": "10"}),
    ],
)
def test_a_mistake_costs_no_privacy(code, mistake):
    assert _refused(code, **mistake) == []


def test_a_target_that_judges_nothing_costs_no_privacy():
    own, _ = _federation()
    flat = own.valid.set_column(own.valid.column_names.index("y"), "y", pa.array(np.ones(own.valid.num_rows)))
    assert _refused("E-VALUE-VALIDATION", target=replace(own, valid=flat)) == []


def test_once_the_ledger_refuses_too_many_nobody_more_is_debited():
    ledger = _Ledger(empty=("h02",))
    with pytest.raises(Refusal, match="E-COHORT-FEW"):
        _value(ledger, sources=10)
    assert [event[1] for event in ledger.events] == ["h00", "h01"]
