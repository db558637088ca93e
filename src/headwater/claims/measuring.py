"""Measuring: how many pieces and how much of the active substance one billed unit holds, by its specification.

A specification is factors joined by ``*``: what one piece holds (``0.25g``, ``100ml:0.9g``, ``400万单位``) and how
pieces are packed (``24粒/盒``, ``7片*2板/盒``). The billed unit tells how many of these factors a price is for. What
cannot be read without guessing is unknown, with the reason.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from headwater.claims.coding.tables import rows
from headwater.errors import Message

__all__ = ["REASONS", "Measure", "measure", "scaled"]

REASONS = {
    "no_spec": Message("没有规格", "there is no specification"),
    "no_unit": Message("没有计价单位", "there is no price unit"),
    "unread": Message("规格无法读懂", "the specification cannot be read"),
    "no_pack": Message("规格未写明每个计价单位的数量", "the specification does not say how many a price unit holds"),
    "other_unit": Message("计价单位与规格不符", "the price unit is not one of the specification's"),
    "no_amount": Message("规格中没有含量", "the specification names no amount"),
    "several_amounts": Message("规格中有多个含量，不知以哪个为准", "the specification names several amounts"),
}
"""Why something is unknown."""

_OF = {"mg": "mg", "ml": "ml", "iu": "IU", "pct": "%"}
_MEASURES = {
    row["word"]: (_OF[row["dimension"]], Decimal(row["factor"])) for row in rows("units") if row["dimension"] in _OF
}
"""Unit as written, in lower case → what it measures, and how many of its unit that is."""

_PIECES = tuple(row["word"] for row in rows("pieces") if "piece" in row["roles"].split("|"))
_PACKS = tuple(row["word"] for row in rows("pieces") if "pack" in row["roles"].split("|"))
_HOLDING = ("包", "袋", "瓶")
"""Words for a piece that may hold others, as a pack of gauze does."""
_SINGLE = ("片", "粒", "丸", "颗", "s")
"""Pieces that never hold others."""
_LENGTHS = ("mm", "cm", "m", "μm", "um", "fr", "号", "孔", "钉", "m2")
"""Sizes of a thing, which say nothing about how many there are."""

_SEMISOLID = ("膏", "凝胶", "栓", "散", "霜", "软膏", "乳膏", "糊", "搽")
"""Forms whose second mass is that of the base: 0.2g:20g of a gel."""

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_KNOWN = sorted({*_MEASURES, *_PIECES, *_PACKS, *_LENGTHS}, key=len, reverse=True)
_PART = re.compile(rf"{_NUMBER}({'|'.join(map(re.escape, _KNOWN))})?")
_PER = re.compile(rf"/({'|'.join(map(re.escape, sorted({*_PIECES, *_PACKS, 'ml', '毫升'}, key=len, reverse=True)))})")
_TIMES = str.maketrans({"×": "*", "x": "*", "✕": "*", "∗": "*", "·": "*", "，": "*", ",": "*", "、": "*", "：": ":"})
_MOST_PIECES = 100_000
_LONGEST = 200


@dataclass(frozen=True)
class Measure:
    """What one billed unit holds.

    Parameters
    ----------
    pieces : smallest pieces (tablets, vials, bags …); None where unknown
    piece : the word for one
    amount : of the active substance in mg or IU, or the volume in ml where nothing else is told; None where unknown
    unit : of the amount: mg, IU or ml
    reason, amount_reason : why pieces or amount are unknown, a key of :data:`REASONS`; empty where they are known
    """

    pieces: Decimal | None = None
    piece: str = ""
    amount: Decimal | None = None
    unit: str = ""
    reason: str = ""
    amount_reason: str = ""


@dataclass(frozen=True)
class _Factor:
    """One factor: measures of a piece, or a count with its word and what holds that many."""

    measures: tuple[tuple[str, Decimal], ...] = ()
    count: Decimal | None = None
    word: str = ""
    per: str = ""


class _Unread(Exception):
    """The specification is none of the known shapes."""


@lru_cache(maxsize=65536)
def measure(spec: str | None, unit: str | None, *, kind: str = "drug", form: str | None = None) -> Measure:
    """Tell what one billed ``unit`` of an item with this specification holds.

    >>> measure("0.25g*24粒/盒", "盒")
    Measure(pieces=Decimal('24'), piece='粒', amount=Decimal('6000.00'), unit='mg', reason='', amount_reason='')
    >>> measure("10mg×7片×2板/盒", "片").amount
    Decimal('10')
    >>> measure("100ml:0.9g", "盒").reason
    'no_pack'

    Parameters
    ----------
    kind : of the item; only drugs have an amount, and a service is billed by its own unit
    form : dosage form, which tells the active substance from the base of a gel
    """
    billed = _plain(unit)
    if not billed:
        return Measure(reason="no_unit", amount_reason="no_unit")
    # A service is billed by its own unit, and a device by the piece whatever its model is called.
    if kind != "drug" and (kind != "consumable" or billed in _PIECES and billed not in _HOLDING):
        return Measure(pieces=Decimal(1), piece=billed, amount_reason="no_amount")
    text = _plain(spec)
    if not text:
        return Measure(reason="no_spec", amount_reason="no_spec")
    try:
        factors = [_factor(part) for part in text.split("*") if part] if len(text) <= _LONGEST else []
    except _Unread:
        factors = []
    if not factors:
        return Measure(reason="unread", amount_reason="unread")
    pieces, piece, reason = _pieces(factors, billed)
    if pieces is not None and pieces > _MOST_PIECES:
        return Measure(reason="unread", amount_reason="unread")
    if kind == "consumable":
        return Measure(pieces, piece, reason=reason, amount_reason="no_amount")
    amount, of, amount_reason = _amount(factors, form or "")
    if pieces is None or amount is None:
        return Measure(pieces, piece, reason=reason, amount_reason=amount_reason or reason)
    return Measure(pieces, piece, amount * pieces, of)


def scaled(amount: Decimal, unit: str) -> tuple[Decimal, str] | None:
    """Return an amount in mg, ml or IU, as a reference states it in another unit; None for an unknown unit."""
    known = _MEASURES.get(_plain(unit))
    return (amount * known[1], known[0]) if known and known[0] != "%" else None


def _plain(text: str | None) -> str:
    folded = unicodedata.normalize("NFKC", text or "").lower().translate(_TIMES).replace("µ", "μ")
    # Words in brackets without a digit say how it is wrapped: (铝塑板).
    return re.sub(r"\([^()0-9]*\)|\s|每[支片粒丸袋瓶包](?=[0-9])", "", folded)


def _factor(text: str) -> _Factor:
    """Read one factor; letters and words around it that are no number's unit say nothing about how much there is."""
    per = [found[1] for found in _PER.finditer(text)]
    parts = list(_PART.finditer(_PER.sub("", text)))
    numbers = len(re.findall(r"[0-9]+(?:\.[0-9]+)?", _PER.sub("", text)))
    if not parts or numbers != len(parts) or len(per) > 1:
        raise _Unread
    units = [found[2] or "" for found in parts]
    values = [Decimal(found[1]) for found in parts]
    if min(values) <= 0:
        raise _Unread
    rest = _PART.sub("", _PER.sub("", text)).replace(":", "").replace("/", "")
    if all(unit in _MEASURES for unit in units):
        if rest or "/" in _PER.sub("", text):
            raise _Unread
        measures = tuple((_MEASURES[u][0], value * _MEASURES[u][1]) for u, value in zip(units, values, strict=True))
        if per and per[0] in ("ml", "毫升"):
            if len(measures) > 1 or measures[0][0] not in ("mg", "IU"):
                raise _Unread
            return _Factor(((f"{measures[0][0]}/ml", measures[0][1]),))
        return _Factor(measures, per=per[0] if per else "")
    if len(parts) == 1 and (units[0] in _PIECES or units[0] in _PACKS or not units[0]):
        # Words beside a count say what the pieces look like; any other sign may mean another number.
        if values[0] != values[0].to_integral_value() or not re.fullmatch(r"[\w()]*" if units[0] else "", rest):
            raise _Unread
        return _Factor(count=values[0], word=units[0], per=per[0] if per else "")
    if all(unit in _LENGTHS for unit in units):
        return _Factor()
    raise _Unread


