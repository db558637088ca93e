from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.simulation.hospitals import Region, roster, schedule


@given(
    hospitals=st.integers(1, 30),
    months=st.integers(1, 30),
    extra=st.integers(0, 5000),
)
def test_every_stay_is_scheduled_and_every_delivered_month_has_one(hospitals: int, months: int, extra: int) -> None:
    region = Region(hospitals=hospitals, months=months, stays=hospitals * months + extra)
    counts = schedule(region)
    assert counts.sum() == region.stays
    for hospital, row in zip(roster(region), counts, strict=True):
        absent = set(hospital.outages)
        assert [month for month in range(months) if row[month] == 0] == sorted(absent)


def test_the_default_region_has_every_quality_of_source() -> None:
    region = Region()
    roles = [hospital.role for hospital in roster(region)]
    assert {"good", "turns_bad", "turns_good", "noisy", "biased"} <= set(roles)
    assert {"upcoded", "irrelevant", "duplicate", "tiny"} <= set(roles)
    share = dict(zip([h.source for h in roster(region)], schedule(region).sum(axis=1) / region.stays, strict=True))
    good = [h.source for h in roster(region) if h.before == h.after == "good" and h.copies is None]
    assert sum(share[source] > 0.09 for source in good) >= 3
    assert share["h0104"] < 0.01
    assert len({hospital.city for hospital in roster(region)}) == 3
    assert {hospital.level for hospital in roster(region)} == {1, 2, 3}
    assert sum(bool(hospital.outages) for hospital in roster(region)) == 2


def test_a_small_region_still_has_a_good_a_bad_a_tiny_source_and_a_change() -> None:
    region = Region(hospitals=4, months=6, stays=1500)
    by_role = {hospital.role: hospital for hospital in roster(region)}
    assert {"good", "biased", "tiny", "turns_bad"} == set(by_role)
    turned = by_role["turns_bad"]
    assert turned.change == 3
    assert [turned.regime(month) for month in (2, 3)] == ["good", "noisy"]
    assert schedule(region).sum(axis=1)[by_role["tiny"].number - 1] < 30


def test_a_workbook_stays_small_however_large_the_region() -> None:
    region = Region(stays=2_000_000)
    assert schedule(region)[3].sum() <= 600 + region.months
    assert schedule(region).sum() == 2_000_000


def test_hospitals_beyond_the_twelve_do_not_depend_on_how_many_there_are() -> None:
    few, many = roster(Region(hospitals=20)), roster(Region(hospitals=40))
    assert few == many[:20]
    assert len({hospital.source for hospital in many}) == 40


def test_months_end_with_december_2025() -> None:
    assert Region().month(0) == date(2024, 1, 1)
    assert Region().month(23) == date(2025, 12, 1)
    assert Region(months=1).month(0) == date(2025, 12, 1)


@pytest.mark.parametrize("change", [{"hospitals": 0}, {"hospitals": 401}, {"months": 0}, {"stays": 10}, {"seed": -1}])
def test_impossible_sizes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(Refusal, match="E-SIMULATION-SIZE"):
        replace(Region(), **change)


def test_the_schedule_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        schedule(Region())[0, 0] = 1
    assert np.all(schedule(Region()) >= 0)
