"""A proposal as the YAML of a contract: what is to be decided stands beside it in both languages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from headwater.claims.proposing.names import shown
from headwater.claims.proposing.proposal import Proposal, ProposedColumn, ProposedTable
from headwater.errors import Message

__all__ = ["CURRENCY", "HOSPITAL", "Source", "draft", "source_name"]

CURRENCY = "XXX"
"""ISO 4217's code for no currency: a placeholder."""

HOSPITAL = "TO-DECIDE"
"""Placeholder for the hospital's code."""

_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff_][A-Za-z0-9_\u4e00-\u9fff]*")
_RESERVED = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}
_HEAD = (
    "# 由送报文件起草；带“？”的行须由人确认后再启用。",
    "# Drafted from delivered files; decide what lines with a ? say before it is used.",
    "version: 2",
    "",
    "sources:",
)


@dataclass(frozen=True)
class Source:
    """What files cannot say about who delivers; None where it is to be decided.

    Parameters
    ----------
    folder : where its files lie in the inbox; a folder of its name when None
    """

    name: str
    currency: str | None = None
    hospital: str | None = None
    origin: str | None = None
    folder: str | None = None


def source_name(text: str) -> str:
    """Return a text as a source's name: small letters, digits and underscores.

    >>> source_name("St. Mary's (2020)"), source_name("某医院")
    ('st_mary_s_2020', 'source')
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
    return name if name and name.isascii() else "source"


def draft(proposal: Proposal, source: Source) -> str:
    """Return the contract as YAML text; it parses as it stands."""
    hospital = source.hospital or next((table.hospital for table in proposal.tables if table.hospital), None)
    lines = [*_HEAD, *_source(proposal, source, hospital), "    tables:"]
    # Comments cannot end a list that has begun, so whole tables come first.
    for table in (*proposal.complete, *(table for table in proposal.tables if table.missing)):
        text = _table(table, hospital or HOSPITAL)
        lines += [f"      # {line.removeprefix('      ')}" for line in text] if table.missing else text
    return "\n".join(lines) + "\n"


def _source(proposal: Proposal, source: Source, hospital: str | None) -> list[str]:
    signs = "、".join(proposal.currency_signs) or "无"
    lines = [
        f"  - name: {_scalar(source.name)}",
        "    database: lake",
        "    schema: raw",
        "    description: Drafted from delivered files.",
        "    config:",
        "      meta:",
        _ask(Message("数据源名称", "name of the source")),
        f"        title: {{zh: {_scalar(source.name)}, en: {_scalar(source.name)}}}",
        _ask(Message("负责部门", "who answers for it")),
        "        owner: TO-DECIDE",
    ]
    if source.origin is None:
        lines.append(_ask(Message("数据性质：real、synthetic 或 converted", "real, synthetic or converted")))
    lines.append(f"        origin: {source.origin or 'real'}")
    if source.currency is None:
        ask = Message(
            f"币种（ISO 4217，如 CNY）；文件中的货币符号：{signs}",
            f"currency (ISO 4217, e.g. CNY); signs in the files: {signs if signs != '无' else 'none'}",
        )
        lines.append(_ask(ask))
    lines += [
        f"        currency: {_scalar(source.currency or CURRENCY)}",
        f"        deliveries: {_scalar(source.folder or source.name)}",
    ]
    lines.append("        cadence: monthly")
    lines.append(
        _ask(
            Message(
                "机构编号、等级（level）、城市（city）、统筹区（region）",
                "code, level, city and region of the hospital",
            )
        )
    )
    lines.append(f"        hospital: {{code: {_scalar(hospital or HOSPITAL)}}}")
    if proposal.notes:
        lines += ["        notes:", *(f"          - {_quoted(_line(note))}" for note in proposal.notes)]
    return lines


def _table(table: ProposedTable, hospital: str) -> list[str]:
    lines = [
        f"      - name: {table.entity.name}",
        f"        description: {_quoted(f'{table.entity.en}, drafted from {table.files}.')}",
        "        config:",
        "          meta:",
        f"            files: {_quoted(table.files)}",
        f"            format: {table.format}",
    ]
    if table.missing:
        lines.append(
            _ask(
                Message(
                    f"缺少必填字段 {'、'.join(table.missing)}，补上后去掉注释",
                    f"required fields are missing: {', '.join(table.missing)}; uncomment when given",
                ),
                12,
            )
        )
    lines += [_ask(note, 12) for note in table.notes]
    if table.format in ("csv", "tsv"):
        lines.append(f"            encoding: {table.encoding}")
    if table.sheet is not None:
        lines.append(f"            sheet: {_scalar(table.sheet)}")
    if table.header_row > 1:
        lines.append(f"            header_row: {table.header_row}")
    return [*lines, *_slots(table), *_columns(table, hospital)]


def _slots(table: ProposedTable) -> list[str]:
    if not table.slots:
        return []
    rank = "diag_srt" if table.entity.name == "diagnosis" else "oprn_srt"
    slots = [f"                - {_flow(slot)}" for slot in table.slots]
    return ["            each:", f"              rank: {rank}", "              slots:", *slots]


def _columns(table: ProposedTable, hospital: str) -> list[str]:
    read = {column.field: column for column in table.columns if column.field is not None}
    lines = ["            columns:"]
    for field in table.entity.fields:
        column = read.get(field.name)
        if column is not None:
            lines += _column(column)
        elif field.name == "fixmedins_code" and field.required:
            if hospital == HOSPITAL:
                lines.append(
                    _ask(Message("文件中没有机构编号，请填写", "the files do not give the hospital's code"), 14)
                )
            lines.append(f"              fixmedins_code: {{value: {_scalar(hospital)}}}")
    unread = [shown(column.column) for column in table.columns if column.field is None]
    if unread:
        lines.append(f"            # 未读取的列 columns not read: {'、'.join(unread)}")
    return lines


def _column(column: ProposedColumn) -> list[str]:
    lines = [_ask(note, 14) for note in column.notes]
    if column.unsure and not column.notes:
        rival = column.runner_up[0].removeprefix("+") if column.runner_up else "–"
        lines.append(
            _ask(
                Message(
                    f"把握 {column.confidence:.2f}，其次是 {rival}",
                    f"confidence {column.confidence:.2f}, the runner-up is {rival}",
                ),
                14,
            )
        )
    value = _flow({"from": column.column, **column.keys}) if column.keys else _scalar(column.column)
    return [*lines, f"              {column.field}: {value}"]


def _ask(note: Message, indent: int = 8) -> str:
    return f"{' ' * indent}# ? {shown(_line(note))}"


def _line(note: Message) -> str:
    return f"{note.zh} / {note.en}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED else _quoted(text)


def _quoted(text: str) -> str:
    dumped = yaml.dump(text, allow_unicode=True, default_style='"', width=2**20)
    return str(dumped).removesuffix("\n")
