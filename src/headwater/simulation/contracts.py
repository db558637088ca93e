"""Source contracts: what a hospital's layout looks like to whoever reads its files."""

from pathlib import Path
from typing import Any

import yaml

from headwater.simulation.hospitals import PROVINCE, Hospital
from headwater.simulation.layouts import Column, Layout, file_columns, slot_columns, words

__all__ = ["STEMS", "contract", "contract_text", "pattern", "write_contracts"]

STEMS = {
    "front_page": "front_page",
    "diagnosis": "diagnosis",
    "operation": "operation",
    "settlement": "settlements",
    "fee_line": "fee_lines",
    "drug": "drug_list",
    "consumable": "consumable_list",
    "service_item": "service_list",
}
"""Canonical table → beginning of its files' names."""

_ONCE = ("drug", "consumable", "service_item")
_TITLES = {
    "front_page": "Front pages of discharged patients, one row a stay.",
    "diagnosis": "Diagnoses of discharged patients, one row each, the main one first.",
    "operation": "Operations of discharged patients, one row each, the main one first.",
    "settlement": "Settlements of discharged patients, one row each, reversals and new ones included.",
    "fee_line": "Billed items of discharged patients, one row a line.",
    "drug": "The hospital's drug list, one row a local item.",
    "consumable": "The hospital's consumable list, one row a local item.",
    "service_item": "The hospital's service list, one row a local item.",
}


class _Dumper(yaml.SafeDumper):
    """Quotes digits, so that no reader of YAML takes a code for a number."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if text.isdigit() else None)


_Dumper.add_representer(str, _quoted)
_HEADER = "# A synthetic hospital of the bundled region; its layout is defined in headwater.simulation.layouts.\n"


def pattern(table: str, shape: Layout) -> str:
    """Return the glob that matches one table's files in the hospital's folder."""
    return f"{STEMS[table]}{'' if table in _ONCE else '_*'}.{shape.format}"


def contract(hospital: Hospital) -> dict[str, Any]:
    """Return the hospital's contract as a dbt sources document."""
    names = [name for name in STEMS if name != "settlement" or hospital.layout.long]
    tables = [_table(hospital, name) for name in names]
    return {
        "version": 2,
        "sources": [
            {
                "name": hospital.source,
                "database": "lake",
                "schema": "raw",
                "description": f"{hospital.name_en}, a synthetic hospital of the bundled region.",
                "config": {"meta": _meta(hospital)},
                "tables": tables,
            }
        ],
    }


def _meta(hospital: Hospital) -> dict[str, Any]:
    place = {"code": hospital.code, "level": str(hospital.level), "city": hospital.city, "region": PROVINCE}
    return {
        "title": {"zh": hospital.name_zh, "en": hospital.name_en},
        "owner": "信息科",
        "origin": "synthetic",
        "currency": "CNY",
        "deliveries": hospital.source,
        "cadence": "monthly",
        "hospital": place,
    }


def _table(hospital: Hospital, table: str) -> dict[str, Any]:
    shape = hospital.layout
    wide = table in ("diagnosis", "operation") and not shape.long
    file_table = "front_page" if wide else table
    meta: dict[str, Any] = {"files": pattern(file_table, shape), "format": shape.format.removesuffix(".gz")}
    if shape.delimited:
        meta["encoding"] = "auto"
    if shape.format == "xlsx":
        meta["sheet"] = "数据"
    if shape.header_row > 1:
        meta["header_row"] = shape.header_row
    columns = {column.field: column for column in file_columns(shape, file_table)}
    if wide:
        meta["each"] = _each(shape, table)
        meta["columns"] = {"mdtrt_id": columns["mdtrt_id"].name}
    else:
        meta["columns"] = _columns(hospital, table, columns)
    return {"name": table, "description": _TITLES[table], "config": {"meta": meta}}


def _each(shape: Layout, table: str) -> dict[str, Any]:
    fields = ("diag_code", "diag_name") if table == "diagnosis" else ("oprn_oprt_code", "oprn_oprt_name")
    slots = [
        {field: column.name for field, column in zip(fields, slot, strict=True)} for slot in slot_columns(shape, table)
    ]
    return {"rank": "diag_srt" if table == "diagnosis" else "oprn_srt", "slots": slots}


def _columns(hospital: Hospital, table: str, columns: dict[str, Column]) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if table in ("front_page", "settlement", "service_item") and "fixmedins_code" not in columns:
        rules["fixmedins_code"] = {"value": hospital.code}
    for field, column in columns.items():
        if not field.startswith("+") and ":" not in field:
            rules[field] = _rule(hospital.layout, column)
    return rules


def _rule(shape: Layout, column: Column) -> str | dict[str, Any]:
    rule: dict[str, Any] = {"from": column.name}
    known = words(shape, column.kind)
    if known:
        rule["map"] = {word: code for code, word in known.items()}
    if column.kind in ("date", "time") and shape.day.startswith("%d"):
        # Day-first dates are only read when the contract says so.
        rule["format"] = shape.day + (shape.clock if column.kind == "time" else "")
    if column.kind == "money" and shape.money == "fen":
        rule["scale"] = 0.01
    return rule if len(rule) > 1 else column.name


def contract_text(hospital: Hospital) -> str:
    """Return the contract as the YAML that stands in the dbt project."""
    return _HEADER + yaml.dump(contract(hospital), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


def write_contracts(folder: Path, hospitals: tuple[Hospital, ...]) -> list[Path]:
    """Write ``<folder>/<source>/_<source>.yml`` for every hospital and return the files."""
    files = []
    for hospital in hospitals:
        file = folder / hospital.source / f"_{hospital.source}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(contract_text(hospital), encoding="utf-8")
        files.append(file)
    return files
