"""What a column's values say: their shapes, and how well they fit a canonical field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from headwater.claims.canonical import Field
from headwater.claims.proposing.dates import DateForm, date_form
from headwater.claims.proposing.names import fold, table_rows
from headwater.types import Vector

__all__ = ["Fit", "Profile", "code_of", "fit", "folded", "profile", "worded_fields"]

_BLANK = {"", "NULL", "-", "--", "无", "N/A", "\\N"}
_FULL = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " ", ord("￥"): "¥"}
_NUMBER = re.compile(r"[¥$]?[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?%?")
_UNIT = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*([^\d\s.,%]{1,6})")
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](?:\.?[0-9xX+*/A-Z]{0,8})?")
_ICD9_OPERATION = re.compile(r"\d{2}\.\d{1,4}(?:x\d{2,4})?[A-Za-z]?\d{0,3}")
_PERSON = re.compile(r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]")
_MOBILE = re.compile(r"1[3-9]\d[\d*]{8}|0\d{2,3}-?\d{7,8}")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LICENCE = re.compile(r".*(?:国药准字|注准|械备|准字|注进|许准).*")


@dataclass(frozen=True)
class Profile:
    """Shapes of a column's filled values, as shares from 0 to 1 unless said otherwise.

    Parameters
    ----------
    count : values, empty ones included
    filled : share that is not empty
    distinct : different values per filled value
    values : the different filled values with how often each comes, most frequent first
    numbers : the numbers among them in their order, NaN elsewhere
    units : words after numbers, e.g. ``盒``
    """

    count: int
    filled: float
    distinct: float
    values: Mapping[str, int]
    numbers: Vector
    shapes: Mapping[str, float]
    dates: DateForm | None
    units: tuple[str, ...] = ()
    length: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether every number is whole."""
        known = self.numbers[~np.isnan(self.numbers)]
        return bool(len(known)) and bool((known == np.round(known)).mean() > 0.98)

    def between(self, low: float, high: float) -> float:
        """Share of the filled values that are numbers within bounds."""
        known = self.numbers[~np.isnan(self.numbers)]
        share = float(((known >= low) & (known <= high)).mean()) if len(known) else 0.0
        return share * self.shapes["number"]


@dataclass(frozen=True)
class Fit:
    """How values fit a field.

    Parameters
    ----------
    fits : 0 where they cannot be this field, 1 where nothing speaks against it
    tells : 0 where any text would fit as well, 1 where only this field looks so
    """

    fits: float
    tells: float = field(default=0.0)


def folded(cell: str) -> str:
    """Return a cell as the general reader takes it: half width, trimmed, words for "empty" made empty."""
    plain = cell.translate(_FULL).strip()
    return "" if plain.upper() in _BLANK else plain


def profile(cells: Sequence[str]) -> Profile:
    """Look at the cells of one column."""
    plain = [folded(cell) for cell in cells]
    filled = [cell for cell in plain if cell]
    counted: dict[str, int] = {}
    for cell in filled:
        counted[cell] = counted.get(cell, 0) + 1
    values = dict(sorted(counted.items(), key=lambda item: -item[1]))
    numbers, units = _numbers(plain)
    n = max(len(filled), 1)
    shapes = {
        name: sum(times for value, times in values.items() if pattern.fullmatch(value)) / n
        for name, pattern in (
            ("number", _NUMBER), ("icd10", _ICD10), ("operation", _ICD9_OPERATION), ("person", _PERSON),
            ("mobile", _MOBILE), ("licence", _LICENCE),
        )
    }  # fmt: skip
    shapes["number"] = float((~np.isnan(numbers)).sum()) / n
    shapes["spaced"] = sum(times for value, times in values.items() if value.count(" ") > 1) / n
    shapes["han"] = sum(times for value, times in values.items() if _HAN.search(value)) / n
    return Profile(
        count=len(cells),
        filled=len(filled) / max(len(cells), 1),
        distinct=len(values) / n,
        values=values,
        numbers=numbers,
        shapes=shapes,
        dates=date_form(filled),
        units=units,
        length=sum(len(cell) for cell in filled) / n,
    )


