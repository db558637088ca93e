"""Why a stay is called extreme, by codes, in Chinese and English."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from headwater.errors import Message

__all__ = ["REASONS", "explain", "reason"]

_GROUPS = {
    "drg": Message("DRG 组", "DRG"),
    "adrg": Message("ADRG 组（DRG 组例数不足）", "ADRG, as its DRG has too few"),
    "mdc": Message("MDC（DRG 与 ADRG 组例数不足）", "MDC, as its DRG and ADRG have too few"),
}

REASONS: Mapping[str, Message] = {
    "rule_high": Message(
        "费用 {amount} 高于同级同{group} {cases} 例的上限 {bound}，为中位数 {usual} 的 {score} 倍。",
        "It cost {amount}: above the limit {bound} of the {cases} stays of its level and {group}, and {score} times "
        "their median of {usual}.",
    ),
    "rule_low": Message(
        "费用 {amount} 低于同级同{group} {cases} 例的下限 {bound}，为中位数 {usual} 的 {score} 倍。",
        "It cost {amount}: below the limit {bound} of the {cases} stays of its level and {group}, and {score} times "
        "their median of {usual}.",
    ),
    "model_high": Message(
        "费用 {amount} 高于按病情预期的 {usual}，超出上限 {bound}（偏离 {score} 个标准差）。",
        "It cost {amount} where {usual} was expected of such a patient: beyond the limit {bound}, {score} standard "
        "deviations off.",
    ),
    "model_low": Message(
        "费用 {amount} 低于按病情预期的 {usual}，低于下限 {bound}（偏离 {score} 个标准差）。",
        "It cost {amount} where {usual} was expected of such a patient: below the limit {bound}, {score} standard "
        "deviations off.",
    ),
    "stay_long": Message(
        "住院 {days} 天，同组中位数 {usual_days} 天。",
        "It lasted {days} days; the median of its group is {usual_days}.",
    ),
    "stay_short": Message(
        "住院 {days} 天，同组中位数 {usual_days} 天。",
        "It lasted {days} days; the median of its group is {usual_days}.",
    ),
    "after_here": Message(
        "出院后 {gap} 天同一人（按标识）在本院再次住院：{other}。",
        "The same person (by token) was admitted here again {gap} days later: {other}.",
    ),
    "after_elsewhere": Message(
        "出院后 {gap} 天同一人（按标识）在本统筹区另一医院住院：{other}。",
        "The same person (by token) was admitted to another hospital of the region {gap} days later: {other}.",
    ),
    "before_here": Message(
        "入院前 {gap} 天同一人（按标识）由本院出院：{other}。",
        "The same person (by token) had left this hospital {gap} days before: {other}.",
    ),
    "before_elsewhere": Message(
        "入院前 {gap} 天同一人（按标识）由本统筹区另一医院出院：{other}。",
        "The same person (by token) had left another hospital of the region {gap} days before: {other}.",
    ),
    "part": Message(
        "{name} {amount}，同组平均 {usual}。", "{name} came to {amount}; the mean of its group is {usual}."
    ),
}
"""By code; what stands in braces is the reason's own."""


def reason(judged: Mapping[str, Any]) -> str:
    """Return the code of a judgement, a row of `judging.COLUMNS`."""
    return f"{judged['method']}_{judged['side']}"


def explain(code: str, values: Mapping[str, Any]) -> Message:
    """Return a reason as a sentence in both languages.

    >>> explain("stay_long", {"days": 40, "usual_days": 7}).en
    'It lasted 40 days; the median of its group is 7.'
    """
    plain = {name: _written(value) for name, value in values.items()}
    group = _GROUPS.get(str(values.get("basis")), Message("组", "group"))
    told = REASONS[code]
    return Message(told.zh.format(group=group.zh, **plain), told.en.format(group=group.en, **plain))


def _written(value: object) -> object:
    """Write money with its fen, and a score with one digit."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:.1f}" if isinstance(value, float) else value
