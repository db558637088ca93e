"""Reopening: which answers a changed reference touches, and no others."""

from collections.abc import Collection, Mapping

import pyarrow as pa

from headwater.claims.likeness import ATTRIBUTES

__all__ = ["changed_codes", "is_touched"]


def changed_codes(before: pa.Table, after: pa.Table, *, kind: str) -> frozenset[str]:
    """Return the codes of ``before`` that ``after`` lacks or says something else of.

    Only what tells one thing from another counts: name and attributes. A price, class or flag that changed leaves every
    answer as it is, and so does a code that came.

    Parameters
    ----------
    before, after : two versions of one kind's reference: ``code``, ``name`` and the kind's attributes; a column that is
        absent is empty
    """
    new = _said(after, kind)
    return frozenset(code for code, said in _said(before, kind).items() if new.get(code) != said)


def is_touched(codes: Collection[str | None], *, changed: Collection[str]) -> bool:
    """Tell whether an answer must be given again: its code, or one it was chosen among, changed.

    >>> is_touched(["A", "B"], changed={"B"}), is_touched([None], changed={"B"})
    (True, False)
    """
    return any(code in changed for code in codes if code is not None)


def _said(reference: pa.Table, kind: str) -> Mapping[str, frozenset[tuple[str, ...]]]:
    """Return what is said of each code; a reference that has a code twice says both."""
    columns = [
        reference.column(name).to_pylist() if name in reference.column_names else [None] * reference.num_rows
        for name in ("name", *ATTRIBUTES[kind])
    ]
    said: dict[str, set[tuple[str, ...]]] = {}
    for code, *row in zip(reference.column("code").to_pylist(), *columns, strict=True):
        said.setdefault(code, set()).add(tuple(text or "" for text in row))
    return {code: frozenset(rows) for code, rows in said.items()}
