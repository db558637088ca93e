"""Small cells are not published, and nothing published gives them away.

A two-way table with its margins is a graph: every row and every column is a node, with two more for "all rows" and
"all columns". A cell joins its row and its column, a row's total joins the row and "all rows", a column's total joins
the column and "all columns", and the grand total joins these two. Each node is one equation (parts sum to their
total), so a withheld number can be computed from published ones exactly when it is alone in a cut: a *bridge* of the
withheld edges. Hence each withheld bridge is put on a cycle of withheld edges along the way that costs the fewest
stays.

A node whose withheld cells sum to fewer stays than the least would give away a small group too: further cells join
them.

Sources: Cox 1995, Network models for complementary cell suppression, J Am Stat Assoc 90:1453; Hundepool et al 2012,
Statistical Disclosure Control, ch. 4; Tarjan 1974 (bridges). What is withheld cannot be computed; that a number lies
between bounds can still be told, which is why withheld cells are not few.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse import csgraph

from headwater.claims.comparing.cells import Integers, coded, totals

__all__ = ["LEAST", "Flags", "Suppressed", "bridges", "suppress"]

Flags = npt.NDArray[np.bool_]

LEAST = 10
"""Stays that a published cell has at least."""


@dataclass(frozen=True, eq=False)
class Suppressed:
    """A table that may be published.

    Parameters
    ----------
    table : the cells with ``suppressed``: small, complementary or null; of those nothing but the keys is left
    rows, columns : the margins with ``count`` and ``suppressed``, alike
    total : all stays, null where even that is withheld
    """

    table: pa.Table
    rows: pa.Table
    columns: pa.Table
    total: int | None


def suppress(
    table: pa.Table, *, rows: Sequence[str], columns: Sequence[str], count: str = "stays", least: int = LEAST
) -> Suppressed:
    """Withhold what is small, and as little else as keeps it unknown.

    Parameters
    ----------
    table : a row a cell: keys, the number of stays, and what is said of them
    rows, columns : keys; together they name a cell. Totals of both and of all may be published, of nothing else.
    count : the column with the number of stays
    least : cells and totals of fewer stays, but not of none, are withheld
    """
    row, row_names = coded(table, *rows)
    column, column_names = coded(table, *columns)
    graph = _Graph.of(row, column, table[count].to_numpy().astype(np.int64))
    small = (graph.count > 0) & (graph.count < least)
    hidden = graph.closed(small, least)
    reason = pa.array(np.where(small, "small", "complementary"), type=pa.string(), mask=~hidden)
    size, many = len(table), len(row_names)
    keys = {*rows, *columns}
    shown = {
        name: table[name] if name in keys else _blank(table[name].combine_chunks(), hidden[:size])
        for name in table.column_names
    }
    ends = (size, size + many, len(graph.count) - 1)
    of_rows, of_columns = (
        names.append_column("count", pa.array(graph.count[at:to], mask=hidden[at:to])).append_column(
            "suppressed", reason[at:to]
        )
        for names, at, to in ((row_names, *ends[:2]), (column_names, *ends[1:]))
    )
    total = None if hidden[-1] else int(graph.count[-1])
    return Suppressed(pa.table({**shown, "suppressed": reason[:size]}), of_rows, of_columns, total)


def _blank(values: pa.Array, hidden: Flags) -> pa.Array:
    return pc.if_else(pa.array(hidden), pa.scalar(None, type=values.type), values)


@dataclass(frozen=True, eq=False)
class _Graph:
    """Cells, row totals, column totals and the grand total as edges; nodes are equations."""

    start: Integers
    end: Integers
    count: Integers
    nodes: int
    cells: int

    @classmethod
    def of(cls, row: Integers, column: Integers, count: Integers) -> "_Graph":
        """Build the graph of a table's cells."""
        rows, columns = int(row.max(initial=-1)) + 1, int(column.max(initial=-1)) + 1
        all_rows, all_columns = rows + columns, rows + columns + 1
        start = np.concatenate([row, np.arange(rows), rows + np.arange(columns), [all_rows]])
        end = np.concatenate([rows + column, np.full(rows, all_rows), np.full(columns, all_columns), [all_columns]])
        sums = [totals(row, count, rows), totals(column, count, columns), [count.sum()]]
        return cls(start, end, np.concatenate([count, *sums]).astype(np.int64), rows + columns + 2, len(count))

    def closed(self, small: Flags, least: int) -> Flags:
        """Return which edges are withheld so that none of them can be computed."""
        hidden = small.copy()
        while True:
            bridge = next(iter(self._bridges(hidden)), None)
            if bridge is not None:
                hidden[self._around(bridge, hidden)] = True
                continue
            further = self._further(hidden, least)
            if further is None:
                return hidden
            hidden[further] = True

    def _around(self, bridge: int, hidden: Flags) -> list[int]:
        """Return the edges of the cheapest way from one end of an edge to the other without it."""
        # A withheld edge costs nothing more; a sparse matrix drops a cost of exactly zero.
        cost = np.where(hidden, 1e-6, self.count + 1.0)
        cost[bridge] = np.inf
        pair = np.minimum(self.start, self.end) * self.nodes + np.maximum(self.start, self.end)
        order = np.lexsort((cost, pair))
        best = order[np.unique(pair[order], return_index=True)[1]]
        best = best[np.isfinite(cost[best])]
        matrix = sparse.csr_matrix((cost[best], (self.start[best], self.end[best])), shape=(self.nodes, self.nodes))
        source, target = int(self.start[bridge]), int(self.end[bridge])
        _, before = csgraph.dijkstra(matrix, directed=False, indices=source, return_predecessors=True)
        edge_of = dict(zip(pair[best].tolist(), best.tolist(), strict=True))
        way = []
        while target != source:
            previous = int(before[target])
            way.append(edge_of[min(previous, target) * self.nodes + max(previous, target)])
            target = previous
        return way

    def _further(self, hidden: Flags, least: int) -> int | None:
        """Return the smallest published cell of a row or column whose withheld cells are few, or None."""
        cell = slice(0, self.cells)
        for ends in (self.start[cell], self.end[cell]):
            withheld = totals(ends, np.where(hidden[cell], self.count[cell], 0), self.nodes)
            few = (withheld > 0) & (withheld < least)
            open_ = np.flatnonzero(few[ends] & ~hidden[cell] & (self.count[cell] > 0))
            if len(open_):
                return int(open_[np.argmin(self.count[open_])])
        return None

    def _bridges(self, hidden: Flags) -> list[int]:
        """Return the withheld edges that lie on no cycle of withheld edges."""
        among = np.flatnonzero(hidden)
        return [int(one) for one in among[bridges(self.start[among], self.end[among])]]


def bridges(start: Integers, end: Integers) -> Integers:
    """Return which edges of a graph lie on no cycle (Tarjan 1974); ``start`` and ``end`` are their nodes."""
    nodes, numbered = np.unique(np.concatenate([start, end]), return_inverse=True)
    edges: list[list[tuple[int, int]]] = [[] for _ in nodes]
    for edge, (one, other) in enumerate(numbered.reshape(2, -1).T.tolist()):
        edges[one].append((other, edge))
        edges[other].append((one, edge))
    seen, low, found = [0] * len(nodes), [0] * len(nodes), []
    clock = 0
    for root in range(len(nodes)):
        if seen[root]:
            continue
        clock += 1
        seen[root] = low[root] = clock
        stack = [(root, -1, iter(edges[root]))]
        while stack:
            node, came, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    low[above] = min(low[above], low[node])
                    if low[node] > seen[above]:
                        found.append(came)
            elif step[1] != came:
                if seen[step[0]]:
                    low[node] = min(low[node], seen[step[0]])
                else:
                    clock += 1
                    seen[step[0]] = low[step[0]] = clock
                    stack.append((step[0], step[1], iter(edges[step[0]])))
    return np.array(found, dtype=np.int64)
