"""Policies: which there are and when each holds, and whether a policy file is right and passes its own tests."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from headwater.adapters import policies as register
from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.claims.payment import check_policy, load_policy
from headwater.content.policies import SUFFIXES, Period, periods, read_filed, read_policies
from headwater.errors import Message, Refusal
from headwater.steps.holdings import added, find_plan, policy_folders

__all__ = ["PolicyChecked", "PolicyShown", "check", "policies"]


@dataclass(frozen=True)
class PolicyShown:
    """One version of a policy as it is listed.

    Parameters
    ----------
    last : the last day on which it holds, None while it lasts
    regions : whose stays it pays; empty: all
    weights : groups with a weight
    tests : how many its file holds
    added_by, added_at, why : who added it to the register, when and why; None where it is a file
    """

    name: str
    title: Message
    version: str
    first: date
    last: date | None
    plan: str
    regions: tuple[str, ...]
    currency: str
    weights: int
    tests: int
    added_by: str | None = None
    added_at: datetime | None = None
    why: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has."""
        return asdict(self)


@dataclass(frozen=True)
class PolicyChecked:
    """What became of the check of one file: ``refusal`` is None where it is right and all its tests hold."""

    file: str
    name: str | None
    tests: int
    refusal: Refusal | None

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has."""
        refused = self.refusal
        told = {"code": refused.code, "reason": refused.reason, "remedy": refused.remedy} if refused else {}
        problem = {name: asdict(one) if isinstance(one, Message) else one for name, one in told.items()} or None
        return {"file": self.file, "name": self.name, "tests": self.tests, "problem": problem}


def policies(home: Home) -> list[PolicyShown]:
    """Return every version of every policy with the days on which it holds."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        found = register.entries(connection)
    by_key = {(one.name, one.valid_from): one for one in register.standing(found)}
    known = periods(read_policies(policy_folders(home), added(found)))
    return [_shown(one, by_key.get((one.policy.name, one.first))) for one in known]


def _shown(period: Period, entry: register.Entry | None) -> PolicyShown:
    policy = period.policy
    return PolicyShown(
        name=policy.name,
        title=policy.title,
        version=policy.version,
        first=period.first,
        last=period.last - timedelta(days=1) if period.last else None,
        plan=policy.plan,
        regions=policy.regions,
        currency=policy.currency,
        weights=len(policy.weights) + len(policy.adrg_weights),
        tests=len(policy.tests),
        added_by=entry.added_by if entry else None,
        added_at=entry.added_at if entry else None,
        why=entry.why if entry else None,
    )


def check(home: Home, path: Path | None = None) -> list[PolicyChecked]:
    """Read policy files, run the tests in them, and hold their groups against the plan that they name.

    Parameters
    ----------
    path : a file or a folder of files; None for all policies of the project and of this installation
    """
    found = [_checked(home, file) for file in _files(home, path)]
    if not found:
        raise Refusal(
            "E-POLICY-NONE",
            Message("没有找到政策文件。", "No policy file was found."),
            Message(
                f"政策文件放在 {policy_folders(home)[1]}/<名称>/<生效日>.yml。",
                f"Policies lie in {policy_folders(home)[1]}/<name>/<first day>.yml.",
            ),
        )
    return found


def _files(home: Home, path: Path | None) -> Iterator[Path]:
    if path is not None and not path.is_dir():
        yield path
        return
    for folder in (path,) if path else policy_folders(home):
        yield from sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


def _checked(home: Home, file: Path) -> PolicyChecked:
    try:
        roots = [root for root in policy_folders(home) if file.resolve().is_relative_to(root)]
        # A draft may be named as its writer likes; what lies among the policies is found by its name.
        policy = read_filed(file.resolve(), roots[0]) if roots else load_policy(file)
        check_policy(policy, find_plan(home, policy.plan).drgs)
    except Refusal as refusal:
        return PolicyChecked(str(file), None, 0, refusal)
    return PolicyChecked(str(file), policy.name, len(policy.tests), None)
