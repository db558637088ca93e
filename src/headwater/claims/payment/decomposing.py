"""Why payments changed between two periods and two policies: volume, mix, price and policy, exact to the fen.

Within a group of stays (a hospital, or the whole region) a cell (such as a DRG at a level and insurance type) is paid

    number of stays × the cell's share of them × mean payment of the cell (stays of a period, under a policy)

so four things can change: the number (volume), the share (mix), the stays inside the cell (price: what they cost, how
they ended) and the policy. Taken in turn, the effect of each depends on the turn; each is given the mean over all 24
orders, its Shapley value, the only rule that is symmetric and leaves no rest. With two factors that is Bennet's rule.
A cell that is empty in one period has no mean there: the other period's mean stands, and all is volume and mix.

Effects are rationals over one denominator a cell, computed in unbounded integers and made whole fen by largest
remainders, so that the four parts of every cell, and therefore of everything summed from cells, add up exactly.

References
----------
Shapley, L. S. (1953). A value for n-person games. Contributions to the Theory of Games II, 307–317.
Shorrocks, A. F. (2013). Decomposition procedures for distributional analysis: a unified framework based on the Shapley
    value. Journal of Economic Inequality 11, 99–126.
Dietzenbacher, E., Los, B. (1998). Structural decomposition techniques. Economic Systems Research 10(4), 307–324.
Bennet, T. L. (1920). The theory of measurement of changes in cost of living. J. Royal Statistical Society 83, 455–462.
"""

from collections.abc import Sequence
from datetime import date
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.repeats import group_sums
from headwater.claims.payment.what_if import WhatIf
from headwater.errors import Message, Refusal

__all__ = ["EFFECTS", "Period", "decompose", "summed"]

Period: TypeAlias = tuple[date, date]
"""First and last day of discharge, both included."""

EFFECTS = ("volume", "mix", "price", "policy")
_WEIGHT = (6, 2, 2, 6)
_ORDERS = 24
Whole = npt.NDArray[np.object_]
"""Integers without bounds."""


def decompose(
    compared: WhatIf,
    first: Period,
    second: Period,
    *,
    within: Sequence[str] = (),
    cells: Sequence[str] = ("hosp_lv", "insutype", "drg"),
    amount: Literal["payable", "fund", "self_pay"] = "fund",
) -> pa.Table:
    """Return what changed from the first period under the one policy to the second under the other, a row a cell.

    Parameters
    ----------
    compared : the stays of both periods priced under both policies; they need ``endtime``
    within : columns whose values are decomposed each for itself, such as ``hospital_id``; none: the region as a whole
    cells : columns that make up the mix

    Returns
    -------
    pyarrow.Table
        ``*within, *cells, stays_before, stays_after, before_fen, after_fen, change_fen, volume_fen, mix_fen,
        price_fen, policy_fen``; the last four add up to the change in every row

    Raises
    ------
    Refusal
        ``E-PAYMENT-COLUMN`` when the stays have no date of discharge
    """
    keys = [*within, *(key for key in cells if key not in within)]
    table = _by_cell(compared, (first, second), keys, amount)
    stays = [_whole(table[f"stays_{side}"]) for side in (0, 1)]
    paid = [[_whole(table[f"paid_{side}_{policy}"]) for policy in (0, 1)] for side in (0, 1)]
    groups = _numbers(table, within)
    effects = _effects(stays, [group_sums(groups, one.astype(np.int64)).astype(object) for one in stays], paid)
    columns = {key: table[key] for key in keys}
    columns |= {"stays_before": table["stays_0"], "stays_after": table["stays_1"]}
    columns |= {"before_fen": table["paid_0_0"], "after_fen": table["paid_1_1"]}
    columns["change_fen"] = pc.subtract(columns["after_fen"], columns["before_fen"])
    whole = {f"{name}_fen": pa.array(one.astype(np.int64)) for name, one in zip(EFFECTS, effects, strict=True)}
    return pa.table({**columns, **whole})


def summed(decomposed: pa.Table, *keys: str) -> pa.Table:
    """Return the rows of :func:`decompose` added up by some of their columns; without any, one row."""
    amounts = [name for name in decomposed.column_names if name.endswith("_fen") or name.startswith("stays_")]
    table = decomposed.group_by(list(keys)).aggregate([(name, "sum") for name in amounts])
    return table.rename_columns([name.removesuffix("_sum") for name in table.column_names])


