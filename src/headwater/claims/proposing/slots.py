"""Repeated groups of columns in a wide front page: the numbered diagnoses and operations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from headwater.claims.canonical import ENTITIES
from headwater.claims.proposing.assignment import LEAST
from headwater.claims.proposing.evidence import fit, profile
from headwater.claims.proposing.names import name_score

__all__ = ["Series", "numbered"]

_FIELDS = (
    ("diagnosis", "diag_code"),
    ("diagnosis", "diag_name"),
    ("operation", "oprn_oprt_code"),
    ("operation", "oprn_oprt_name"),
)


@dataclass(frozen=True)
class Series:
    """Numbered columns of one canonical field, in the order of their numbers.

    Parameters
    ----------
    columns : number in the name → column
    score : how well names and values fit the field, from 0 to 1
    """

    entity: str
    field: str
    columns: Mapping[int, str]
    score: float


def numbered(header: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[Series]:
    """Return the series of numbered columns that hold diagnoses or operations, at most one a field.

    Parameters
    ----------
    values : column → its cells
    """
    bases = {base: columns for base, columns in _bases(header).items() if len(columns) > 1}
    if not bases:
        return []
    names = list(bases)
    scores = np.zeros((len(names), len(_FIELDS) + len(names)))
    for row, base in enumerate(names):
        cells = [cell for column in bases[base].values() for cell in values[column][:500]]
        seen = profile(cells)
        for place, (entity, field) in enumerate(_FIELDS):
            name = name_score(base.replace("#", " ").strip(), entity, field)
            shown = fit(ENTITIES[entity].field(field), seen)
            scores[row, place] = name * (0.45 + 0.55 * shown.fits) + 0.15 * shown.tells * bool(name)
        scores[row, len(_FIELDS) + row] = LEAST
    rows, places = linear_sum_assignment(scores, maximize=True)
    found = [
        (names[row], *_FIELDS[place], scores[row, place])
        for row, place in zip(rows, places, strict=True)
        if place < len(_FIELDS) and scores[row, place] > LEAST
    ]
    return [Series(entity, field, bases[base], float(min(score, 1.0))) for base, entity, field, score in found]


def _bases(header: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return names with one of their numbers blanked → number → column; each column under its largest family."""
    families: dict[str, dict[int, str]] = {}
    for column in header:
        for match in re.finditer(r"\d+", column):
            base = f"{column[: match.start()]}#{column[match.end() :]}"
            families.setdefault(base, {})[int(match[0])] = column
    own: dict[str, dict[int, str]] = {}
    for column in header:
        holding = [base for base, members in families.items() if column in members.values()]
        if holding:
            base = max(holding, key=lambda name: len(families[name]))
            number = next(number for number, member in families[base].items() if member == column)
            own.setdefault(base, {})[number] = column
    return {base: dict(sorted(members.items())) for base, members in own.items()}
