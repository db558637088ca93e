"""The indicators that the project ships, from the yml beside their marts: their names and how they are counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headwater.errors import Message

__all__ = ["National", "read_national"]


@dataclass(frozen=True)
class National:
    """One indicator.

    Parameters
    ----------
    name : of its mart
    key : columns that tell its rows apart
    columns : all its columns, with what they hold
    low, high : a value below or above is an alert, in the unit; None where there is no such limit
    """

    name: str
    title: Message
    description: str
    formula: str
    grain: tuple[str, ...]
    unit: str
    direction: str
    owner: str
    low: float | None
    high: float | None
    references: tuple[str, ...]
    key: tuple[str, ...]
    columns: Mapping[str, str]


def read_national(project: Path) -> tuple[National, ...]:
    """Return every mart of a project whose yml says the formula of an indicator, by name."""
    files = sorted((project / "dbt_project" / "models" / "marts").rglob("ind_*.yml"))
    return tuple(one for file in files for one in _indicators(yaml.safe_load(file.read_text(encoding="utf-8"))))


def _indicators(document: Mapping[str, Any]) -> Iterator[National]:
    for model in document.get("models", ()):
        meta = model.get("config", {}).get("meta", {})
        if "formula" not in meta:
            continue
        limits = meta.get("threshold") or {}
        yield National(
            name=model["name"],
            title=Message(meta["zh"], meta["en"]),
            description=model["description"].strip(),
            **{name: str(meta[name]) for name in ("formula", "unit", "direction", "owner")},
            low=limits.get("low"),
            high=limits.get("high"),
            grain=tuple(meta["grain"]),
            references=tuple(meta.get("references") or ()),
            key=_key(model),
            columns={column["name"]: column.get("description", "") for column in model["columns"]},
        )


def _key(model: Mapping[str, Any]) -> tuple[str, ...]:
    (grain,) = [test["unique_grain"] for test in model["data_tests"] if "unique_grain" in test]
    return tuple(grain["arguments"]["columns"])
