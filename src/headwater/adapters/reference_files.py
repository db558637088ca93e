"""A delivered reference file as text, read by its layout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.canonical import Entity
from headwater.claims.contract import ColumnRule, FileFormat, TableContract
from headwater.claims.guarding import open_bytes
from headwater.claims.reading import ROW, read
from headwater.claims.references import KINDS
from headwater.content.references import Layout
from headwater.errors import Message, Refusal

__all__ = ["Text", "read_text"]

_LINES_BYTES = 64 << 20
"""The longest list of codes, of all diagnoses in the country, has 2 MB."""
_FORMATS: dict[str, FileFormat] = {"tsv": "tsv", "xlsx": "xlsx", "parquet": "parquet"}


@dataclass(frozen=True, eq=False)
class Text:
    """The cells of a reference file.

    Parameters
    ----------
    columns : column of the kind → its cells
    rows_in : rows of the file
    rows_passed : rows that the layout passes over
    ignored : delivered columns that nothing reads
    """

    columns: dict[str, list[str | None]]
    rows_in: int
    rows_passed: int
    ignored: tuple[str, ...]


def read_text(path: Path, layout: Layout, *, name: str) -> Text:
    """Read a file by its layout.

    Parameters
    ----------
    path : the bytes, wherever they are kept
    name : under which they were delivered; its suffix tells the format

    Raises
    ------
    Refusal
        those of :func:`headwater.claims.reading.read`, and ``E-FILE-FORMAT`` for a row or line of another shape
    """
    if layout.lines is not None:
        return _by_line(path, layout, name)
    names = dict(layout.columns)
    selecting = [column for column, _ in layout.where]
    header = read(path, name=name, table=_contract(layout, name, [*names.values(), *selecting])).header
    if not names:
        names = {column: column for column in KINDS[layout.kind].schema.names if column in header}
    wanted = list(dict.fromkeys([*names.values(), *selecting]))
    table = _table(path, layout, name, wanted)
    kept = table
    for column, values in layout.where:
        kept = kept.filter(pc.is_in(pc.utf8_trim_whitespace(kept[column]), value_set=pa.array(sorted(values))))
    return Text(
        columns={column: kept[delivered].to_pylist() for column, delivered in names.items()},
        rows_in=len(table),
        rows_passed=len(table) - len(kept),
        ignored=tuple(column for column in header if column not in wanted),
    )


def _table(path: Path, layout: Layout, name: str, wanted: Sequence[str]) -> pa.Table:
    if not wanted:
        return pa.table({})
    delivery = read(path, name=name, table=_contract(layout, name, wanted))
    table = pa.Table.from_batches(
        [batch.drop_columns([ROW]) for batch in delivery.batches],
        schema=pa.schema([(column, pa.string()) for column in wanted]),
    )
    if delivery.misshapen:
        raise _misshapen(name, delivery.misshapen[0])
    return table


def _contract(layout: Layout, name: str, columns: Sequence[str]) -> TableContract:
    suffixes = [suffix.lstrip(".").lower() for suffix in Path(name).suffixes[-2:]]
    kind = KINDS[layout.kind]
    return TableContract(
        entity=Entity(kind.name, kind.zh, kind.en, key=("code",), fields=()),
        files=name,
        format=next((_FORMATS[suffix] for suffix in suffixes if suffix in _FORMATS), "csv"),
        encoding="auto",
        sheet=layout.sheet,
        header_row=layout.header_row,
        columns=tuple((column, ColumnRule(column=column)) for column in dict.fromkeys(columns)),
    )


def _by_line(path: Path, layout: Layout, name: str) -> Text:
    if layout.lines is None:
        raise AssertionError("only a layout of lines comes here")
    columns: dict[str, list[str | None]] = {column: [] for column in layout.lines.groupindex}
    rows = 0
    for number, line in enumerate(_lines(path, name), start=1):
        if not line.strip():
            continue
        found = layout.lines.fullmatch(line.rstrip("\r"))
        if found is None:
            raise _misshapen(name, number)
        rows += 1
        for column, cells in columns.items():
            cells.append(found[column])
    return Text(columns, rows_in=rows, rows_passed=0, ignored=())


def _lines(path: Path, name: str) -> Iterator[str]:
    with open_bytes(path, name=name) as stream:
        content = stream.read(_LINES_BYTES + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise _unreadable(name, f"byte {error.start}", f"第 {error.start} 字节") from error
    if len(content) > _LINES_BYTES or "\0" in text:
        raise _unreadable(name, "too long, or not text", "过长，或不是文本")
    # Only these end a line: a name may hold any other letter that Python takes for a break.
    return iter(text.split("\n"))


def _misshapen(name: str, row: int) -> Refusal:
    return _unreadable(name, f"row {row} has another shape", f"第 {row} 行的形状不同")


def _unreadable(name: str, en: str, zh: str) -> Refusal:
    return Refusal(
        "E-FILE-FORMAT",
        Message(f"参考表 {name} 无法按其布局读取：{zh}。", f"Reference {name} cannot be read by its layout: {en}."),
        Message("改正文件，或修改其布局。", "Mend the file or its layout."),
    )