def _numbers(cells: Sequence[str]) -> tuple[Vector, tuple[str, ...]]:
    numbers, units = np.full(len(cells), np.nan), dict[str, int]()
    for place, cell in enumerate(cells):
        text = cell
        if not _NUMBER.fullmatch(cell) and (match := _UNIT.fullmatch(cell)):
            text = match[1]
            units[match[2]] = units.get(match[2], 0) + 1
        if _NUMBER.fullmatch(text) and len(text) < 16:
            numbers[place] = float(text.lstrip("¥$").replace(",", "").rstrip("%"))
    known = max(int((~np.isnan(numbers)).sum()), 1)
    return numbers, tuple(sorted(unit for unit, times in units.items() if times >= 0.02 * known and times > 1))


@cache
def _codes() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in table_rows("words"):
        known = found.setdefault(row["field"], {})
        known |= {fold(word): row["code"] for word in row["words"].split("|")}
        known[row["code"]] = row["code"]
        if row["field"] == "med_chrgitm_type":
            # Hospitals drop the last character of 西药费 and write 类 for it.
            known |= {fold(word).removesuffix("费"): row["code"] for word in row["words"].split("|")}
    return found


def worded_fields() -> tuple[str, ...]:
    """Return the fields whose words are known."""
    return tuple(_codes())


def code_of(field_name: str, word: str) -> str | None:
    """Return the national code of a delivered word or code, or None where it is not known.

    >>> code_of("gend", "女"), code_of("dscg_way", "自动出院"), code_of("gend", "X")
    ('2', '4', None)
    """
    return _codes().get(field_name, {}).get(fold(word))


def fit(of: Field | str, seen: Profile) -> Fit:
    """Return how a column's values fit a field, or a thing that is not read (``+…``)."""
    if isinstance(of, str):
        return _fit_unread(of, seen)
    if not seen.values:
        return Fit(0.6)
    special = _SPECIAL.get(of.name)
    if special is not None:
        return special(seen)
    if of.name in _codes():
        return _fit_words(of.name, seen)
    return _BY_TYPE[of.type](seen)


def _fit_unread(name: str, seen: Profile) -> Fit:
    if name == "+tel":
        return Fit(1.0 if seen.shapes["mobile"] > 0.5 else 0.3, seen.shapes["mobile"])
    if name == "+psn_name":
        short = 1.5 <= seen.length <= 30 and seen.shapes["number"] < 0.1
        return Fit(1.0 if short else 0.1)
    if name in ("+stock", "+times", "+own"):
        return Fit(seen.shapes["number"])
    return Fit(0.9)


def _fit_words(name: str, seen: Profile) -> Fit:
    n = sum(seen.values.values())
    known = sum(times for word, times in seen.values.items() if code_of(name, word)) / n
    words = sum(times for word, times in seen.values.items() if code_of(name, word) and not word.isdigit()) / n
    few = 1.0 if len(seen.values) <= 40 else 0.2
    if known > 0.5:
        return Fit(few, 0.9 * words if len(seen.values) > 1 else 0.4 * words)
    return Fit(0.55 * few)


def _date(seen: Profile) -> Fit:
    if seen.dates is None:
        return Fit(0.0)
    return Fit(0.75 if seen.dates.serial else seen.dates.share, 0.0 if seen.dates.serial else 0.3)


def _number(seen: Profile) -> Fit:
    return Fit(seen.shapes["number"] if seen.shapes["icd10"] < 0.5 else 0.0)


def _integer(seen: Profile) -> Fit:
    return Fit(seen.between(0, 100_000) if seen.whole else 0.05)