def _pieces(factors: Sequence[_Factor], billed: str) -> tuple[Decimal | None, str, str]:
    """Return how many pieces a billed unit holds, the word for one, or the reason why nobody knows."""
    counts = [factor for factor in factors if factor.count is not None]
    held = next((factor.per for factor in factors if factor.measures and factor.per), "")
    piece = held or next((factor.word for factor in counts if factor.word), "")
    if not counts or billed == piece:
        # What holds one measure is one piece: a vial of 0.9g:100ml.
        return (Decimal(1), billed, "") if billed == piece or billed in _PIECES else (None, "", "no_pack")
    total = Decimal(1)
    for place, factor in enumerate(counts):
        # 7片*2板/盒: two strips of seven; a strip holds what stands before it.
        if place and factor.word == billed:
            return total, piece, ""
        total *= factor.count or 1
        if factor.per == billed:
            return total, piece, ""
    last = counts[-1]
    unnamed = not last.per and billed in _PACKS and last.word != billed
    if not piece:
        # 0.25g*24: a tablet is one of them, a box holds all of them, and of a vial nobody knows.
        if billed in _SINGLE:
            return Decimal(1), billed, ""
        return (total, "", "") if unnamed and billed in ("盒", "板", "瓶") else (None, "", "other_unit")
    return (total, piece, "") if unnamed else (None, "", "other_unit")


