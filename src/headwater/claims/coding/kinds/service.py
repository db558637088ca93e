"""Services: what is done, and the site, method or other qualifier that tells it from its neighbours."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from headwater.claims.coding.kinds.common import found_words, numerals, unmarked
from headwater.claims.coding.kinds.contrasts import compare_contrasts
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed
from headwater.claims.coding.kinds.telling import compare_telling
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import State, compare_words

__all__ = ["SERVICE"]

_QUALIFIED = (
    re.compile(r"^\((?P<which>[^()]+)\)(?P<what>[^()]{2,})$"),
    re.compile(r"^(?P<what>[^()]{2,})\((?P<which>[^()]+)\)$"),
    re.compile(r"^(?P<what>.{2,}?) ?- ?(?P<which>.+)$"),
    re.compile(r"^(?P<what>.{2,}?) (?P<which>.+)$"),
)


@lru_cache(maxsize=1 << 16)
def _parts(name: str) -> tuple[str, str]:
    """Return what is done and its qualifier; of two words the order is not known: see ``compare_parts``."""
    for pattern in _QUALIFIED:
        if found := pattern.match(name):
            return found["what"], found["which"]
    return name, ""


def compare_parts(left: str, right: str) -> State:
    """Compare two pairs ``service|qualifier``, in either order; unknown where the services are not alike.

    A name without the qualifier that the reference has says less than is needed, and that is a conflict.
    """
    if left == right or left.replace("|", "") == right.replace("|", ""):
        return State.EQUAL
    if sorted(left) == sorted(right):
        return State.NEAR
    (what, which), (meant, qualifier) = left.split("|"), right.split("|")
    if not which or not qualifier:
        return State.NEAR if qualifier in what else State.CONFLICT
    orders = ((what, which), (which, what))
    found = [compare_words(two, qualifier) for one, two in orders if compare_words(one, meant) is not State.CONFLICT]
    return min(found, default=State.UNKNOWN)


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read services; see ``kinds.kind.Parsed``."""
    names = [numerals(unmarked(name)) for name in fields["name"]]
    text = [text.replace("-", "") for text in squeeze(names)]
    parts = [_parts(name) for name in names]
    base, qualifier = (squeeze([part[side].replace("|", "") for part in parts]) for side in (0, 1))
    values = {
        "base": base,
        "qualifier": qualifier,
        "parts": [f"{what}|{which}" for what, which in zip(base, qualifier, strict=True)],
        "site": [found_words(name, "sites") for name in text],
        "method": [found_words(name, "methods") for name in text],
        "telling": text,
        "contrasts": text,
        "numbers": [numbers(name) for name in names],
    }
    return Parsed(text, values, np.zeros(len(names), np.bool_))


SERVICE = Kind(
    name="service",
    fields=(),
    attributes=(
        Attribute("parts", compare_parts),
        Attribute("telling", compare_telling("service")),
        Attribute("contrasts", compare_contrasts("service")),
        Attribute("numbers", compare_numbers),
    ),
    read=read,
)
