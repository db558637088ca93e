"""Corruptions spoil what they say, and the checks notice some of each family on a small region."""

from pathlib import Path

import pytest

from headwater.bench.corruptions import CORRUPTIONS
from headwater.bench.mutations import Plan, trials
from headwater.simulation.hospitals import Region

PROJECT = Path(__file__).resolve().parents[3]
FAMILIES = {
    "amounts", "catalogue", "cross_table", "deliveries", "identities", "population", "structure", "time", "values",
}  # fmt: skip


def test_there_are_enough_corruptions_of_every_family_said_in_both_languages() -> None:
    assert len(CORRUPTIONS) >= 60
    assert {CORRUPTIONS[name].family for name in CORRUPTIONS} == FAMILIES
    titles = [CORRUPTIONS[name].title for name in CORRUPTIONS]
    assert len({title.zh for title in titles}) == len({title.en for title in titles}) == len(CORRUPTIONS)


@pytest.fixture(scope="module")
def tried() -> dict[str, tuple[str, ...]]:
    names = ("lines_doubled", "totals_times_100", "broken_encoding", "totals_row", "drug_prices_times_10")
    work = Plan(Region(hospitals=1, months=8, stays=1_000, seed=3), 7, ("h0101",), names)
    verdicts, clean = trials(work, project=PROJECT)
    assert clean.months == 1
    assert clean.rules > 200
    return {verdict.name: verdict.caught_by for verdict in verdicts} | {"": tuple(clean.alarms)}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("lines_doubled", "profile: front_page.fee_gap"),
        ("totals_times_100", "profile: front_page.medfee_sumamt.p50"),
        ("broken_encoding", "file refused: E-FILE-ENCODING"),
        ("totals_row", "row fault: E-REQUIRED"),
        ("drug_prices_times_10", "profile: drug.billed_price_gap"),
    ],
)
def test_a_corruption_is_caught_by_the_check_that_is_for_it(
    tried: dict[str, tuple[str, ...]], name: str, check: str
) -> None:
    assert check in tried[name]


def test_the_clean_month_is_not_told(tried: dict[str, tuple[str, ...]]) -> None:
    assert tried[""] == ()
