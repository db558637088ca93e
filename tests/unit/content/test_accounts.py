"""What is late, what is missing, and for which month a file is."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from headwater.content.accounts import Accounts, Amounts, Delivery, days_late, gaps, month_of, total

FILE = Delivery("h1", "fee_line", "2026-01", "h1/fees_202601.csv", "loaded", date(2026, 2, 3), Amounts(rows_in=2))
FIRST = date(2025, 1, 1)


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("h1/fees_202601.csv", "2026-01"),
        ("h1/2026-01.xlsx", "2026-01"),
        ("h1/费用2026年01月.xlsx", "2026-01"),
        ("h1/fees_20260131.csv", "2026-01"),
        ("h1/202601/fees.csv", ""),
        ("h1/fees_202601_202603.csv", ""),
        ("h1/fees_202613.csv", ""),
        ("h1/drug_list.csv", ""),
        ("h1/1202601.csv", ""),
    ],
)
def test_the_month_of_a_file_is_the_one_its_name_says(name: str, month: str) -> None:
    assert month_of(name) == month


@pytest.mark.parametrize(
    ("landed", "cadence", "late"),
    [
        (date(2026, 2, 15), "monthly", None),
        (date(2026, 2, 16), "monthly", 1),
        (date(2026, 2, 16), "yearly", None),
        (date(2026, 2, 16), "of the moon", 1),
        (date(2026, 1, 31), "daily", None),
    ],
)
def test_a_file_is_late_after_the_days_its_cadence_allows(landed: date, cadence: str, late: int | None) -> None:
    assert days_late("2026-01", landed, first_landed=FIRST, cadence=cadence) == late


def test_what_lay_in_the_past_when_a_source_began_is_not_late() -> None:
    assert days_late("2020-01", FIRST, first_landed=FIRST, cadence="monthly") is None
    assert days_late("2020-01", date(2025, 1, 17), first_landed=FIRST, cadence="monthly") == 1
    assert days_late("", date(2030, 1, 1), first_landed=FIRST, cadence="monthly") is None


def test_a_month_between_the_first_and_the_last_is_missing_per_table() -> None:
    pages = [replace(FILE, entity="front_page", month=f"2026-0{month}") for month in (1, 2, 4)]
    found = gaps([FILE, replace(FILE, month="2026-03"), *pages, replace(FILE, entity="drug", month="2026-02")])
    assert [(gap.entity, gap.months) for gap in found] == [
        ("fee_line", ("2026-02", "2026-04")),
        ("front_page", ("2026-03",)),
    ]
    assert gaps([FILE, replace(FILE, month="2026-02")]) == ()


def test_a_year_ends_in_december() -> None:
    found = gaps([replace(FILE, month="2025-11"), replace(FILE, month="2026-02")])
    assert found[0].months == ("2025-12", "2026-01")


def test_only_live_files_are_in_the_account() -> None:
    accounts = Accounts((FILE, FILE, replace(FILE, state="superseded"), replace(FILE, state="held")))
    assert accounts.monthly() == ((("h1", "2026-01", "fee_line"), 2, Amounts(rows_in=4)),)
    assert [one.state for one in accounts.waiting] == ["held"]


def test_sums_balance_only_if_all_is_accounted_for() -> None:
    even = Amounts(3, 1, 1, 1, 0, Decimal("3.00"), Decimal("1.00"), Decimal("1.50"), Decimal("0.50"))
    assert total([replace(FILE, amounts=even), replace(FILE, amounts=even)]).balances
    assert not (even + Amounts(rows_in=1)).balances
    assert not (even + Amounts(money_in=Decimal("0.01"))).balances
