"""A grouping told in sentences, step by step, in Chinese and English."""

import re
from collections.abc import Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.grouping.facts import checked_table, is_list, is_text
from headwater.claims.grouping.plan import Plan
from headwater.claims.grouping.reasons import REASON_TYPE, REASONS, STATUSES
from headwater.errors import Message, Refusal

__all__ = ["explain"]

_FACTS: Mapping[str, Message] = {
    "SEX": Message("性别", "sex"),
    "AGE_Y": Message("年龄（岁）", "age in years"),
    "AGE_DAYS": Message("年龄（天）", "age in days"),
    "BIRTH_WT_G": Message("出生体重（克）", "birth weight in g"),
    "LOS_DAYS": Message("住院天数", "days of stay"),
    "DSCG_WAY": Message("离院方式", "way of discharge"),
}
_RULE: Mapping[str, Message] = {
    **_FACTS,
    "PDX": Message("主要诊断", "principal diagnosis"),
    "SDX": Message("次要诊断", "another diagnosis"),
    "ANYDX": Message("任一诊断", "any diagnosis"),
    "MAINOP": Message("主要手术", "first operation"),
    "ANYOP": Message("任一手术操作", "any operation"),
    "ALWAYS": Message("无其他条件", "nothing else is asked for"),
    "in": Message("属于", "in"),
    "not": Message("非", "not"),
    "and": Message("且", "and"),
    "or": Message("或", "or"),
}
"""The words of rules; names of lists, marks and numbers stay as they are."""
_WORD = re.compile(r"\w+")
_RULED = ("adrg", "drg")
"""Reasons that tell the rule by which a group took the stay."""


def explain(plan: Plan, grouped: pa.Table) -> pa.Table:
    """Tell every stay why it is where it is.

    Parameters
    ----------
    plan : under which the stays were grouped
    grouped : what ``plan.group`` returned, or some of its rows

    Returns
    -------
    pyarrow.Table
        Row for row ``zh`` and ``en``, lists of sentences: one for each reason, the status last.

    Raises
    ------
    Refusal
        ``E-GROUP-TABLE`` where the table is no grouping.
    """
    grouped = _grouping(grouped)
    names = plan.names
    columns: dict[str, list[list[str]]] = {"zh": [], "en": []}
    for reasons, status in zip(grouped["reasons"].to_pylist(), grouped["status"].to_pylist(), strict=True):
        told = [_sentence(names, reason) for reason in reasons or ()] + [STATUSES[status]]
        columns["zh"].append([message.zh for message in told])
        columns["en"].append([message.en for message in told])
    return pa.table({name: pa.array(told, pa.list_(pa.string())) for name, told in columns.items()})


def _grouping(table: object) -> pa.Table:
    """Return the table if its statuses and reasons are such as a grouping can say, else refuse it."""
    grouped = checked_table(table, ("status", "reasons"))
    types = grouped.schema.field("status").type, grouped.schema.field("reasons").type
    strange = {
        str(type_) for type_, fits in zip(types, (is_text(types[0]), _is_told(types[1])), strict=True) if not fits
    }
    if not strange:
        codes = pc.struct_field(pc.list_flatten(grouped["reasons"]), "code")
        strange |= set(grouped["status"].unique().to_pylist()) - set(STATUSES)
        strange |= set(codes.unique().to_pylist()) - set(REASONS)
    if strange:
        reason = Message("这不是分组结果：{found}。", "This is no grouping: {found}.")
        remedy = Message("请传入 plan.group 的结果。", "Hand in what plan.group returned.")
        found = ", ".join(sorted(map(str, strange)))[:100]
        raise Refusal("E-GROUP-TABLE", reason.format(found=found), remedy)
    return grouped


def _is_told(type_: pa.DataType) -> bool:
    """Tell whether a type is one of lists of reasons."""
    if not is_list(type_) or not pa.types.is_struct(type_.value_type):
        return False
    fields = {field.name: field.type for field in type_.value_type}
    return all(field.name in fields and is_text(fields[field.name]) for field in REASON_TYPE)


def _sentence(names: Mapping[str, str], reason: Mapping[str, str | None]) -> Message:
    words = REASONS[reason["code"] or ""].words
    other = _ruled if reason["code"] in _RULED else partial(_said, names)
    said = [_said(names, reason["detail"] or ""), other(reason["other"] or "")]
    return Message(
        words.zh.format(detail=said[0].zh, other=said[1].zh), words.en.format(detail=said[0].en, other=said[1].en)
    )


def _said(names: Mapping[str, str], text: str) -> Message:
    """Return a code with its name, a fact by its words, anything else as it stands."""
    if text in _FACTS:
        return _FACTS[text]
    shown = f"{text} {names[text]}" if names.get(text) else text
    return Message(shown, shown)


def _ruled(rule: str) -> Message:
    """Return a rule with its words told."""

    def told(language: str) -> str:
        return _WORD.sub(lambda word: getattr(_RULE[word[0]], language) if word[0] in _RULE else word[0], rule)

    return Message(told("zh"), told("en"))
