"""A contract by itself: every part is read alone with the rest made good, so that no fault hides another."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from headwater.claims.canonical import ENTITIES, Entity
from headwater.claims.contract import SOURCE_NAME, TableContract, parse_contract
from headwater.claims.proposing.drafting import CURRENCY, HOSPITAL
from headwater.claims.reviewing.finding import Finding
from headwater.errors import Message, Refusal

__all__ = ["parsed_tables", "structure_findings"]

_GOOD_META: dict[str, Any] = {
    "title": {"zh": "x", "en": "x"}, "owner": "x", "origin": "synthetic", "currency": "XXX", "deliveries": "x"
}  # fmt: skip
_PARTS = ("columns", "each")


def structure_findings(source: Mapping[str, Any], where: str) -> list[Finding]:
    """Return what the contract's own rules refuse, each once."""
    found = [*_of_source(source, where), *_undecided(source, f"{where}: {source.get('name')}")]
    tables = source.get("tables")
    if not isinstance(tables, list) or not tables:
        return [*found, *_refused({**_good(source), "tables": tables}, where, "tables")]
    seen: set[str] = set()
    for number, table in enumerate(tables, start=1):
        if not isinstance(table, Mapping):
            place = f"{where}: {source.get('name')}.tables[{number}]"
            found.append(_error(place, Message("应为映射。", "It must be a mapping.")))
            continue
        found += _of_table(source, table, where)
        name = str(table.get("name"))
        if name in seen:
            text = Message(f"表 {name} 出现两次，dbt 不接受。", f"Table {name} stands here twice, which dbt refuses.")
            found.append(_error(f"{where}: {source.get('name')}.{name}", text))
        seen.add(name)
    return list(dict.fromkeys(found))


def parsed_tables(source: Mapping[str, Any], where: str) -> list[TableContract]:
    """Return the tables that can be read, whatever is wrong with the others."""
    tables = source.get("tables")
    parsed: list[TableContract] = []
    for table in tables if isinstance(tables, list) else []:
        try:
            parsed += parse_contract({**_good(source), "tables": [table]}, where=where).tables
        except (Refusal, AttributeError, KeyError, TypeError, ValueError):
            continue
    return parsed


def _good(source: Mapping[str, Any], **meta: Any) -> dict[str, Any]:
    table = {"name": "hospital", "config": {"meta": {"files": "x", "columns": {"fixmedins_code": "x"}}}}
    name = str(source.get("name"))
    return {
        "name": name if SOURCE_NAME.fullmatch(name) else "x",
        "config": {"meta": _GOOD_META | meta},
        "tables": [table],
    }


def _of_source(source: Mapping[str, Any], where: str) -> Iterator[Finding]:
    yield from _refused({**_good(source), "name": source.get("name")}, where, "name")
    meta = (source.get("config") or {}).get("meta")
    if not isinstance(meta, Mapping):
        yield from _refused({**_good(source), "config": source.get("config")}, where, "config")
        return
    for key, value in meta.items():
        yield from _refused(_good(source, **{str(key): value}), where, str(key))
    for key in _GOOD_META:
        if key not in meta:
            good = _good(source)
            del good["config"]["meta"][key]
            yield from _refused(good, where, key)


