"""Hearing: what every source said, block by block, kept so that a period asks for what is new alone."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters.learners import Ridge
from headwater.evolution import Cost
from headwater.federation import TableSource, Transport, ask
from headwater.statistics import Statistic
from headwater.types import SourceId

__all__ = ["Block", "Delivered", "Hearing"]

_HEADER = 16
"""Bytes of a message besides its values, at most."""


@dataclass(frozen=True, eq=False)
class Block:
    """One answer of a source.

    Parameters
    ----------
    heard : month in which it was asked
    months : that it was asked about
    statistic : of its records of these months
    """

    heard: date
    months: tuple[date, ...]
    statistic: Statistic


@dataclass(frozen=True, eq=False)
class Delivered:
    """Which records there are, source by source and month by month: what deliveries tell before anybody is asked.

    Parameters
    ----------
    tables : of every source
    counts : source and month to the number of records
    """

    tables: Mapping[SourceId, pa.Table]
    counts: Mapping[SourceId, Mapping[date, int]]

    @staticmethod
    def of(sources: Iterable[TableSource]) -> "Delivered":
        """Count the records of the sources."""
        tables = {source.source_id: source.table for source in sources}
        return Delivered(tables, {source: _counted(table) for source, table in tables.items()})

    def known(self, month: date, *, fewest: int) -> frozenset[SourceId]:
        """Return the sources with at least ``fewest`` records up to and including ``month``."""
        return frozenset(source for source in self.counts if self.until(source, month) >= fewest)

    def until(self, source: SourceId, month: date) -> int:
        """Return the number of the source's records up to and including ``month``."""
        months, totals = self._running.get(source, ([], []))
        place = bisect_right(months, month)
        return totals[place - 1] if place else 0

    @cached_property
    def _running(self) -> dict[SourceId, tuple[list[date], list[int]]]:
        found = {}
        for source, counts in self.counts.items():
            months = sorted(counts)
            found[source] = months, list(accumulate(counts[month] for month in months))
        return found

    def fingerprint(self, source: SourceId, months: Sequence[date]) -> str:
        """Return a digest of the source's records of some months: another one means that they were mended."""
        table = self.tables[source]
        wanted = pa.array(months, type=table.column("month").type)
        kept = table.filter(pc.is_in(table.column("month"), value_set=wanted)).combine_chunks()
        digest = hashlib.sha256()
        for batch in kept.to_batches():
            digest.update(batch.serialize())
        return digest.hexdigest()


@dataclass(eq=False)
class Hearing:
    """Asks sources and keeps their answers.

    Parameters
    ----------
    delivered : which records there are; months in which a source has none are not asked about
    blocks : source to its answers by the month in which it was asked
    bytes_by_source : exchanged with each since this hearing began
    asked : answers asked for since then
    fingerprints : of the records behind answers of earlier times, by source and month in which it was asked
    """

    transport: Transport
    learner: Ridge
    delivered: Delivered
    blocks: dict[SourceId, dict[date, Block]] = field(default_factory=dict)
    bytes_by_source: Counter[SourceId] = field(default_factory=Counter)
    asked: int = 0
    fingerprints: dict[tuple[SourceId, date], str] = field(default_factory=dict)
    _told: dict[SourceId, "_Told"] = field(init=False, default_factory=dict, repr=False)

    def cost(self, source: SourceId) -> Cost:
        """Return what it costs to ask a source once, and an hour of whoever looks at what is done with it."""
        return self._cost

    @cached_property
    def _cost(self) -> Cost:
        question = self.learner.asked(months=(date.min,))
        return Cost(bytes=question.nbytes + 8 * question.family.length + _HEADER, labour=1.0)

    def hear(self, source: SourceId, month: date, *, months: Sequence[date] | None = None) -> Block | None:
        """Ask a source in ``month`` about ``months``, by default all until then that it never told of; None: no answer.

        Parameters
        ----------
        months : about which it is asked, each of them new
        """
        news = self.news(source, month) if months is None else tuple(months)
        if not news:
            return None
        answers = ask(self.transport, self.learner.asked(months=news), sources=[source])
        self.bytes_by_source.update(answers.bytes_by_source)
        self.asked += 1
        if source not in answers.statistics:
            return None
        block = Block(month, news, answers.statistics[source])
        self.blocks.setdefault(source, {})[month] = block
        return block

    def news(self, source: SourceId, month: date) -> tuple[date, ...]:
        """Return the months until ``month`` in which the source has records and of which it never told."""
        told = self._told_by(source).months
        return tuple(sorted(at for at in self.delivered.counts.get(source, ()) if at <= month and at not in told))

    def pending(self, source: SourceId, month: date) -> int:
        """Return how many records until ``month``, its newest, the source has of which it never told."""
        return self.delivered.until(source, month) - self._told_by(source).records

    def _told_by(self, source: SourceId) -> "_Told":
        blocks = self.blocks.get(source, {})
        told = self._told.get(source)
        if told is None or told.answers != len(blocks):
            months = frozenset(at for block in blocks.values() for at in block.months)
            counts = self.delivered.counts.get(source, {})
            told = self._told[source] = _Told(len(blocks), months, sum(counts.get(at, 0) for at in months))
        return told

    def mend(self) -> list[date]:
        """Ask anew for earlier answers whose records have changed since, and return the months of those answers."""
        mended = []
        for (source, heard), fingerprint in self.fingerprints.items():
            months = self.blocks[source][heard].months
            if self.delivered.fingerprint(source, months) != fingerprint:
                del self.blocks[source][heard]
                self.hear(source, heard, months=months)
                mended.append(heard)
        return mended

    def until(self, source: SourceId, month: date) -> tuple[date, ...]:
        """Return the months up to ``month`` in which the source answered."""
        return tuple(sorted(heard for heard in self.blocks.get(source, {}) if heard <= month))

    def newest(self, source: SourceId, month: date, *, records: int, longest: int) -> tuple[date, ...]:
        """Return the fewest newest answers that hold ``records``, of at most ``longest`` months together."""
        taken: list[date] = []
        held = spanned = 0
        for heard in reversed(self.until(source, month)):
            block = self.blocks[source][heard]
            if taken and (held >= records or spanned + len(block.months) > longest):
                break
            taken.append(heard)
            held += self.learner.gram.records(block.statistic)
            spanned += len(block.months)
        return tuple(reversed(taken))

    def statistic(self, source: SourceId, heard: Sequence[date]) -> Statistic:
        """Return the sum of some answers."""
        return Statistic.total(self.blocks[source][at].statistic for at in heard)


@dataclass(frozen=True)
class _Told:
    """Of what a source told in so many answers: the months, and their records."""

    answers: int
    months: frozenset[date]
    records: int


def _counted(table: pa.Table) -> dict[date, int]:
    found = table.column("month").value_counts().to_pylist()
    return {one["values"]: int(one["counts"]) for one in found}
