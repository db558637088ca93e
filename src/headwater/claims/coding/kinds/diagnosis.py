"""Diagnosis: names in clinical words."""

from collections.abc import Mapping, Sequence

import numpy as np

from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers

__all__ = ["DIAGNOSIS"]


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read names; see ``kinds.kind.Parsed``."""
    text = squeeze(fields["name"])
    return Parsed(text, {"numbers": [numbers(name) for name in text]}, np.zeros(len(text), dtype=np.bool_))


DIAGNOSIS = Kind(name="diagnosis", fields=(), attributes=(Attribute("numbers", compare_numbers),), read=read)
