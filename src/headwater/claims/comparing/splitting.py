r"""Where a hospital differs from its peers: volume, mix and price, to the fen.

A hospital's cost is a sum of products :math:`\sum_{d,g} N s_d c_{dg}`: stays, share of DRG d, cost a stay of charge
group g. The difference from the average hospital of its level is shared among the factors by Shapley's value of the
product, the mean over all orders in which factors may change (of two factors: Bennet's indicator):

.. math:: \phi_j = \Delta x_j \sum_{S \not\ni j} \frac{|S|!\,(k-|S|-1)!}{k!}
          \prod_{i \in S} x_i \prod_{i \notin S \cup j} y_i

with x the hospital and y its peers. Mix is told against the peers' mean: a DRG that a hospital has more of adds to its
cost only by as much as it is dearer than the mean stay. As shares sum to one, this moves nothing between factors.

Billed items split price further into use (quantity a stay) and price (money a unit).

The difference is an integer of fen: hospital minus the peers' mean hospital, rounded. Parts are found in float64
(relative error 1e-15), floored, and what is left of the integer goes to the largest fractions, so that parts always
sum to it.

Sources: Bennet 1920, J R Stat Soc 83:455; Shapley 1953; Shorrocks 2013, J Econ Inequal 11:99; Hamilton's method of
largest remainders, Balinski and Young 1982.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import factorial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.comparing.cells import PEERS, Cells, Integers, by, cells, coded, exact, money, totals
from headwater.types import Vector

__all__ = ["FACTORS", "GROUPS", "rounded", "share_product", "split", "split_price"]

FACTORS = ("volume", "mix", "price")
GROUPS = ("drug_amount", "consumable_amount", "service_amount")
"""Parts of a stay's cost; what they leave of it is the part ``other``."""


def share_product(own: Sequence[Vector], peers: Sequence[Vector]) -> list[Vector]:
    """Return how much of the difference of two products each factor makes.

    >>> [float(one) for one in share_product([3.0, 5.0], [2.0, 4.0])]
    [4.5, 2.5]
    """
    size = len(own)
    parts = []
    for j in range(size):
        others = [i for i in range(size) if i != j]
        weight = np.zeros_like(np.asarray(own[j], dtype=float))
        for count in range(size):
            share = factorial(count) * factorial(size - count - 1) / factorial(size)
            for chosen in combinations(others, count):
                weight = weight + share * np.prod([own[i] if i in chosen else peers[i] for i in others], axis=0)
        parts.append((own[j] - peers[j]) * weight)
    return parts


def rounded(parts: Vector, total: int) -> Integers:
    """Round parts to integers that sum to ``total``: floors, and the rest to the largest fractions.

    >>> rounded(np.array([1.4, 1.4, 1.2]), 4)
    array([2, 1, 1])
    """
    if not len(parts):
        return np.zeros(0, dtype=np.int64)
    floors = np.floor(parts)
    whole = floors.astype(np.int64)
    rest = total - int(whole.sum())
    each, few = divmod(rest, len(parts))
    whole += each
    whole[np.argsort(-(parts - floors), kind="stable")[:few]] += 1
    return whole


def split(stays: pa.Table, *, groups: Sequence[str] = GROUPS) -> pa.Table:
    """Split every hospital's difference from the average hospital among its peers.

    Parameters
    ----------
    stays : as of `cells`, with the amounts named in ``groups`` (decimals)
    groups : columns whose sum, with ``other``, is medfee_sumamt

    Returns
    -------
    pyarrow.Table
        hospital_id, region, hosp_lv, currency, drg, charge_group, and money of volume, mix and price: a row for each
        DRG that its peers have. All of a hospital's rows and factors sum to its cost minus that of the average
        hospital, rounded to a fen.
    """
    found = cells(stays)
    names = [*groups, "other"]
    total, _ = found.values("medfee_sumamt")
    amounts = [found.values(name)[0] for name in groups]
    amounts.append(total - sum(amounts, np.zeros(len(total), dtype=np.int64)))
    peers, all_peers = coded(found.hospitals, *PEERS)
    # Cells and hospitals stand among the same groups of peers, so both are numbered alike.
    of_cell = coded(found.names, *PEERS)[0]
    tables = [_rows(found, (0, np.array([], dtype=np.int64), names), np.zeros((0, len(names), 3), dtype=np.int64))]
    for group in range(len(all_peers)):
        kinds, hospitals = np.flatnonzero(of_cell == group), np.flatnonzero(peers == group)
        sums = _Sums(found, amounts, kinds)
        for hospital in hospitals.tolist():
            tables.append(_rows(found, (hospital, kinds, names), _parts(sums, hospital, len(hospitals))))
    return pa.concat_tables(tables)


