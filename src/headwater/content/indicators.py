"""Definitions of indicators from files: one document an indicator, as many as a file holds."""

from pathlib import Path
from typing import Any

import yaml

from headwater.claims.indicators import Indicator, from_document
from headwater.errors import Message, Refusal

__all__ = ["read_indicators"]

_LARGEST = 1_000_000
_DEEPEST = 20


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
        _refuse_odd(file, text)
        documents = [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(file, " ".join(str(error).split())) from error
    flat = [part for one in documents for part in (one if isinstance(one, list) else [one])]
    if not flat or not all(isinstance(one, dict) for one in flat):
        raise _unreadable(file, "name, zh, en, formula, unit, owner")
    return flat


def _refuse_odd(file: Path, text: str) -> None:
    """Refuse what no definition needs: an anchor could make a few lines endless, and depth ends the process.

    A key that stands twice is refused too; YAML would let the last one win in silence.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            raise _unreadable(file, "*alias" if depth <= _DEEPEST else f"> {_DEEPEST}")
    nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [str(key.value) for key, _ in node.value]
            if twice := [key for key in keys if keys.count(key) > 1]:
                raise _unreadable(file, f"2 × {twice[0]}")
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _unreadable(file: Path, detail: str) -> Refusal:
    return Refusal(
        "E-INDICATOR-FILE",
        Message(f"无法读取指标定义 {file.name}：{detail}。", f"Definitions in {file.name} cannot be read: {detail}."),
        Message("对照 docs/indicators.md 中的例子修正。", "Compare it with the examples of docs/indicators.md."),
    )
