"""The payment policies of a project, and which of them holds for a region on a day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

from headwater.claims.payment import Policy, load_policy
from headwater.content.kept import Kept
from headwater.errors import Message, Refusal

__all__ = ["SUFFIXES", "Added", "Period", "periods", "read_filed", "read_policies"]

SUFFIXES = (".yml", ".yaml")
"""Of files that a reader takes for policies; those in ``.yaml`` are refused, not passed over."""


@dataclass(frozen=True)
class Period:
    """The days on which a version of a policy holds: from ``first`` up to the day before ``last``, if there is one."""

    policy: Policy
    first: date
    last: date | None


@dataclass(frozen=True)
class Added:
    """A policy that was added without a file; ``replaced``: versions of its name and day in whose place it stands."""

    policy: Policy
    replaced: frozenset[str]


_read = Kept(load_policy, lambda path: (path, *path.parent.glob("*.csv")))


def read_filed(file: Path, folder: Path) -> Policy:
    """Read a policy of a folder of policies, where it is found by its name and its first day.

    Raises
    ------
    Refusal
        ``E-POLICY-FILE`` where it ends in ``.yaml``, lies too high or too deep, or folder and file say another name or
        day than it does; and whatever :func:`load_policy` refuses
    """
    if file.suffix != ".yml" or file.parent.parent != folder:
        raise _misplaced(file, folder / "<name>" / f"{file.stem}.yml")
    policy = _read(file)
    place = folder / policy.name / f"{policy.valid_from}.yml"
    if file != place:
        raise _misplaced(file, place)
    return policy


def read_policies(folders: Sequence[Path], added: Sequence[Added] = ()) -> tuple[Policy, ...]:
    """Read every policy of the folders, put those that were added beside or in place of them, by name and day.

    Raises
    ------
    Refusal
        ``E-POLICY-TWICE`` when two versions of one name begin on one day, ``E-POLICY-OVERLAP`` when two names hold for
        one region at once, and whatever :func:`read_filed` refuses
    """
    # A file that says what was added says nothing else.
    replaced = {(one.policy.name, one.policy.valid_from): {*one.replaced, one.policy.version} for one in added}
    filed = [read_filed(file, folder) for folder in folders for file in _files(folder)]
    kept = [one for one in filed if one.version not in replaced.get((one.name, one.valid_from), ())]
    policies = sorted([*kept, *(one.policy for one in added)], key=lambda policy: (policy.name, policy.valid_from))
    found = list(periods(policies))
    for one, other in combinations(found, 2):
        if one.policy.name == other.policy.name and one.first == other.first:
            raise _twice(one.policy)
        if one.policy.name != other.policy.name and _meet(one, other):
            raise _overlapping(one.policy, other.policy)
    return tuple(policies)


def periods(policies: Sequence[Policy]) -> Iterator[Period]:
    """Yield when each version holds: until the next one of its name begins, or its own last day has passed."""
    for policy in policies:
        later = [other.valid_from for other in policies if other.name == policy.name]
        ends = [day for day in later if day > policy.valid_from]
        # Many systems write the last day of the calendar where they mean no end.
        if policy.valid_to is not None and policy.valid_to < date.max:
            ends.append(policy.valid_to + timedelta(days=1))
        yield Period(policy, policy.valid_from, min(ends, default=None))


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def _meet(one: Period, other: Period) -> bool:
    mine, theirs = one.policy, other.policy
    is_apart = bool(mine.regions and theirs.regions and not set(mine.regions) & set(theirs.regions))
    if is_apart or mine.currency != theirs.currency:
        return False
    return (one.last or date.max) > other.first and (other.last or date.max) > one.first


def _misplaced(file: Path, place: Path) -> Refusal:
    return Refusal(
        "E-POLICY-FILE",
        Message(
            f"政策文件 {file} 的位置或文件名不对，不会被读取。",
            f"The policy file {file} would not be read: it is named, or lies, otherwise than it must.",
        ),
        Message(f"改为 {place}。", f"Move it to {place}."),
    )


def _twice(policy: Policy) -> Refusal:
    return Refusal(
        "E-POLICY-TWICE",
        Message(
            f"政策 {policy.name} 有两个版本自 {policy.valid_from} 起生效。",
            f"Two versions of the policy {policy.name} begin on {policy.valid_from}.",
        ),
        Message("删去其中之一，或改其生效日。", "Remove one of them, or change its first day."),
    )


def _overlapping(one: Policy, other: Policy) -> Refusal:
    return Refusal(
        "E-POLICY-OVERLAP",
        Message(
            f"政策 {one.name} 与 {other.name} 在同一时间对同一地区生效。",
            f"The policies {one.name} and {other.name} hold for one region at the same time.",
        ),
        Message("为其设置不相交的 regions 或有效期。", "Give them regions or days that do not meet."),
    )
