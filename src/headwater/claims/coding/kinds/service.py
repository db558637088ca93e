"""Services: what is done, and the site, method or other qualifier that tells it from its neighbours."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from headwater.claims.coding.kinds.common import found_words, numerals, unmarked
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import State, compare_words, compare_sets, compare_words

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
    """Compare two pairs ``service|qualifier``, in either order; unknown where the services are not alike."""
    if left == right or left.replace("|", "") == right.replace("|", ""):
        return State.EQUAL
    if sorted(left) == sorted(right):
        return State.NEAR
    one, two = left.split("|"), right.split("|")
    if len(one) != 2 or len(two) != 2:
        return State.UNKNOWN
    found = [
        compare_words(other[1], two[1])
        for other in (one, one[::-1])
        if compare_words(other[0], two[0]) is not State.CONFLICT
    ]
    return min(found, default=State.UNKNOWN)


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read services; see ``kinds.kind.Parsed``."""
    names = [numerals(unmarked(name)) for name in fields["name"]]
    text = [text.replace("-", "") for text in squeeze(names)]
    parts = [_parts(name) for name in names]
    base, qualifier = squeeze([what for what, _ in parts]), squeeze([which for _, which in parts])
    values = {
        "base": base,
        "qualifier": qualifier,
        "parts": [f"{what}|{which}" if which else "" for what, which in zip(base, qualifier, strict=True)],
        "site": [found_words(name, "sites") for name in text],
        "method": [found_words(name, "methods") for name in text],
        "numbers": [numbers(name) for name in names],
    }
    return Parsed(text, values, np.zeros(len(names), np.bool_))


SERVICE = Kind(
    name="service",
    fields=(),
    attributes=(
        Attribute("parts", compare_parts),
        Attribute("site", compare_sets),
        Attribute("method", compare_sets),
        Attribute("numbers", compare_numbers),
    ),
    read=read,
)
