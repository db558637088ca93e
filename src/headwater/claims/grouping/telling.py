"""Answers as numbers, and how they become a table: what is told of a stay costs a few integers until the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from headwater.claims.grouping.codebook import Numbers
from headwater.claims.grouping.compiling import Compiled
from headwater.claims.grouping.evaluating import Rows
from headwater.claims.grouping.facts import COLUMNS
from headwater.claims.grouping.reasons import REASON_TYPE, REASONS, STATUSES

__all__ = ["Answers", "Pool"]

_CODES = {code: at for at, code in enumerate(REASONS)}
_STATUSES = {status: at for at, status in enumerate(STATUSES)}
_NONE = -1
_Told: TypeAlias = "tuple[Rows, int, Numbers | int, Numbers | int]"


class Pool:
    """Every text that an answer can contain, so that answers are numbers until the end.

    Parameters
    ----------
    plan : whose codes, groups and rules are told
    ways, groups : text of the rule of each way into an ADRG, and of each DRG
    """

    def __init__(self, plan: Compiled, ways: Mapping[str, str], groups: Mapping[str, str]) -> None:
        codes = [mdc.code for mdc in plan.mdcs] + [adrg.code for mdc in plan.mdcs for adrg in mdc.adrgs]
        told = [*COLUMNS, *codes, *groups, *ways.values(), *groups.values()]
        texts = [*plan.diagnoses.names, *plan.operations.names, *dict.fromkeys(told)]
        self.texts = pa.array(texts, pa.string())
        self.operations = len(plan.diagnoses.names)
        self.place = {text: at for at, text in enumerate(texts)}
        self.ways = {code: self.place[rule] for code, rule in ways.items()}
        self.groups = {code: self.place[rule] for code, rule in groups.items()}


@dataclass
class Answers:
    """Answers to n stays as places in the pool, and reasons as they come.

    Parameters
    ----------
    mdc, adrg, drg, status : (n,)
    told : rows, code of the reason, place of its detail, place of what is beside it
    closing : the same of the DRGs, which are told after what decided between them
    asking : rows whose DRGs ask for complications
    """

    mdc: Numbers
    adrg: Numbers
    drg: Numbers
    status: Numbers
    told: list[_Told] = field(default_factory=list)
    closing: list[_Told] = field(default_factory=list)
    asking: list[Rows] = field(default_factory=list)

    @staticmethod
    def of(count: int) -> "Answers":
        """Return answers that say nothing yet."""
        mdc, adrg, drg = (np.full(count, _NONE, np.int32) for _ in range(3))
        return Answers(mdc, adrg, drg, np.full(count, _STATUSES["ungroupable"], np.int32))

    def become(self, rows: Rows, status: str) -> None:
        """Give these rows a status."""
        self.status[rows] = _STATUSES[status]

    def tell(self, rows: Rows, code: str, detail: Numbers | int = _NONE, other: Numbers | int = _NONE) -> None:
        """Give these rows a reason."""
        if len(rows):
            (self.closing if code.startswith("drg") else self.told).append((rows, _CODES[code], detail, other))

    def table(self, texts: pa.StringArray) -> pa.Table:
        """Return the answers as a table, reasons in the order in which they were met."""
        columns = {name: _picked(texts, getattr(self, name)) for name in ("mdc", "adrg", "drg")}
        status = _picked(pa.array(list(STATUSES)), self.status)
        return pa.table({**columns, "status": status, "reasons": _reasons(self, texts)})


def _reasons(answers: Answers, texts: pa.StringArray) -> pa.ListArray:
    told = [*answers.told, *answers.closing]
    sizes = [len(rows) for rows, *_ in told]
    rows = np.concatenate([*(rows for rows, *_ in told), np.zeros(0, np.int64)])
    # Sixteen bits are sorted by counting, and stably: reasons keep the order in which they were met.
    order = np.argsort(rows.astype(np.uint16), kind="stable")
    columns = zip(*(part[1:] for part in told), strict=True) if told else ((), (), ())
    code, detail, other = (_filled(column, sizes)[order] for column in columns)
    steps = pa.array([reason.step for reason in REASONS.values()])
    fields = [
        _picked(steps, code),
        _picked(pa.array(list(REASONS)), code),
        _picked(texts, detail),
        _picked(texts, other),
    ]
    struct = pa.StructArray.from_arrays(fields, fields=list(REASON_TYPE))
    counts = np.bincount(rows, minlength=len(answers.status))
    return pa.ListArray.from_arrays(pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32()), struct)


def _filled(parts: "Sequence[Numbers | int]", sizes: Sequence[int]) -> Numbers:
    """Return parts one after another, one number standing for as many as its part has."""
    filled, start = np.empty(sum(sizes), np.int32), 0
    for part, size in zip(parts, sizes, strict=True):
        filled[start : start + size] = part
        start += size
    return filled


def _picked(texts: pa.StringArray, places: Numbers) -> pa.StringArray:
    return texts.take(pa.array(places, mask=places < 0))
