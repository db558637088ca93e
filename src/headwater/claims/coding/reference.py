"""The reference as entries: what reads the same is one entry, with the codes that it may mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.coding.kinds import Kind, Parsed
from headwater.claims.coding.normalising import normalise
from headwater.claims.coding.reading import FIELDS, Indices, column, read
from headwater.errors import Message, Refusal

__all__ = ["Reference", "gathered", "parsed", "rows_of"]


@dataclass(frozen=True)
class Reference:
    """e entries of c codes; code k of entry e stands at ``start[e] <= j < start[e + 1]`` in ``code`` and ``weight``.

    Parameters
    ----------
    codes, names : (c,) code and its name as the reference gives it
    entries : (e,) what is compared
    start : (e + 1,)
    code, weight : which code, and how often it was seen under this entry
    """

    codes: list[str]
    names: list[str]
    entries: Parsed
    start: Indices
    code: Indices
    weight: npt.NDArray[np.float64]


def rows_of(table: pa.Table, kind: Kind) -> tuple[list[str], dict[str, list[str]]]:
    """Return the codes and the texts of a reference, a row each.

    Raises
    ------
    Refusal
        when a column is missing or no text, when the table is empty, and when a code or a name is
    """
    if not isinstance(table, pa.Table) or "code" not in table.column_names:
        raise _refused("参考目录缺少 code 列。", "The reference has no column code.")
    rows = read(table, kind.fields)
    codes = [(code or b"").decode("utf-8", "replace").strip() for code in column(table, "code").to_pylist()]
    fields = {field: [texts[place] for place in rows.place.tolist()] for field, texts in rows.fields.items()}
    if not codes:
        raise _refused("参考目录为空。", "The reference has no rows.")
    for what, texts in (("code", codes), ("name", fields["name"])):
        if empty := [number + 1 for number, text in enumerate(texts) if not text.strip()]:
            shown = ", ".join(map(str, empty[:5]))
            raise _refused(f"参考目录第 {shown} 行的 {what} 为空（共 {len(empty)} 行）。",
                           f"The reference's {what} is empty in row {shown} ({len(empty)} rows in all).")  # fmt: skip
    return codes, fields


def parsed(fields: Mapping[str, Sequence[str]], kind: Kind) -> Parsed:
    """Normalise and read (n,) rows of text."""
    return kind.read({field: normalise(texts, kind.name) for field, texts in fields.items()})


def gathered(kind: Kind, codes: Sequence[str], names: Sequence[str], said: Parsed) -> tuple[Reference, Indices]:
    """Return the reference of (n,) rows, and which entry each row became.

    The order of the rows changes nothing; of several names of one code the first in order of text is shown.
    """
    shown: dict[str, str] = {}
    for label, name in sorted(zip(codes, names, strict=True), reverse=True):
        shown[label] = name
    listed = sorted(shown)
    number = {label: place for place, label in enumerate(listed)}
    columns = [said.text, *(said.values[attribute] for attribute in sorted(said.values))]
    keys = list(zip(*columns, strict=True))
    entry = {key: place for place, key in enumerate(sorted(set(keys)))}
    row = np.array([entry[key] for key in keys], dtype=np.int64)
    code = np.array([number[label] for label in codes], dtype=np.int64)
    pair, weight = np.unique(row * len(listed) + code, return_counts=True)
    start = np.searchsorted(pair // len(listed), np.arange(len(entry) + 1))
    unique = list(zip(*sorted(entry), strict=True))
    values = {attribute: list(unique[place + 1]) for place, attribute in enumerate(sorted(said.values))}
    entries = Parsed(list(unique[0]), values, np.zeros(len(entry), dtype=np.bool_))
    reference = Reference(
        listed, [shown[code] for code in listed], entries, start, pair % len(listed), weight.astype(np.float64)
    )
    return reference, row


def _refused(zh: str, en: str) -> Refusal:
    known = ", ".join(sorted({name for names in FIELDS.values() for name in names}))
    remedy = Message(
        f"请给出含 code、name 的表；可另有：{known}。", f"Give a table with code and name; also read: {known}."
    )
    return Refusal("E-CODING-REFERENCE", Message(zh, en), remedy)
