"""Choose where sources told their own values and nothing else is known: no set of them was ever tried."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from headwater.errors import Message
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import Budget, Selection, Valuation, select
from headwater.valuation.selection.certificate import Certificate
from headwater.valuation.selection.returns import Returns

__all__ = ["choose_told"]

_UNKNOWN = math.nan
_NOT_TRIED = Returns(_UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, False)
_UNITS = {"sources": "家", "bytes": "字节", "epsilon": "ε", "money": "元"}


def choose_told(valuation: Valuation, budget: Budget, *, rng: np.random.Generator) -> Selection:
    """Return those whose told values sum to most within the budget; nobody whose interval reaches 0.

    Of many sources some seem sure by chance: intervals are widened until all hold at once (Bonferroni).

    What a set of them gives is not known: sources that hold the same add less together than each alone. So there are
    no gains, no utility (NaN), no bound (infinite) and no test of returns (NaN).
    """
    valuation = _at_once(valuation)
    costs = dict(zip(valuation.players, budget.of(valuation.players).tolist(), strict=True))
    sure = [source for source, low in zip(valuation.players, valuation.low, strict=True) if low > 0]
    payable = [source for source in sure if costs[source] <= budget.limit]
    chosen = _best(valuation, payable, budget, rng) if payable else ()
    return Selection(
        chosen=chosen,
        gains=(),
        utility=_UNKNOWN,
        cost=float(sum(costs[source] for source in chosen)),
        certificate=Certificate(math.inf, _proof(valuation, sure), False),
        algorithm="told values",
        returns=_NOT_TRIED,
        reasons={
            source: _reason(valuation, source, source in chosen, f"{costs[source]:g}", budget.unit)
            for source in valuation.players
        },
    )


def _at_once(valuation: Valuation) -> Valuation:
    """Return the valuation with intervals that hold 95 % for all sources together."""
    wider = stats.norm.ppf(1 - 0.025 / len(valuation.players)) / stats.norm.ppf(0.975)
    values = valuation.values
    return replace(
        valuation, low=values - wider * (values - valuation.low), high=values + wider * (valuation.high - values)
    )


def _best(
    valuation: Valuation, sources: Sequence[SourceId], budget: Budget, rng: np.random.Generator
) -> tuple[SourceId, ...]:
    told = valuation.values[[valuation.players.index(source) for source in sources]]

    def summed(coalitions: Masks) -> Vector:
        return np.asarray(coalitions @ told)

    return select(summed, sources, budget=budget, rng=rng).chosen


def _proof(valuation: Valuation, sure: Sequence[SourceId]) -> Message:
    if sure:
        return Message(
            "只知道各来源自报的价值，没有试过任何组合，离最优多远无从得知",
            "only what each source told of itself is known and no set was tried: how far the best is, nobody knows",
        )
    reach = float(np.max(valuation.high - valuation.low)) / 2
    return Message(
        f"所有来源的价值区间都含 0（不确定度 ±{reach:.3g}，最大价值 {valuation.values.max():+.3g}）："
        "不确定度（含噪声）盖过了价值，无法判断任何来源有用，故一个也不选",
        f"the interval of every source reaches 0 (doubt ±{reach:.3g}, largest value {valuation.values.max():+.3g}): "
        "doubt, noise included, drowns the values; no source can be told from nothing and none is chosen",
    )


def _reason(valuation: Valuation, source: SourceId, is_chosen: bool, cost: str, unit: str) -> Message:
    place = valuation.players.index(source)
    value, low, high = (float(of[place]) for of in (valuation.values, valuation.low, valuation.high))
    zh = f"自报价值 {value:+.4f}（全部来源同时成立的区间 {low:+.4f} … {high:+.4f}）"
    en = f"its own told value is {value:+.4f} ({low:+.4f} … {high:+.4f}, all sources at once)"
    if is_chosen:
        return Message(
            f"选入：{zh}，占用 {cost} {_UNITS.get(unit, unit)}；与其他来源合用时的增益不得而知。",
            f"Chosen: {en}, for {cost} {unit}; what it adds to the others is not known.",
        )
    if high < 0:
        return Message(f"未选：{zh}，整体低于 0。", f"Left out: {en}, wholly below 0.")
    if low <= 0:
        return Message(f"未选：{zh}，与 0 无法区分。", f"Left out: {en}, which cannot be told from 0.")
    return Message(f"未选：预算已用于自报价值更高的来源；{zh}。", f"Left out: the budget went to others; {en}.")
