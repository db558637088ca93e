"""What comparing one attribute of a name and of a reference can say."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

__all__ = ["Compare", "State", "compare_exactly", "compare_models", "compare_paths", "compare_sets", "compare_words"]


class State(IntEnum):
    """UNKNOWN: either side is silent; NEAR: they can be the same; CONFLICT: they cannot."""

    UNKNOWN = 0
    EQUAL = 1
    NEAR = 2
    CONFLICT = 3


Compare: TypeAlias = Callable[[str, str], State]
"""Compares two known values of one attribute."""


def compare_exactly(left: str, right: str) -> State:
    """Equal or in conflict."""
    return State.EQUAL if left == right else State.CONFLICT


def compare_paths(left: str, right: str) -> State:
    """Compare words of a hierarchy: a general one (``注射剂``) can be any of its kinds (``注射剂/液``)."""
    if left == right:
        return State.EQUAL
    one, two = left.split("/"), right.split("/")
    shared = min(len(one), len(two))
    return State.NEAR if one[:shared] == two[:shared] else State.CONFLICT


def compare_sets(left: str, right: str) -> State:
    """Words separated by ``|``: one set within the other is near."""
    one, two = set(left.split("|")), set(right.split("|"))
    if one == two:
        return State.EQUAL
    return State.NEAR if one <= two or two <= one else State.CONFLICT


def compare_words(left: str, right: str) -> State:
    """Free words: a slip of the pen is near, as long as the digits are the same."""
    if left == right:
        return State.EQUAL
    if _digits(left) == _digits(right) and (left in right or right in left):
        return State.NEAR
    return compare_models(left, right)


def compare_models(left: str, right: str) -> State:
    """Compare free words of which one that says more is another: only a slip of the pen is near."""
    if left == right:
        return State.EQUAL
    if _digits(left) != _digits(right):
        return State.CONFLICT
    if min(len(left), len(right)) > 1 and max(len(left), len(right)) > 2 and Levenshtein.distance(left, right) == 1:
        return State.NEAR
    if left in right or right in left:
        return State.CONFLICT
    return State.NEAR if sorted(left) == sorted(right) or fuzz.ratio(left, right) >= 65 else State.CONFLICT


def _digits(text: str) -> list[str]:
    return [sign for sign in text if sign.isdigit()]
