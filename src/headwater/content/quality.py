"""What a check of quality found, as plain values: verdicts, landing accounts, faults and distributions."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from headwater.content.accounts import Accounts
from headwater.content.metrics import METRICS, title
from headwater.content.migration import Verified
from headwater.content.suites import Severity, Stage
from headwater.errors import Message

__all__ = [
    "Bar",
    "Deviation",
    "Fault",
    "Histogram",
    "LandingAccount",
    "Migrated",
    "Outcome",
    "QualityReport",
    "Refused",
    "SourceShare",
    "SuiteResult",
]


@dataclass(frozen=True)
class SourceShare:
    """How one source fared in a rule that failed on the whole."""

    source_id: str
    success: bool
    element_count: int | None
    unexpected_count: int | None
    observed: str | None


@dataclass(frozen=True)
class Outcome:
    """The verdict on one rule: counts and aggregates, never the value of a row.

    Parameters
    ----------
    column : columns the rule names, joined by a comma; empty for a rule on the whole relation
    arguments : the rule's arguments as JSON
    observed : aggregate that was compared, or None for a rule that counts rows
    element_count, unexpected_count : rows (or groups) judged, and those that failed; None for a rule on an aggregate
    error : why the rule could not be computed, or None
    by_source : the sources, worst first, when the rule failed and the relation knows its sources
    """

    suite: str
    stage: Stage
    relation: str
    expectation: str
    column: str
    arguments: str
    unit: str | None
    severity: Severity
    why: Message
    success: bool
    observed: str | None = None
    element_count: int | None = None
    unexpected_count: int | None = None
    error: str | None = None
    by_source: tuple[SourceShare, ...] = ()

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments the rule was checked with."""
        return cast(dict[str, Any], json.loads(self.arguments))

    @property
    def unexpected_percent(self) -> float | None:
        """Failing share of what was judged, in percent."""
        if self.element_count is None or self.unexpected_count is None:
            return None
        return 100.0 * self.unexpected_count / self.element_count if self.element_count else 0.0

    @property
    def stops(self) -> bool:
        """Whether this verdict stops the chain; a rule that could not be computed always does."""
        return not self.success and (self.severity == "error" or self.error is not None)


@dataclass(frozen=True)
class SuiteResult:
    """The verdicts on one relation; none of them when it was empty and may be."""

    name: str
    stage: Stage
    relation: str
    title: Message
    rows: int
    outcomes: tuple[Outcome, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to judge."""
        return not self.outcomes


@dataclass(frozen=True)
class LandingAccount:
    """What became of all files of one kind of one source: rows and money in = loaded + quarantined + duplicate."""

    source_id: str
    entity: str
    title: Message
    origin: str | None
    currency: str | None
    files: int
    files_refused: int
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    money_in: Decimal
    money_loaded: Decimal
    money_quarantined: Decimal
    money_duplicate: Decimal

    @property
    def balances(self) -> bool:
        """Whether nothing was lost: both sums agree with what came in."""
        rows = self.rows_loaded + self.rows_quarantined + self.rows_duplicate
        money = self.money_loaded + self.money_quarantined + self.money_duplicate
        return rows == self.rows_in and money == self.money_in


@dataclass(frozen=True)
class Refused:
    """A file that could not be read as its contract says; none of its rows was loaded."""

    source_id: str
    entity: str
    file_name: str
    code: str
    reason: Message


@dataclass(frozen=True)
class Fault:
    """Quarantined rows of one code in one field of one source."""

    code: str
    source_id: str
    entity: str
    field: str
    rows: int
    reason: Message
    fix: Message


@dataclass(frozen=True)
class Bar:
    """One bar: its label and the rows it stands for."""

    label: Message
    rows: int


@dataclass(frozen=True)
class Histogram:
    """One column of one relation as bars; ``absent`` rows have no value."""

    relation: str
    column: str
    title: Message
    unit: str
    bars: tuple[Bar, ...]
    absent: int


@dataclass(frozen=True)
class Deviation:
    """One number of one delivery outside what is usual for its source.

    Parameters
    ----------
    column : delivered column, two joined by ``+``, or empty for the delivery as a whole
    low, high : bounds; None where there is no limit
    """

    source_id: str
    entity: str
    batch_id: str
    file_name: str
    period: date | None
    column: str
    metric: str
    value: float
    low: float | None
    high: float | None
    severity: Severity

    @property
    def title(self) -> Message:
        """What was measured."""
        return title(self.entity, self.column, self.metric)

    @property
    def why(self) -> Message:
        """Why it is watched."""
        return METRICS[self.metric].why


@dataclass(frozen=True)
class Migrated:
    """One column before and after one step of the flow.

    Parameters
    ----------
    step : ``delivered-raw``, ``raw-staging`` or ``staging-marts``
    column : empty for the rows as such
    kind : ``exact`` for a column that is passed through, ``cleaned`` for one that a rule may change, ``token`` for
        numbers of persons
    distance : total variation between both distributions; 0 when they are the same
    shift : 1-Wasserstein distance in the column's unit, days for dates; None where nothing reads as a number
    unexplained : delivered cells or rows that differ for no reason on record
    """

    step: str
    source_id: str
    entity: str
    column: str
    kind: str
    distance: float
    rows_before: int
    rows_after: int
    shift: float | None = None
    unexplained: int = 0

    @property
    def stops(self) -> bool:
        """Whether a column that is passed through came out otherwise, or any differs for no reason on record."""
        return (self.kind == "exact" and self.distance > 0) or self.unexplained > 0


@dataclass(frozen=True)
class QualityReport:
    """Everything one check found, of one snapshot of the lake.

    Parameters
    ----------
    run_id : name of the folder of the report
    at : time of the check, with a time zone
    snapshot : number of the lake's snapshot
    accounts : what became of every file, by source, month and table
    origins : what the sources are: ``real``, ``synthetic``, ``converted``
    deviations : what is unusual about deliveries, errors first
    migration : every column before and after each step
    verified : every column of every delivery against what was loaded of it
    folder : where the pages are, relative to the reports, e.g. ``quality/20260105T080000Z-s42``
    """

    run_id: str
    at: datetime
    snapshot: int
    suites: tuple[SuiteResult, ...]
    landing: tuple[LandingAccount, ...]
    refused: tuple[Refused, ...]
    faults: tuple[Fault, ...]
    accounts: Accounts
    histograms: tuple[Histogram, ...]
    origins: tuple[str, ...]
    folder: str
    deviations: tuple[Deviation, ...] = ()
    migration: tuple[Migrated, ...] = ()
    verified: tuple[Verified, ...] = ()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All verdicts in the order of the flow."""
        return tuple(outcome for suite in self.suites for outcome in suite.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Failed rules, those that stop the chain first."""
        failed = [outcome for outcome in self.outcomes if not outcome.success]
        return tuple(sorted(failed, key=lambda outcome: not outcome.stops))

    @property
    def success(self) -> bool:
        """False when a rule of severity ``error`` failed, an account does not balance or a column changed underway."""
        judged = not any(outcome.stops for outcome in self.outcomes) and all(a.balances for a in self.landing)
        return judged and not any(column.stops for column in self.migration)

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no rows."""
        failed = self.failures
        return {
            "run_id": self.run_id,
            "snapshot": self.snapshot,
            "success": self.success,
            "expectations": len(self.outcomes),
            "errors": sum(outcome.stops for outcome in failed)
            + sum(not account.balances for account in self.landing)
            + sum(column.stops for column in self.migration),
            "warnings": sum(not outcome.stops for outcome in failed),
            "suites": len(self.suites),
            "folder": self.folder,
        }
