"""What is in force: the policies of an installation, the plans that they name, and where and when each holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

from headwater.adapters import policies as register
from headwater.adapters import postgres
from headwater.adapters.grouped import Holding
from headwater.adapters.home import Home
from headwater.claims.grouping import Plan, load_plan
from headwater.claims.payment import Policy, parse_policy
from headwater.content.kept import Kept
from headwater.content.policies import Added, periods, read_policies
from headwater.errors import Message, Refusal

__all__ = [
    "InForce",
    "added",
    "find_plan",
    "in_force",
    "known_policies",
    "plan_folders",
    "policy_folders",
    "read_plan",
]


read_plan = Kept(load_plan, lambda folder: (file for file in folder.rglob("*") if file.is_file()))
"""Return the plan of a folder, compiled once a content."""


@dataclass(frozen=True)
class InForce:
    """Policies with the plans that they name, by name."""

    policies: tuple[Policy, ...]
    plans: dict[str, Plan]

    @cached_property
    def holdings(self) -> tuple[Holding, ...]:
        """Where and when each policy holds, a row a region."""
        return tuple(
            Holding(
                region=region,
                currency=period.policy.currency,
                first=period.first,
                last=period.last,
                policy=period.policy.name,
                policy_version=period.policy.version,
                plan=period.policy.plan,
                plan_version=self.plans[period.policy.plan].version,
            )
            for period in periods(self.policies)
            for region in (period.policy.regions or (None,))
        )

    def policy(self, version: str) -> Policy:
        """Return the policy of a version."""
        return next(policy for policy in self.policies if policy.version == version)


def policy_folders(home: Home) -> tuple[Path, Path]:
    """Return where policies lie: those of the project, and those of this installation."""
    return home.project / "dbt_project" / "policies", home.root / "policies"


def plan_folders(home: Home) -> tuple[Path, Path]:
    """Return where plans lie: those of the project, and those of this installation."""
    return home.project / "dbt_project" / "plans", home.root / "plans"


def in_force(home: Home) -> InForce:
    """Read every policy and each plan that one of them names."""
    policies = known_policies(home)
    return InForce(policies, {name: find_plan(home, name) for name in sorted({policy.plan for policy in policies})})


def known_policies(home: Home) -> tuple[Policy, ...]:
    """Read every policy, of the folders and of the register; see :func:`read_policies` for what is refused."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        found = register.entries(connection)
    return read_policies(policy_folders(home), added(found))


def added(found: Sequence[register.Entry]) -> list[Added]:
    """Return the policies that stand in a register, with all in whose place each stands."""
    replaced: dict[tuple[str, date], set[str]] = {}
    for one in found:
        replaced.setdefault((one.name, one.valid_from), set()).update((one.replaces,) if one.replaces else ())
    return [
        Added(
            _parsed(one.body, f"{one.name}/{one.valid_from}"),
            frozenset(replaced[one.name, one.valid_from]),
        )
        for one in register.standing(found)
    ]


@lru_cache(maxsize=128)
def _parsed(body: str, file: str) -> Policy:
    """Return the policy of a text, compiled once: what was added never changes."""
    return parse_policy(body, file=file)


def find_plan(home: Home, name: str) -> Plan:
    """Return a plan by its name.

    Raises
    ------
    Refusal
        ``E-PLAN-UNKNOWN`` with the known names, and whatever :func:`load_plan` refuses
    """
    known = {path.name: path for folder in plan_folders(home) if folder.is_dir() for path in sorted(folder.iterdir())}
    if name in known:
        return read_plan(known[name])
    listed = "、".join(known) or "无", ", ".join(known) or "none"
    raise Refusal(
        "E-PLAN-UNKNOWN",
        Message(f"没有分组方案 {name}，现有：{listed[0]}。", f"There is no plan {name}; known: {listed[1]}."),
        Message(
            "把方案放入 dbt_project/plans 或安装目录的 plans，或用 headwater grouper convert 转换。",
            "Put it into dbt_project/plans or the installation's plans, or convert it with headwater grouper convert.",
        ),
    )
