"""Write policies: a text is judged, its effect is previewed, and it is added as a dated version with who and why."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from headwater.adapters import audit, marts, postgres, priced
from headwater.adapters import policies as register
from headwater.adapters.home import Home
from headwater.adapters.policies import Entry
from headwater.claims.payment import Outcome, Policy, check_policy, outcomes, parse_policy, read_alone
from headwater.claims.signing import signed as by_whom
from headwater.content.policies import Added, read_policies
from headwater.errors import Message, Refusal
from headwater.steps.holdings import added, find_plan, known_policies, policy_folders
from headwater.steps.what_if import Period, WhatIfReport, find_policy, what_if

__all__ = ["NAME", "Verdict", "Written", "add", "find", "judge", "preview", "usual_period"]

NAME = r"[\w-][\w.-]{0,99}"
"""Regular expression of the names of policies that are added: they stand in addresses and file names."""


@dataclass(frozen=True)
class Written:
    """One version of a policy with its text.

    Parameters
    ----------
    text : the whole policy, a csv of weights written into it
    tag : digest of the text; whoever supersedes it must have seen this very text
    entries : of the register at this name and day, the newest first; none where it is a file
    """

    policy: Policy
    text: str
    entries: tuple[Entry, ...]

    @property
    def tag(self) -> str:
        """Return the digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Verdict:
    """What became of a text that may become a policy.

    Parameters
    ----------
    policy : None where the text states none
    tests : each test of the text and whether it holds
    refusal : the first thing that is wrong, None where it may be added
    over : the version of this name and day that it would supersede
    """

    policy: Policy | None
    tests: tuple[Outcome, ...]
    refusal: Refusal | None
    over: Written | None

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has."""
        read = self.policy
        return {
            "policy": {name: getattr(read, name) for name in ("name", "valid_from", "version")} if read else None,
            "tests": [{"name": one.name, "holds": one.refusal is None} for one in self.tests],
            "problem": _problem(self.refusal) if self.refusal else None,
            "supersedes": {"version": self.over.policy.version, "etag": self.over.tag} if self.over else None,
        }


def _problem(refusal: Refusal) -> dict[str, Any]:
    line, column = getattr(refusal, "at", None) or (None, None)
    told = {"reason": asdict(refusal.reason), "remedy": asdict(refusal.remedy)}
    return {"code": refusal.code, "line": line, "column": column, **told}


def find(home: Home, name: str, first: date) -> Written:
    """Return a version of a policy by its name and first day.

    Raises
    ------
    Refusal
        ``E-POLICY-UNKNOWN`` with what there is
    """
    policy = find_policy(home, f"{name}/{first}")
    with postgres.connect(home) as connection:
        return _written(home, policy, register.entries(connection))


def judge(home: Home, text: str) -> Verdict:
    """Read a text, run its tests, and hold it against its plan and all other policies; nothing is put down."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return _judged(home, text, register.entries(connection))


def preview(home: Home, text: str, *, before: str | None = None, period: Period | None = None) -> WhatIfReport:
    """Tell what a text would change: the stays of a period under the policy that holds before it, and under it.

    Parameters
    ----------
    before : as :func:`find_policy` takes it; None: what stands at the first day of the new one, or next to it
    period : None: see :func:`usual_period`

    Raises
    ------
    Refusal
        what the text is refused for, and what :func:`what_if` and :func:`find_policy` refuse
    """
    after = _read(text)
    asked = period or usual_period(home)
    if asked is None:
        raise Refusal(
            "E-WHATIF-NONE",
            Message("还没有已发布的支付。", "No payment is published yet."),
            Message("计算支付后检查并发布。", "Price stays, check and publish first."),
        )
    return what_if(home, _before(home, after, before), after, period=asked)


def usual_period(home: Home) -> Period | None:
    """Return the 365 days that end with the last discharge that is paid and published, None where none is."""
    try:
        with marts.reading(home, priced.STAYS) as (_, connection):
            last = priced.last_day(connection)
    except Refusal:
        # Before payments are published a policy can be written all the same.
        return None
    return (last - timedelta(days=364), last) if last else None


def add(home: Home, text: str, *, signed: tuple[str, str], over: str | None) -> Entry:
    """Add a text as the version of its name and first day; the next grouping and pricing follow it.

    Parameters
    ----------
    signed : who adds it, and why
    over : tag of the version that stands there and is superseded; None where none may stand there

    Raises
    ------
    Refusal
        ``E-POLICY-CHANGED`` when another text stands there, ``E-POLICY-WHO``, and what the text is refused for
    """
    by, why = by_whom(signed, code="E-POLICY-WHO")
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        register.lock(connection)
        return _add(home, connection, text, signed=(by, why), over=over)


