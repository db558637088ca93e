"""Asking and choosing among sources of which one lies."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.security import MASKED
from headwater.steps.choose import approach_of, play
from headwater.valuation import Approach, Budget, Target
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
    assert played().judged is not None
    for method in ("banzhaf", "leave_one_out", "information"):
        assert played(method=method).judged is None


def test_a_cost_that_is_not_known_is_refused():
    with pytest.raises(Refusal) as refusal:
        played(budget=Budget(4, unit="money"))
    assert refusal.value.code == "E-VALUE-COST"


class Noting:
    """A ledger that only notes what was debited."""

    def __init__(self) -> None:
        self.debited: list[str] = []

    def debit(self, source, *, epsilon, delta, purpose):
        self.debited.append(source)


def test_under_privacy_a_set_is_chosen_by_what_was_released_and_nothing_more_is_asked():
    tables = {f"h{place:02d}": records(400, place + 1) for place in range(11)} | {"turned": records(400, 50, sign=-1.0)}
    ledger = Noting()
    found = play(
        InProcess.of(tables),
        TARGET,
        approach=Approach(PrivateSums(ledger, epsilon=8.0, protection=MASKED)),
        budget=Budget(3),
        claims=tables,
        seed=1,
    )
    assert sorted(ledger.debited) == sorted(tables)
    assert found.valuation.exchange.epsilon == 8.0
    assert 1 <= len(found.selection.chosen) <= 3
    assert "turned" not in found.selection.chosen
    assert set(found.r2) == {"target_only", "all"}
    assert found.judged is None
