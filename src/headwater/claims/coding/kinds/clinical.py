"""What diagnoses and operations have in common: clinical words that clerks put in another order."""

from collections.abc import Mapping, Sequence

import numpy as np

from headwater.claims.coding.kinds.contrasts import compare_contrasts
from headwater.claims.coding.kinds.kind import Attribute, Parsed
from headwater.claims.coding.kinds.telling import compare_telling
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import State

__all__ = ["attributes", "read"]


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read names; see ``kinds.kind.Parsed``. ``letters`` are a name's characters in one order."""
    text = squeeze(fields["name"])
    values = {
        "letters": ["".join(sorted(name)) for name in text],
        "telling": text,
        "contrasts": text,
        "numbers": [numbers(name) for name in text],
    }
    return Parsed(text, values, np.zeros(len(text), dtype=np.bool_))


def attributes(kind: str) -> tuple[Attribute, ...]:
    """Return what names of a clinical kind are compared by beside their text."""
    return (
        Attribute("letters", _compare_letters, blocks=False),
        Attribute("telling", compare_telling(kind)),
        Attribute("contrasts", compare_contrasts(kind)),
        Attribute("numbers", compare_numbers),
    )


def _compare_letters(mine: str, theirs: str) -> State:
    # Other letters tell nothing that the text does not; the same ones are the same words turned round.
    return State.EQUAL if mine == theirs else State.UNKNOWN
