"""Faults that real deliveries have, in about one row of two hundred, each written down with what must become of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import cn2an
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.simulation.layouts import Column, Layout, slot_columns, words
from headwater.simulation.rendering import Grid, fill

__all__ = ["KINDS", "RATE", "Mark", "Soiled", "soil"]

RATE = 0.005
"""Share of rows that carry a fault."""

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "front_page": ("mdtrt_id", "begntime", "endtime", "dscg_maindiag_code", "medfee_sumamt"),
    "diagnosis": ("mdtrt_id", "diag_srt", "diag_code"),
    "operation": ("mdtrt_id", "oprn_srt", "oprn_oprt_code"),
    "fee_line": (
        *("mdtrt_id", "feedetl_sn", "fee_ocur_time", "medins_list_codg", "medins_list_name", "cnt", "pric"),
        "det_item_fee_sumamt",
    ),
    "settlement": ("setl_id", "mdtrt_id", "setl_time", "medfee_sumamt"),
    "drug": ("medins_list_codg", "medins_list_name"),
    "consumable": ("medins_list_codg", "medins_list_name"),
    "service_item": ("medins_list_name",),
}
_OPTIONAL = (
    *("brdy", "adm_dept_name", "selfpay_prop", "bilg_dept_name"),
    *("dosform_name", "material", "prodentp_name", "aprvno", "regno"),
)
# The field that a second, contradicting row of the same key changes; never part of a key.
_CONTESTED: Mapping[str, str] = {
    "front_page": "dscg_dept_name",
    "diagnosis": "diag_name",
    "operation": "oprn_oprt_name",
    "settlement": "mdtrt_id",
    "fee_line": "medins_list_name",
    "drug": "spec",
    "consumable": "spec",
    "service_item": "unit",
}
_NULL_WORDS = ("NULL", "-", "--", "无", "N/A", "\\N")
_NO_NUMBERS = ("见收据", "壹佰", "12O.50", "1.2.3", "#REF!", "待定")
_FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
_SPACES = (" {} ", "{}  ", "　{}", " {}")


@dataclass(frozen=True)
class Mark:
    """What one fault is expected to do to one canonical table.

    Parameters
    ----------
    row : 1-based number of the data row in the file
    expected : loaded, quarantined or duplicate
    rows : how many canonical rows meet that end
    """

    entity: str
    row: int
    kind: str
    field: str
    original: str
    dirty: str
    expected: str
    rows: int = 1


@dataclass(frozen=True, eq=False)
class Soiled:
    """Rows with faults. ``misshapen`` names rows, from 0, that must get one cell too many or too few."""

    table: Grid
    misshapen: Mapping[int, str] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class _Cell:
    """The cell at hand and what there is to know about it."""

    column: Column
    text: str
    shape: Layout
    rng: np.random.Generator


@dataclass(frozen=True)
class _Kind:
    """A fault of a single cell: where it may stand, what becomes of the cell, and of the row."""

    name: str
    expected: str
    stands: Callable[[str, Column, Layout], bool]
    change: Callable[[_Cell], str]


def _impossible_date(cell: _Cell) -> str:
    year, clock = int(re.findall(r"\d{4}", cell.text)[0]), cell.shape.clock if cell.column.kind == "time" else ""
    parts = ((year, 2, 30), (year, 13, 5), (year, 4, 31))[cell.rng.integers(3)]
    return fill(cell.shape.day, parts) + clock.replace("%H", "08").replace("%M", "00").replace("%S", "00")


def _year_out_of_range(cell: _Cell) -> str:
    clock = cell.shape.clock if cell.column.kind == "time" else ""
    year = (1025, 2205)[cell.rng.integers(2)]
    return fill(cell.shape.day, (year, 3, 5)) + clock.replace("%H", "08").replace("%M", "00").replace("%S", "00")


def _three_decimals(cell: _Cell) -> str:
    return f"{cell.text}.5" if cell.shape.money == "fen" else f"{cell.text}5"


def _scientific(cell: _Cell) -> str:
    return f"{int(cell.text):.5E}"


def _plain_amount(text: str) -> Decimal:
    return Decimal(text.replace("¥", "").replace(",", ""))


def _numeral(cell: _Cell) -> str:
    yuan, cents = divmod(int(_plain_amount(cell.text) * 100), 100)
    jiao, fen = divmod(cents, 10)
    text: str = cn2an.an2cn(yuan, "up") + "元"
    text += f"{cn2an.an2cn(jiao, 'up')}角" if jiao else "零" if fen else ""
    return text + (f"{cn2an.an2cn(fen, 'up')}分" if fen else "整")


def _cent_more(cell: _Cell) -> str:
    if cell.shape.money == "fen":
        return str(int(cell.text) + 1)
    return f"{_plain_amount(cell.text) + Decimal('0.01'):.2f}"


def _wrong_check(cell: _Cell) -> str:
    return cell.text[:17] + ("1" if cell.text[17] != "1" else "2")


def _picked(choices: Sequence[str]) -> Callable[[_Cell], str]:
    return lambda cell: choices[int(cell.rng.integers(len(choices)))]


def _dated(entity: str, column: Column, shape: Layout) -> bool:
    return column.kind in ("time", "date") and shape.day != "serial"


def _year_first(entity: str, column: Column, shape: Layout) -> bool:
    return _dated(entity, column, shape) and not shape.day.startswith("%d")


def _coded(entity: str, column: Column, shape: Layout) -> bool:
    letters = shape.stays in ("letter", "dashed")
    return (column.field == "mdtrt_id" and not letters) or column.field == "feedetl_sn"


_CELL_KINDS = (
    _Kind("impossible_date", "quarantined", _dated, _impossible_date),
    _Kind("year_out_of_range", "quarantined", _dated, _year_out_of_range),
    _Kind("blank_required", "quarantined", lambda e, c, s: c.field in _REQUIRED[e], lambda cell: ""),
    _Kind(
        "non_numeric_amount",
        "quarantined",
        lambda e, c, s: c.kind in ("money", "price", "quantity"),
        _picked(_NO_NUMBERS),
    ),
    _Kind("three_decimals", "quarantined", lambda e, c, s: c.kind == "money", _three_decimals),
    _Kind("scientific_code", "quarantined", _coded, _scientific),
    _Kind("unmapped_value", "quarantined", lambda e, c, s: bool(words(s, c.kind)), _picked(("未知", "X9", "??"))),
    _Kind(
        "full_width_digits",
        "loaded",
        lambda e, c, s: c.kind in ("money", "price", "quantity", "time") or c.field == "mdtrt_id",
        lambda cell: cell.text.translate(_FULL_WIDTH),
    ),
    _Kind(
        "stray_spaces",
        "loaded",
        lambda e, c, s: not c.field.startswith("+") and ":" not in c.field,
        lambda cell: _SPACES[cell.rng.integers(len(_SPACES))].format(cell.text),
    ),
    _Kind("ambiguous_date", "quarantined", _year_first, _picked(("03/04/2025", "1-2-25", "05.06.2025"))),
    _Kind("cent_more", "quarantined", lambda e, c, s: c.field == "det_item_fee_sumamt", _cent_more),
    _Kind("wrong_check_digit", "quarantined", lambda e, c, s: c.field == "certno", _wrong_check),
    _Kind(
        "damaged_text",
        "quarantined",
        lambda e, c, s: c.field in ("medins_list_name", "dscg_dept_name"),
        lambda cell: f"{cell.text}\ufffd",
    ),
    _Kind("chinese_numeral", "loaded", lambda e, c, s: c.kind == "money" and s.money != "fen", _numeral),
    _Kind("invisible_character", "loaded", lambda e, c, s: c.field == "mdtrt_id", lambda cell: f"\u200b{cell.text}"),
    # Days billed or covered differ from the days between the dates in real files, and are no fault.
    _Kind("billed_days", "loaded", lambda e, c, s: c.field == "ipt_days", lambda cell: str(int(cell.text) + 9)),
    _Kind("null_word", "loaded", lambda e, c, s: c.field in _OPTIONAL, _picked(_NULL_WORDS)),
)

KINDS: Mapping[str, str] = {
    **{kind.name: kind.expected for kind in _CELL_KINDS},
    "discharge_before_admission": "quarantined",
    "duplicate_row": "duplicate",
    "key_conflict": "quarantined",
    "wrong_column_count": "quarantined",
}
"""Every kind of fault → what becomes of its row."""


def soil(clean: Grid, *, entity: str, shape: Layout, rng: np.random.Generator, first: int = 0) -> Soiled:
    """Put faults of every kind that the format can hold into ``clean``, evenly over the kinds.

    Parameters
    ----------
    first : number of data rows that stand before these in the file
    """
    count = int(rng.binomial(len(clean), RATE))
    if count == 0:
        return Soiled(clean)
    work = _Work(clean, entity, shape, rng)
    names = work.possible()
    offset = int(rng.integers(len(names)))
    for number, row in enumerate(rng.permutation(len(clean))[:count]):
        work.spoil(int(row), names[(offset + number) % len(names)])
    return work.done(first)


class _Work:
    """Collects the faults of one table and applies them in one pass a column."""

    def __init__(self, clean: Grid, entity: str, shape: Layout, rng: np.random.Generator) -> None:
        self._clean = clean
        self._entity = entity
        self._shape = shape
        self._rng = rng
        self._kinds = {kind.name: kind for kind in _CELL_KINDS}
        self._cells: dict[int, dict[int, str]] = {}
        self._appended: list[int] = []
        self._misshapen: dict[int, str] = {}
        self._marks: list[Mark] = []
        self._places = {kind.name: self._candidates(kind) for kind in _CELL_KINDS}

    def _candidates(self, kind: _Kind) -> list[int]:
        return [
            place
            for place, column in enumerate(self._clean.columns)
            if kind.stands(self._entity, column, self._shape) and pa.types.is_string(self._clean.arrays[place].type)
        ]

    def possible(self) -> list[str]:
        """Return the kinds that this table can hold."""
        names = [name for name, places in self._places.items() if places]
        if self._entity == "front_page" and pa.types.is_string(self._clean.arrays[self._clean.index("endtime")].type):
            names.append("discharge_before_admission")
        names += ["duplicate_row", "key_conflict"]
        return [*names, "wrong_column_count"] if self._shape.delimited else names

    def _text(self, row: int, place: int) -> str:
        return self._clean.arrays[place][row].as_py() or ""

    def spoil(self, row: int, kind: str) -> None:
        """Note one fault; a kind that finds no filled cell in the row leaves it clean."""
        if kind in self._kinds:
            self._spoil_cell(row, self._kinds[kind])
        elif kind == "discharge_before_admission":
            self._swap_times(row)
        elif kind == "wrong_column_count":
            self._misshapen[row] = ("more", "fewer")[self._rng.integers(2)]
            self._mark(row, kind, dirty=self._misshapen[row])
        else:
            self._append(row, kind)

    def _spoil_cell(self, row: int, kind: _Kind) -> None:
        # Negative amounts reverse others and are left as they are.
        texts = {place: self._text(row, place) for place in self._places[kind.name]}
        filled = [place for place, text in texts.items() if text and not text.startswith("-")]
        if not filled:
            return
        place = filled[self._rng.integers(len(filled))]
        column, original = self._clean.columns[place], self._text(row, place)
        dirty = kind.change(_Cell(column, original, self._shape, self._rng))
        self._cells.setdefault(place, {})[row] = dirty
        self._mark(row, kind.name, column.field, original, dirty)

    def _swap_times(self, row: int) -> None:
        begin, end = self._clean.index("begntime"), self._clean.index("endtime")
        admitted, discharged = self._text(row, begin), self._text(row, end)
        self._cells.setdefault(begin, {})[row] = discharged
        self._cells.setdefault(end, {})[row] = admitted
        self._mark(row, "discharge_before_admission", "endtime", discharged, admitted)

    def _append(self, row: int, kind: str) -> None:
        """Repeat a row at the end of the table, as it was or with one field contradicting the first."""
        new = len(self._clean) + len(self._appended)
        self._appended.append(row)
        if kind == "duplicate_row":
            self._mark(new, kind)
            return
        place = self._clean.index(_CONTESTED[self._entity])
        original = self._text(row, place)
        self._cells.setdefault(place, {})[new] = f"{original}(更正)"
        self._mark(new, kind, _CONTESTED[self._entity], original, f"{original}(更正)")

    def _mark(self, row: int, kind: str, field_name: str = "", original: str = "", dirty: str = "") -> None:
        self._marks.append(Mark(self._entity, row, kind, field_name, original, dirty, KINDS[kind]))

    def done(self, first: int) -> Soiled:
        """Apply what was noted; rows in marks are numbered as in the file from here on."""
        again = pa.array(self._appended, pa.int64())
        arrays = [
            pa.concat_arrays([array, array.take(again)]) if self._appended else array for array in self._clean.arrays
        ]
        for place, cells in self._cells.items():
            arrays[place] = _replaced(arrays[place], cells)
        dirty = Grid(self._clean.columns, tuple(arrays))
        marks = [*self._marks, *_echoes(dirty, self._marks, self._shape)]
        return Soiled(dirty, self._misshapen, tuple(replace(mark, row=first + mark.row + 1) for mark in marks))


def _replaced(array: pa.Array, cells: Mapping[int, str]) -> pa.Array:
    mask = np.zeros(len(array), dtype=bool)
    rows = sorted(cells)
    mask[rows] = True
    return pc.replace_with_mask(array, pa.array(mask), pa.array([cells[row] for row in rows], pa.string()))


def _echoes(dirty: Grid, marks: Sequence[Mark], shape: Layout) -> list[Mark]:
    """Return what faults of wide front pages do to the diagnoses and operations in the same rows."""
    if shape.long:
        return []
    echoes = []
    for mark in marks:
        for entity in ("diagnosis", "operation") if mark.entity == "front_page" else ():
            filled = sum(_filled(dirty, mark.row, slot) for slot in slot_columns(shape, entity))
            rows = _echoed_rows(mark, entity, filled)
            if rows:
                expected = "duplicate" if mark.kind == "key_conflict" else mark.expected
                echoes.append(replace(mark, entity=entity, expected=expected, rows=rows))
    return echoes


def _filled(dirty: Grid, row: int, slot: tuple[Column, Column]) -> bool:
    return any(dirty.arrays[dirty.columns.index(column)][row].as_py() for column in slot)


def _echoed_rows(mark: Mark, entity: str, filled: int) -> int:
    if mark.kind == "wrong_column_count":
        return 1
    if mark.kind in ("duplicate_row", "key_conflict"):
        return filled
    if mark.field == "mdtrt_id" and mark.expected == "quarantined":
        return filled
    return int(mark.field == "dscg_maindiag_code" and mark.expected == "quarantined" and entity == "diagnosis")
