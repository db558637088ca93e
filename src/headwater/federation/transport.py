"""How a question reaches a source and its answer comes back: the seam behind which real nodes stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.source import Computed, Description, Question, Source, Table, TableSource
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["InProcess", "Remembering", "SourceFault", "Transport", "Without", "twice"]


class SourceFault(HeadwaterError):
    """A source that broke down, or could not be reached, while it was asked."""


class Transport(Protocol):
    """Reaches sources by name. Whatever goes wrong at a source arrives as a ``HeadwaterError``."""

    @property
    def source_ids(self) -> tuple[SourceId, ...]:
        """The sources that can be asked."""
        ...

    def send(self, to: SourceId, question: Question | Computed) -> bytes:
        """Carry the question and return the answer as ``Statistic.to_bytes`` wrote it."""
        ...


@dataclass(frozen=True)
class InProcess:
    """Sources in this process; answers still travel as bytes."""

    sources: Iterable[Source]
    _by_id: dict[SourceId, Source] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for source in self.sources:
            if not hasattr(source, "source_id"):
                raise _no_source(source)
            if source.source_id in self._by_id:
                raise twice(source.source_id)
            self._by_id[source.source_id] = source

    @staticmethod
    def of(tables: Mapping[SourceId, Table | pd.DataFrame]) -> "InProcess":
        """Return one source for each table or data frame, by its name; what is neither is refused when it is asked."""
        return InProcess([_source(str(name), table) for name, table in tables.items()])

    @property
    def source_ids(self) -> tuple[SourceId, ...]:
        """The sources, by name."""
        return tuple(sorted(self._by_id))

    def records(self, source: SourceId) -> pa.Table:
        """Return the records of a source that holds a table: for references, which no real federation has."""
        found = self._by_id.get(source)
        if not isinstance(found, TableSource):
            raise _fault(source, "没有在手的表", "has no table at hand")
        return found.table

    def send(self, to: SourceId, question: Question | Computed) -> bytes:
        """Let the source answer. What its code raises passes through, for ``carried`` names it."""
        if to not in self._by_id:
            raise _fault(to, "没有这个来源", "there is no such source")
        answer = self._by_id[to].answer(question)
        if not isinstance(answer, Statistic):
            raise _fault(to, "没有给出统计量", "gave no statistic")
        return answer.to_bytes()


@dataclass(frozen=True, eq=False)
class Remembering:
    """Asks each source each question once and answers the same question from memory afterwards."""

    transport: Transport
    _answers: dict[tuple[SourceId, Question | Computed], bytes] = field(init=False, repr=False, default_factory=dict)

    @property
    def source_ids(self) -> tuple[SourceId, ...]:
        """The sources that can be asked."""
        return self.transport.source_ids

    def send(self, to: SourceId, question: Question | Computed) -> bytes:
        """Return the answer; a failure is not remembered."""
        if (to, question) not in self._answers:
            self._answers[to, question] = self.transport.send(to, question)
        return self._answers[to, question]


@dataclass(frozen=True, eq=False)
class Without:
    """Some sources are reached no more, as they may not be used."""

    transport: Transport
    refused: frozenset[SourceId]

    @property
    def source_ids(self) -> tuple[SourceId, ...]:
        """The sources that are left."""
        return tuple(source for source in self.transport.source_ids if source not in self.refused)

    def send(self, to: SourceId, question: Question | Computed) -> bytes:
        """Carry the question; who is refused is not asked."""
        if to in self.refused:
            raise _fault(to, "已被排除", "is left out")
        return self.transport.send(to, question)


@dataclass(frozen=True)
class _Unreadable:
    """Stands where a table should: it is named when it is asked, so that the others are valued without it."""

    source_id: SourceId
    why: HeadwaterError

    def describe(self) -> Description:
        return Description(self.source_id, 0, ())

    def answer(self, question: Question | Computed) -> Statistic:
        raise self.why


def _source(name: SourceId, table: Table | pd.DataFrame) -> Source:
    try:
        return TableSource(name, table)
    except HeadwaterError as error:
        return _Unreadable(name, error)


def _fault(source: SourceId, zh: str, en: str) -> SourceFault:
    return SourceFault(
        "E-SOURCE-FAULT",
        Message(f"来源“{source}”{zh}。", f"Source {source}: {en}."),
        Message("请检查该来源后重试；其余来源不受影响。", "Examine it and try again; the others are not affected."),
    )


def _no_source(given: object) -> Refusal:
    kind = type(given).__name__
    return Refusal(
        "E-SOURCE-KIND",
        Message(f"{kind} 不是来源。", f"A {kind} is no source."),
        Message("数据表请用 InProcess.of({名称: 表})。", "Give tables as InProcess.of({name: table})."),
    )


def twice(source: SourceId) -> Refusal:
    """Return the refusal of two sources of one name."""
    return Refusal(
        "E-SOURCE-TWICE",
        Message(f"来源“{source}”出现两次。", f"Source {source} stands twice."),
        Message("请给每个来源不同的名称。", "Give every source a name of its own."),
    )
