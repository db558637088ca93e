"""A table's contract as text, so that a delivery can be read again years later by the contract it was loaded by."""

import json
from dataclasses import asdict
from typing import Any

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, Each, TableContract

__all__ = ["restored", "written"]


def written(table: TableContract) -> str:
    """Return a table's contract as JSON; the entity is named, not written out."""
    return json.dumps({**asdict(table), "entity": table.entity.name}, ensure_ascii=False)


def restored(text: str) -> TableContract:
    """Read what :func:`written` wrote."""
    kept: dict[str, Any] = {name: _frozen(value) for name, value in json.loads(text).items()}
    kept["entity"] = ENTITIES[kept["entity"]]
    kept["columns"] = tuple((field, ColumnRule(**rule)) for field, rule in kept["columns"])
    kept["each"] = Each(**kept["each"]) if kept["each"] else None
    return TableContract(**kept)


def _frozen(value: Any) -> Any:
    """Turn lists into tuples, however deep."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return value
