"""Services: what is done, and the site, method or other qualifier that tells it from its neighbours."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import compare_words

__all__ = ["SERVICE"]

_QUALIFIED = re.compile(r"^([^()]{2,})(?:\(([^()]+)\)|[ \-](.+))$")


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read services; see ``kinds.kind.Parsed``."""
    parts = [found.groups() if (found := _QUALIFIED.match(name)) else (name, "", "") for name in fields["name"]]
    values = {
        "base": squeeze([base for base, _, _ in parts]),
        "qualifier": squeeze([bracketed or dashed or "" for _, bracketed, dashed in parts]),
        "numbers": [numbers(name) for name in fields["name"]],
    }
    return Parsed([text.replace("-", "") for text in squeeze(fields["name"])], values, np.zeros(len(parts), np.bool_))


SERVICE = Kind(
    name="service",
    fields=(),
    attributes=(
        Attribute("qualifier", compare_words),
        Attribute("numbers", compare_numbers),
    ),
    read=read,
)