def _undecided(part: Any, place: str) -> Iterator[Finding]:
    """Look for what a draft left to be decided: nobody may take its placeholders for values."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield from _undecided(value, place if key in ("config", "meta", "tables") else f"{place}.{key}")
    elif isinstance(part, list):
        for entry in part:
            name = entry.get("name") if isinstance(entry, Mapping) else None
            yield from _undecided(entry, f"{place}.{name}" if name else place)
    elif part == HOSPITAL or (part == CURRENCY and place.endswith(".currency")):
        text = Message(
            f"仍是草稿的占位符 {part}，请填写。", f"This is still the draft's placeholder {part}: decide it."
        )
        yield Finding("warning", place, "E-CONTRACT", text)


def _of_table(source: Mapping[str, Any], table: Mapping[str, Any], where: str) -> Iterator[Finding]:
    entity = ENTITIES.get(str(table.get("name")))
    meta = (table.get("config") or {}).get("meta")
    if entity is None or not isinstance(meta, Mapping):
        yield from _refused({**_good(source), "tables": [table]}, where, "tables")
        return
    bad = False
    for key, value in meta.items():
        if key not in _PARTS:
            faults = list(_table_refused(source, entity, where, {str(key): value}, {}))
            yield from faults
            bad = bad or bool(faults)
    if "files" not in meta:
        yield from _table_refused(source, entity, where, {"files": None}, {})
    columns = meta.get("columns", {})
    for field, rule in columns.items() if isinstance(columns, Mapping) else ():
        faults = list(_table_refused(source, entity, where, {}, {str(field): rule}))
        faults += _of_rule(entity, str(field), rule, f"{where}: {source.get('name')}.{entity.name}.{field}")
        yield from faults
        bad = bad or bool(faults)
    if "each" in meta:
        faults = list(_table_refused(source, entity, where, {"each": meta["each"]}, {}))
        yield from faults
        bad = bad or bool(faults)
    if not bad:
        # What only the whole can break: required fields that nothing gives, names that differ by case only.
        yield from _refused({**_good(source), "tables": [table]}, where, "columns")


def _table_refused(
    source: Mapping[str, Any], entity: Entity, where: str, meta: dict[str, Any], columns: dict[str, Any]
) -> Iterator[Finding]:
    good = {field.name: {"value": "x"} for field in entity.fields if field.required}
    table = {"name": entity.name, "config": {"meta": {"files": "x", "columns": good | columns} | meta}}
    yield from _refused({**_good(source), "tables": [table]}, where, next(iter((*columns, *meta)), ""))


def _refused(source: Mapping[str, Any], where: str, key: str) -> Iterator[Finding]:
    try:
        parse_contract(source, where=where)
    except Refusal as error:
        text = Message(f"{error.reason.zh}{error.remedy.zh}", f"{error.reason.en} {error.remedy.en}")
        yield _error(error.reason.en.partition(" wrong at ")[2].rstrip(".") or where, text)
    except (AttributeError, KeyError, TypeError, ValueError):
        text = Message(
            f"{key} 的结构不对，请对照现有合同。", f"{key} has the wrong shape: compare an existing contract."
        )
        yield _error(f"{where}: {source.get('name')}.{key}", text)


def _of_rule(entity: Entity, field: str, rule: Any, place: str) -> list[Finding]:
    """Look at what the parser leaves to the reading: formats that read no date, scales that scale nothing."""
    known = {one.name: one for one in entity.fields}.get(field)
    if known is None or not isinstance(rule, Mapping):
        return []
    found = []
    if rule.get("format") is not None:
        found += _of_format(str(rule["format"]), known.type, place)
    if rule.get("scale") is not None:
        scale = str(rule["scale"])
        positive = scale.isascii() and scale.replace(".", "", 1).isdigit() and float(scale) > 0
        if known.type != "money" or not positive:
            text = Message(
                "scale 只用于金额，且为正的小数，如 0.01。",
                "scale is for amounts only, a positive decimal such as 0.01.",
            )
            found.append(_error(f"{place}.scale", text))
    return found


def _of_format(form: str, kind: str, place: str) -> list[Finding]:
    if kind not in ("date", "time"):
        text = Message("format 只用于日期与时间。", "format is for dates and times only.")
        return [_error(f"{place}.format", text)]
    if "%" in form and _round_trip(form):
        return []
    text = Message(
        f"日期格式 {form} 不能还原年、月、日；例如 %d/%m/%Y。",
        f"Date format {form} does not give year, month and day back; an example is %d/%m/%Y.",
    )
    return [_error(f"{place}.format", text)]


def _round_trip(form: str) -> bool:
    """Tell whether a day that is written in this format is read as the same day."""
    with duckdb.connect() as connection:
        try:
            found = connection.execute(
                "SELECT CAST(strptime(strftime(TIMESTAMP '2023-11-25 13:14:15', $1), $1) AS DATE) = DATE '2023-11-25'",
                [form],
            ).fetchone()
        except duckdb.Error:
            return False
    return bool(found and found[0])


def _error(place: str, text: Message) -> Finding:
    return Finding("error", place, "E-CONTRACT", text)
