"""The walk of many stays through a plan: MDC by MDC, ADRG by ADRG, DRG by DRG; the first that admits a stay has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from headwater.claims.grouping.codebook import EXACT, MAPPED, RESPELLED, UNKNOWN, Numbers
from headwater.claims.grouping.compiling import Adrg, Compiled, Mdc, Scope
from headwater.claims.grouping.evaluating import Batch, Rows
from headwater.claims.grouping.facts import COLUMNS, Coded, Stays
from headwater.claims.grouping.grammar import Comparison, Fact, Rule, atoms
from headwater.claims.grouping.reasons import REASON_TYPE, REASONS, STATUSES

__all__ = ["Pool", "walk"]

_CODES = {code: at for at, code in enumerate(REASONS)}
_STATUSES = {status: at for at, status in enumerate(STATUSES)}
_NONE = -1
_Told: TypeAlias = tuple[Rows, int, "Numbers | int", "Numbers | int"]


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
class _Answers:
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

    def tell(self, rows: Rows, code: str, detail: Numbers | int, other: Numbers | int = _NONE) -> None:
        """Give these rows a reason."""
        if len(rows):
            (self.closing if code.startswith("drg") else self.told).append((rows, _CODES[code], detail, other))


def walk(plan: Compiled, pool: Pool, stays: Stays) -> pa.Table:
    """Group n stays; n is at most 65,536, so that rows are sorted by counting."""
    n, batch = len(stays), Batch(plan, stays)
    blank = (np.full(n, _NONE, np.int32) for _ in range(3))
    answers = _Answers(*blank, status=np.full(n, _STATUSES["ungroupable"], np.int32))
    texts = pa.chunked_array(
        [pool.texts, stays.diagnoses.spelled.texts, stays.operations.spelled.texts], pa.string()
    ).combine_chunks()
    _tell_codes(stays.diagnoses, "diagnosis", answers, base=len(pool.texts), names=0)
    base = len(pool.texts) + len(stays.diagnoses.spelled.texts)
    _tell_codes(stays.operations, "operation", answers, base=base, names=pool.operations)
    headless = np.flatnonzero(stays.diagnoses.headless)
    answers.status[headless] = _STATUSES["invalid"]
    answers.tell(headless, "principal_missing", _NONE)
    rows = np.flatnonzero(~stays.diagnoses.headless)
    for mdc in plan.mdcs:
        rows = _through(mdc, batch, pool, answers, rows) if len(rows) else rows
    principal = len(pool.texts) + stays.diagnoses.text[stays.diagnoses.offsets[rows]]
    answers.tell(rows, "mdc_none", principal.astype(np.int32))
    _tell_complications(batch, answers)
    return _told(answers, texts)


def _through(mdc: Mdc, batch: Batch, pool: Pool, answers: _Answers, rows: Rows) -> Rows:
    """Let the MDC take what it admits; return the rows that remain."""
    place = pool.place[mdc.code]
    inside = batch.holds(mdc.rule, mdc.scope, rows)
    _tell_held_back(mdc.rule, mdc.scope, batch, pool, answers, rows[~inside], place)
    left = rows[inside]
    for adrg in mdc.adrgs:
        if not len(left):
            break
        hit = batch.holds(adrg.rule, adrg.scope, left)
        if hit.any():
            _into(adrg, place, batch, pool, answers, left[hit])
            left = left[~hit]
    answers.tell(left, "mdc_left", place)
    outside = rows[~inside]
    return np.sort(np.concatenate((outside, left))) if len(left) else outside


def _tell_held_back(
    rule: Rule, scope: Scope, batch: Batch, pool: Pool, answers: _Answers, rows: Rows, place: int
) -> None:
    """Tell the rows that only a number kept out which number it was, and whether it was missing."""
    compared = [atom for atom in atoms(rule) if isinstance(atom, Comparison)]
    names = dict.fromkeys(side.name for atom in compared for side in (atom.left, atom.right) if isinstance(side, Fact))
    if not names or not len(rows):
        return
    rows = rows[batch.holds(rule, scope, rows, freely=True)]
    for name in names:
        missing = np.isnan(batch.stays.numbers[name][rows])
        answers.tell(rows[missing], "fact_missing", place, pool.place[name])
        failing = np.zeros(len(rows), bool)
        for atom in compared:
            if any(isinstance(side, Fact) and side.name == name for side in (atom.left, atom.right)):
                failing |= ~batch.holds(atom, scope, rows)
        answers.tell(rows[failing & ~missing], "fact_against", place, pool.place[name])


def _into(adrg: Adrg, mdc: int, batch: Batch, pool: Pool, answers: _Answers, rows: Rows) -> None:
    """Put rows into an ADRG and the first of its DRGs that admits them."""
    answers.mdc[rows], answers.adrg[rows] = mdc, pool.place[adrg.code]
    answers.tell(rows, "mdc", mdc)
    answers.tell(rows, "adrg", pool.place[adrg.code], pool.ways[adrg.entry])
    if adrg.asks:
        answers.asking.append(rows)
    for drg in adrg.drgs:
        hit = batch.holds(drg.rule, drg.scope, rows)
        taken = rows[hit]
        answers.drg[taken] = pool.place[drg.code]
        answers.status[taken] = _STATUSES[adrg.status]
        answers.tell(taken, "drg", pool.place[drg.code], pool.groups[drg.code])
        rows = rows[~hit]
        if not len(rows):
            return
    answers.tell(rows, "drg_none", pool.place[adrg.code])


def _tell_complications(batch: Batch, answers: _Answers) -> None:
    """Tell which secondary diagnosis decides, the first of the highest level, and which are excluded."""
    row, place, level, excluded = batch.complications
    wanted = np.zeros(len(batch.stays), bool)
    wanted[np.concatenate([*answers.asking, np.zeros(0, np.int64)])] = True
    codes = batch.stays.diagnoses.spelled.codes[batch.stays.diagnoses.text]
    out = excluded & wanted[row]
    answers.tell(row[out], "excluded", codes[place[out]], batch.principal()[row[out]])
    for code, value in (("mcc", 2), ("cc", 1)):
        counts = np.flatnonzero(((level & value) != 0) & wanted[row])
        deciding = counts[np.diff(row[counts], prepend=-1) > 0]
        answers.tell(row[deciding], code, codes[place[deciding]])
        wanted[row[deciding]] = False


def _tell_codes(coded: Coded, kind: str, answers: _Answers, *, base: int, names: int) -> None:
    """Tell which codes were not read as they stand."""
    how = coded.spelled.how[coded.text]
    odd = np.flatnonzero(how != EXACT)
    if not len(odd):
        return
    owner = np.searchsorted(coded.offsets, odd, side="right") - 1
    for code, value in (("respelled", RESPELLED), ("mapped", MAPPED), ("unknown", UNKNOWN)):
        some = how[odd] == value
        text = coded.text[odd[some]]
        read = names + coded.spelled.codes[text] if value != UNKNOWN else _NONE
        answers.tell(owner[some], f"{kind}_{code}", base + text, read)


def _told(answers: _Answers, texts: pa.StringArray) -> pa.Table:
    """Return the answers as a table, reasons in the order of the walk."""
    statuses = pa.array(list(STATUSES))
    columns = {name: _picked(texts, getattr(answers, name)) for name in ("mdc", "adrg", "drg")}
    return pa.table({**columns, "status": _picked(statuses, answers.status), "reasons": _reasons(answers, texts)})


def _reasons(answers: _Answers, texts: pa.StringArray) -> pa.ListArray:
    told = [*answers.told, *answers.closing]
    sizes = [len(rows) for rows, *_ in told]
    rows = np.concatenate([*(rows for rows, *_ in told), np.zeros(0, np.int64)])
    # Sixteen bits are sorted by counting, and stably: reasons keep the order in which they were met.
    order = np.argsort(rows.astype(np.uint16), kind="stable")
    code, detail, other = (_filled([part[at] for part in told], sizes)[order] for at in (1, 2, 3))
    steps = pa.array([reason.step for reason in REASONS.values()])
    fields = [_picked(steps, code), _picked(pa.array(list(REASONS)), code), _picked(texts, detail), _picked(texts, other)]
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
