"""What if another policy held: the same stays under two policies, and who gains and loses by the second."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.cases import read_cases
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.pricing import Priced, price_cases

__all__ = ["WhatIf", "what_if"]

_SIDES = ("before", "after")
_AMOUNTS = ("payable", "fund", "self_pay")


@dataclass(frozen=True, eq=False)
class WhatIf:
    """Stays priced twice.

    Parameters
    ----------
    before, after : the payments under both policies, row for row of the same stays
    """

    before: Priced = field(repr=False)
    after: Priced = field(repr=False)

    def only(self, where: pa.Array) -> "WhatIf":
        """Return the comparison of some of the stays, by a flag each: nothing is priced again."""
        return WhatIf(self.before.only(where), self.after.only(where))

    def by(self, *keys: str) -> pa.Table:
        """Return who gains and who loses, a row a value of the keys (columns of the totals); without any, one row.

        Columns: the keys, ``stays``, ``<payable|fund|self_pay>_<before|after>_fen``, ``change_fen`` (of what is
        payable to hospitals), ``fund_change_fen``, ``self_pay_change_fen``, and ``outcome`` (gains, loses, same).
        """
        before, after = (priced.sums(*keys) for priced in (self.before, self.after))
        columns = {key: before[key] for key in (*keys, "stays")}
        for name in _AMOUNTS:
            for side, sums in zip(_SIDES, (before, after), strict=True):
                columns[f"{name}_{side}_fen"] = sums[f"{name}_fen"]
        for name in _AMOUNTS:
            change = pc.subtract(columns[f"{name}_after_fen"], columns[f"{name}_before_fen"])
            columns["change_fen" if name == "payable" else f"{name}_change_fen"] = change
        sign = pc.sign(columns["change_fen"])
        columns["outcome"] = pc.choose(pc.add(sign, 1).cast(pa.int64()), "loses", "same", "gains")
        return pa.table(columns)


def what_if(
    stays: pa.Table, plan_drgs: pa.Table | None, before: Policy, after: Policy, *, where: pa.Array | None = None
) -> WhatIf:
    """Return the stays (as for :func:`price`) priced under both policies, whatever days these are in force.

    Parameters
    ----------
    where : which stays are compared, such as those of a period; rules over a person's other stays see all
    """
    cases = read_cases(stays, plan_drgs)
    return WhatIf(*(price_cases(cases, stays, policy, where=where) for policy in (before, after)))
