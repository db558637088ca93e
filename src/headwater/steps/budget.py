"""Budget: where hospitals and the funds of insurance types stand against a policy's budget of the calendar year."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import lake, priced
from headwater.adapters.home import Home
from headwater.claims.payment import Holder, Policy, Priced, budget_months, budget_status
from headwater.steps.holdings import known_policies
from headwater.steps.what_if import find_policy

__all__ = ["BudgetReport", "budget", "find_budget", "write_budgets"]

_FORECAST = ("forecast_fen", "forecast_low_fen", "forecast_high_fen", "forecast_method")


@dataclass(frozen=True)
class BudgetReport:
    """What was prepaid, used and is settled from 1 January to a day; money in the currency.

    Parameters
    ----------
    hospitals, funds : the rows of :func:`headwater.claims.payment.budget_status`, by hospital and by insurance type,
        with what the whole year is expected to use
    """

    policy: str
    on: date
    hospitals: list[dict[str, Any]]
    funds: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has, days and money as they are."""
        return asdict(self)


def budget(home: Home, policy: Policy, *, on: date) -> BudgetReport:
    """Hold what was paid under any version of a policy from 1 January to a day against the budget of this version.

    Raises
    ------
    Refusal
        ``E-POLICY-BUDGET`` when the policy has no budget
    """
    with lake.connect(home) as connection:
        priced.create_tables(home, connection)
        paid = priced.read_funds(connection, policy=policy.name, on=on)
    return BudgetReport(
        policy=f"{policy.name}/{policy.valid_from} {policy.version}",
        on=on,
        hospitals=_rows(paid, policy, on, "hospital_id"),
        funds=_rows(paid, policy, on, "insutype"),
    )


def find_budget(home: Home, name: str, *, on: date) -> Policy:
    """Return the version whose budget a year to a day is held against.

    Parameters
    ----------
    name : as :func:`find_policy` takes it, but of a policy's plain name not the newest version: the newest under which
        a stay of the year was paid, as :func:`write_budgets` has it, or, where none was, the newest that had begun
    """
    versions = [one for one in known_policies(home) if one.name == name and one.budget is not None]
    with lake.connect(home) as connection:
        priced.create_tables(home, connection)
        held = _held(priced.read_funds(connection, policy=name), versions)
    begun = [one for one in versions if one.valid_from <= on]
    return held.get(on.year) or (begun[-1] if begun else find_policy(home, name))


def write_budgets(connection: duckdb.DuckDBPyConnection, policies: Sequence[Policy], *, snapshot_id: int) -> None:
    """Write where all budgets stood at the end of every month, from what is priced now.

    Of several versions of a policy within a year, the newest under which a stay of that year was paid says the budget.
    """
    paid = {name: priced.read_funds(connection, policy=name) for name in sorted({one.name for one in policies})}
    for table, holder in priced.BUDGETS.items():
        found = [each for name, funds in paid.items() for each in _years(funds, policies, name, holder)]
        priced.budgets(connection, table, found, snapshot_id=snapshot_id)


def _years(paid: pa.Table, policies: Sequence[Policy], name: str, by: Holder) -> Iterator[pa.Table]:
    """Yield the months of each year that has a budget."""
    mine = [one for one in policies if one.name == name and one.budget is not None]
    for year, policy in sorted(_held(paid, mine).items()):
        end = date(year, 12, 31)
        known = paid.filter(pc.less_equal(paid["endtime"], pa.scalar(end)))
        months = budget_months(known, policy, on=end, by=by)
        for column, value in (("policy", policy.name), ("policy_version", policy.version)):
            months = months.append_column(column, pa.array([value] * len(months), pa.string()))
        yield months


def _held(paid: pa.Table, versions: Sequence[Policy]) -> dict[int, Policy]:
    """Return for each year the newest version under which a stay of it was paid."""
    held: dict[int, Policy] = {}
    used = {(day.year, version) for day, version in zip(*_columns(paid), strict=True)}
    for policy in sorted(versions, key=lambda one: one.valid_from):
        held |= {year: policy for year, version in used if version == policy.version}
    return held


def _columns(paid: pa.Table) -> tuple[list[date], list[str]]:
    return paid["endtime"].to_pylist(), paid["policy_version"].to_pylist()


def _rows(paid: pa.Table, policy: Policy, on: date, by: Holder) -> list[dict[str, Any]]:
    table = budget_status(Priced(policy.version, paid, (), ()), policy, on=on, by=by)
    months = budget_months(paid, policy, on=on, by=by)
    newest = {row[by]: row for row in months.to_pylist()}
    return [
        {
            name.removesuffix("_fen"): Decimal(value).scaleb(-2)
            if name.endswith("_fen") and value is not None
            else value
            for name, value in {**row, **{one: newest.get(row[by], {}).get(one) for one in _FORECAST}}.items()
        }
        for row in table.to_pylist()
    ]
