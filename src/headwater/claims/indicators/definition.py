"""An indicator as somebody defines it: what it is called, how it is counted, and from when it alerts."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from headwater.errors import Message, Refusal

__all__ = ["DIRECTIONS", "Indicator", "from_document", "to_document"]

DIRECTIONS: Mapping[str, Message] = {
    "higher": Message("越高越好", "higher is better"),
    "lower": Message("越低越好", "lower is better"),
    "neither": Message("适中为好", "neither high nor low is better"),
}
"""Which way an indicator should move."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")
_MOST = {"zh": 200, "en": 200, "owner": 200}


@dataclass(frozen=True)
class Indicator:
    """One version of one indicator; a version never changes.

    Parameters
    ----------
    name : lower-case letters, digits and underscores; other formulas refer to it by ``@name``
    zh, en : what people call it
    formula, scope : in the language of formulas; an empty scope is every valid stay
    grain : the dimensions it is broken down by
    unit : of its value, e.g. ``CNY/stay``, ``%``
    direction : key of :data:`DIRECTIONS`
    owner : who answers for it
    low, high : a value below or above is an alert, in the unit; None where there is no such limit
    references : what it follows: standards, decrees, literature
    valid_from : the first day on which it is computed
    version : from 1; given when it is stored
    """

    name: str
    zh: str
    en: str
    formula: str
    unit: str
    owner: str
    scope: str = ""
    grain: tuple[str, ...] = ("hospital_id", "discharge_month")
    direction: str = "neither"
    low: Decimal | None = None
    high: Decimal | None = None
    references: tuple[str, ...] = field(default=())
    valid_from: date = date(1, 1, 1)
    version: int = 0

    @property
    def digest(self) -> str:
        """What tells two versions apart: 16 hexadecimal digits of everything that was said."""
        said = {name: value for name, value in asdict(self).items() if name != "version"}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


_KEYS = frozenset(Indicator.__dataclass_fields__) - {"version", "low", "high"} | {"threshold"}
_REQUIRED = ("name", "zh", "en", "formula", "unit", "owner")


def from_document(document: Mapping[str, Any]) -> Indicator:
    """Return the indicator that a document (YAML or JSON) says.

    Raises
    ------
    Refusal
        where a key is unknown or missing, or a value is of no use
    """
    if unknown := sorted(set(map(str, document)) - _KEYS):
        raise _wrong(unknown[0], ", ".join(sorted(_KEYS)))
    for key in _REQUIRED:
        if not isinstance(document.get(key), str | int | float) or not str(document[key]).strip():
            raise _wrong(key, "≠ ∅")
    low, high = _limits(document.get("threshold") or {})
    said: dict[str, Any] = {
        key: str(document[key]).strip() for key in (*_REQUIRED, "scope", "direction") if document.get(key)
    }
    # An empty grain is one: the value of the whole region, not of each hospital and month.
    said |= {key: _texts(document[key], key) for key in ("grain", "references") if document.get(key) is not None}
    indicator = Indicator(**said, low=low, high=high, valid_from=_day(document.get("valid_from")))
    _refuse_nonsense(indicator)
    return indicator


def _refuse_nonsense(indicator: Indicator) -> None:
    if not _NAME.fullmatch(indicator.name):
        raise _wrong("name", "[a-z][a-z0-9_]+")
    for key, most in _MOST.items():
        if len(text := getattr(indicator, key)) > most or not text.isprintable():
            raise _wrong(key, f"≤ {most}")
    if indicator.direction not in DIRECTIONS:
        raise _wrong("direction", ", ".join(DIRECTIONS))
    if indicator.low is not None and indicator.high is not None and indicator.low > indicator.high:
        raise _wrong("threshold", "low ≤ high")


def _limits(threshold: object) -> tuple[Decimal | None, Decimal | None]:
    if not isinstance(threshold, Mapping) or set(threshold) - {"low", "high"}:
        raise _wrong("threshold", "low, high")
    try:
        low, high = (None if threshold.get(key) is None else Decimal(str(threshold[key])) for key in ("low", "high"))
    except InvalidOperation as error:
        raise _wrong("threshold", "0.35") from error
    if any(one is not None and not one.is_finite() for one in (low, high)):
        raise _wrong("threshold", "0.35")
    return low, high


def _texts(value: object, key: str) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) and one.isprintable() for one in texts):
        raise _wrong(key, "[…]")
    return tuple(texts)


def _day(value: object) -> date:
    if value is None:
        return date.min
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise _wrong("valid_from", "2026-01-31") from error


def _wrong(key: str, wanted: str) -> Refusal:
    return Refusal(
        "E-INDICATOR",
        Message(f"指标定义中的 {key} 不对，应为：{wanted}。", f"{key} of the indicator is wrong; wanted: {wanted}."),
        Message("修正后重新提交。", "Mend it and define the indicator again."),
    )


def to_document(indicator: Indicator) -> dict[str, Any]:
    """Return the document that :func:`from_document` reads as this indicator, without its version."""
    said = asdict(indicator)
    limits = {key: said.pop(key) for key in ("low", "high")}
    said.pop("version")
    document = {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
    document["valid_from"] = indicator.valid_from.isoformat()
    document["threshold"] = {key: str(value) for key, value in limits.items() if value is not None}
    return document
