"""Plans: which there are, which of them a policy names, and how a published one is taken in."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.compute as pc

from headwater.adapters.home import Home
from headwater.claims.grouping import convert as convert_plan
from headwater.errors import Message, Refusal
from headwater.steps.holdings import known_policies, plan_folders, read_plan

__all__ = ["PlanShown", "convert", "plans"]

_NAME = re.compile(r"[\w-][\w.-]{0,99}")


@dataclass(frozen=True)
class PlanShown:
    """One plan as it is listed.

    Parameters
    ----------
    name : of its folder, by which policies name it
    policies : names of the policies that name it
    """

    name: str
    title: str
    version: str
    folder: str
    mdcs: int
    adrgs: int
    drgs: int
    policies: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has."""
        return asdict(self)


def plans(home: Home) -> list[PlanShown]:
    """Return every plan, by name; those of the installation come before those of the project under the same name."""
    used: dict[str, set[str]] = {}
    for policy in known_policies(home):
        used.setdefault(policy.plan, set()).add(policy.name)
    folders = {path.name: path for root in plan_folders(home) for path in root.glob("*/")}
    return [_shown(folders[name], tuple(sorted(used.get(name, ())))) for name in sorted(folders)]


def convert(home: Home, published: Path, *, name: str) -> PlanShown:
    """Write a published plan as tables under this installation; one that is there already is refused.

    Raises
    ------
    Refusal
        ``E-PLAN-NAME`` for a name that would lie elsewhere, and whatever ``claims.grouping.convert`` refuses
    """
    if not _NAME.fullmatch(name):
        raise Refusal(
            "E-PLAN-NAME",
            Message(f"方案名“{name}”不能用作文件夹名。", f"{name!r} cannot be a plan's folder."),
            Message("只用文字、数字、_、- 与点，且不以点开头。", "Use letters, digits, _, - and dots, no dot first."),
        )
    folder = plan_folders(home)[1] / name
    convert_plan(published, folder)
    return _shown(folder, ())


def _shown(folder: Path, policies: tuple[str, ...]) -> PlanShown:
    plan = read_plan(folder)
    drgs = plan.drgs
    return PlanShown(
        name=folder.name,
        title=plan.tables.title,
        version=plan.version,
        folder=str(folder),
        mdcs=pc.count_distinct(drgs["mdc"]).as_py(),
        adrgs=pc.count_distinct(drgs["adrg"]).as_py(),
        drgs=len(drgs),
        policies=policies,
    )
