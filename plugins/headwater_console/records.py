"""What the pages show, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from headwater.adapters.incidents import Incident
from headwater.adapters.report import folder_name

__all__ = [
    "PAGE_ROWS", "Batch", "BatchFilter", "Batches", "Change", "Choice", "Evolution", "Landing", "Money", "Overview",
    "Quality", "QualityRun", "ReturnFile", "Source", "ValueLine", "ValueMonth", "Version",
]  # fmt: skip

PAGE_ROWS = 50


@dataclass(frozen=True)
class Batch:
    """One landed file."""

    batch_id: str
    source_id: str
    entity: str
    file_name: str
    state: str
    rows_in: int | None
    rows_loaded: int | None
    rows_quarantined: int | None
    rows_duplicate: int | None
    money_in: Decimal | None
    money_loaded: Decimal | None
    money_quarantined: Decimal | None
    money_duplicate: Decimal | None
    snapshot_id: int | None
    refusal_code: str | None
    refusal_zh: str | None
    refusal_en: str | None
    landed_at: datetime
    currency: str | None = None

    @property
    def balances(self) -> bool:
        """Whether rows and money in are accounted for to the last one."""
        rows = (self.rows_loaded or 0) + (self.rows_quarantined or 0) + (self.rows_duplicate or 0)
        parts = (self.money_loaded, self.money_quarantined, self.money_duplicate)
        money = sum((part or Decimal(0) for part in parts), Decimal(0))
        return self.state == "loaded" and rows == self.rows_in and money == self.money_in


@dataclass(frozen=True)
class BatchFilter:
    """What of the list of batches is shown; empty text means all."""

    source: str = ""
    entity: str = ""
    state: str = ""
    page: int = 1


@dataclass(frozen=True)
class Batches:
    """One page of the list, and what one may filter by."""

    rows: tuple[Batch, ...]
    total: int
    sources: tuple[str, ...]
    entities: tuple[str, ...]
    states: tuple[str, ...]

    @property
    def pages(self) -> int:
        """Return the number of pages, at least one."""
        return max(1, -(-self.total // PAGE_ROWS))


@dataclass(frozen=True)
class Money:
    """The sum of money in one currency; different currencies are never added."""

    currency: str
    incoming: Decimal
    loaded: Decimal
    quarantined: Decimal
    duplicate: Decimal


@dataclass(frozen=True)
class Landing:
    """All live batches together, and how many others were refused or wait for a decision."""

    files: int
    refused: int
    held: int
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    last_at: datetime | None
    money: tuple[Money, ...]

    @property
    def balances(self) -> bool:
        """Whether the sums agree."""
        rows = self.rows_loaded + self.rows_quarantined + self.rows_duplicate
        return rows == self.rows_in and all(m.incoming == m.loaded + m.quarantined + m.duplicate for m in self.money)


@dataclass(frozen=True)
class QualityRun:
    """The verdict of one check."""

    run_id: str
    at: datetime
    snapshot: int
    expectations: int
    errors: int
    warnings: int

    @property
    def success(self) -> bool:
        """Whether no rule that stops the chain failed."""
        return self.errors == 0

    @property
    def folder(self) -> str:
        """Return the folder of its report, which is also its name in an address."""
        return folder_name(self.run_id)


@dataclass(frozen=True)
class ReturnFile:
    """A workbook of what one hospital must mend."""

    source: str
    name: str


@dataclass(frozen=True)
class Quality:
    """The checks made so far, newest first, the one that is shown, and what goes back to the hospitals."""

    runs: tuple[QualityRun, ...]
    shown: QualityRun | None
    returns: tuple[ReturnFile, ...]


@dataclass(frozen=True)
class Source:
    """One source's worth in the newest valuation of its region."""

    region: str
    source: str
    name: str
    name_en: str
    city: str
    stays: int
    value: float
    low: float
    high: float
    selected: bool
    method: str
    as_of: datetime


@dataclass(frozen=True)
class ValueLine:
    """One source's worth in a month, and what changed since the month valued before; as the mart says."""

    source: str
    name: str
    name_en: str
    city: str
    stays: int
    value: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int
    stability: float
    is_selected: bool
    reason_zh: str
    reason_en: str
    finding_zh: str | None
    finding_en: str | None
    cost: float
    value_before: float | None
    rank_before: int | None
    was_selected: bool | None
    value_change: float | None
    is_place_moved: bool | None
    change: str

    @property
    def moved(self) -> bool:
        """Whether anything changed that intervals do not explain: it is new, or differs in value, place or choice."""
        turned = self.was_selected is not None and self.was_selected != self.is_selected
        return self.change in ("new", "up", "down") or bool(self.is_place_moved) or turned


@dataclass(frozen=True)
class Choice:
    """What one valuation chose, and what it rests on."""

    month_before: date | None
    as_of: datetime
    snapshot: int
    method: str
    unit: str
    protection: str
    judging_records: int | None
    evaluations: int
    seconds: float
    chosen: tuple[str, ...]
    gains: tuple[float, ...]
    spent: float
    budget: float
    budget_unit: str
    bound: float | None
    share: float | None
    proof_zh: str
    proof_en: str
    is_conditional: bool
    algorithm: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    diminish: bool | None
    bytes: int
    attributable: int
    rounds: int
    epsilon: float
    leverage: float
    r2_target_only: float
    r2_selected: float | None
    r2_all: float | None
    refused: tuple[dict[str, str], ...]
    small: tuple[dict[str, object], ...]
    mlflow_run: str


@dataclass(frozen=True)
class ValueMonth:
    """The valuation of a region in a month; ``gone`` were valued the month before and are not now."""

    task: str
    region: str
    month: date
    choice: Choice
    lines: tuple[ValueLine, ...]
    gone: tuple[str, ...]

    @property
    def by_order(self) -> tuple[ValueLine, ...]:
        """The chosen, in the order in which each adds most to those before it as far as that is known."""
        lines = {line.source: line for line in self.lines}
        return tuple(lines[name] for name in self.choice.chosen)


@dataclass(frozen=True)
class Version:
    """One model version and how it did on the target's held-out set."""

    region: str
    name: str
    version: int
    model: str
    step: str
    sources: tuple[str, ...]
    protection: str
    parent: str | None
    snapshot: int
    is_champion: bool
    r2_log: float
    r2_log_target_only: float
    r2_log_all_equal: float | None
    r2_log_pooled: float | None
    mae: float
    currency: str
    mlflow_run: str
    as_of: datetime


@dataclass(frozen=True)
class Change:
    """A source that left or joined the model, and why; ``waits`` for a person to approve it."""

    region: str
    month: date
    source: str
    action: str
    reason_zh: str
    reason_en: str
    waits: bool


@dataclass(frozen=True)
class Changes:
    """The newest changes and what waits; how many were made in all, and the month of the last."""

    newest: tuple[Change, ...]
    made: int
    last: date | None


@dataclass(frozen=True)
class Evolution:
    """The newest replay of a region; ``folder`` is that of its report."""

    region: str
    as_of: datetime
    folder: str


@dataclass(frozen=True)
class Overview:
    """Where the region stands; marts are those of the published snapshot, of the newest before any was published."""

    landing: Landing
    snapshot: int
    snapshot_at: datetime | None
    is_published: bool
    marts: tuple[tuple[str, int], ...]
    quality: QualityRun | None
    sources: tuple[Source, ...]
    champions: tuple[Version, ...]
    versions: tuple[Version, ...]
    changes: Changes
    evolutions: tuple[Evolution, ...]
    batches: tuple[Batch, ...]
    incidents: Sequence[Incident]
    mlflow_url: str
    airflow_url: str
