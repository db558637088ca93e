"""Published fields: what a formula may speak of, declared beside the columns of the marts.

A mart ``fct_<table>`` that knows its stay is published as ``<table>``. A column is a field where its ``meta`` says what
it is called in Chinese (``zh``); a number also has a ``unit``. ``dimension: true`` lets an indicator be broken down by
it, and ``identifies: person`` says that its values name somebody or something: they may be counted and never read.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.claims.indicators.units import BASES, Unit, parse_unit
from headwater.errors import Message, Refusal

__all__ = ["HOME", "Catalogue", "Field", "Table", "catalogue", "near"]

HOME = "stay"
"""The table that every other one leads to, whose fields are dimensions and scopes."""

_KEY = "stay_id"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NUMBERS = ("bigint", "integer", "double", "decimal")
_KINDS = {"varchar": "text", "boolean": "condition", "date": "date", "timestamp": "date"}


@dataclass(frozen=True)
class Field:
    """One published column.

    Parameters
    ----------
    table, name : ``stay``, ``drug_amount``
    kind : number, text, condition, date or identifier
    unit : of a number; of an identifier what a count of its values is in
    is_exact : whether its sums are exact: whole and decimal numbers
    is_required : whether every row has it
    is_dimension : whether an indicator may be broken down by it
    label : what it is called
    data_type : of the column
    """

    table: str
    name: str
    kind: str
    unit: Unit
    is_exact: bool
    is_required: bool
    is_dimension: bool
    label: Message
    data_type: str


@dataclass(frozen=True)
class Table:
    """One published mart: its fields by name, its relation in the lake, and what a count of its rows is in."""

    name: str
    relation: str
    row: Unit
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Catalogue:
    """Everything that is published."""

    tables: Mapping[str, Table]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the fields by which an indicator may be broken down."""
        home = self.tables.get(HOME)
        return tuple(field.name for field in (home.fields.values() if home else ()) if field.is_dimension)

    def having(self, name: str) -> list[str]:
        """Return the tables that have a field of this name."""
        return [table.name for table in self.tables.values() if name in table.fields]

    def near(self, name: str) -> str:
        """Return the fields whose names are nearest to one that does not exist."""
        return near(name, {field for table in self.tables.values() for field in table.fields})


def near(name: str, known: Iterable[str]) -> str:
    """Return up to five of the known names, the nearest ones."""
    known = sorted(known)
    return ", ".join(difflib.get_close_matches(name, known, n=5, cutoff=0.4) or known[:5]) or "-"


def catalogue(documents: Iterable[Mapping[str, Any]]) -> Catalogue:
    """Read what is published from the parsed yml of the marts.

    Raises
    ------
    Refusal
        where a declaration cannot be read: a number without a unit, an unknown unit, a name that SQL could not hold
    """
    tables: dict[str, Table] = {}
    for document in documents:
        for model in document.get("models") or []:
            table = _table(model)
            if table is not None:
                tables[table.name] = table
    return Catalogue({name: tables[name] for name in sorted(tables, key=lambda name: (name != HOME, name))})


def _table(model: Mapping[str, Any]) -> Table | None:
    columns = model.get("columns") or []
    name = str(model["name"])
    if not name.startswith("fct_") or _KEY not in {column["name"] for column in columns}:
        return None
    short = name.removeprefix("fct_")
    fields = [_field(short, column) for column in columns if "zh" in _meta(column)]
    if not fields or not _NAME.fullmatch(name):
        return None
    rows = str(_meta(model).get("rows", short))
    row = Unit(((rows, 1),)) if rows in BASES else Unit()
    return Table(short, f"lake.marts.{name}", row, {field.name: field for field in fields})


def _field(table: str, column: Mapping[str, Any]) -> Field:
    name, data_type, meta = str(column["name"]), str(column["data_type"]).lower(), _meta(column)
    if not _NAME.fullmatch(name):
        raise _wrong(table, name, "name")
    kind = "number" if data_type.startswith(_NUMBERS) else _KINDS.get(data_type)
    if "identifies" in meta:
        kind = "identifier"
    if kind is None:
        raise _wrong(table, name, f"data_type {data_type}")
    written = str(meta["identifies"] if kind == "identifier" else meta.get("unit", "" if kind == "number" else "1"))
    try:
        unit, _, _ = parse_unit(written)
    except ValueError as error:
        raise _wrong(table, name, f"unit {error}") from error
    return Field(
        table=table,
        name=name,
        kind=kind,
        unit=unit,
        is_exact=not data_type.startswith("double"),
        is_required={"type": "not_null"} in (column.get("constraints") or []),
        is_dimension=bool(meta.get("dimension", False)) and table == HOME,
        label=Message(str(meta["zh"]), " ".join(str(column.get("description", name)).split())),
        data_type=data_type,
    )


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict((node.get("config") or {}).get("meta") or {})


def _wrong(table: str, name: str, detail: str) -> Refusal:
    return Refusal(
        "E-FIELD",
        Message(f"字段 {table}.{name} 的声明有误：{detail}。", f"Field {table}.{name} is declared wrongly: {detail}."),
        Message("修正该列的 meta（zh、unit）。", "Mend the meta (zh, unit) of the column."),
    )