def _add(home: Home, connection: postgres.Connection, text: str, *, signed: tuple[str, str], over: str | None) -> Entry:
    verdict = _judged(home, text, register.entries(connection))
    if verdict.refusal is not None or verdict.policy is None:
        raise verdict.refusal or AssertionError("what is not refused has a policy")
    there, policy = verdict.over, verdict.policy
    if (there.tag if there else None) != over:
        raise _changed(policy, there)
    stood = (there.policy.version, there.entries[0].entry_id if there.entries else None) if there else (None, None)
    key = (policy.name, policy.valid_from)
    entry = register.add(connection, key, text=(policy.version, text), replaces=stood, signed=signed)
    told = {
        "name": entry.name,
        "valid_from": entry.valid_from,
        "version": entry.version,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    audit.add(home, connection, "policy", {**told, "replaces": entry.replaces, "by": entry.added_by, "why": entry.why})
    return entry


def _read(text: str) -> Policy:
    policy = parse_policy(text, file="policy.yml")
    if not re.fullmatch(NAME, policy.name):
        raise Refusal(
            "E-POLICY-NAME",
            Message(f"政策名“{policy.name}”不可用。", f"{policy.name!r} cannot be a policy's name."),
            Message("只用文字、数字、_、- 与点，且不以点开头。", "Use letters, digits, _, - and dots, no dot first."),
        )
    return policy


def _judged(home: Home, text: str, entries: Sequence[Entry]) -> Verdict:
    policy: Policy | None = None
    tests: tuple[Outcome, ...] = ()
    over: Written | None = None
    try:
        policy = _read(text)
        tests = tuple(outcomes(policy))
        there = _there(read_policies(policy_folders(home), added(entries)), policy)
        over = _written(home, there, entries) if there else None
        check_policy(policy, find_plan(home, policy.plan).drgs)
        _fit(home, policy, over, entries)
    except Refusal as refusal:
        return Verdict(policy, tests, refusal, over)
    return Verdict(policy, tests, None, over)


def _there(known: Sequence[Policy], policy: Policy) -> Policy | None:
    key = (policy.name, policy.valid_from)
    return next((one for one in known if (one.name, one.valid_from) == key), None)


def _fit(home: Home, policy: Policy, over: Written | None, entries: Sequence[Entry]) -> None:
    """Read all policies as they would be with this one, which refuses those that overlap."""
    key = (policy.name, policy.valid_from)
    others = [one for one in added(entries) if (one.policy.name, one.policy.valid_from) != key]
    replaced = {one.replaces or "" for one in _at(entries, policy)} | ({over.policy.version} if over else set())
    read_policies(policy_folders(home), [*others, Added(policy, frozenset(replaced))])


def _at(entries: Sequence[Entry], policy: Policy) -> tuple[Entry, ...]:
    return tuple(one for one in entries if (one.name, one.valid_from) == (policy.name, policy.valid_from))


def _written(home: Home, policy: Policy, entries: Sequence[Entry]) -> Written:
    mine = _at(entries, policy)
    if mine:
        return Written(policy, mine[0].body, mine)
    file = f"{policy.name}/{policy.valid_from}.yml"
    (path,) = [folder / file for folder in policy_folders(home) if (folder / file).is_file()]
    return Written(policy, read_alone(path), ())


def _before(home: Home, after: Policy, named: str | None) -> Policy:
    if named is not None:
        return find_policy(home, named)
    mine = [one for one in known_policies(home) if one.name == after.name]
    earlier = [one for one in mine if one.valid_from <= after.valid_from]
    return (earlier or mine[:1] or [find_policy(home, after.name)])[-1]


def _changed(policy: Policy, there: Written | None) -> Refusal:
    name = f"{policy.name}/{policy.valid_from}"
    if there is None:
        return Refusal(
            "E-POLICY-CHANGED",
            Message(f"{name} 已没有可取代的版本。", f"No version of {name} stands to be superseded."),
            Message("重新打开后再保存。", "Open it anew and save again."),
        )
    by = there.entries[0].added_by if there.entries else None
    zh, en = (f"由 {by} 加入", f"added by {by}") if by else ("来自文件", "from a file")
    return Refusal(
        "E-POLICY-CHANGED",
        Message(
            f"{name} 现为版本 {there.policy.version}（{zh}），与所见不同。",
            f"{name} is version {there.policy.version} now ({en}), another one than was seen.",
        ),
        Message(
            "先看现行版本；要取代它，重新打开后保存，或用 --supersede；否则改 valid_from。",
            "Look at it first; to supersede it, open it anew and save, or use --supersede; else change valid_from.",
        ),
    )
