"""Ways of writing dates: which the general reader takes as they are, and the format of the others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = ["DateForm", "date_form"]

_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.0+)?)?"
_GENERAL = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[ T]{_CLOCK})?|(?:19|20)\d{{2}}[01]\d[0-3]\d(?:[0-2]\d[0-5]\d[0-5]\d)?"
    rf"|\d{{4}}/\d{{1,2}}/\d{{1,2}}(?: {_CLOCK})?|\d{{4}}年\d{{1,2}}月\d{{1,2}}日"
)
_SERIAL = re.compile(r"[2-6]\d{4}(?:\.\d+)?")
_LIKELY = re.compile(r"(?=.*\d.*\d)(?=.*[-/.年:, A-Za-z])[\d\-/.年月日时分秒:, A-Za-z]{6,30}")
_PARTS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?: (.+))?")
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
_OTHERS = tuple(
    f"{day}{clock}"
    for day, clocks in (
        ("%Y-%m-%d", ("T%H:%M:%SZ", "T%H:%M:%S.%fZ", " %H:%M:%S.%f")),
        ("%Y.%m.%d", ("", " %H:%M", " %H:%M:%S")),
        ("%Y年%m月%d日", ("%H时%M分", " %H时%M分", " %H:%M", " %H:%M:%S", "%H时%M分%S秒")),
        ("%d-%b-%Y", ("", " %H:%M", " %H:%M:%S")),
        ("%d%b%Y", ("",)),
        ("%b %d, %Y", ("",)),
        ("%Y%m%d", (" %H:%M:%S", " %H:%M", "%H%M")),
        ("%Y/%m/%d", ("T%H:%M:%S",)),
    )
    for clock in clocks
)
_ENOUGH = 0.8
_LOOKED_AT = 400


@dataclass(frozen=True)
class DateForm:
    """How a column writes its dates.

    Parameters
    ----------
    format : strptime format, or None where the general reader needs none
    share : share of the filled values that are so written
    serial : days counted as workbooks do, which other numbers look like too
    ambiguous : day and month cannot be told apart in any value
    """

    format: str | None
    share: float
    serial: bool = False
    ambiguous: bool = False


def date_form(values: Sequence[str]) -> DateForm | None:
    """Return how filled, trimmed values are written as dates, or None when most of them are no dates.

    >>> date_form(["05/01/2025 10:30", "25/01/2025 08:05"])
    DateForm(format='%d/%m/%Y %H:%M', share=1.0, serial=False, ambiguous=False)
    """
    some = values[:_LOOKED_AT]
    if not some:
        return None
    general = sum(bool(_GENERAL.fullmatch(value)) for value in some) / len(some)
    if general >= _ENOUGH:
        return DateForm(None, general)
    parts = [match for value in some if (match := _PARTS.fullmatch(value))]
    if len(parts) >= _ENOUGH * len(some):
        return _day_or_month_first(parts, len(some))
    serial = sum(bool(_SERIAL.fullmatch(value)) for value in some) / len(some)
    if serial >= _ENOUGH:
        return DateForm(None, serial, serial=True)
    likely = [value for value in some if _LIKELY.fullmatch(value)]
    if len(likely) < _ENOUGH * len(some):
        return None
    # A few values choose the format, all of them then speak.
    best = max(_OTHERS, key=lambda form: _share(form, likely[:20]))
    share = _share(best, some)
    return DateForm(best, share) if share >= _ENOUGH else None


def _day_or_month_first(parts: Sequence[re.Match[str]], count: int) -> DateForm | None:
    first = sum(int(match[1]) > 12 for match in parts)
    second = sum(int(match[3]) > 12 for match in parts)
    sign = parts[0][2]
    year = "%Y" if len(parts[0][4]) == 4 else "%y"
    day = sign.join(("%m", "%d", year) if second > first else ("%d", "%m", year))
    clocks = [match[5] for match in parts if match[5]]
    clock = "" if len(clocks) <= len(parts) / 2 else " " + max(_CLOCKS, key=lambda form: _share(form, clocks))
    form = day + clock
    share = _share(form, [match[0] for match in parts]) * len(parts) / count
    return DateForm(form, share, ambiguous=first == second == 0) if share >= _ENOUGH / 2 else None


def _share(form: str, values: Sequence[str]) -> float:
    return sum(_reads(form, value) for value in values) / len(values) if values else 0.0


def _reads(form: str, value: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True
