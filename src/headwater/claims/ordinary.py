"""Texts in ordinary form: most need no cleaning and can show no fault, and Arrow reads them as they stand.

A statement of SQL costs milliseconds before it has read anything, so :mod:`headwater.claims.valuing` hands it only what
is left here. What a text means is said by :mod:`headwater.claims.compiling`; this is a shorter way to the same reading.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.canonical import Field, FieldType
from headwater.claims.contract import ColumnRule

__all__ = ["ordinary"]

_BLANK = re.compile(r"(?i)^(?:null|--?|无|n/a|\\n)$")
_INVISIBLE = r"\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}\x{2066}-\x{2069}\x{feff}\x{fffd}"
_END = rf"[^\x00-\x20\x7f\x{{a0}}\x{{3000}}{_INVISIBLE}]"
# Fifteen digits in a row may name a person; a code of this form is shorter than an identity number.
_DIGITS = r"(?:[0-9\x{ff10}-\x{ff19}][ \x{a0}\x{3000}\x{ff0d}-]*){15}"
_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_SAFE_DAY = "(?:0[1-9]|1[0-9]|2[0-8])"
_TIME = "^[0-9]{{4}}-(?:0[1-9]|1[0-2])-{day}(?: (?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)?$"
_FORMS: dict[FieldType, str] = {
    "text": rf"^{_END}(?:[^{_INVISIBLE}]*{_END})?$",
    "code": "^[0-9A-Z._/-]{1,17}$",
    "integer": "^-?[0-9]{1,11}$",
    "quantity": r"^-?[0-9]{1,11}(?:\.[0-9]{1,4})?$",
    "price": r"^-?[0-9]{1,11}(?:\.[0-9]{1,6})?$",
    "money": r"^-?[0-9]{1,11}(?:\.[0-9]{1,2})?$",
    "ratio": r"^-?[0-9]{1,3}(?:\.[0-9]{1,6})?$",
    "date": _TIME.format(day=_DAY),
    "time": _TIME.format(day=_DAY),
}
_KINDS: dict[FieldType, pa.DataType] = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "quantity": pa.decimal128(18, 4),
    "price": pa.decimal128(18, 6),
    "money": pa.decimal128(18, 2),
    "ratio": pa.decimal128(9, 6),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
}
_PLAIN_WORD = re.compile(r"[0-9A-Z一-鿿._/-]{1,14}")

Mask = npt.NDArray[np.bool_]


def ordinary(
    field: Field, rule: ColumnRule, words: pa.StringArray, *, nulls: Sequence[str], delivered_on: str
) -> tuple[Mask, pa.Array]:
    """Tell which texts are of ordinary form or empty, and read these.

    Returns
    -------
    Which of the texts were read, and over all of them the values, NULL where a text is empty or was not read.
    """
    kind = _KINDS[field.type]
    if rule.values:
        return _mapped(field, rule, words, nulls)
    if rule.format is not None or rule.scale is not None:
        return np.zeros(len(words), dtype=bool), pa.nulls(len(words), kind)
    mask = _of_form(field, rule, words) & ~_matching(words, _BLANK.pattern) & ~_among(words, nulls)
    try:
        values = _cast(words, mask, kind)
    except pa.ArrowInvalid:
        # The 31st of April: days that every month has are read, SQL says what the others are.
        mask &= _matching(words, _TIME.format(day=_SAFE_DAY))
        values = _cast(words, mask, kind)
    outside = _outside(field, values, delivered_on)
    if outside is not None:
        mask &= ~outside
        values = pc.if_else(pa.array(mask), values, pa.scalar(None, kind))
    return mask | _among(words, ("",)), values


def _of_form(field: Field, rule: ColumnRule, words: pa.StringArray) -> Mask:
    mask = _matching(words, _FORMS[field.type])
    if field.type == "text":
        long = pc.greater_equal(pc.utf8_length(words), 15).to_numpy(zero_copy_only=False)
        if long.any():
            mask[long] &= ~_matching(words.filter(pa.array(long)), _DIGITS)
    elif rule.width is not None and rule.width > 1:
        mask &= ~_matching(words, f"^[0-9]{{1,{rule.width - 1}}}$")
    return mask


def _cast(words: pa.StringArray, mask: Mask, kind: pa.DataType) -> pa.Array:
    kept = words if mask.all() else pc.if_else(pa.array(mask), words, pa.scalar(None, pa.string()))
    if pa.types.is_date(kind):
        return kept.cast(pa.timestamp("us")).cast(kind, safe=False)
    return kept.cast(kind)


def _outside(field: Field, values: pa.Array, delivered_on: str) -> Mask | None:
    """Tell which values cannot be, None if all can."""
    if field.type in ("date", "time"):
        day = pa.scalar(delivered_on).cast(pa.date32()).cast(pa.timestamp("us"))
        late = pc.add(day, pa.scalar(86_400_000_000, pa.duration("us"))).cast(values.type)
        early = pa.scalar("1900-01-01").cast(pa.date32()).cast(values.type)
        odd = pc.or_(pc.less(values, early), pc.greater_equal(values, late))
    elif field.low is not None and field.high is not None:
        odd = pc.or_(pc.less(values, field.low), pc.greater(values, field.high))
    else:
        return None
    return pc.fill_null(odd, False).to_numpy(zero_copy_only=False) if pc.any(odd).as_py() else None


def _mapped(field: Field, rule: ColumnRule, words: pa.StringArray, nulls: Sequence[str]) -> tuple[Mask, pa.Array]:
    """Read the texts that the contract maps to a value, as far as they stand there letter by letter."""
    kind = _KINDS[field.type]
    if field.type not in ("text", "code"):
        return np.zeros(len(words), dtype=bool), pa.nulls(len(words), kind)
    plain = {
        old: new
        for old, new in reversed(rule.values)
        if _PLAIN_WORD.fullmatch(old) and _PLAIN_WORD.fullmatch(new) and not _BLANK.match(old) and old not in nulls
    }
    place = pc.index_in(words, pa.array(list(plain), pa.string()))
    values = pa.array(list(plain.values()), pa.string()).take(place)
    return pc.is_valid(place).to_numpy(zero_copy_only=False) | _among(words, ("",)), values


def _matching(words: pa.StringArray, pattern: str) -> Mask:
    # What comes out shares no memory with Arrow and may be written to.
    return np.array(pc.match_substring_regex(words, pattern).to_numpy(zero_copy_only=False), dtype=bool)


def _among(words: pa.StringArray, some: Sequence[str]) -> Mask:
    return np.array(pc.is_in(words, pa.array(some, pa.string())).to_numpy(zero_copy_only=False), dtype=bool)
