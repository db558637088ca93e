"""Further stays of one person in one hospital: which rule each falls under, and which stays are one case."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.claims.payment.cases import Cases, Mask
from headwater.claims.payment.money import Fen
from headwater.claims.payment.policy import Repeated

__all__ = ["Repeats", "carriers", "find_repeats", "group_sums", "in_order"]

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Repeats:
    """Which rule each stay falls under.

    Parameters
    ----------
    rule : (n,) place of the rule in the policy's list, -1 where none applies
    gap : (n,) days between the discharge before and this admission
    case : (n,) number of the case; stays that are paid once share theirs
    """

    rule: Places
    gap: Fen
    case: Places


def find_repeats(cases: Cases, rules: Sequence[Repeated], where: Mask) -> Repeats:
    """Return the rule of every stay: each is held against the one before it of the same person in the same hospital.

    Parameters
    ----------
    where : the stays that take part: those with a package
    """
    n = len(cases)
    rule, gap, case = np.full(n, -1, np.int64), np.zeros(n, np.int64), np.arange(n)
    person, hospital = cases.codes["psn_no"], cases.codes["hospital_id"]
    rows = np.flatnonzero(where & cases.dated & (person.places >= 0) & (hospital.places >= 0))
    if not rules or not len(rows):
        return Repeats(rule, gap, case)
    bed = person.places[rows] * (len(hospital.names) + 1) + hospital.places[rows]
    rows = rows[in_order(bed, cases.begin[rows], cases.end[rows])]
    bed = person.places[rows] * (len(hospital.names) + 1) + hospital.places[rows]
    before, later = rows[:-1], rows[1:]
    gap[later] = cases.begin[later] - cases.end[before]
    same_bed = bed[1:] == bed[:-1]
    for place in reversed(range(len(rules))):
        rule[later[same_bed & _applies(cases, rules[place], before, later, gap)]] = place
    once = np.asarray([one.share is None for one in rules] + [False], dtype=np.bool_)
    case[rows] = rows[_first_of_run(once[rule[rows]])]
    return Repeats(rule, gap, case)


def _applies(cases: Cases, rule: Repeated, before: Places, later: Places, gap: Fen) -> Mask:
    # An admission before the former discharge counts as one on its day: nobody lies in two beds.
    applies = gap[later] <= rule.within_days
    if rule.same != "any":
        places = cases.codes[rule.same].places
        applies &= (places[before] == places[later]) & (places[later] >= 0)
    return applies & ~cases.codes["adrg"].among(rule.spared)[later]


def _first_of_run(linked: Mask) -> Places:
    """Return for each place the last place at or before it that is not linked to its predecessor."""
    places = np.where(linked, 0, np.arange(len(linked)))
    return np.asarray(np.maximum.accumulate(places), dtype=np.int64)


def in_order(key: Places, begin: Fen, end: Fen) -> Places:
    """Return the stable order by key, then begin, then end; all of them in one sort where 63 bits suffice."""
    low = int(min(begin.min(), end.min()))
    days = int(max(begin.max(), end.max())) - low + 1
    if (int(key.max()) + 1) * days * days < 2**63:
        return np.argsort((key * days + (begin - low)) * days + (end - low), kind="stable")
    return np.lexsort((end, begin, key))


def carriers(case: Places, package: Fen, where: Mask) -> Mask:
    """Return which stays carry the payment of their case: the greatest package, of equal ones the first row."""
    carrying = where.copy()
    rows = np.flatnonzero(where & (np.bincount(case, minlength=len(case))[case] > 1))
    order = rows[np.lexsort((rows, -package[rows], case[rows]))]
    carrying[order[1:][case[order[1:]] == case[order[:-1]]]] = False
    return carrying


def group_sums(key: Places, values: Fen) -> Fen:
    """Return for each row the sum of the values of its key (keys are row numbers)."""
    sums = np.zeros(len(values), np.int64)
    np.add.at(sums, key, values)
    return np.asarray(sums[key], dtype=np.int64)
