"""Budget: where hospitals and the funds of insurance types stand against a policy's budget of the calendar year."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import pyarrow as pa

from headwater.adapters import lake, priced
from headwater.adapters.home import Home
from headwater.claims.payment import Policy, Priced, budget_status

__all__ = ["BudgetReport", "budget"]


@dataclass(frozen=True)
class BudgetReport:
    """What was prepaid, used and is settled from 1 January to a day; money in the currency.

    Parameters
    ----------
    hospitals, funds : the rows of :func:`headwater.claims.payment.budget_status`, by hospital and by insurance type
    """

    policy: str
    on: date
    hospitals: list[dict[str, object]]
    funds: list[dict[str, object]]

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has, money as decimal text."""
        return {"policy": self.policy, "on": self.on.isoformat(), "hospitals": self.hospitals, "funds": self.funds}


def budget(home: Home, policy: Policy, *, on: date) -> BudgetReport:
    """Hold what was paid under any version of a policy from 1 January to a day against the budget of this version.

    Raises
    ------
    Refusal
        ``E-POLICY-BUDGET`` when the policy has no budget
    """
    with lake.connect(home) as connection:
        priced.create_tables(home, connection)
        totals = priced.read_funds(connection, policy=policy.name, days=(date(on.year, 1, 1), on))
    paid = Priced(policy.version, totals, (), ())
    return BudgetReport(
        policy=f"{policy.name}/{policy.valid_from} {policy.version}",
        on=on,
        hospitals=_rows(paid, policy, on, "hospital_id"),
        funds=_rows(paid, policy, on, "insutype"),
    )


def _rows(paid: Priced, policy: Policy, on: date, by: Literal["hospital_id", "insutype"]) -> list[dict[str, object]]:
    table: pa.Table = budget_status(paid, policy, on=on, by=by)
    return [
        {
            name.removesuffix("_fen"): Decimal(value).scaleb(-2)
            if name.endswith("_fen") and value is not None
            else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]
