"""Asking and choosing among sources of which one lies."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.security import MASKED
from headwater.steps.choose import approach_of, play, require_affordable
from headwater.steps.told import choose_told
from headwater.valuation import Approach, Budget, Target, Valuation
from headwater.valuation.utilities import PrivateSums


def records(count: int, seed: int, *, sign: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    y = sign * (x @ [1.0, -2.0, 0.5]) + rng.normal(size=count)
    return pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})


TARGET = Target.of(records(160, 0), label="y", rng=np.random.default_rng(0))
PAID = {name: records(80, seed) for seed, name in enumerate(("east", "north", "south", "west"), start=1)}
DOUBLED = pa.concat_tables([PAID["west"], PAID["west"]])


def played(tables=PAID, *, claims=PAID, method="auto", budget=None):
    return play(
        InProcess.of(tables),
        TARGET,
        approach=approach_of(method),
        budget=budget or Budget(4),
        claims=claims,
        seed=1,
    )


def test_honest_sources_are_neither_refused_nor_suspected():
    found = played()
    assert set(found.valuation.players) == set(PAID)
    assert found.refused == {}
    assert found.findings == {}


def test_who_says_what_was_not_paid_is_left_out_before_anything_is_valued():
    found = played({**PAID, "west": DOUBLED})
    alone = played({name: table for name, table in PAID.items() if name != "west"})
    assert set(found.refused) == {"west"}
    assert found.refused["west"].code == "E-HONESTY-PROVED"
    assert "160 records said, 80 paid" in found.refused["west"].reason.en
    assert found.valuation.players == ("east", "north", "south")
    np.testing.assert_array_equal(found.valuation.values, alone.valuation.values)
    assert found.selection.chosen == alone.selection.chosen


def test_without_claims_at_hand_a_consistent_lie_goes_through():
    found = played({**PAID, "west": DOUBLED}, claims={})
    assert "west" in found.valuation.players


def test_a_copy_is_suspected_and_stays():
    found = played({**PAID, "west": PAID["east"]}, claims={})
    assert found.refused == {}
    assert set(found.findings) == {"east", "west"}
    assert "west" in found.findings["east"][0].message.en


def test_if_all_lie_nobody_is_left_and_every_reason_is_told():
    with pytest.raises(Refusal) as refusal:
        played({name: DOUBLED for name in PAID})
    assert refusal.value.code == "E-VALUE-SOURCES"
    assert all(name in refusal.value.reason.en for name in PAID)


def test_values_of_another_concept_or_unit_say_nothing_of_other_judging_records():
    assert played().rejudged is not None
    for method in ("banzhaf", "leave_one_out", "information"):
        assert played(method=method).rejudged is None


def test_a_cost_that_is_not_known_is_refused():
    with pytest.raises(Refusal) as refusal:
        played(budget=Budget(4, unit="money"))
    assert refusal.value.code == "E-VALUE-COST"


class Noting:
    """A ledger that only notes what was debited."""

    def __init__(self) -> None:
        self.debited: list[str] = []

    def debit(self, source, *, noise, purpose):
        self.debited.append(source)


def privately(tables, ledger, *, epsilon, budget=None, drawn=4):
    return play(
        InProcess.of(tables),
        TARGET,
        approach=Approach(
            PrivateSums(ledger, epsilon=epsilon, protection=MASKED, entropy=np.random.default_rng(drawn).bytes)
        ),
        budget=budget or Budget(3),
        claims=tables,
        seed=1,
    )


MANY = {f"h{place:02d}": records(400, place + 1) for place in range(11)} | {"turned": records(400, 50, sign=-1.0)}


def test_under_privacy_a_set_is_chosen_by_what_was_released_and_nothing_more_is_asked():
    ledger = Noting()
    found = privately(MANY, ledger, epsilon=900.0)
    assert sorted(ledger.debited) == sorted(MANY)
    assert found.valuation.exchange.epsilon == 900.0
    assert len(found.selection.chosen) <= 3
    assert "turned" not in found.selection.chosen
    assert set(found.r2) == {"target_only"}
    assert found.rejudged is None


def test_where_noise_drowns_the_values_nobody_is_chosen_and_it_is_said():
    selection = privately(MANY, Noting(), epsilon=0.01).selection
    assert selection.chosen == ()
    assert selection.cost == 0.0
    assert "drowns" in selection.certificate.proof.en
    assert "盖过" in selection.certificate.proof.zh
    assert all("cannot be told from 0" in reason.en for reason in selection.reasons.values())


def test_that_noise_cancels_in_the_sum_by_chance_makes_nobody_sure():
    # What is missing in the sum tells little of the noise: its own size is known, and counts.
    chosen = [privately(MANY, Noting(), epsilon=0.01, drawn=drawn).selection.chosen for drawn in range(20)]
    assert sum(map(bool, chosen)) <= 3


def test_a_budget_that_proves_too_small_after_the_release_chooses_nobody_and_wastes_no_release():
    ledger = Noting()
    found = privately(MANY, ledger, epsilon=1.0, budget=Budget(1, unit="bytes"))
    assert len(ledger.debited) == 12
    assert found.selection.chosen == ()


def test_sums_claim_no_certificate_no_gain_and_no_returns():
    selection = play(
        InProcess.of(MANY), TARGET, approach=approach_of("sums", "masked"), budget=Budget(4), claims={}, seed=1
    ).selection
    assert not np.isfinite(selection.certificate.bound)
    assert np.isnan(selection.utility)
    assert selection.gains == ()
    assert np.isnan(selection.returns.ratio)
    assert not any("adds +" in reason.en for reason in selection.reasons.values())
    assert all("its own told value" in reason.en for reason in selection.reasons.values())


def told_by(values, reach):
    values = np.array(values)
    names = tuple(f"s{place}" for place in range(len(values)))
    return Valuation(names, values, values - reach, values + reach, 2, "mean_field")


@given(
    st.lists(st.floats(-1, 1).filter(lambda value: abs(value) > 1e-6), min_size=1, max_size=9),
    st.floats(0, 0.5),
    st.integers(1, 9),
)
def test_of_told_values_the_best_sure_ones_are_chosen(values, reach, most):
    valuation = told_by(values, reach)
    found = choose_told(valuation, Budget(most), rng=np.random.default_rng(0))
    at_once = norm.ppf(1 - 0.025 / len(values)) / norm.ppf(0.975)
    sure = sorted((value for value in values if value - at_once * reach > 0), reverse=True)
    chosen = [values[valuation.players.index(source)] for source in found.chosen]
    assert sorted(chosen, reverse=True) == sure[:most]
    assert set(found.reasons) == set(valuation.players)
    assert all(found.reasons[source].en.startswith("Chosen") == (source in found.chosen) for source in found.reasons)


def test_costs_count_where_told_values_compete():
    valuation = told_by([0.5, 0.3, 0.3], 0.1)
    budget = Budget(2, {"s0": 2.0, "s1": 1.0, "s2": 1.0}, unit="money")
    assert set(choose_told(valuation, budget, rng=np.random.default_rng(0)).chosen) == {"s1", "s2"}


def test_retraining_takes_the_records_that_the_bureau_paid_for():
    found = played(method="retraining")
    assert found.valuation.method.startswith("retraining/")
    by_statistics = played(method="exact")
    # A ridge on records and one on their sums are the same model.
    np.testing.assert_allclose(found.valuation.values, by_statistics.valuation.values, atol=1e-5)
    liar = played({**PAID, "west": DOUBLED}, method="retraining")
    assert set(liar.valuation.players) == {"east", "north", "south"}


@pytest.mark.parametrize("budget", [Budget(0), Budget(float("nan")), Budget(1, unit="bytes"), Budget(4, unit="euro")])
def test_a_budget_that_buys_nobody_is_refused_before_anybody_is_asked(budget):
    with pytest.raises(Refusal) as refusal:
        require_affordable(budget, tuple(PAID), TARGET.question)
    assert refusal.value.code == ("E-VALUE-COST" if budget.unit == "euro" else "E-SELECT-BUDGET")
    require_affordable(Budget(1), tuple(PAID), TARGET.question)
    require_affordable(Budget(1e6, unit="bytes"), tuple(PAID), TARGET.question)


def test_a_unit_that_is_not_known_is_answered_with_those_that_are():
    with pytest.raises(Refusal) as refusal:
        require_affordable(Budget(4, unit="euro"), tuple(PAID), TARGET.question)
    for told in (refusal.value.remedy.zh, refusal.value.remedy.en):
        assert all(unit in told for unit in ("sources", "bytes", "epsilon", "money"))
