"""What the pages of a quality report show of deliveries: a calendar, folds by source, rows that a filter can sum."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from headwater.content.accounts import Accounts, Amounts, Cleaning, Delivery, Gap, Item, total
from headwater.content.quality import LandingAccount
from headwater.errors import Message

__all__ = ["calendar", "cleaned", "folds", "gap_lines", "items"]

T = TypeVar("T")

_MANY = 0.01
"""Share of quarantined rows from which a month is marked."""


@dataclass(frozen=True)
class Cell:
    """One month of one source: what to look at first, and the rest in words."""

    month: str
    kind: str
    words: Message


@dataclass(frozen=True)
class Month:
    """The account of one table in one month; ``by`` is what the page's filter sums."""

    month: str
    entity: str
    files: int
    amounts: Amounts

    @property
    def by(self) -> str:
        """Month, files, rows and money in cents, as the filter reads them."""
        sums = self.amounts
        rows = (sums.rows_in, sums.rows_loaded, sums.rows_quarantined, sums.rows_duplicate)
        return _part(self.month, self.files, *rows, int(sums.money_in * 100))


@dataclass(frozen=True)
class SourceFold:
    """Everything of one source."""

    source_id: str
    landing: tuple[LandingAccount, ...]
    months: tuple[Month, ...]
    deliveries: tuple[Delivery, ...]
    total: Amounts
    files: int

    @property
    def balances(self) -> bool:
        """Whether every account of it does."""
        return all(one.balances for one in self.landing) and all(one.amounts.balances for one in self.months)


@dataclass(frozen=True)
class ItemLine:
    """Quarantined rows of one code in one field of one source."""

    first: Item
    open: int
    closed: int
    by: str


@dataclass(frozen=True)
class CleanedField:
    """Cells of one field of one source that one rule changed."""

    first: Cleaning
    cells: int
    by: str


@dataclass(frozen=True)
class GapLine:
    """Months that a source left out in some tables alike."""

    source_id: str
    entities: tuple[str, ...]
    months: tuple[str, ...]


def folds(accounts: Accounts, landing: Sequence[LandingAccount]) -> list[SourceFold]:
    """Return the sources in order, with their accounts and files."""
    monthly: dict[str, list[Month]] = {}
    for (source, month, entity), files, amounts in accounts.monthly():
        monthly.setdefault(source, []).append(Month(month, entity, files, amounts))
    names = dict.fromkeys([*(one.source_id for one in landing), *accounts.sources])
    return [
        SourceFold(
            source_id=name,
            landing=tuple(one for one in landing if one.source_id == name),
            months=tuple(monthly.get(name, ())),
            deliveries=tuple(one for one in accounts.deliveries if one.source_id == name),
            total=total([one for one in accounts.live if one.source_id == name]),
            files=sum(one.source_id == name for one in accounts.live),
        )
        for name in sorted(names)
    ]


def calendar(accounts: Accounts) -> list[tuple[str, list[Cell]]]:
    """Return a row of months for each source."""
    missing = {(gap.source_id, month): True for gap in accounts.gaps for month in gap.months}
    files: dict[tuple[str, str], list[Delivery]] = {}
    for one in accounts.deliveries:
        files.setdefault((one.source_id, one.month), []).append(one)
    return [
        (source, [_cell(month, files.get((source, month), []), missing) for month in accounts.months])
        for source in accounts.sources
        if any(one.month for one in accounts.deliveries if one.source_id == source)
    ]


def _cell(month: str, files: Sequence[Delivery], missing: dict[tuple[str, str], bool]) -> Cell:
    live = [one for one in files if one.state == "loaded"]
    sums = total(live)
    share = sums.rows_quarantined / sums.rows_in if sums.rows_in else 0.0
    kind = _kind(files, share, missing=bool(files) and (files[0].source_id, month) in missing)
    words = Message(
        f"{month}：{len(live)} 个文件，{sums.rows_in:,} 行，隔离 {sums.rows_quarantined:,}",
        f"{month}: {len(live)} files, {sums.rows_in:,} rows, {sums.rows_quarantined:,} quarantined",
    )
    return Cell(month, kind, words)


def _kind(files: Sequence[Delivery], share: float, *, missing: bool) -> str:
    states = {one.state for one in files}
    found = (
        ("held", "held" in states),
        ("refused", "refused" in states),
        ("none", "loaded" not in states),
        ("part", missing),
        ("late", any(one.days_late for one in files)),
        ("many", share >= _MANY),
        ("some", share > 0),
    )
    return next((kind for kind, holds in found if holds), "good")


def items(found: Iterable[Item]) -> list[ItemLine]:
    """Return the quarantine by code, table, field and source, with its months for the filter."""
    lines = []
    for _, members in _grouped(found, lambda one: (one.code, one.entity, one.field, one.source_id)):
        by = [_part(one.month, one.open, one.closed) for one in members]
        still, closed = sum(one.open for one in members), sum(one.closed for one in members)
        lines.append(ItemLine(members[0], open=still, closed=closed, by=" ".join(by)))
    return sorted(lines, key=lambda line: (line.first.code, -line.open))


def cleaned(found: Iterable[Cleaning]) -> dict[str, list[CleanedField]]:
    """Return the cells that were cleaned by rule, the most frequent rule and field first."""
    fields: dict[str, list[CleanedField]] = {}
    for (rule, *_), members in _grouped(found, lambda one: (one.rule, one.entity, one.field, one.source_id)):
        by = " ".join(_part(one.month, one.cells) for one in members)
        fields.setdefault(rule, []).append(CleanedField(members[0], sum(one.cells for one in members), by))
    ordered = sorted(fields.items(), key=lambda rule: -sum(one.cells for one in rule[1]))
    return {rule: sorted(lines, key=lambda line: -line.cells) for rule, lines in ordered}


def gap_lines(gaps: Iterable[Gap]) -> list[GapLine]:
    """Return what is missing, tables that miss the same months together."""
    grouped = _grouped(gaps, lambda gap: (gap.source_id, gap.months))
    return [GapLine(source, tuple(gap.entity for gap in members), months) for (source, months), members in grouped]


def _grouped(found: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], list[T]]]:
    return [(name, list(members)) for name, members in groupby(sorted(found, key=key), key)]


def _part(month: str, *numbers: int) -> str:
    return ":".join([month or "-", *(str(number) for number in numbers)])
