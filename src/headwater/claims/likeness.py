"""Likeness: which local items of all hospitals are one and the same text, so that one decision serves them all."""

import hashlib
import unicodedata
from collections.abc import Mapping

import pyarrow as pa

__all__ = ["ATTRIBUTES", "KINDS", "like_ids"]

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "drug": ("spec", "dosform_name", "prodentp_name", "aprvno", "unit"),
    "consumable": ("spec", "material", "prodentp_name", "regno", "unit"),
    "service": ("unit",),
    "diagnosis": (),
    "operation": (),
}
"""Kind of item to the columns beside its name that say what it is."""

KINDS = tuple(ATTRIBUTES)

_OWN_CODE = ("diagnosis", "operation")


def like_ids(items: pa.Table, *, kind: str) -> list[str]:
    """Return one identifier a row: equal for equal names and attributes, whatever widths, cases and blanks they have.

    Nothing else is folded: a letter more or less may be another strength. The delivered code of a diagnosis or
    operation is part of what was said; an item without a name is like no other.

    Parameters
    ----------
    items : ``source_id``, ``medins_list_codg``, ``medins_list_name`` and the kind's attributes; absent ones are empty
    """
    said = ["medins_list_name", *ATTRIBUTES[kind], *(["medins_list_codg"] if kind in _OWN_CODE else [])]
    own = ["source_id", "medins_list_codg"]
    columns = {name: _texts(items, name) for name in {*said, *own}}
    found = []
    for place in range(items.num_rows):
        parts = [_folded(columns[name][place]) for name in said]
        if not parts[0]:
            parts += [columns[name][place] for name in own]
        found.append(hashlib.sha256("\x1f".join([kind, *parts]).encode("utf-8", "surrogatepass")).hexdigest()[:20])
    return found


def _texts(items: pa.Table, name: str) -> list[str]:
    if name not in items.column_names:
        return [""] * items.num_rows
    return [text or "" for text in items.column(name).to_pylist()]


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
