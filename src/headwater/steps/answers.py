"""What becomes of an item's answer: a matcher gives it, people rule over it, the hospital's own code weighs in."""

from collections.abc import Mapping
from typing import Any

from headwater.adapters.reviews import Ruling
from headwater.steps.questions import DROPPED, NO_REFERENCE

__all__ = ["NOTHING", "Row", "give", "has_lost", "rule", "settled", "weigh"]

_DISAGREES = "reported"

Row = dict[str, Any]

NOTHING: Row = {
    "code": None, "confidence": 0.0, "decision": "none", "reason": NO_REFERENCE, "alternatives": [],
    "matcher_version": None, "reference_version": None,
}  # fmt: skip
"""The answer where no reference is loaded."""


def settled(row: Row) -> str | None:
    """Return the code of an item that needs nobody any more."""
    code: str | None = row["code"] if row["decision"] in ("auto", "decided") else None
    return code


def give(row: Row, answer: Row) -> None:
    """Put an answer of a matcher into an item's row."""
    row |= {**answer, "decided_by": None, "evidence": None}


def has_lost(row: Row, names: Mapping[str, str]) -> bool:
    """Tell whether the code that an item had is gone from the reference, or went earlier and none came since."""
    if row["decision"] in ("auto", "decided"):
        return row["code"] is not None and row["code"] not in names
    return bool(row["reason"] == DROPPED)


def rule(row: Row, ruling: Ruling) -> None:
    """Put what people decided into an item's row."""
    row |= {
        **{"code": ruling.code, "confidence": 1.0, "decision": "decided", "reason": ruling.why},
        **{"decided_by": ruling.signed, "reference_version": ruling.reference_version, "evidence": None},
    }
    if (reported := _reported(row)) is not None:
        row["evidence"] = "agrees" if reported == ruling.code else "disagrees"


def weigh(row: Row, names: Mapping[str, str]) -> None:
    """Hold an answer against the code that the hospital reports itself; where they differ a person decides."""
    reported = _reported(row)
    if reported is None:
        return
    if reported not in names:
        row["evidence"] = "unknown"
    elif reported == row["code"]:
        row["evidence"] = "agrees"
    else:
        row["evidence"] = "disagrees"
        if row["decision"] != "review":
            row |= {"decision": "review", "reason": _DISAGREES}


def _reported(row: Row) -> str | None:
    """Return the national code that the hospital reports; of a diagnosis or operation it is the delivered one."""
    reported: str | None = row["medins_list_codg" if row["kind"] in ("diagnosis", "operation") else "reported_code"]
    return reported
