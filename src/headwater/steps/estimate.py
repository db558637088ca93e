"""Estimate: a policy's next version, its weights and rates taken from what stays cost."""

from datetime import date, timedelta
from pathlib import Path

from headwater.adapters import grouped, lake, priced
from headwater.adapters.home import Home
from headwater.claims.payment import Estimate, Policy, Settings
from headwater.claims.payment import estimate as from_costs
from headwater.errors import Message, Refusal
from headwater.steps.holdings import find_plan

__all__ = ["estimate", "put"]


def estimate(home: Home, policy: Policy, *, valid_from: date, settings: Settings) -> Estimate:
    """Return the policy with weights and rates estimated anew from the months before a day; nothing is put in force.

    Parameters
    ----------
    policy : whose rules stay as they are, and whose regions' stays are taken
    valid_from : first day of the new version

    Raises
    ------
    Refusal
        ``E-POLICY-ESTIMATE`` when no grouped stay with a cost was discharged in these months
    """
    plan = find_plan(home, policy.plan)
    # A whole year more than asked for: the estimate cuts its window by months.
    days = (date(max(valid_from.year - settings.months // 12 - 1, 1), 1, 1), valid_from - timedelta(days=1))
    with lake.connect(home) as connection:
        grouped.create_tables(home, connection)
        priced.create_tables(home, connection)
        stays = priced.read_paid(connection, days, plan_version=plan.version, policy=policy)
    return from_costs(stays.filter(stays["is_asked"]), plan.drgs, policy, valid_from=valid_from, settings=settings)


def put(file: Path, text: str) -> None:
    """Write a policy to a new file.

    Raises
    ------
    Refusal
        ``E-POLICY-OUT`` when the file is there, or its folder is not
    """
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise Refusal(
            "E-POLICY-OUT",
            Message(f"无法写入 {file}：文件已存在，或目录不存在。", f"{file} is there already, or its folder is not."),
            Message("给一个新文件。", "Name a new file."),
        ) from error