def _by_cell(compared: WhatIf, periods: tuple[Period, Period], keys: list[str], amount: str) -> pa.Table:
    """Return stays and payments of each cell: ``stays_<period>``, ``paid_<period>_<policy>``."""
    totals = compared.before.totals
    if "endtime" not in totals.column_names:
        raise Refusal(
            "E-PAYMENT-COLUMN",
            Message("分解变化需要出院日期列 endtime。", "To decompose a change the stays need the column endtime."),
            Message("在住院表中提供它。", "Give it in the table of stays."),
        )
    ended = totals["endtime"].cast(pa.date32(), safe=False)
    columns = {key: totals[key] for key in keys}
    for side, (begin, end) in enumerate(periods):
        inside = pc.and_(pc.greater_equal(ended, pa.scalar(begin)), pc.less_equal(ended, pa.scalar(end)))
        columns[f"stays_{side}"] = pc.fill_null(inside.cast(pa.int64()), 0)
        for policy, priced in enumerate((compared.before, compared.after)):
            columns[f"paid_{side}_{policy}"] = pc.multiply(priced.totals[f"{amount}_fen"], columns[f"stays_{side}"])
    names = [name for name in columns if name not in keys]
    table = pa.table(columns).group_by(keys).aggregate([(name, "sum") for name in names])
    table = table.rename_columns([name.removesuffix("_sum") for name in table.column_names])
    kept = pc.greater(pc.add(table["stays_0"], table["stays_1"]), 0)
    return table.filter(kept).sort_by([(key, "ascending") for key in keys])


def _numbers(table: pa.Table, keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the number of each row's group."""
    number = np.zeros(len(table), np.int64)
    for key in keys:
        places = pc.dictionary_encode(table[key].combine_chunks(), null_encoding="encode").indices.to_numpy()
        number = np.unique(number * (int(places.max(initial=0)) + 1) + places, return_inverse=True)[1].astype(np.int64)
    return number


def _whole(column: pa.ChunkedArray) -> Whole:
    return np.asarray(column.to_numpy(), dtype=np.int64).astype(object)


def _effects(stays: list[Whole], total: list[Whole], paid: list[list[Whole]]) -> list[Whole]:
    """Return the four effects of each cell in whole fen."""
    one_or = [np.where(count > 0, count, 1) for count in stays]
    all_or = [np.where(count > 0, count, 1) for count in total]
    # Over the common denominator total₀·total₁·stays₀·stays₁; what one period does not know stands as in the other.
    share = [np.where(total[b] > 0, stays[b] * all_or[1 - b], stays[1 - b] * all_or[b]) for b in (0, 1)]
    mean = [
        [np.where(stays[g] > 0, paid[g][p] * one_or[1 - g], paid[1 - g][p] * one_or[g]) for p in (0, 1)] for g in (0, 1)
    ]
    value: dict[tuple[int, ...], Whole] = {
        (v, m, g, p): total[v] * share[m] * mean[g][p] for v, m, g, p in product((0, 1), repeat=4)
    }
    numerators = [_shapley(value, player) for player in range(len(EFFECTS))]
    denominator = _ORDERS * all_or[0] * all_or[1] * one_or[0] * one_or[1]
    return _allocated(numerators, denominator)


def _shapley(value: dict[tuple[int, ...], Whole], player: int) -> Whole:
    """Return 24 times a player's value in the game of four."""
    effect: Any = 0
    for others in product((0, 1), repeat=len(EFFECTS) - 1):
        with_, without = ((*others[:player], bit, *others[player:]) for bit in (1, 0))
        effect = effect + _WEIGHT[sum(others)] * (value[with_] - value[without])
    return np.asarray(effect, dtype=object)


def _allocated(numerators: list[Whole], denominator: Whole) -> list[Whole]:
    """Return whole numbers that add up to the whole sum: rounded down, the rest to the largest remainders."""
    floors = np.stack([one // denominator for one in numerators])
    rests = np.stack(numerators) - floors * denominator
    short = rests.sum(axis=0) // denominator
    rank = np.argsort(np.argsort(-rests, axis=0, kind="stable"), axis=0, kind="stable")
    return list(floors + (rank < short))