class _Sums:
    """Sums of one group of peers over its K cells and G charge groups."""

    def __init__(self, found: Cells, amounts: Sequence[Integers], kinds: Integers) -> None:
        place = np.full(len(found.names), -1)
        place[kinds] = np.arange(len(kinds))
        rows = np.flatnonzero(place[found.cell] >= 0)
        self.cell, self.hospital, self.size = place[found.cell[rows]], found.hospital[rows], len(kinds)
        self.amounts = [one[rows] for one in amounts]
        self.number, self.cost = self.of(slice(None))

    def of(self, rows: slice | Integers) -> tuple[Integers, Integers]:
        """Return stays (K,) and fen (K, G) of some rows."""
        sums = [totals(self.cell[rows], one[rows], self.size) for one in self.amounts]
        return np.bincount(self.cell[rows], minlength=self.size), np.stack(sums, axis=1)


def _parts(sums: _Sums, hospital: int, hospitals: int) -> Integers:
    """Return the (K, G, 3) parts of a hospital's difference in fen."""
    number, cost = sums.of(np.flatnonzero(sums.hospital == hospital))
    peers_cost = sums.cost / sums.number[:, None]
    # What a hospital never does it does at its peers' price.
    own_cost = np.where(number[:, None] > 0, cost / np.maximum(number, 1)[:, None], peers_cost)
    own_share, peers_share = (one[:, None] / one.sum() for one in (number, sums.number))
    own = [np.full_like(own_cost, number.sum()), np.broadcast_to(own_share, own_cost.shape), own_cost]
    peers_stays = sums.number.sum() / hospitals
    peers = [np.full_like(own_cost, peers_stays), np.broadcast_to(peers_share, own_cost.shape), peers_cost]
    volume, mix, price = share_product(own, peers)
    stays_mean = (number.sum() + peers_stays) / 2
    level = (sums.cost.sum(axis=0) / sums.number.sum())[None, :]
    parts = np.stack([volume, mix - (own_share - peers_share) * stays_mean * level, price], axis=2)
    difference = int(cost.sum()) - _divided(int(sums.cost.sum()), hospitals)
    return rounded(parts.ravel(), difference).reshape(parts.shape)


def _divided(total: int, by_: int) -> int:
    """Return a quotient rounded half up, in integers."""
    return (2 * total + by_) // (2 * by_)


def _rows(found: Cells, place: tuple[int, Integers, list[str]], parts: Integers) -> pa.Table:
    hospital, kinds, names = place
    charge_groups = [one.removesuffix("_amount") for one in names]
    count = len(kinds) * len(names)
    table = found.hospitals.take(pa.array(np.full(count, hospital)))
    table = table.append_column("drg", found.names["drg"].take(pa.array(np.repeat(kinds, len(names)))))
    table = table.append_column("charge_group", pa.array(charge_groups * len(kinds), pa.string()))
    for number, factor in enumerate(FACTORS):
        table = table.append_column(factor, money(parts[:, :, number].ravel()))
    return table


