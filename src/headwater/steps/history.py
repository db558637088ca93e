"""History: what sources said and the bureau's own records of the same months, as far as they were known then."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters.features import Region
from headwater.adapters.learners import Ridge
from headwater.errors import Message, Refusal
from headwater.federation import InProcess, Source
from headwater.statistics import Statistic
from headwater.steps.hearing import Delivered, Hearing
from headwater.types import SourceId

__all__ = ["FEWEST_MONTHS", "History", "MEMORY", "Own"]

FEWEST_MONTHS = 4
"""Months before the first tick: by fewer nothing can be judged."""
MEMORY = 24
"""Answers that a model remembers of each source: two years, for what was worth something spoils slowly."""
_LONGEST_WINDOW = 6


@dataclass(frozen=True, eq=False)
class Own:
    """A part of the bureau's own records, month by month.

    Parameters
    ----------
    by_month : statistic of each month in which sources or the bureau have records, in order
    totals : of all months up to each of these
    none : statistic of no records
    """

    by_month: Mapping[date, Statistic]
    totals: tuple[Statistic, ...]
    none: Statistic

    @staticmethod
    def of(learner: Ridge, months: Sequence[date], table: pa.Table) -> "Own":
        """Return the statistics of ``months`` and of all others in which the table has records."""
        question, when = learner.asked(), table.column("month")
        every = sorted({*months, *pc.unique(when).to_pylist()})
        by_month = {m: question.of(table.filter(pc.equal(when, pa.scalar(m, when.type)))) for m in every}
        none = question.of(table.slice(0, 0))
        return Own(by_month, tuple(accumulate(by_month.values(), Statistic.merge)), none)

    def until(self, month: date) -> Statistic:
        """Return the statistic of all records up to and including ``month``, whether or not it has any itself."""
        place = bisect_right(tuple(self.by_month), month)
        return self.totals[place - 1] if place else self.none

    def among(self, months: Iterable[date]) -> Statistic:
        """Return the statistic of the records of some months."""
        return Statistic.total([self.none, *(self.by_month[month] for month in months if month in self.by_month)])

    def last(self, month: date, *, count: int) -> Statistic:
        """Return the statistic of the ``count`` newest months up to ``month``."""
        before = [at for at in self.by_month if at <= month][:-count]
        whole = self.until(month)
        return whole.subtract(self.until(before[-1])) if before else whole


@dataclass(frozen=True, eq=False)
class History:
    """What sources said and the bureau's own records of the same months.

    Parameters
    ----------
    months : first days of the months in which anybody has records, in order, up to the last that is to be followed
    hearing : asks, and keeps what was said
    train, valid, unseen : the bureau's own records; no model is trained on what is ``unseen``
    fewest : records below which a hospital is no source yet
    opening : months in which half of the sources delivered before the first can be judged, that one included
    """

    region: Region
    learner: Ridge
    months: tuple[date, ...]
    hearing: Hearing
    train: Own
    valid: Own
    unseen: Own
    fewest: int
    opening: int = FEWEST_MONTHS

    @staticmethod
    def of(
        region: Region,
        learner: Ridge,
        *,
        guarded: Sequence[Source] | None = None,
        until: date | None = None,
        fewest: int = 100,
    ) -> "History":
        """Open a history of which nobody was asked yet.

        Parameters
        ----------
        guarded : the region's sources under their requirements; None: as they are
        until : last month that is known; None: all
        """
        delivered = Delivered.of(region.sources)
        everything = sorted({month for counts in delivered.counts.values() for month in counts})
        months = tuple(month for month in everything if until is None or month <= until)
        hearing = Hearing(InProcess(region.sources if guarded is None else guarded), learner, delivered)
        target = region.target
        unseen = pa.concat_tables([target.valid, target.test])
        train, valid, test = (Own.of(learner, months, table) for table in (target.train, target.valid, unseen))
        return History(region, learner, months, hearing, train, valid, test, fewest)

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """All sources, by name."""
        return tuple(sorted(self.region.cities))

    @property
    def followed(self) -> tuple[date, ...]:
        """The months that have a tick: in which half of the sources delivered, when the opening is over."""
        return tuple(month for month in self.months if self._is_delivered(month))[self.opening - 1 :]

    def window(self, month: date) -> int:
        """Return the months of its own records by which the bureau values what is delivered in ``month``."""
        return min(_LONGEST_WINDOW, sum(at <= month for at in self.months))

    def everything(self, month: date) -> list[Statistic]:
        """Return the newest answers of every source until ``month``, whatever they are worth."""
        told = {source: self.hearing.until(source, month)[-MEMORY:] for source in self.sources}
        return [self.hearing.statistic(source, heard) for source, heard in told.items() if heard]

    def require_months(self) -> None:
        """Refuse a history in which no month can be followed yet, with ``E-EVOLVE-SHORT``."""
        if self.followed:
            return
        found, name = len(self.months), self.region.name
        raise Refusal(
            "E-EVOLVE-SHORT",
            Message(
                f"“{name}”只有 {found} 个月的数据，至少需要 {self.opening} 个半数来源有送达的月份。",
                f"{name} has {found} months of data; {self.opening} must have half of the sources' deliveries.",
            ),
            Message("请先接入更多月份。", "Land more months first."),
        )

    def _is_delivered(self, month: date) -> bool:
        known, counts = self.hearing.delivered.known(month, fewest=self.fewest), self.hearing.delivered.counts
        return bool(known) and 2 * sum(month in counts[source] for source in known) >= len(known)