def _amount(factors: Sequence[_Factor], form: str) -> tuple[Decimal | None, str, str]:
    """Return what one piece holds and in which unit, or the reason why nobody knows."""
    told = [measured for factor in factors for measured in factor.measures]
    by = {what: [value for known, value in told if known == what] for what in ("mg", "IU", "ml", "%", "mg/ml", "IU/ml")}
    if not told:
        return None, "", "no_amount"
    if len(by["ml"]) > 1 or len(by["%"]) > 1 or len(by["IU"]) > 1 or (by["mg"] and by["IU"]):
        return None, "", "several_amounts"
    for unit in ("mg", "IU"):
        if by[f"{unit}/ml"] and by["ml"] and len(told) == 2:
            return by[f"{unit}/ml"][0] * by["ml"][0], unit, ""
    if by["mg/ml"] or by["IU/ml"]:
        return None, "", "several_amounts" if len(told) > 1 else "no_amount"
    if by["%"] and not by["IU"]:
        return _of_percent(by["%"][0], by["mg"], by["ml"])
    if len(by["mg"]) == 2 and any(word in form for word in _SEMISOLID):
        return min(by["mg"]), "mg", ""
    if len(by["mg"]) > 1:
        return None, "", "several_amounts"
    unit = next(what for what in ("mg", "IU", "ml") if by[what])
    return by[unit][0], unit, ""


def _of_percent(
    percent: Decimal, mass: Sequence[Decimal], volume: Sequence[Decimal]
) -> tuple[Decimal | None, str, str]:
    if len(mass) + len(volume) == 1:
        # Grams in 100 ml of a solution, or in 100 g of an ointment.
        return (percent * volume[0] * 10 if volume else percent * mass[0] / 100), "mg", ""
    if len(mass) == len(volume) == 1 and percent * volume[0] * 10 == mass[0]:
        return mass[0], "mg", ""
    return None, "", "several_amounts"