def split_price(stays: pa.Table, lines: pa.Table) -> pa.Table:
    """Split every hospital's difference in cost a stay within DRG into use and price of what it bills.

    Parameters
    ----------
    stays : as of `cells`, with stay_id
    lines : stay_id, item (a national code, or a local one that peers share), cnt (decimal or integer), amount
        (decimal); items that cannot be told apart belong under one name; ``bills`` (integer): how many stays a line
        stands for, 1 where there is no such column

    Returns
    -------
    pyarrow.Table
        hospital_id, region, hosp_lv, currency, drg, item, bills and peers_bills (its own ones counted in), and money
        of use and price: what its stays were billed more or less than the same stays at the peers' means. A hospital's
        rows sum to this difference, rounded to a fen.
    """
    found = cells(stays)
    line_stay = pc.index_in(lines["stay_id"], found.stays["stay_id"].combine_chunks())
    lines, stay = lines.filter(line_stay.is_valid()), line_stay.drop_null().to_numpy().astype(np.int64)
    kind, kinds = coded(pa.table({"cell": found.cell[stay], "item": lines["item"]}), "cell", "item")
    cell = kinds["cell"].to_numpy()
    billed = (kind, lines["cnt"].cast(pa.float64()).to_numpy(), exact(lines["amount"], "amount")[0])
    stands_for = lines["bills"] if "bills" in lines.column_names else pa.array(np.ones(len(lines), np.int64))
    bills = exact(stands_for, "bills")[0]
    all_bills = totals(kind, bills, len(kinds))
    peers = _Billed.of(billed, len(kinds), np.bincount(found.cell, minlength=len(found.names))[cell])
    tables = []
    for hospital, here in enumerate(by(found.hospital[stay], len(found.hospitals))):
        stays_here = np.bincount(found.cell[found.hospital == hospital], minlength=len(found.names))[cell]
        own = _Billed.of((billed[0][here], billed[1][here], billed[2][here]), len(kinds), stays_here)
        rows = np.flatnonzero(stays_here > 0)
        parts = _use_and_price(own.at(rows), peers.at(rows), cell[rows])
        table = found.hospitals.take(pa.array(np.full(len(rows), hospital)))
        table = table.append_column("drg", found.names["drg"].take(pa.array(cell[rows])))
        table = table.append_column("item", kinds["item"].take(pa.array(rows)))
        table = table.append_column("bills", pa.array(totals(kind[here], bills[here], len(kinds))[rows]))
        table = table.append_column("peers_bills", pa.array(all_bills[rows]))
        for place, factor in enumerate(("use", "price")):
            table = table.append_column(factor, money(parts[:, place]))
        tables.append(table)
    return pa.concat_tables(tables)


@dataclass(frozen=True, eq=False)
class _Billed:
    """Quantity, fen and stays of each item in a cell, whether these stays were billed it or not."""

    quantity: Vector
    fen: Integers
    stays: Integers

    @classmethod
    def of(cls, billed: tuple[Integers, Vector, Integers], kinds: int, stays: Integers) -> "_Billed":
        """Sum lines, given as kinds, quantities and fen."""
        kind, count, amount = billed
        quantity = np.asarray(np.bincount(kind, weights=count, minlength=kinds), dtype=np.float64)
        return cls(quantity, totals(kind, amount, kinds), stays)

    def at(self, rows: Integers) -> "_Billed":
        """Return some rows."""
        return _Billed(self.quantity[rows], self.fen[rows], self.stays[rows])


def _use_and_price(own: _Billed, peers: _Billed, cell: Integers) -> Integers:
    """Return the (rows, 2) parts in fen."""
    quantities = [one.quantity / one.stays for one in (own, peers)]
    means = [one.fen / one.stays for one in (own, peers)]
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = [mean / quantity for mean, quantity in zip(means, quantities, strict=True)]
    # What one side never bills, or bills at no net quantity, has no price to compare: it is a matter of use.
    both = np.isfinite(prices[0]) & np.isfinite(prices[1])
    filled = [np.where(both, one, 0.0) for one in prices]
    use, price = share_product([quantities[0], filled[0]], [quantities[1], filled[1]])
    use = np.where(both, use, means[0] - means[1])
    parts = np.stack([use, np.where(both, price, 0.0)], axis=1) * own.stays[:, None].astype(np.float64)
    return rounded(parts.ravel(), int(own.fen.sum()) - _expected(own, peers, cell)).reshape(parts.shape)


def _expected(own: _Billed, peers: _Billed, cell: Integers) -> int:
    """Return what the hospital's stays would have been billed at the peers' means, rounded to a fen."""
    cells_, first, place = np.unique(cell, return_index=True, return_inverse=True)
    fen = totals(place, peers.fen, len(cells_))
    shares = zip(fen, own.stays[first], peers.stays[first], strict=True)
    return round(sum((Fraction(int(sum_) * int(mine), int(all_)) for sum_, mine, all_ in shares), Fraction(0)))
