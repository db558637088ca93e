"""What became of every delivered file, as plain values: accounts by month, items to mend, cleaning, what is late."""

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from itertools import groupby

from headwater.errors import Message

__all__ = [
    "LATE_AFTER_DAYS",
    "NO_ACCOUNTS",
    "Accounts",
    "Amounts",
    "Change",
    "Cleaning",
    "Delivery",
    "Gap",
    "Item",
    "days_late",
    "gaps",
    "last_day",
    "month_of",
    "total",
]

_MONTH = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_.年]?(0[1-9]|1[0-2])(?:[-_.]?\d{2})?(?!\d)", re.ASCII)

LATE_AFTER_DAYS: dict[str, int] = {"daily": 3, "weekly": 7, "monthly": 15, "quarterly": 30, "yearly": 60}
"""By cadence: how many days after the end of its month a file may arrive."""


@dataclass(frozen=True)
class Amounts:
    """Rows, and money in the delivery's currency: in = loaded + quarantined + duplicate.

    ``rows_replaced`` are rows of earlier files that these corrected.
    """

    rows_in: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_replaced: int = 0
    money_in: Decimal = Decimal(0)
    money_loaded: Decimal = Decimal(0)
    money_quarantined: Decimal = Decimal(0)
    money_duplicate: Decimal = Decimal(0)

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def balances(self) -> bool:
        """Whether nothing was lost."""
        rows = self.rows_loaded + self.rows_quarantined + self.rows_duplicate
        money = self.money_loaded + self.money_quarantined + self.money_duplicate
        return rows == self.rows_in and money == self.money_in


@dataclass(frozen=True)
class Change:
    """What a file changed that was sent again, against the one it took the place of, if it was a whole file."""

    rows_same: int
    rows_changed: int
    rows_added: int
    rows_removed: int
    money_before: Decimal
    money_after: Decimal
    earlier_landed: date | None = None


@dataclass(frozen=True)
class Delivery:
    """One file in one table.

    Parameters
    ----------
    month : ``YYYY-MM`` that it is for; empty for a list of items or a file of several months
    state : received, loaded, refused, held or superseded
    amounts : counts; for a file that is not loaded only ``rows_in`` may be known
    reason : why it was refused or waits
    change : what it changed, if it was sent again
    days_late : days after the last day on which it was still in time, or None
    """

    source_id: str
    entity: str
    month: str
    file_name: str
    state: str
    landed: date
    amounts: Amounts
    reason: Message | None = None
    change: Change | None = None
    days_late: int | None = None


@dataclass(frozen=True)
class Item:
    """Quarantined rows of one code in one field, still open and closed by a later file."""

    source_id: str
    entity: str
    month: str
    field: str
    code: str
    open: int
    closed: int
    reason: Message
    fix: Message


@dataclass(frozen=True)
class Cleaning:
    """Cells that one cleaning rule changed, with an example that names nobody."""

    rule: str
    source_id: str
    entity: str
    field: str
    month: str
    cells: int
    raw: str
    clean: str


@dataclass(frozen=True)
class Gap:
    """Months of one table that a source left out between the first and the last month it delivered."""

    source_id: str
    entity: str
    months: tuple[str, ...]


@dataclass(frozen=True)
class Accounts:
    """Everything a report tells about deliveries."""

    deliveries: tuple[Delivery, ...] = ()
    items: tuple[Item, ...] = ()
    cleanings: tuple[Cleaning, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def months(self) -> tuple[str, ...]:
        """Every month that some file is for, in order."""
        return tuple(sorted({one.month for one in self.deliveries if one.month}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source that delivered, in order."""
        return tuple(sorted({one.source_id for one in self.deliveries}))

    @property
    def waiting(self) -> tuple[Delivery, ...]:
        """Files that wait for a decision."""
        return tuple(one for one in self.deliveries if one.state == "held")

    @property
    def late(self) -> tuple[Delivery, ...]:
        """Files that came too late, the latest first."""
        return tuple(sorted((one for one in self.deliveries if one.days_late), key=lambda one: -(one.days_late or 0)))

    def monthly(self) -> tuple[tuple[tuple[str, str, str], int, Amounts], ...]:
        """Return the account of each source, month and table: its name, its live files, its sums."""
        return tuple((key, len(files), total(files)) for key, files in _grouped(self.live))

    @property
    def live(self) -> tuple[Delivery, ...]:
        """Files whose rows are in the lake."""
        return tuple(one for one in self.deliveries if one.state == "loaded")


NO_ACCOUNTS = Accounts()
"""Before anything was delivered."""


def total(deliveries: Iterable[Delivery]) -> Amounts:
    """Return the sum of what came of some files; only of one currency does its money mean something."""
    return sum((one.amounts for one in deliveries), Amounts())


def _grouped(deliveries: Iterable[Delivery]) -> list[tuple[tuple[str, str, str], list[Delivery]]]:
    def key(one: Delivery) -> tuple[str, str, str]:
        return one.source_id, one.month, one.entity

    return [(name, list(files)) for name, files in groupby(sorted(deliveries, key=key), key)]


def month_of(file_name: str) -> str:
    """Return the month that a file's name says it is for, empty if it names none or several.

    >>> month_of("h0101/fee_lines_202401.csv"), month_of("h1/2024-01-31.csv"), month_of("h1/202401-202412.csv")
    ('2024-01', '2024-01', '')
    """
    found = {"-".join(parts) for parts in _MONTH.findall(file_name.rsplit("/", 1)[-1])}
    return found.pop() if len(found) == 1 else ""


def last_day(month: str) -> date:
    """Return the last day of ``YYYY-MM``."""
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, monthrange(year, number)[1])


def days_late(month: str, landed: date, *, first_landed: date, cadence: str) -> int | None:
    """Return how many days too late a file came, None if it was in time or is for no month.

    Months that lay in the past when a source delivered for the first time count from that day, as nobody had asked
    for them earlier.
    """
    if not month:
        return None
    due = max(last_day(month), first_landed)
    late = (landed - due).days - LATE_AFTER_DAYS.get(cadence, LATE_AFTER_DAYS["monthly"])
    return late if late > 0 else None


def gaps(deliveries: Iterable[Delivery]) -> tuple[Gap, ...]:
    """Return what each source left out between the first and the last month for which it delivered anything."""
    delivered: dict[str, dict[str, set[str]]] = {}
    for one in deliveries:
        if one.month and one.state in ("loaded", "held"):
            delivered.setdefault(one.source_id, {}).setdefault(one.entity, set()).add(one.month)
    found = []
    for source, tables in sorted(delivered.items()):
        known = set().union(*tables.values())
        span = _span(min(known), max(known))
        for entity, months in tables.items():
            missing = tuple(month for month in span if month not in months)
            # One file alone has no rhythm from which it could be missing.
            if missing and len(months) > 1:
                found.append(Gap(source, entity, missing))
    return tuple(found)


def _span(first: str, last: str) -> list[str]:
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, end + 1)]
