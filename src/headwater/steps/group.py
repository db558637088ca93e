"""Group: every stay gets the group of the plan that holds for it, or the reason why it has none."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import coding, following, grouped, lake, postgres
from headwater.adapters.following import Behind, Seen
from headwater.adapters.home import Home
from headwater.claims.grouping import REASON_TYPE, Plan
from headwater.claims.grouping import STATUSES as PLAN_STATUSES
from headwater.errors import Message, Refusal
from headwater.steps.holdings import InForce, in_force

__all__ = ["INVALID", "NO_PLAN", "STATUSES", "GroupReport", "answered", "group"]

NO_PLAN = "no_plan"
"""Status of stays of a region and day for which no policy, hence no plan, holds."""
INVALID = "invalid"
"""Status of stays that the front-page mart calls invalid; no plan is asked about them."""

STATUSES: Mapping[str, Message] = {**PLAN_STATUSES, NO_PLAN: Message("无生效方案", "no plan holds")}
"""What can become of a stay, and how it is called."""

_MEMORY = "2GiB"
_READING = 3
"""Raised when stays come to be read another way: all are then grouped again."""


@dataclass(frozen=True)
class GroupReport:
    """What one grouping did.

    Parameters
    ----------
    asked : stays whose group was sought in this run: new, changed, or all of them under another plan
    gone : stays that are no more
    statuses : status and how many stays have it now
    plans : name and version of each plan in force
    """

    stays: int
    asked: int
    gone: int
    statuses: Mapping[str, int]
    plans: Mapping[str, str]
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no stay."""
        return {
            "stays": self.stays,
            "asked": self.asked,
            "gone": self.gone,
            "statuses": dict(self.statuses),
            "plans": dict(self.plans),
            "seconds": round(self.seconds, 3),
            "snapshot_id": self.snapshot_id,
        }


def group(home: Home, *, now: datetime | None = None, anew: bool = False) -> GroupReport:
    """Group the stays that changed since the last run; all of them when a plan, a policy or a settled code changed.

    Parameters
    ----------
    now : time of grouping, with time zone
    anew : group every stay again

    Raises
    ------
    Refusal
        ``E-GROUP-MART`` before the warehouse is built, ``E-GROUP-BALANCE`` when a stay would be lost, and what plans
        and policies are refused for
    """
    started = datetime.now(UTC)
    at = (now or started).astimezone(UTC).replace(tzinfo=None)
    rules = in_force(home)
    postgres.prepare(home)
    with following.alone(home, grouped.SCHEMA), lake.connect(home, memory=_MEMORY) as connection:
        grouped.create_tables(home, connection)
        coding.create_tables(home, connection)
        until = grouped.built(connection)
        grouped.hold(connection, rules.holdings)
        wanted = Seen(_state(rules, grouped.settled(connection)), until)
        behind = _regroup(connection, rules, wanted, at, anew=anew)
        stays, statuses = grouped.counts(connection, until=until)
        if stays != sum(statuses.values()):
            raise _unbalanced(stays, statuses)
        snapshot = lake.snapshot(connection)
    return GroupReport(
        stays=stays,
        asked=behind.asked,
        gone=behind.gone,
        statuses=statuses,
        plans={name: plan.version for name, plan in rules.plans.items()},
        seconds=(datetime.now(UTC) - started).total_seconds(),
        snapshot_id=snapshot,
    )


def _state(rules: InForce, settled: str) -> str:
    """Return what tells whether groups follow from other rules than before; a policy counts by its plan and days."""
    days = [(one.region, one.currency, one.first, one.last, one.plan, one.plan_version) for one in rules.holdings]
    return hashlib.sha256(repr((_READING, grouped.TABLES, days, settled)).encode()).hexdigest()[:32]


def _regroup(
    connection: duckdb.DuckDBPyConnection, rules: InForce, wanted: Seen, at: datetime, *, anew: bool
) -> Behind:
    """Replace the groups of stays that are behind; say what was read in the same transaction."""
    held = following.seen(connection, grouped.SCHEMA)
    after = held.snapshot_id if held and held.state == wanted.state and not anew else None
    behind = following.mark(connection, grouped.STAYS, followed=grouped.FOLLOWED, after=after, until=wanted.snapshot_id)
    if after is not None and behind == Behind(0, 0):
        return behind
    with lake.transaction(connection):
        following.forget(connection, grouped.STAYS)
        for part in grouped.stays(connection, until=wanted.snapshot_id):
            grouped.append(connection, answered(part, rules.plans), at=at, snapshot_id=wanted.snapshot_id)
        following.note(connection, grouped.SCHEMA, wanted)
    return behind


def answered(stays: pa.Table, plans: Mapping[str, Plan]) -> pa.Table:
    """Return stays with their groups; those that no plan is asked about have the status that says why.

    Parameters
    ----------
    stays : what :func:`headwater.adapters.grouped.stays` yields
    """
    is_asked = pc.and_(stays["is_valid"], pc.is_valid(stays["plan"]))
    parts = [_unasked(stays.filter(pc.invert(is_asked)))]
    asked = stays.filter(is_asked)
    for name in pc.unique(asked["plan"]).to_pylist():
        mine = asked.filter(pc.equal(asked["plan"], name))
        groups = plans[name].group(mine)
        for column in groups.column_names:
            mine = mine.append_column(column, groups[column])
        parts.append(mine)
    return pa.concat_tables(parts, promote_options="default")


def _unasked(stays: pa.Table) -> pa.Table:
    status = pc.if_else(stays["is_valid"], NO_PLAN, INVALID)
    table = stays.append_column("status", status)
    for name in ("mdc", "adrg", "drg"):
        table = table.append_column(name, pa.nulls(len(stays), pa.string()))
    return table.append_column("reasons", pa.nulls(len(stays), pa.list_(REASON_TYPE)))


def _unbalanced(stays: int, statuses: Mapping[str, int]) -> Refusal:
    return Refusal(
        "E-GROUP-BALANCE",
        Message(
            f"住院 {stays} 例，而分组结果为 {dict(statuses)}，合计不符。",
            f"There are {stays} stays, but groups are {dict(statuses)}, which does not add up.",
        ),
        Message("请用 headwater group --anew 全部重新分组。", "Group everything again with headwater group --anew."),
    )
