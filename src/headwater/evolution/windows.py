"""What sources said in a window of periods, kept by merging and subtracting: a tick costs what changed.

A window is a ring: a period stands in the slot of its number modulo the window's length, and what it pushes out is
subtracted. Statistics are whole numbers, so the sum that is kept is, bit for bit, the sum made anew.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from headwater.errors import Message, Refusal
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Said", "Window", "Windows"]


@dataclass(frozen=True)
class Said:
    """What a source says about one period, or takes back.

    Parameters
    ----------
    period : number of the month, or of the week; at least 0
    statistic : in the place of what it said before about this period; None takes that back
    """

    source: SourceId
    period: int
    statistic: Statistic | None


@dataclass(frozen=True, eq=False)
class Window:
    """The newest periods of one source.

    Parameters
    ----------
    slots : (length,) period and statistic, a period in the slot of its number modulo the length; None: silent
    total : the sum of them, None if there are none
    """

    slots: tuple[tuple[int, Statistic] | None, ...]
    total: Statistic | None = None

    @staticmethod
    def empty(length: int) -> "Window":
        """Return a window of ``length`` periods in which nothing was said."""
        return Window((None,) * length)

    @property
    def periods(self) -> tuple[int, ...]:
        """The periods about which something is said, in order."""
        return tuple(sorted(slot[0] for slot in self.slots if slot is not None))

    def put(self, period: int, statistic: Statistic | None) -> "Window":
        """Return the window with ``statistic`` in the place of whatever its slot holds."""
        place = period % len(self.slots)
        before, total = self.slots[place], self.total
        if statistic is not None:
            total = statistic if total is None else total.merge(statistic)
        if before is not None and total is not None:
            total = total.subtract(before[1])
        slots = (*self.slots[:place], None if statistic is None else (period, statistic), *self.slots[place + 1 :])
        return Window(slots, total if any(slot is not None for slot in slots) else None)

    def until(self, newest: int) -> "Window":
        """Return the window that ends with the period ``newest``: what lies a whole length behind it is gone."""
        gone = [slot[0] for slot in self.slots if slot is not None and slot[0] <= newest - len(self.slots)]
        window = self
        for period in gone:
            window = window.put(period, None)
        return window


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of all sources, of one length and all ending with one period.

    Parameters
    ----------
    length : periods in a window, at least 1
    newest : number of the last period that anybody said something about, or that was reached; None before the first
    windows : by source; one that says nothing in its window is not there
    """

    length: int
    newest: int | None = None
    windows: Mapping[SourceId, Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError("a window has at least 1 period")

    @property
    def totals(self) -> dict[SourceId, Statistic]:
        """The sum of each source that said something in its window, by name."""
        found = {source: window.total for source, window in sorted(self.windows.items())}
        return {source: total for source, total in found.items() if total is not None}

    def total(self, source: SourceId) -> Statistic | None:
        """Return the sum of one source; None if it said nothing in its window."""
        window = self.windows.get(source)
        return None if window is None else window.total

    def after(self, said: Iterable[Said]) -> tuple["Windows", frozenset[SourceId]]:
        """Return the windows after some statements, in their order, and the sources whose sums are others now.

        A period after the newest moves all windows on; one that has left the window is refused (``E-WINDOW-PAST``).
        """
        windows, result = dict(self.windows), self
        changed: set[SourceId] = set()
        for one in said:
            newest = one.period if result.newest is None else max(result.newest, one.period)
            if newest != result.newest:
                result, left = replace(result, windows=windows).reach(newest)
                windows, changed = dict(result.windows), changed | left
            result._require_inside(one)
            before = windows.get(one.source, Window.empty(self.length))
            _keep(windows, one.source, before.put(one.period, one.statistic))
            changed.add(one.source)
        result = replace(result, windows=windows)
        return result, frozenset(s for s in changed if self.total(s) != result.total(s))

    def without(self, source: SourceId) -> "Windows":
        """Return the windows as if a source had never said anything."""
        return replace(self, windows={name: window for name, window in self.windows.items() if name != source})

    def reach(self, newest: int) -> tuple["Windows", frozenset[SourceId]]:
        """Return the windows that end with ``newest``, and the sources of which something left."""
        if self.newest is not None and newest < self.newest:
            raise _past(f"{newest}", newest, self.newest)
        windows, changed = dict(self.windows), set()
        for source, window in self.windows.items():
            shorter = window.until(newest)
            if shorter is not window:
                _keep(windows, source, shorter)
                changed.add(source)
        return Windows(self.length, newest, windows), frozenset(changed)

    def to_table(self, sources: Iterable[SourceId] | None = None) -> pa.Table:
        """Return one row a statement: ``source``, ``period``, ``statistic`` as its message; sums follow from these.

        Parameters
        ----------
        sources : only theirs, e.g. those that changed; by default all
        """
        rows = list(self._rows(sorted(self.windows if sources is None else sources)))
        names = ("source", "period", "statistic")
        columns = [[row[place] for row in rows] for place in range(len(names))]
        kinds = (pa.string(), pa.int64(), pa.binary())
        return pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], names=list(names))

    @staticmethod
    def of_table(table: pa.Table, *, length: int, newest: int | None = None) -> "Windows":
        """Return the windows whose rows ``to_table`` gave, in whatever order they come back.

        Parameters
        ----------
        newest : the period that the windows had reached, where that is after all rows
        """
        columns = (table.column(name).to_pylist() for name in ("source", "period", "statistic"))
        rows = sorted(zip(*columns, strict=True))
        said = [Said(source, period, Statistic.from_bytes(message)) for source, period, message in rows]
        reached = max([one.period for one in said] + ([] if newest is None else [newest]), default=None)
        return Windows(length, reached).after(said)[0]

    def _rows(self, sources: Iterable[SourceId]) -> Iterator[tuple[SourceId, int, bytes]]:
        for source in sources:
            slots = self.windows[source].slots if source in self.windows else ()
            for period, statistic in sorted((slot for slot in slots if slot is not None), key=lambda slot: slot[0]):
                yield source, period, statistic.to_bytes()

    def _require_inside(self, one: Said) -> None:
        if self.newest is not None and not max(0, self.newest - self.length + 1) <= one.period:
            raise _past(one.source, one.period, self.newest)


def _keep(windows: dict[SourceId, Window], source: SourceId, window: Window) -> None:
    if window.total is None:
        windows.pop(source, None)
    else:
        windows[source] = window


def _past(what: str, period: int, newest: int) -> Refusal:
    return Refusal(
        "E-WINDOW-PAST",
        Message(
            f"{what}：第 {period} 期早于窗口，窗口已到第 {newest} 期。",
            f"{what}: period {period} lies before a window that ends with {newest}.",
        ),
        Message("请用更长的窗口重建。", "Build windows anew that reach further back."),
    )