def _code(seen: Profile) -> Fit:
    """Codes have no blanks, few Chinese characters, and are no dates or broken numbers."""
    if seen.dates is not None and not seen.dates.serial and seen.dates.format is not None:
        return Fit(0.1)
    broken = not seen.whole and seen.shapes["number"] > 0.5
    return Fit(max(0.05, (0.4 if broken else 1.0) * (1 - seen.shapes["han"]) * (1 - seen.shapes["spaced"])))


def _text(seen: Profile) -> Fit:
    if seen.dates is not None and not seen.dates.serial:
        return Fit(0.1)
    return Fit(max(0.1, 1 - 0.8 * seen.shapes["number"] - 0.5 * seen.shapes["icd10"]))


def _item_name(seen: Profile) -> Fit:
    long = min(1.0, seen.length / 4)
    return Fit(_text(seen).fits * long, 0.0)


def _diagnosis(seen: Profile) -> Fit:
    return Fit(max(0.15 * _code(seen).fits, seen.shapes["icd10"]), 0.8 * seen.shapes["icd10"])


def _operation(seen: Profile) -> Fit:
    share = seen.shapes["operation"]
    return Fit(max(0.3 * _code(seen).fits, share), 0.5 * share)


def _sick_name(seen: Profile) -> Fit:
    return Fit(_text(seen).fits * min(1.0, seen.length / 3))


def _key(seen: Profile) -> Fit:
    return Fit(_code(seen).fits * min(1.0, seen.filled + 0.05) * (0.3 if len(seen.values) < 3 < seen.count else 1.0))


def _row_key(seen: Profile) -> Fit:
    return Fit(_key(seen).fits * (1.0 if seen.distinct > 0.9 else 0.5))


def _person(seen: Profile) -> Fit:
    share = seen.shapes["person"]
    return Fit(max(0.2 * _code(seen).fits, share), 0.9 * share)


def _psn_no(seen: Profile) -> Fit:
    return Fit(_key(seen).fits * (1 - 0.6 * seen.shapes["person"]))


def _age(seen: Profile) -> Fit:
    return Fit(seen.between(0, 130) if seen.whole else 0.0)


def _rank(seen: Profile) -> Fit:
    return Fit(seen.between(0, 60) if seen.whole else 0.0)


def _ratio(seen: Profile) -> Fit:
    return Fit(seen.between(0, 1), 0.2 if not seen.whole else 0.0)


def _money(seen: Profile) -> Fit:
    return Fit(seen.shapes["number"], 0.0)


def _licence(seen: Profile) -> Fit:
    return Fit(max(0.3 * (1 - seen.shapes["number"]), _code(seen).fits * 0.8, seen.shapes["licence"]),
               0.7 * seen.shapes["licence"])  # fmt: skip


def _hospital(seen: Profile) -> Fit:
    return Fit(_code(seen).fits * (1.0 if seen.distinct < 0.5 or seen.count < 20 else 0.4))


def _flag(seen: Profile) -> Fit:
    return Fit(1.0 if len(seen.values) <= 3 else 0.0)


_BY_TYPE = {
    "text": _text, "code": _code, "person": _psn_no, "identity": _person, "integer": _integer, "quantity": _number,
    "price": _number, "money": _money, "ratio": _ratio, "date": _date, "time": _date,
}  # fmt: skip
_SPECIAL = {
    "mdtrt_id": _key, "setl_id": _key, "init_setl_id": _code, "feedetl_sn": _row_key, "fixmedins_code": _hospital,
    "psn_no": _psn_no, "certno": _person, "age": _age, "diag_srt": _rank, "oprn_srt": _rank,
    "dscg_maindiag_code": _diagnosis, "diag_code": _diagnosis, "main_oprn_code": _operation,
    "oprn_oprt_code": _operation, "dscg_maindiag_name": _sick_name, "diag_name": _sick_name,
    "oprn_oprt_name": _sick_name, "medins_list_name": _item_name, "aprvno": _licence, "regno": _licence,
    "refd_setl_flag": _flag,
}  # fmt: skip
