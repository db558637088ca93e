"""Plans in headwater's own layout: ``plan.yml`` and tables as CSV, one idea a table."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from headwater.claims.grouping.compiling import compiled
from headwater.claims.grouping.published import read_published
from headwater.claims.grouping.tables import Entry, Group, Listed, PlanTables
from headwater.errors import Message, Refusal

__all__ = ["convert", "is_folder", "read_folder"]

_HEAD = "plan.yml"
_TABLES: Mapping[str, tuple[str, ...]] = {
    "diagnoses": ("code", "name"),
    "operations": ("code", "name"),
    "diagnosis_map": ("code", "becomes"),
    "operation_map": ("code", "becomes"),
    "lists": ("owner", "list", "kind", "code", "mark"),
    "mdc": ("code", "rule", "name"),
    "adrg": ("code", "mdc", "rule", "name", "status"),
    "drg": ("code", "adrg", "rule", "name"),
    "complications": ("code", "level", "exclusion"),
    "exclusions": ("exclusion", "code"),
}
_OPTIONAL = ("diagnosis_map", "operation_map")
_CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("lists", "kind"): ("diagnosis", "operation"),
    ("adrg", "status"): ("", "grouped", "unrelated"),
    ("complications", "level"): ("CC", "MCC"),
}
_FILLED = ("list", "code", "becomes", "exclusion")
_KEYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("diagnoses", "operations", "diagnosis_map", "operation_map"), ("code",)),
    "lists": ("owner", "list", "kind", "code"),
    "complications": ("code",),
}
_Rows = Sequence[Mapping[str, str]]


def is_folder(folder: Path) -> bool:
    """Tell whether the folder has headwater's own layout."""
    return (folder / _HEAD).is_file()


def read_folder(folder: Path) -> PlanTables:
    """Read a plan.

    Raises
    ------
    Refusal
        ``E-PLAN-FILE`` where a table is missing, lacks a column or holds a value that it cannot hold.
    """
    head = _head(folder / _HEAD)
    rows = {name: _read(folder / f"{name}.csv", name) for name in _TABLES}
    named = {name: {row["code"]: row["name"] for row in rows[name]} for name in ("diagnoses", "operations")}
    maps = {name: {row["code"]: row["becomes"] for row in rows[name]} for name in ("diagnosis_map", "operation_map")}
    return PlanTables(
        name=str(head["name"]),
        title=str(head.get("title", "")),
        source=str(head.get("source", "")),
        unreachable={str(code): str(why) for code, why in dict(head.get("unreachable") or {}).items()},
        **named,
        **maps,
        lists=tuple(_lists(rows["lists"])),
        mdcs=tuple(Entry(row["code"], "", row["rule"], row["name"]) for row in rows["mdc"]),
        adrgs=tuple(
            Entry(row["code"], row["mdc"], row["rule"], row["name"], row["status"] or "grouped") for row in rows["adrg"]
        ),
        drgs=tuple(Group(row["code"], row["adrg"], row["rule"], row["name"]) for row in rows["drg"]),
        complications=tuple((row["code"], row["level"], row["exclusion"]) for row in rows["complications"]),
        exclusions=tuple((row["exclusion"], row["code"]) for row in rows["exclusions"]),
    )


def convert(published: Path | str, out: Path | str) -> None:
    """Write a published plan in headwater's own layout; it loads as the same version.

    Parameters
    ----------
    published : folder with ``rules.json`` and its tables
    out : folder to write; it is made, and must be empty

    Raises
    ------
    Refusal
        ``E-PLAN-OUT`` where something stands in the folder to write, and whatever ``load_plan`` refuses: what is
        written can be loaded.
    """
    published, out = Path(published), Path(out)
    if out.exists() and any(out.iterdir()):
        reason = Message("文件夹 {out} 不是空的。", "Folder {out} is not empty.").format(out=out.name)
        raise Refusal("E-PLAN-OUT", reason, Message("请指定一个新文件夹。", "Name a new folder."))
    tables = read_published(published)
    compiled(tables)
    out.mkdir(parents=True, exist_ok=True)
    head = {"name": tables.name, "title": tables.title, "source": tables.source}
    (out / _HEAD).write_text(yaml.safe_dump(head, allow_unicode=True, sort_keys=False), encoding="utf-8")
    for name, lines in _lines(tables).items():
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([_TABLES[name], *lines])
        (out / f"{name}.csv").write_text(written.getvalue(), encoding="utf-8")


