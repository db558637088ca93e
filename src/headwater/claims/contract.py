"""Source contracts: how one source's files become canonical tables, declared once and checked before use.

A contract is the ``sources:`` entry of a dbt file; what dbt does not know stands under ``config: meta:``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from headwater.claims.canonical import ENTITIES, Entity
from headwater.errors import Message, Refusal

__all__ = ["SOURCE_NAME", "ColumnRule", "Contract", "Each", "TableContract", "parse_contract"]

FileFormat = Literal["csv", "tsv", "xlsx", "parquet"]
Encoding = Literal["auto", "utf-8", "gb18030", "latin-1"]

SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
"""Names of sources become names of folders and files and parts of keys."""

_FORMATS = ("csv", "tsv", "xlsx", "parquet")
_ENCODINGS = ("auto", "utf-8", "gb18030", "latin-1")
_HEADER_ROWS = 1_000
_ORIGINS = ("real", "synthetic", "converted")
_SOURCE_KEYS = {"title", "owner", "origin", "currency", "deliveries", "cadence", "hospital", "notes"}
_TABLE_KEYS = {"files", "corrections", "format", "encoding", "sheet", "header_row", "nulls", "columns", "each"}
_TIME_FORMAT = re.compile(r"(?:[^%]|%%|%-?[dHIjmMSy]|%[bBfpY])+")
_COLUMN_KEYS = {"from", "value", "map", "format", "scale", "only", "units", "width"}


@dataclass(frozen=True)
class ColumnRule:
    """How one canonical field is read.

    Parameters
    ----------
    column : name of the delivered column, or None when the field is a constant
    value : the constant, or None
    values : delivered value → canonical value; a value outside it is a fault
    format : strptime format, where the general reader of dates would be ambiguous
    scale : factor applied to an amount, e.g. ``0.01`` for amounts delivered in fen
    only : delivered column and the value it must have for this field to count; otherwise the field is empty
    units : words that may follow a number in this column and change nothing, e.g. ``盒``
    width : digits of a code whose leading zeros get lost on the way, e.g. in a workbook; shorter numbers are filled up
    """

    column: str | None = None
    value: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    format: str | None = None
    scale: str | None = None
    only: tuple[str, str] | None = None
    units: tuple[str, ...] = ()
    width: int | None = None


@dataclass(frozen=True)
class Each:
    """Repeated groups of columns: every slot that is not empty becomes one row.

    Parameters
    ----------
    rank : canonical integer field that receives the number of the slot, from 1
    slots : one mapping of canonical field → delivered column a slot
    """

    rank: str
    slots: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class TableContract:
    """How files of one kind become rows of one canonical table.

    Parameters
    ----------
    files : pattern of the files' names in the source's folder
    corrections : pattern of those among them whose rows replace rows of the same key in other files, or None
    nulls : words that mean "empty" in these files beyond the usual ones, e.g. ``0000``
    """

    entity: Entity
    files: str
    format: FileFormat
    encoding: Encoding
    sheet: str | None
    header_row: int
    columns: tuple[tuple[str, ColumnRule], ...]
    each: Each | None = None
    nulls: tuple[str, ...] = ()
    corrections: str | None = None

    @property
    def delivered_columns(self) -> tuple[str, ...]:
        """Every delivered column this table reads, each once, in order of first use."""
        named = [rule.column for _, rule in self.columns if rule.column is not None]
        named += [rule.only[0] for _, rule in self.columns if rule.only is not None]
        if self.each is not None:
            named += [column for slot in self.each.slots for _, column in slot]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class Contract:
    """One source: who delivers, where its files lie, and its tables."""

    source_id: str
    title: Message
    owner: str
    origin: str
    currency: str
    deliveries: str
    cadence: str
    hospital: tuple[tuple[str, str], ...]
    tables: tuple[TableContract, ...]


def parse_contract(source: Mapping[str, Any], *, where: str) -> Contract:
    """Read one entry of ``sources:``; anything unknown, missing or contradictory is refused.

    Parameters
    ----------
    source : the parsed YAML mapping
    where : file name for messages
    """
    name = _text(source, "name", where)
    if SOURCE_NAME.fullmatch(name) is None:
        raise _wrong(
            where,
            "name",
            "a name of at most 63 Latin letters, digits, _ and -, beginning with a letter or digit",
            "不超过 63 个拉丁字母、数字、_ 与 - 的名称，以字母或数字开头",
        )
    where = f"{where}: {name}"
    meta = _meta(source, where)
    _only(meta, _SOURCE_KEYS, where)
    origin = str(meta.get("origin", ""))
    if origin not in _ORIGINS:
        raise _wrong(where, "origin", f"one of {', '.join(_ORIGINS)}", f"{'、'.join(_ORIGINS)} 之一")
    title = meta.get("title")
    if not isinstance(title, Mapping) or not {"zh", "en"} <= set(title):
        raise _wrong(where, "title", "a mapping with zh and en", "同时含 zh 与 en 的映射")
    tables = source.get("tables")
    if not isinstance(tables, list) or not tables:
        raise _wrong(where, "tables", "a list with at least one table", "至少一张表的列表")
    hospital = meta.get("hospital") or {}
    return Contract(
        source_id=name,
        title=Message(str(title["zh"]), str(title["en"])),
        owner=_text(meta, "owner", where),
        origin=origin,
        currency=_text(meta, "currency", where),
        deliveries=_folder(meta, where),
        cadence=str(meta.get("cadence", "monthly")),
        hospital=tuple((str(key), str(value)) for key, value in hospital.items()),
        tables=tuple(_table(table, where) for table in tables),
    )


def _table(table: Mapping[str, Any], where: str) -> TableContract:
    name = _text(table, "name", where)
    where = f"{where}.{name}"
    if name not in ENTITIES:
        raise _wrong(where, "name", f"one of {', '.join(ENTITIES)}", f"{'、'.join(ENTITIES)} 之一")
    meta = _meta(table, where)
    _only(meta, _TABLE_KEYS, where)
    entity = ENTITIES[name]
    each = _each(meta["each"], entity, where) if "each" in meta else None
    columns = tuple((field, _rule(rule, f"{where}.{field}")) for field, rule in dict(meta.get("columns", {})).items())
    contract = TableContract(
        entity=entity,
        files=_text(meta, "files", where),
        format=cast(FileFormat, _choice(meta, "format", _FORMATS, where, "csv")),
        encoding=cast(Encoding, _choice(meta, "encoding", _ENCODINGS, where, "auto")),
        sheet=None if meta.get("sheet") is None else str(meta["sheet"]),
        header_row=_header_row(meta, where),
        columns=columns,
        each=each,
        nulls=tuple(str(word) for word in meta.get("nulls", ())),
        corrections=None if meta.get("corrections") is None else str(meta["corrections"]),
    )
    _complete(contract, where)
    _contained(contract, where)
    return contract


def _each(each: Mapping[str, Any], entity: Entity, where: str) -> Each:
    _only(each, {"rank", "slots"}, f"{where}.each")
    slots = tuple(tuple((str(f), str(c)) for f, c in slot.items()) for slot in each["slots"])
    rank = str(each["rank"])
    for field in (rank, *(f for slot in slots for f, _ in slot)):
        _known(field, entity, f"{where}.each")
    return Each(rank=rank, slots=slots)


def _rule(rule: Any, where: str) -> ColumnRule:
    if isinstance(rule, str):
        return ColumnRule(column=rule)
    if not isinstance(rule, Mapping):
        raise _wrong(where, "", "a column name or a mapping", "列名或映射")
    _only(rule, _COLUMN_KEYS, where)
    if ("from" in rule) == ("value" in rule):
        raise _wrong(where, "from", "exactly one of from and value", "from 与 value 二者恰有其一")
    if "value" in rule:
        return ColumnRule(value=str(rule["value"]))
    values = tuple((str(delivered), str(canonical)) for delivered, canonical in dict(rule.get("map", {})).items())
    only = tuple(dict(rule.get("only", {})).items())
    if len(only) > 1:
        raise _wrong(where, "only", "one column and its value", "一个列及其取值")
    return ColumnRule(
        column=str(rule["from"]),
        values=values,
        format=None if rule.get("format") is None else _time_format(str(rule["format"]), where),
        scale=None if rule.get("scale") is None else str(rule["scale"]),
        only=(str(only[0][0]), str(only[0][1])) if only else None,
        units=tuple(str(unit) for unit in rule.get("units", ())),
        width=None if rule.get("width") is None else int(rule["width"]),
    )


def _time_format(text: str, where: str) -> str:
    """Return a strptime format that the database understands and that tells the year."""
    if _TIME_FORMAT.fullmatch(text) is None or not re.search("%-?[Yy]", text.replace("%%", "")):
        raise _wrong(
            where, "format", "a strptime format with a year, such as %d.%m.%Y", "含年份的 strptime 格式，如 %d.%m.%Y"
        )
    return text


def _complete(contract: TableContract, where: str) -> None:
    given = {field for field, _ in contract.columns}
    for field in given:
        _known(field, contract.entity, where)
    if contract.each is not None:
        given |= {contract.each.rank} | {field for slot in contract.each.slots for field, _ in slot}
    missing = [field.name for field in contract.entity.fields if field.required and field.name not in given]
    if missing:
        raise _wrong(
            where,
            "columns",
            f"also the required fields {', '.join(missing)}",
            f"还须包含必填字段 {'、'.join(missing)}",
        )


def _contained(contract: TableContract, where: str) -> None:
    """Refuse reading outside the source's folder, constant persons, and column names that differ by case only."""
    if contract.files.startswith(("/", "\\")) or ".." in contract.files.split("/"):
        raise _wrong(where, "files", "a pattern inside the source's folder", "数据源目录之内的模式")
    for field, rule in contract.columns:
        if contract.entity.field(field).type in ("person", "identity") and rule.column is None:
            raise _wrong(where, field, "a delivered column, as a constant person makes no sense", "送报列，不能是常量")
    names = [column.casefold() for column in contract.delivered_columns]
    twice = next((name for name in names if names.count(name) > 1 or name.startswith("__")), None)
    if twice is not None:
        raise _wrong(
            where,
            twice,
            "distinct beyond case, and not start with two underscores",
            "忽略大小写后唯一，且不以双下划线开头",
        )


