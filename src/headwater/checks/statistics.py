"""What every statistic must do: merge and subtract exactly, in any order, and survive the journey."""

from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np

from headwater.checks.suite import Suite, refused, require
from headwater.statistics.statistic import Family, Statistic

__all__ = ["STATISTIC_SUITE"]

_SEED = 20240601


def _samples(family: Family, count: int) -> list[Statistic]:
    rng = np.random.default_rng(_SEED)
    return [family.sample(rng) for _ in range(count)]


def check_kind_is_the_familys(family: Family) -> None:
    """Require that the statistic says which family can read it."""
    require(_samples(family, 1)[0].kind == family.kind, "kind differs from the family's")


def check_merge_in_any_order(family: Family) -> None:
    """Require that every order of merging gives the same bits."""
    totals = {Statistic.total(order).digest for order in permutations(_samples(family, 4))}
    require(len(totals) == 1, "the order of merging shows")


def check_merge_in_any_tree(family: Family) -> None:
    """Require that every grouping gives the same bits."""
    a, b, c = _samples(family, 3)
    require(a.merge(b).merge(c) == a.merge(b.merge(c)), "the grouping of merges shows")


def check_subtract_undoes_merge(family: Family) -> None:
    """Require that subtracting a statistic leaves exactly what was there before it."""
    a, b = _samples(family, 2)
    require(a.merge(b).subtract(b) == a, "subtract does not undo merge")
    require(a.subtract(a) == b.subtract(b), "nothing left of two statistics differs")


def check_message_round_trip(family: Family) -> None:
    """Require that what arrives is what was sent, in as many bytes as announced."""
    statistic = _samples(family, 1)[0]
    message = statistic.to_bytes()
    require(Statistic.from_bytes(message) == statistic, "the message changes the statistic")
    require(len(message) == statistic.nbytes, "nbytes is not the length of the message")


def check_foreign_forms_refused(family: Family) -> None:
    """Require that a statistic of another kind or shape is not merged."""
    statistic = _samples(family, 1)[0]
    other_kind = Statistic("another", statistic.shape, statistic.values)
    other_shape = Statistic(statistic.kind, (*statistic.shape, 1), statistic.values)
    for other in (other_kind, other_shape):
        refused(partial(statistic.merge, other), "E-STATISTIC-FORM")
        refused(partial(statistic.subtract, other), "E-STATISTIC-FORM")


def check_overflow_refused(family: Family) -> None:
    """Require that a sum beyond 64 bits is refused, never wrapped."""
    statistic = _samples(family, 1)[0]
    full = replace(statistic, values=np.full(statistic.values.size, 2**63 - 1, dtype=np.uint64))
    refused(lambda: full.merge(full), "E-STATISTIC-OVERFLOW")
    least = replace(statistic, values=np.full(statistic.values.size, 2**63, dtype=np.uint64))
    refused(lambda: least.subtract(statistic.merge(full.subtract(statistic))), "E-STATISTIC-OVERFLOW")


def check_cannot_be_changed(family: Family) -> None:
    """Require that the values of a statistic are read-only."""
    require(not _samples(family, 1)[0].values.flags.writeable, "values can be overwritten")


def check_same_records_same_bits(family: Family) -> None:
    """Require that the statistic depends on nothing but the records."""
    require(_samples(family, 2) == _samples(family, 2), "the same records give different statistics")


STATISTIC_SUITE: Suite[Family] = Suite(
    "statistic",
    (
        check_kind_is_the_familys,
        check_merge_in_any_order,
        check_merge_in_any_tree,
        check_subtract_undoes_merge,
        check_message_round_trip,
        check_foreign_forms_refused,
        check_overflow_refused,
        check_cannot_be_changed,
        check_same_records_same_bits,
    ),
)
