"""Masks and encryption are one figure, which holds only where both do."""

from itertools import product

import pytest

from headwater.bench.figures import Figure
from headwater.bench.tiers import joined


@pytest.mark.parametrize(("masks", "encrypted"), list(product((True, False), repeat=2)))
def test_the_cost_of_a_client_is_one_figure(masks: bool, encrypted: bool) -> None:
    parts = {
        "A2": Figure(1.3, "x", "<= 1.35", True),
        "A4": Figure(6.2, "x", ">= 6", masks, note="masked", also={"bytes": 1.0}),
        "A4_ckks": Figure(21.6, "MB", "<= 29", encrypted, {"plain": 28.8}, note="sealed", also={"seconds": 0.5}),
    }
    found = joined(parts)
    assert set(found) == {"A2", "A4"}
    assert found["A2"] is parts["A2"]
    assert found["A4"].holds == (masks and encrypted)
    assert found["A4"].value == 6.2
    assert found["A4"].also["bytes"] == 1.0
    assert found["A4"].also["ckks"] == {"value": 21.6, "holds": encrypted, "baseline": {"plain": 28.8}, "seconds": 0.5}
