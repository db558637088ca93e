"""References spelled as a hospital might, so that a matcher learns from its own reference what speaks for whom."""

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["corrupt"]

_MISSING = {"spec": 0.3, "form": 0.6, "maker": 0.3, "licence": 0.75, "material": 0.7}
_INTO_NAME = {"spec": 0.35, "maker": 0.2}


def corrupt(fields: Mapping[str, Sequence[str]], rng: np.random.Generator) -> dict[str, list[str]]:
    """Return (n,) rows with slips of the pen, words left out and attributes moved into the name or lost."""
    alphabet = sorted(set("".join(fields["name"]))) or [" "]
    rows = [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]
    changed = [_row(row, alphabet, rng) for row in rows]
    return {field: [row[field] for row in changed] for field in fields}


def _row(row: dict[str, str], alphabet: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
    name = _slip(_shorten(row["name"], rng), alphabet, rng)
    for field, chance in _INTO_NAME.items():
        if row.get(field) and rng.random() < chance:
            name = f"{name}({row[field]})" if rng.random() < 0.5 else f"{name} {row[field]}"
    lost = {field for field in row if field != "name" and rng.random() < _MISSING.get(field, 0.5)}
    return {field: "" if field in lost else value for field, value in (row | {"name": name}).items()}


def _shorten(name: str, rng: np.random.Generator) -> str:
    """Leave out a stretch, or bring what follows a bracket or space to the front."""
    draw = rng.random()
    if draw < 0.12 and len(name) > 5:
        size = int(rng.integers(1, max(2, len(name) // 3)))
        start = int(rng.integers(len(name) - size))
        return name[:start] + name[start + size :]
    if draw < 0.2:
        for sign in "( -":
            head, found, tail = name.partition(sign)
            if found and head and tail:
                return f"{tail.rstrip(')')}{head}"
    return name


def _slip(name: str, alphabet: Sequence[str], rng: np.random.Generator) -> str:
    for _ in range(int(rng.choice(3, p=(0.6, 0.3, 0.1)))):
        if len(name) < 3:
            break
        place = int(rng.integers(len(name) - 1))
        other = alphabet[int(rng.integers(len(alphabet)))]
        name = (
            name[:place] + name[place + 1 :],
            name[:place] + other + name[place + 1 :],
            name[:place] + other + name[place:],
            name[:place] + name[place + 1] + name[place] + name[place + 2 :],
        )[int(rng.integers(4))]
    return name
