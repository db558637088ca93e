from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from headwater.bench.pricing_cases import DRGS, policy, stay, table
from headwater.claims.payment import Settings, check_policy, estimate, trim_points
from headwater.errors import Refusal

DAY = date(2025, 7, 1)


def _region(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    means = {"AA1": 8000, "AA2": 24000, "BB1": 12000}
    stays = []
    for place in range(n):
        drg = ["AA1", "AA2", "BB1"][place % 3]
        cost = Decimal(int(means[drg] * 100 * rng.lognormal(0, 0.3))) / 100
        day = date(2025, 1 + place % 6, 1 + place % 27)
        stays.append(stay(stay_id=str(place), drg=drg, adrg=drg[:2], medfee_sumamt=cost, begntime=day, endtime=day))
    return stays


def test_costs_far_from_their_group_change_nothing():
    stays = _region(600)
    weights = estimate(table(stays), DRGS, policy(), valid_from=DAY).policy.weights
    stays += [stay(stay_id=f"x{i}", medfee_sumamt=Decimal("9000000.00"), endtime=date(2025, 6, 1)) for i in range(5)]
    with_ = estimate(table(stays), DRGS, policy(), valid_from=DAY)
    row = next(one for one in with_.groups.to_pylist() if one["drg"] == "BB1")
    assert row["n"] - row["n_kept"] >= 5
    assert abs(with_.policy.weights["BB1"].weight - weights["BB1"].weight) < 5_000, "less than 0.005"


def test_weights_and_rates_worked_out_by_hand():
    costs = {"AA1": ["100.00"] * 10, "AA2": ["300.00"] * 30, "BB1": ["200.00"] * 20}
    stays = [
        stay(stay_id=f"{drg}{i}", drg=drg, adrg=drg[:2], medfee_sumamt=Decimal(cost), endtime=date(2025, 5, 1))
        for drg, bills in costs.items()
        for i, cost in enumerate(bills)
    ]
    new = estimate(table(stays), DRGS, policy(), valid_from=DAY, settings=Settings(credible=10, neutral=False)).policy
    overall = Fraction(10 * 100 + 30 * 300 + 20 * 200, 60)
    aa = (40 * Fraction(250) + 10 * overall) / 50
    bb = (20 * Fraction(200) + 10 * overall) / 30
    expected = {
        "AA1": (10 * 100 + 10 * aa) / 20,
        "AA2": (30 * 300 + 10 * aa) / 40,
        "BB1": (20 * 200 + 10 * bb) / 30,
        "BB2": bb,
    }
    for drg, mean in expected.items():
        assert abs(Fraction(new.weights[drg].weight, 10**6) - mean / overall) <= Fraction(1, 20_000), drg
    assert "CC1" not in new.weights, "nothing is known of it"
    total = sum(Fraction(new.weights[drg].weight, 10**6) * len(bills) for drg, bills in costs.items())
    assert new.rates["3", "310"] == round(Fraction(14_000 * 100) / total)


@pytest.mark.parametrize("settings", [Settings(), Settings(trim="sigma", points=True)])
def test_the_region_is_paid_what_it_was(settings: Settings):
    found = estimate(table(_region(900)), DRGS, policy(), valid_from=DAY, settings=settings)
    assert abs(found.payable_after_fen - found.payable_before_fen) <= 1e-5 * found.payable_before_fen
    assert found.policy.valid_from == DAY
    assert found.policy.version != policy().version
    check_policy(found.policy, DRGS)
    assert (found.policy.weights["AA1"].high is not None) == settings.points


def test_only_the_window_counts():
    stays = _region(300)
    old = [one | {"stay_id": f"o{i}", "endtime": date(2023, 1, 1), "drg": "AA1"} for i, one in enumerate(stays)]
    short = Settings(months=6)
    one = estimate(table(stays), DRGS, policy(), valid_from=DAY, settings=short)
    other = estimate(table(stays + old), DRGS, policy(), valid_from=DAY, settings=short)
    assert one.policy.version == other.policy.version
    with pytest.raises(Refusal, match="E-POLICY-ESTIMATE"):
        estimate(table(stays), DRGS, policy(), valid_from=date(2020, 1, 1))


def test_trim_points_enclose_what_is_usual():
    points = {row["drg"]: row for row in trim_points(table(_region(600))).to_pylist()}
    assert set(points) == {"AA1", "AA2", "BB1"}
    for row in points.values():
        assert row["low_fen"] < row["mean_fen"] < row["high_fen"]
        assert 190 < row["n_kept"] <= row["n"] == 200
    same = trim_points(table([stay(stay_id=str(i)) for i in range(4)])).to_pylist()[0]
    assert (same["n_kept"], same["mean_fen"]) == (4, 900000)
