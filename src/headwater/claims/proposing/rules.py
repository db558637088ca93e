"""How a matched column is read: formats of dates, words for codes, amounts in fen, units; and what stays to decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from headwater.claims.canonical import Field
from headwater.claims.proposing.evidence import Profile, code_of, worded_fields
from headwater.claims.proposing.names import fold, table_rows
from headwater.errors import Message
from headwater.types import Vector

__all__ = ["Rule", "in_fen", "rule", "unknown_words"]

_NUMBERS = ("integer", "quantity", "price", "money", "ratio")
_NEAR = 0.7
_MOSTLY = 0.98
_MOST_WORDS = 60
_FEN_A_DAY = 20_000


@dataclass(frozen=True)
class Rule:
    """Keys of a contract's column, and what whoever reads the draft has to decide."""

    keys: Mapping[str, Any]
    notes: tuple[Message, ...] = ()


def rule(field: Field, seen: Profile, *, fen: bool = False) -> Rule:
    """Return the keys beside ``from`` that make the general reader read this column aright."""
    if field.type in ("date", "time"):
        return _of_dates(seen)
    if field.name in worded_fields():
        return _of_words(field, seen)
    keys: dict[str, Any] = {}
    notes: list[Message] = []
    if field.type in _NUMBERS and seen.units:
        keys["units"] = list(seen.units)
    if field.type == "money" and fen:
        keys["scale"] = 0.01
    if field.type == "ratio" and seen.between(0, 1) < 0.9 * seen.shapes["number"]:
        notes.append(Message("取值大于 1，疑为百分数，读取时会被隔离", "values above 1 look like percentages"))
    return Rule(keys, tuple(notes))


def _of_dates(seen: Profile) -> Rule:
    form = seen.dates
    if form is None or form.format is None:
        return Rule({})
    if not form.ambiguous:
        return Rule({"format": form.format})
    note = Message(
        "无法区分日与月，请确认日期格式", "day and month cannot be told apart in these values: say which is first"
    )
    return Rule({"format": form.format}, (note,))


def _of_words(field: Field, seen: Profile) -> Rule:
    total = sum(seen.values.values())
    known = {word: code for word in seen.values if (code := code_of(field.name, word)) is not None}
    near = {word: code for word in unknown_words(field.name, seen) if (code := _nearest(field.name, word)) is not None}
    share = sum(seen.values[word] for word in (*known, *near)) / total if total else 0.0
    if known and all(word == code for word, code in known.items()):
        # National codes are delivered as they are; whatever else is there stays as it is too.
        other = Message(
            "部分取值不是国家代码，将原样入库", "some values are no national codes and would be loaded as they are"
        )
        return Rule({}, (other,) if share < _MOSTLY else ())
    if not total:
        return Rule({})
    if share < 0.5 or len(seen.values) > _MOST_WORDS:
        return Rule({}, (Message("取值不是已知代码或词，请补 map", "values are no known codes or words: add a map"),))
    notes = [
        Message(f"“{word}”按近似词译为 {code}，请确认", f"{word!r} was read as {code} by likeness: confirm it")
        for word, code in near.items()
    ]
    return Rule({"map": known | near}, (*notes, *_unknown(seen, known | near)))


def unknown_words(name: str, seen: Profile) -> list[str]:
    """Return the delivered words of a coded field that are neither its codes nor known words for them."""
    return [word for word in seen.values if code_of(name, word) is None]


def _unknown(seen: Profile, mapped: Mapping[str, str]) -> tuple[Message, ...]:
    left = {word: times for word, times in seen.values.items() if word not in mapped}
    if not left:
        return ()
    count = sum(left.values())
    zh = f"有 {len(left)} 种取值（{count} 行）没有译法，不补 map 会被隔离"
    en = f"{len(left)} values in {count} rows have no code and will be quarantined unless the map names them"
    return (Message(zh, en),)


def _nearest(name: str, word: str) -> str | None:
    """Return the code whose known word is clearly the most like this one."""
    best: dict[str, float] = {}
    for row in table_rows("words"):
        if row["field"] == name:
            best[row["code"]] = max(
                SequenceMatcher(None, fold(word), fold(known)).ratio() for known in row["words"].split("|")
            )
    ranked = sorted(best.values(), reverse=True)
    if not ranked or ranked[0] < _NEAR or (len(ranked) > 1 and ranked[0] - ranked[1] < 0.1):
        return None
    return max(best, key=lambda code: best[code])


def in_fen(columns: Mapping[str, Profile], *, sibling: bool) -> tuple[bool, tuple[Message, ...]]:
    """Tell whether a table's amounts are whole fen, from its own arithmetic, its days, or a sibling that is.

    Parameters
    ----------
    columns : field → what its column's values say
    sibling : another table of the same source has amounts in fen
    """
    amount = columns.get("det_item_fee_sumamt")
    if amount is not None and "cnt" in columns and "pric" in columns:
        ratio = _median(amount.numbers / _nonzero(columns["cnt"].numbers * columns["pric"].numbers))
        if abs(ratio - 100) < 1:
            return True, ()
        if abs(ratio - 1) < 0.01:
            return False, ()
    money = [columns[name] for name in ("det_item_fee_sumamt", "medfee_sumamt", "fund_pay_sumamt") if name in columns]
    if not money or not all(seen.whole and seen.count >= 5 for seen in money) or _round(money):
        return False, ()
    note = Message("金额全为整数，按分读取；请确认", "all amounts are whole, so they are read as fen: confirm it")
    if sibling:
        return True, ()
    days, total = columns.get("ipt_days"), columns.get("medfee_sumamt")
    if days is not None and total is not None:
        return (True, (note,)) if _median(total.numbers / _nonzero(days.numbers)) > _FEN_A_DAY else (False, ())
    unsure = Message("金额全为整数，请确认单位是元还是分", "all amounts are whole: say whether they are yuan or fen")
    return False, (unsure,)


def _round(money: Sequence[Profile]) -> bool:
    """Tell whether most amounts end in 00, as prices in whole yuan do not and amounts in fen rarely do."""
    known = np.concatenate([seen.numbers[~np.isnan(seen.numbers)] for seen in money])
    return bool(len(known)) and bool((known % 100 == 0).mean() > 0.6)


def _nonzero(numbers: Vector) -> Vector:
    return np.where(numbers == 0, np.nan, numbers)


def _median(numbers: Vector) -> float:
    known = numbers[~np.isnan(numbers)]
    return float(np.median(known)) if len(known) else float("nan")
