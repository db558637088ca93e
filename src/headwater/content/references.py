"""Layouts of reference files: how a file that somebody publishes becomes a kind of reference, declared as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath
from typing import Any

import yaml

from headwater.claims.references import KINDS
from headwater.errors import Message, Refusal

__all__ = ["Layout", "layout_for", "named_date", "read_layouts"]

_KEYS = {"kind", "files", "columns", "lines", "where", "joined", "header_row", "sheet", "valid_from", "notes"}
_FORMATS = ("csv", "tsv", "xlsx", "parquet")
_DATED = re.compile(r"(.+)[_-](\d{4})-?(\d{2})-?(\d{2})")


@dataclass(frozen=True)
class Layout:
    """How one file is read.

    Parameters
    ----------
    kind : of reference, see :data:`headwater.claims.references.KINDS`
    files : pattern of the file's name, with folders above it where the name alone would not tell
    columns : column of the kind → delivered column; empty where the delivered columns bear the kind's own names
    lines : regular expression of a line whose named groups are the kind's columns, for files without a header; or None
    where : delivered columns and the values of which a row must have one, else it is passed over
    joined : several names of one code are one name
    valid_from : the first day it holds; None where the file's name or whoever loads it says so
    """

    kind: str
    files: str = "*"
    columns: tuple[tuple[str, str], ...] = ()
    lines: re.Pattern[str] | None = None
    where: tuple[tuple[str, frozenset[str]], ...] = ()
    joined: bool = False
    header_row: int = 1
    sheet: str | None = None
    valid_from: date | None = None


def read_layouts(project: Path) -> list[Layout]:
    """Return the declared layouts of ``dbt_project/references/*.yml``; anything unknown in them is refused."""
    layouts: list[Layout] = []
    for file in sorted((project / "dbt_project" / "references").glob("*.yml")):
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            layouts += [_layout(entry, file.name) for entry in document["layouts"]]
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError, ValueError, re.error) as error:
            raise _wrong(file.name, str(error)) from error
    return layouts


def layout_for(file: PurePath, layouts: list[Layout], *, kind: str | None = None) -> Layout | None:
    """Return how to read a file: as declared, else as a table of the product's own columns, else None.

    Parameters
    ----------
    kind : what it is; where it is None and no layout fits, the name must be ``<kind>`` or ``<kind>_<date>``
    """
    for layout in layouts:
        if file.match(layout.files) and kind in (None, layout.kind):
            return layout
    if file.suffix.lstrip(".").lower() not in _FORMATS:
        return None
    found = _DATED.fullmatch(file.stem)
    kind = kind or (found[1] if found else file.stem)
    return Layout(kind) if kind in KINDS else None


def named_date(file: PurePath) -> date | None:
    """Return the day at the end of a file's name, ``drug_2026-01-01.csv`` or ``drug_20260101.csv``, if there is one."""
    found = _DATED.fullmatch(file.stem)
    try:
        return date(*map(int, found.groups()[1:])) if found else None
    except ValueError:
        return None


def _layout(entry: Mapping[str, Any], where: str) -> Layout:
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise _wrong(where, f"{unknown[0]} ≠ {', '.join(sorted(_KEYS))}")
    kind = str(entry["kind"])
    if kind not in KINDS:
        raise _wrong(where, f"kind {kind} ≠ {', '.join(KINDS)}")
    lines = None if entry.get("lines") is None else re.compile(str(entry["lines"]))
    columns = {str(name): str(column) for name, column in dict(entry.get("columns") or {}).items()}
    strange = sorted({*columns, *(lines.groupindex if lines else ())} - set(KINDS[kind].schema.names))
    if strange:
        raise _wrong(where, f"{kind}.{strange[0]} ≠ {', '.join(KINDS[kind].schema.names)}")
    selected = dict(entry.get("where") or {})
    return Layout(
        kind=kind,
        files=str(entry["files"]),
        columns=tuple(columns.items()),
        lines=lines,
        where=tuple((str(column), frozenset(map(str, values))) for column, values in selected.items()),
        joined=bool(entry.get("joined", False)),
        header_row=int(entry.get("header_row", 1)),
        sheet=None if entry.get("sheet") is None else str(entry["sheet"]),
        valid_from=None if entry.get("valid_from") is None else date.fromisoformat(str(entry["valid_from"])),
    )


def _wrong(where: str, detail: str) -> Refusal:
    return Refusal(
        "E-REFERENCE-LAYOUT",
        Message(f"参考表布局 {where} 有误：{detail}。", f"The layout of references in {where} is wrong: {detail}."),
        Message(
            "对照 dbt_project/references/ 下的其他布局修正。", "Compare it with others in dbt_project/references/."
        ),
    )
