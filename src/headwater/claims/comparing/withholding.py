"""Small cells of a table with any number of keys are withheld, though all its totals are published elsewhere.

`suppress` publishes a table together with its own margins and may withhold a margin. Here the margins are other tables
(the same indicator by hospital alone, or in all), so that only cells can be withheld. For each key the table is read as
rows (all other keys) by columns (that key): a cell is an edge, a line is an equation, and what lies on no cycle of
withheld edges can be computed. A cell that can is closed by the cheapest rectangle of cells, or, where there is none,
by the smallest further cells of its two lines.

A line of fewer stays than the least has a total that is withheld in its own table, and the total of a line of one cell
is that cell: neither is an equation. What an indicator of another scope or formula tells by difference is not known
here.

Sources: as of :mod:`headwater.claims.comparing.suppressing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.comparing.cells import Integers, coded, totals
from headwater.claims.comparing.suppressing import LEAST, Flags, bridges
from headwater.errors import Message

__all__ = ["WITHHELD", "withhold"]

WITHHELD: Mapping[str, Message] = {
    "small": Message(f"隐去：不足 {LEAST} 例", f"withheld: fewer than {LEAST} stays"),
    "complementary": Message("隐去：以免由合计推出", "withheld: totals would tell another"),
}
"""Why a cell is withheld, in words."""


def withhold(
    cells: pa.Table, keys: Sequence[str], *, apart: Sequence[str] = (), count: str = "stays", least: int = LEAST
) -> pa.Array:
    """Return which cells are withheld and why: ``small``, ``complementary``, or null for those that may be shown.

    Parameters
    ----------
    cells : a row a cell: ``keys`` and ``apart``, which together name it, and ``count``
    keys : what totals are published over, each by itself
    apart : what is never added up
    least : cells of fewer stays, but not of none, are withheld
    """
    counts = cells[count].to_numpy().astype(np.int64)
    small = (counts > 0) & (counts < least)
    hidden = small.copy()
    if small.any():
        splits = [_Split.of(cells, counts, keys, apart=apart, key=key, least=least) for key in keys]
        # What closes one split may open another; what is withheld only grows, so this ends.
        while any([split.close(hidden) for split in splits]):
            pass
    return pa.array(np.where(small, "small", "complementary"), type=pa.string(), mask=~hidden)


@dataclass(frozen=True, eq=False)
class _Split:
    """The table as rows (all keys but one) by columns (that key).

    Parameters
    ----------
    count : (n,) stays of the cells
    row, column : (n,) their lines
    cell_at : (rows, columns) the number of the cell, -1 where there is none
    is_equation : whether a row, and whether a column, has a total that is published and not a cell itself
    """

    count: Integers
    row: Integers
    column: Integers
    cell_at: npt.NDArray[np.int64]
    is_equation: tuple[Flags, Flags]
    least: int

    @classmethod
    def of(
        cls, cells: pa.Table, counts: Integers, keys: Sequence[str], *, apart: Sequence[str], key: str, least: int
    ) -> "_Split":
        """Read a table so."""
        others = [*apart, *(name for name in keys if name != key)]
        row, rows = coded(cells, *others) if others else _one(cells)
        column, columns = coded(cells, *apart, key)
        cell_at = np.full((len(rows), len(columns)), -1, dtype=np.int64)
        cell_at[row, column] = np.arange(len(cells))
        equations = tuple(
            (totals(line, counts, size) >= least) & (np.bincount(line, minlength=size) > 1)
            for line, size in ((row, len(rows)), (column, len(columns)))
        )
        return cls(counts, row, column, cell_at, (equations[0], equations[1]), least)

    def close(self, hidden: Flags) -> bool:
        """Withhold further cells until nothing withheld can be computed; tell whether there were any."""
        before = int(hidden.sum())
        while True:
            found = int(hidden.sum())
            for bridge in self._bridges(hidden):
                hidden[self._around(bridge, hidden)] = True
            for line in (self.row, self.column):
                hidden[self._few(line, hidden)] = True
            if int(hidden.sum()) == found:
                return found > before

    def _bridges(self, hidden: Flags) -> Integers:
        """Return the withheld cells that can be computed: lines without an equation are one node."""
        among = np.flatnonzero(hidden)
        of_row, of_column = self.is_equation
        start = np.where(of_row[self.row[among]], self.row[among] + 1, 0)
        end = np.where(of_column[self.column[among]], self.column[among] + 1 + len(of_row), 0)
        # What touches no equation, or only one node, is no part of any sum.
        kept = start != end
        return np.asarray(among[kept][bridges(start[kept], end[kept])])

    def _around(self, cell: int, hidden: Flags) -> Integers:
        """Return the cells that close a cycle around a cell at the least cost in stays."""
        row, column = int(self.row[cell]), int(self.column[cell])
        other_rows, other_columns = (np.flatnonzero(one >= 0) for one in (self.cell_at[:, column], self.cell_at[row]))
        other_rows, other_columns = other_rows[other_rows != row], other_columns[other_columns != column]
        if len(other_rows) and len(other_columns):
            corner = self.cell_at[np.ix_(other_rows, other_columns)]
            beside, below = self.cell_at[row, other_columns], self.cell_at[other_rows, column]
            cost = np.where(corner >= 0, self._cost(corner, hidden), np.inf)
            cost += self._cost(beside, hidden)[None, :] + self._cost(below, hidden)[:, None]
            at = np.unravel_index(int(np.argmin(cost)), cost.shape)
            if np.isfinite(cost[at]):
                return np.array([corner[at], beside[at[1]], below[at[0]]])
        return np.concatenate([self._smallest(self.row == row, hidden), self._smallest(self.column == column, hidden)])

    def _cost(self, cells: Integers, hidden: Flags) -> npt.NDArray[np.float64]:
        return np.where(hidden[cells], 0.0, self.count[cells] + 1.0)

    def _smallest(self, line: Flags, hidden: Flags) -> Integers:
        open_ = np.flatnonzero(line & ~hidden & (self.count > 0))
        return np.asarray(open_[np.argsort(self.count[open_], kind="stable")[:1]])

    def _few(self, line: Integers, hidden: Flags) -> Integers:
        """Return the smallest shown cell of each line whose withheld cells are one, or of few stays together."""
        of = self.is_equation[0] if line is self.row else self.is_equation[1]
        sums = totals(line, np.where(hidden, self.count, 0), len(of))
        number = np.bincount(line[hidden], minlength=len(of))
        wanting = of & (number > 0) & ((number < 2) | (sums < self.least))
        open_ = np.flatnonzero(wanting[line] & ~hidden & (self.count > 0))
        open_ = open_[np.lexsort((self.count[open_], line[open_]))]
        return np.asarray(open_[np.unique(line[open_], return_index=True)[1]])


def _one(cells: pa.Table) -> tuple[Integers, pa.Table]:
    """Return the one line of a table of one key."""
    return np.zeros(len(cells), dtype=np.int64), cells.slice(0, 1)
