from datetime import date

import numpy as np
import pytest

from headwater.claims.payment import forecast

SINCE = date(2024, 1, 1)
SEASON = (1.3, 0.7, 1, 1, 1, 1, 1, 1, 1, 1, 0.8, 1.2)


def paid(year: int, amounts: list[int]) -> dict[date, int]:
    return {date(year, month, 1): amount for month, amount in enumerate(amounts, start=1)}


def test_a_run_rate_worked_out_by_hand():
    found = forecast(paid(2024, [100, 200, 300]), on=date(2024, 3, 31), since=SINCE)
    # Three months of 200 on average and nine to come; s² = 10,000, error² = 10,000 × (9 + 81 / 3), t₀.₉₇₅(2) = 4.3027
    assert (found.expected, found.method) == (2400, "run_rate")
    assert (found.low, found.high) == (2400 - 2582, 2400 + 2582)


def test_seasons_are_those_of_complete_years():
    before = [round(1000 * one) for one in SEASON]
    found = forecast({**paid(2024, before), **paid(2025, [2600, 1400])}, on=date(2025, 2, 28), since=SINCE)
    # Twice the year before so far, month by month: twice of it in all, without doubt.
    assert (found.expected, found.low, found.high, found.method) == (24_000, 24_000, 24_000, "seasonal_run_rate")
    late = forecast({**paid(2024, before), **paid(2025, [2600, 1400])}, on=date(2025, 2, 28), since=date(2024, 2, 1))
    assert (late.expected, late.method) == (24_000, "run_rate"), "a year that begins in February is not complete"
    gap = forecast({**paid(2024, [0, *before[1:]]), **paid(2025, [2600])}, on=date(2025, 1, 31), since=SINCE)
    assert (gap.expected, gap.method, gap.low) == (31_200, "run_rate", None)


def test_only_full_months_and_what_is_known_count():
    amounts = paid(2024, [100, 100, 40])
    assert forecast(amounts, on=date(2024, 3, 15), since=SINCE).expected == 1200
    assert forecast(amounts, on=date(2024, 1, 30), since=SINCE) is None
    # Nothing is known of January to May: what they used is not made up.
    summer = {date(2024, month, 1): 100 for month in (6, 7, 8)}
    assert forecast(summer, on=date(2024, 8, 31), since=date(2024, 6, 1)).expected == 700
    whole = forecast(paid(2024, [7] * 12), on=date(2024, 12, 31), since=SINCE)
    assert (whole.expected, whole.low, whole.high) == (84, 84, 84)


@pytest.mark.parametrize("month", [3, 6, 10])
def test_intervals_hold_what_comes(month: int):
    rng, held, draws = np.random.default_rng(month), 0, 400
    last = [1000_00 * one for one in SEASON]
    for _ in range(draws):
        year = [
            round(one * 1.1 + rng.normal(0, 5000 * np.sqrt(share))) for one, share in zip(last, SEASON, strict=True)
        ]
        known = {**paid(2024, [round(one) for one in last]), **paid(2025, year[:month])}
        day = date(2025, month + 1, 1).replace(day=1)
        found = forecast(known, on=date.fromordinal(day.toordinal() - 1), since=SINCE)
        held += found.low <= sum(year) <= found.high
    # 95 % of 400: below 92 % once in two hundred times, were it so.
    assert 0.92 <= held / draws <= 0.98