def _lines(tables: PlanTables) -> Mapping[str, Iterable[Sequence[str]]]:
    return {
        "diagnoses": tables.diagnoses.items(),
        "operations": tables.operations.items(),
        "diagnosis_map": tables.diagnosis_map.items(),
        "operation_map": tables.operation_map.items(),
        "lists": (
            (listed.owner, listed.name, listed.kind, code, mark)
            for listed in tables.lists
            for code, mark in listed.codes.items()
        ),
        "mdc": ((entry.code, entry.rule, entry.name) for entry in tables.mdcs),
        "adrg": ((entry.code, entry.within, entry.rule, entry.name, entry.status) for entry in tables.adrgs),
        "drg": ((drg.code, drg.adrg, drg.rule, drg.name) for drg in tables.drgs),
        "complications": tables.complications,
        "exclusions": tables.exclusions,
    }


def _lists(rows: _Rows) -> Iterator[Listed]:
    codes: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        codes.setdefault((row["owner"], row["list"], row["kind"]), {})[row["code"]] = row["mark"]
    for (owner, name, kind), listed in codes.items():
        yield Listed(owner, name, kind, listed)


def _head(file: Path) -> Mapping[str, Any]:
    try:
        head = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if not isinstance(head, dict) or not head.get("name"):
        raise _unreadable(file, "name")
    return head


def _read(file: Path, table: str) -> list[dict[str, str]]:
    if table in _OPTIONAL and not file.is_file():
        return []
    try:
        columns, rows = _parsed(file.read_text(encoding="utf-8-sig"), _TABLES[table])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, str(error)) from error
    missing = set(_TABLES[table]) - set(columns)
    if missing:
        raise _unreadable(file, ", ".join(sorted(missing)))
    for place, fault in _faults(table, rows):
        raise _unreadable(file, f"{place}: {fault}")
    return rows


def _faults(table: str, rows: _Rows) -> Iterator[tuple[int, str]]:
    """Tell of rows that lack what they are about, hold what they cannot hold, or say a thing twice: line and fault."""
    choices = {column: values for (name, column), values in _CHOICES.items() if name == table}
    filled, keys = [column for column in _TABLES[table] if column in _FILLED], _KEYS.get(table, ())
    seen: set[tuple[str, ...]] = set()
    for place, row in enumerate(rows, start=2):
        yield from ((place, f"{column} = ''") for column in filled if not row[column])
        yield from ((place, f"{column} = {row[column]!r}") for column in choices if row[column] not in choices[column])
        key = tuple(row[column] for column in keys)
        if keys and key in seen:
            yield place, f"2 × {' '.join(filter(None, key))}"
        seen.add(key)


def _parsed(text: str, wanted: Sequence[str]) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Return the columns of a table and its rows, of which only the wanted columns."""
    # A rule can be longer than what the reader of CSV takes for a field unless told otherwise.
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        read = csv.DictReader(io.StringIO(text), strict=True)
        rows = []
        for row in read:
            # A comma that is not quoted moves what follows into the wrong columns.
            if None in row:
                raise csv.Error(f"{read.line_num}: {len(read.fieldnames or ())} columns, more cells")
            rows.append({name: (row.get(name) or "").strip() for name in wanted})
    finally:
        csv.field_size_limit(limit)
    return read.fieldnames or (), rows


def _unreadable(file: Path, detail: str) -> Refusal:
    reason = Message("分组方案文件 {file} 无法读取：{detail}。", "The plan's file {file} cannot be read: {detail}.")
    remedy = Message("请对照 docs/grouping.md 改正。", "Mend it after docs/grouping.md.")
    return Refusal("E-PLAN-FILE", reason.format(file=file.name, detail=detail), remedy)
