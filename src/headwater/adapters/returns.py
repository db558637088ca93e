"""What goes back to a hospital: a workbook of its rows that wait to be mended, each with reason and remedy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path

import duckdb

from headwater.adapters import postgres, xlsx
from headwater.adapters.home import Home
from headwater.adapters.xlsx import Column, Sheet
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import Contract
from headwater.claims.pseudonyms import without_persons
from headwater.errors import Message

__all__ = ["Return", "folder", "write"]

_FETCHED = 10_000

_ITEMS = """
SELECT file_name, entity, row_no, field, value, code, reason_zh, reason_en, fix_zh, fix_en, row_key
FROM lake.raw.quarantine WHERE source_id = $source AND closed_by IS NULL ORDER BY file_name, entity, row_no, field, code
"""
_COUNTS = """
SELECT source_id, file_name, entity, count(*) FILTER (closed_by IS NULL), count(*) FILTER (closed_by IS NOT NULL)
FROM lake.raw.quarantine GROUP BY ALL ORDER BY ALL
"""
_FILES = """
select source_id, file_name, entity, rows_in, rows_loaded, rows_quarantined, rows_duplicate, money_in, money_quarantined
from ops.batch where state = 'loaded' order by source_id, file_name, entity
"""

_ITEM_COLUMNS = (
    Column(Message("文件", "File"), 30),
    Column(Message("表", "Table"), 18),
    Column(Message("行（表头之后第几行）", "Row (after the header)"), 12, "count"),
    Column(Message("字段", "Field"), 24),
    Column(Message("字段代码", "Field code"), 20),
    Column(Message("取值（已遮盖）", "Value (masked)"), 24),
    Column(Message("代码", "Code"), 20),
    Column(Message("原因", "Reason (Chinese)"), 34),
    Column(Message("原因（英文）", "Reason"), 34),
    Column(Message("改法", "Remedy (Chinese)"), 40),
    Column(Message("改法（英文）", "Remedy"), 40),
    Column(Message("关键字", "Key"), 28),
)
_FILE_COLUMNS = (
    Column(Message("文件", "File"), 34),
    Column(Message("表", "Table"), 20),
    Column(Message("待改条目", "Items to mend"), 14, "count"),
    Column(Message("已结条目", "Items closed"), 14, "count"),
    Column(Message("送达行", "Rows in"), 12, "count"),
    Column(Message("载入行", "Rows loaded"), 12, "count"),
    Column(Message("隔离行", "Rows quarantined"), 16, "count"),
    Column(Message("重复行", "Rows duplicate"), 14, "count"),
    Column(Message("送达金额", "Money in"), 18, "money"),
    Column(Message("隔离金额", "Money quarantined"), 18, "money"),
)

Cells = tuple[str | int | Decimal | None, ...]


@dataclass(frozen=True)
class Return:
    """The workbook of one source; no path when it has nothing to mend."""

    source_id: str
    open: int
    closed: int
    path: Path | None


def folder(home: Home, source_id: str) -> Path:
    """Return where the workbooks of a source lie."""
    return home.reports / "returns" / source_id


def write(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    contracts: Mapping[str, Contract],
    *,
    sources: Sequence[str] | None = None,
    out: Path | None = None,
    at: datetime,
) -> list[Return]:
    """Write a workbook for every source with open items; another one of the same day is written over.

    Parameters
    ----------
    sources : which sources; all when None
    out : folder to write to; that of each source under the reports when None
    """
    counts: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
    for source, file, entity, still, closed in connection.execute(_COUNTS).fetchall():
        counts.setdefault(source, {})[file, entity] = (still, closed)
    with postgres.connect(home) as register:
        files = register.execute(_FILES).fetchall()
    found = []
    for source, items in sorted(counts.items()):
        if sources is not None and source not in sources:
            continue
        still, closed = (sum(pair[place] for pair in items.values()) for place in (0, 1))
        path = (out or folder(home, source)) / f"{source}_{at:%Y-%m-%d}.xlsx" if still else None
        if path is not None:
            known = {(row[1], row[2]): row[3:] for row in files if row[0] == source}
            summary = Sheet("汇总 Summary", _FILE_COLUMNS, _summary(items, known), _notes(contracts.get(source)))
            rows = Sheet("待改 To mend", _ITEM_COLUMNS, _items(connection, source))
            xlsx.write(path, [summary, rows], title=f"{source} {at:%Y-%m-%d}", at=at)
        found.append(Return(source, still, closed, path))
    return found


def _summary(
    items: Mapping[tuple[str, str], tuple[int, int]], known: Mapping[tuple[str, str], Cells]
) -> Iterator[Cells]:
    for (file, entity), counts in items.items():
        yield (file, _table(entity), *counts, *known.get((file, entity), (None,) * 6))


def _items(connection: duckdb.DuckDBPyConnection, source: str) -> Iterator[Cells]:
    cursor = connection.execute(_ITEMS, {"source": source})
    blocks = iter(lambda: cursor.fetchmany(_FETCHED), [])
    for file, entity, row, field, value, code, *words, key in chain.from_iterable(blocks):
        known = next((one for one in ENTITIES[entity].fields if one.name == field), None)
        yield (
            *(file, _table(entity), row, known.zh if known else None, field, without_persons(value or ""), code),
            *words,
            without_persons(key or ""),
        )


def _table(entity: str) -> str:
    return f"{ENTITIES[entity].zh} {entity}"


def _notes(contract: Contract | None) -> list[Message]:
    """Say how mended rows come back."""
    patterns = sorted({table.files for table in contract.tables}) if contract else []
    named = "、".join(patterns) or "…"
    return [
        Message(
            "本表列出尚未入库的行。改好后用下面任一办法重新送报，条目自动关闭。",
            "These rows are not loaded yet. Send them again in either way below; items close by themselves.",
        ),
        Message(
            "办法一：在原文件中改好，用同一文件名送报整份文件；新的一份替换旧的一份。行数少 5 % 以上时须先经同意。",
            "1. Mend the file and send it whole under the same name; it takes the place of the earlier one. "
            "A file that lost more than 5 % of its rows waits for approval.",
        ),
        Message(
            f"办法二：只把改好的行放进一个新文件，表头不变，文件名符合约定：{named}。",
            "2. Put only the mended rows into a new file with the same header, "
            f"named as agreed: {', '.join(patterns) or '…'}.",
        ),
        Message(
            "关键字为空的条目（如列数不符的行）只能用办法一，因为单独的行无从对应。",
            "Items without a key, such as rows of another shape, can only be mended in the first way.",
        ),
        Message(
            "*** 处为遮盖的号码，请按文件和行号在原文件中查找。",
            "*** hides a number; find it in your own file by file and row.",
        ),
    ]
