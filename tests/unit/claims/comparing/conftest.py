"""Stays of a few hospitals, written in the fewest words or drawn by a seed."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

Stays = Callable[..., pa.Table]


@pytest.fixture
def stays() -> Stays:
    """Give a maker of stays from rows of hospital, DRG, yuan, days and death; all of one region and level."""

    def make(*rows: tuple[str, str | None, str, int, bool], level: str = "3") -> pa.Table:
        hospital, drg, cost, days, dead = zip(*rows, strict=True)
        many = len(rows)
        money = pa.decimal128(18, 2)
        return pa.table(
            {
                "stay_id": [f"s{number}" for number in range(many)],
                "hospital_id": hospital,
                "region": ["r"] * many,
                "hosp_lv": [level] * many,
                "currency": ["CNY"] * many,
                "drg": pa.array(drg, pa.string()),
                "medfee_sumamt": pa.array([Decimal(one) for one in cost], money),
                "stay_days": list(days),
                "is_dead": list(dead),
                "drug_amount": pa.array([(Decimal(one) / 3).quantize(Decimal("0.01")) for one in cost], money),
                "consumable_amount": pa.array([Decimal(0)] * many, money),
                "service_amount": pa.array([(Decimal(one) / 2).quantize(Decimal("0.01")) for one in cost], money),
            }
        )

    return make


@pytest.fixture
def drawn(stays: Stays) -> Callable[..., pa.Table]:
    """Give a maker of drawn stays: log-normal costs, DRGs of unlike cost, hospitals of given factors."""

    def make(factors: list[float], *, size: int, seed: int, drgs: int = 5, death: float = 0.05) -> pa.Table:
        rng = np.random.default_rng(seed)
        hospital, drg = rng.integers(0, len(factors), size), rng.integers(0, drgs, size)
        cost = np.exp(8 + 0.4 * drg + np.log(factors)[hospital] + 0.4 * rng.standard_normal(size))
        dead = rng.random(size) < death * (1 + drg)
        days = 1 + rng.poisson(6, size)
        return stays(
            *(
                (f"h{h}", f"D{d}", f"{c:.2f}", int(t), bool(x))
                for h, d, c, t, x in zip(hospital, drg, cost, days, dead, strict=True)
            )
        )

    return make
