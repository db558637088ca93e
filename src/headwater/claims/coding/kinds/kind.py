"""What makes a kind: its fields, its attributes, and how a name is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.states import Compare, State

__all__ = ["Attribute", "Kind", "Parsed", "agreed"]


@dataclass(frozen=True)
class Attribute:
    """One thing that a name and a reference may both say.

    Parameters
    ----------
    compare : two known values to a state
    blocks : a conflict bars ``auto``
    weight : how much equality counts, beside the cosine of the names, when candidates are sought; 0: nothing
    """

    name: str
    compare: Compare
    blocks: bool = True
    weight: float = 0.0


@dataclass(frozen=True)
class Parsed:
    """n names, read.

    Parameters
    ----------
    text : (n,) what is left of the name when its attributes are taken out, squeezed
    values : attribute or further output to (n,) values; empty is unknown
    torn : (n,) name and columns contradict each other in an attribute that blocks
    """

    text: list[str]
    values: Mapping[str, list[str]]
    torn: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """One kind of things that have codes.

    Parameters
    ----------
    fields : what is read beside the name; see ``reading.FIELDS``
    attributes : what is compared beside the text
    read : normal texts by field to what they say
    grams : lengths of the character n-grams by which candidates are sought
    alike : names that share less of their characters, in whatever order, are never coded by themselves
    vouching : attributes that, equal together, let a name of other letters be coded by itself; none: none is needed
    """

    name: str
    fields: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    read: Callable[[Mapping[str, Sequence[str]]], Parsed]
    grams: tuple[int, ...] = (1, 2)
    alike: float = 0.65
    vouching: tuple[tuple[str, ...], ...] = ()


def agreed(column: Sequence[str], name: Sequence[str], compare: Compare) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Return the value of one attribute that column and name may both give, and where they contradict each other.

    The column's value goes first; where it is only near, the longer one says more.
    """
    values, torn = [], np.zeros(len(column), dtype=np.bool_)
    for place, (stated, found) in enumerate(zip(column, name, strict=True)):
        if stated and found and stated != found:
            state = compare(stated, found)
            torn[place] = state is State.CONFLICT
            values.append(found if state is State.NEAR and len(found) > len(stated) else stated)
        else:
            values.append(stated or found)
    return values, torn
