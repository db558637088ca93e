"""Source contracts from their YAML files."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from headwater.claims.contract import Contract, parse_contract
from headwater.errors import Message, Refusal

__all__ = ["contract_documents", "contract_files", "read_contracts"]

_PARTS = 100_000
"""A hospital with all tables has a few hundred values in its contract."""


def contract_files(project: Path, deliveries: Path) -> list[Path]:
    """Return every contract file: those of the dbt project, then those delivered with the data."""
    staging = project / "dbt_project" / "models" / "staging"
    return sorted(staging.glob("*/_*.yml")) + sorted((deliveries / "contracts").glob("*/_*.yml"))


def read_contracts(files: Iterable[Path]) -> dict[str, Contract]:
    """Read contracts by source; a source declared twice is refused, other dbt files are passed over."""
    contracts: dict[str, Contract] = {}
    for file in files:
        for source in contract_documents(file):
            contract = _parsed(source, file)
            if contract.source_id in contracts:
                raise Refusal(
                    "E-CONTRACT-TWICE",
                    Message(
                        f"数据源 {contract.source_id} 有两份合同，其一为 {file.name}。",
                        f"Source {contract.source_id} has two contracts, one of them {file.name}.",
                    ),
                    Message("只保留一份。", "Keep one of them."),
                )
            contracts[contract.source_id] = contract
    return contracts


def _parsed(source: dict[str, object], file: Path) -> Contract:
    try:
        return parse_contract(source, where=file.name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _misshapen(file, str(error)) from error


def _misshapen(file: Path, detail: str) -> Refusal:
    return Refusal(
        "E-CONTRACT",
        Message(
            f"数据源合同 {file.name} 的结构不对：{detail}。",
            f"Source contract {file.name} has the wrong shape: {detail}.",
        ),
        Message("对照现有合同修正。", "Compare it with an existing contract."),
    )


def _is_small(document: object) -> bool:
    """Tell whether a document stays small when its anchors are spelt out, which a few lines can make endless."""
    waiting, seen = [document], 0
    while waiting and seen + len(waiting) <= _PARTS:
        part = waiting.pop()
        seen += 1
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return not waiting


def contract_documents(file: Path) -> list[dict[str, object]]:
    """Return the entries of ``sources:`` that say how files are delivered, unread; others describe the lake."""
    try:
        # libyaml's safe loader is ten times faster than the one in Python, and every landing task reads all contracts.
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refusal(
            "E-CONTRACT",
            Message(
                f"数据源合同 {file.name} 不是有效的 YAML：{error}。",
                f"Source contract {file.name} is not valid YAML: {error}.",
            ),
            Message("按报错位置修正。", "Mend it at the place named."),
        ) from error
    if document is not None and not isinstance(document, dict):
        raise _misshapen(file, "not a mapping")
    if not _is_small(document):
        raise _misshapen(file, f"> {_PARTS} parts")
    sources = (document or {}).get("sources") or []
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise _misshapen(file, "sources")
    return [source for source in sources if "deliveries" in ((source.get("config") or {}).get("meta") or {})]