def _known(field: str, entity: Entity, where: str) -> None:
    names = [known.name for known in entity.fields]
    if field not in names:
        raise _wrong(where, field, f"a field of {entity.name}: {', '.join(names)}", f"{entity.zh}的字段")


def _meta(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    meta = (entry.get("config") or {}).get("meta")
    if not isinstance(meta, Mapping):
        raise _wrong(where, "config.meta", "a mapping", "映射")
    return dict(meta)


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None or not str(value).strip():
        raise _wrong(where, key, "given", "必须给出")
    return str(value)


def _folder(meta: Mapping[str, Any], where: str) -> str:
    folder = _text(meta, "deliveries", where)
    if folder.startswith(("/", "\\")) or ".." in folder.split("/"):
        raise _wrong(where, "deliveries", "a folder inside the inbox", "收件目录之内的目录")
    return folder


def _choice(meta: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str, default: str) -> str:
    value = str(meta.get(key, default))
    if value not in allowed:
        raise _wrong(where, key, f"one of {', '.join(allowed)}", f"{'、'.join(allowed)} 之一")
    return value


def _header_row(meta: Mapping[str, Any], where: str) -> int:
    row = meta.get("header_row", 1)
    if not isinstance(row, int) or not 1 <= row <= _HEADER_ROWS:
        raise _wrong(where, "header_row", f"a number from 1 to {_HEADER_ROWS}", f"1 至 {_HEADER_ROWS} 的整数")
    return row


def _only(entry: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(entry) - allowed)
    if unknown:
        raise _wrong(where, unknown[0], f"one of {', '.join(sorted(allowed))}", f"{'、'.join(sorted(allowed))} 之一")


def _wrong(where: str, key: str, must_en: str, must_zh: str) -> Refusal:
    place = f"{where}.{key}" if key else where
    return Refusal(
        "E-CONTRACT",
        Message(f"数据源合同有误：{place}。", f"The source contract is wrong at {place}."),
        Message(f"应为：{must_zh}。", f"It must be {must_en}."),
    )
