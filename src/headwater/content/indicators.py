"""Definitions of indicators from files: one document an indicator, as many as a file holds."""

from pathlib import Path
from typing import Any

import yaml

from headwater.claims.indicators import Indicator, from_document
from headwater.errors import Message, Refusal

__all__ = ["read_indicators"]

_LARGEST = 1_000_000


def read_indicators(file: Path) -> list[Indicator]:
    """Read the definitions of a YAML or JSON file.

    Raises
    ------
    Refusal
        where the file cannot be read, or a definition is wrong
    """
    return [from_document(document) for document in _documents(file)]


def _documents(file: Path) -> list[dict[str, Any]]:
    try:
        if file.stat().st_size > _LARGEST:
            raise _unreadable(file, f"> {_LARGEST} B")
        text = file.read_text(encoding="utf-8")
        # An anchor could make a few lines endless, and no definition needs one.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.CSafeLoader)):
            raise _unreadable(file, "*alias")
        documents = [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(file, " ".join(str(error).split())) from error
    flat = [part for one in documents for part in (one if isinstance(one, list) else [one])]
    if not flat or not all(isinstance(one, dict) for one in flat):
        raise _unreadable(file, "name, zh, en, formula, unit, owner")
    return flat


def _unreadable(file: Path, detail: str) -> Refusal:
    return Refusal(
        "E-INDICATOR-FILE",
        Message(f"无法读取指标定义 {file.name}：{detail}。", f"Definitions in {file.name} cannot be read: {detail}."),
        Message("对照 docs/indicators.md 中的例子修正。", "Compare it with the examples of docs/indicators.md."),
    )
