"""Open tiers of a joint run: whether its sources are there, still permit what was planned, and can afford it."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.adapters import features, lake
from headwater.adapters.home import Home
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.steps.joint import Joint, books_of, recall, teacher_of
from headwater.types import SourceId

__all__ = ["Opened", "open_tiers"]

_LOG = logging.getLogger("headwater")


@dataclass(frozen=True)
class Opened:
    """A tier that is ready.

    Parameters
    ----------
    sources : those that report to it, by number of records
    groups : whose sums it forms: protection, and number of members
    epsilon : most that one release costs one of its sources; 0 without noise
    """

    region: str
    tier: str
    sources: dict[SourceId, int]
    groups: tuple[tuple[str, int], ...]
    epsilon: float

    def to_dict(self) -> dict[str, Any]:
        """Return the small facts as JSON-safe values."""
        return {
            "region": self.region,
            "tier": self.tier,
            "sources": self.sources,
            "groups": [f"{protection} × {members}" for protection, members in self.groups],
            "epsilon": self.epsilon,
        }


def open_tiers(home: Home, tiers: Iterable[Mapping[str, Any]]) -> list[Opened]:
    """Look which tiers can do their part, and return those: one that cannot costs the others nothing.

    Nothing is asked of records, and nothing is spent. A plan is recalled, and the mart read, once for all its tiers.

    Parameters
    ----------
    tiers : ``entry`` of the plan in the audit log and name of the ``tier``, as ``bundles`` has them

    Raises
    ------
    Refusal
        what was refused last, where none could be opened: ``E-TIER-UNKNOWN``, ``E-TIER-SILENT`` where none of its
        sources is there, ``E-LEDGER-RUN``, what a requirement says that no longer permits what was planned, and what
        ``recall`` refuses
    """
    found: list[Opened] = []
    asked = [(int(one["entry"]), str(one["tier"])) for one in tiers]
    ready: dict[int, tuple[Joint, dict[SourceId, int]]] = {}
    failed = None
    for entry, tier in asked:
        try:
            if entry not in ready:
                ready[entry] = _ready(home, entry, [name for other, name in asked if other == entry])
            found.append(_opened(home, *ready[entry], tier))
        except HeadwaterError as error:
            _LOG.warning("层级“%s”未能打开 / tier %s could not be opened: %s", tier, tier, error)
            failed = error
    if failed and not found:
        raise failed
    return found


def _ready(home: Home, entry: int, tiers: Iterable[str]) -> tuple[Joint, dict[SourceId, int]]:
    """Return the joint run, and of the sources of its tiers those that describe themselves, with their records."""
    joint = recall(home, entry)
    sources = {source for tier in tiers for source in joint.tiers.get(tier, ())}
    if not sources:
        return joint, {}
    teacher = teacher_of(home, task=joint.task, model=joint.model)
    with lake.connect(home) as connection:
        region = features.read(connection, teacher, snapshot=joint.snapshot, region=joint.region, only=sources)
    there = {}
    for source in region.sources:
        try:
            there[source.source_id] = source.describe().records
        except HeadwaterError as error:
            _LOG.warning("来源“%s”不在 / source %s is not there: %s", source.source_id, source.source_id, error)
    return joint, there


def _opened(home: Home, joint: Joint, there: Mapping[SourceId, int], tier: str) -> Opened:
    """Open one tier, or refuse."""
    if tier not in joint.tiers:
        raise _unknown(tier, joint)
    found = {source: there[source] for source in joint.tiers[tier] if source in there}
    if joint.tiers[tier] and not found:
        raise _silent(tier)
    groups = [group for group in (joint.plan.groups if joint.plan else ()) if group.tier == tier]
    epsilon = 0.0
    if joint.plan is not None and found:
        books, seen = books_of(home), {source: joint.plan.exposures[source] for source in found}
        books.permit(seen)
        books.afford(seen)
        epsilon = max(books.costs(seen).values(), default=0.0)
    said = tuple((group.protection, len(group.members)) for group in groups)
    return Opened(joint.region, tier, found, said, epsilon)


def _unknown(tier: str, joint: Joint) -> Refusal:
    return Refusal(
        "E-TIER-UNKNOWN",
        Message(f"计划中没有层级“{tier}”。", f"The plan has no tier {tier}."),
        Message(f"它有：{'、'.join(joint.tiers)}。", f"It has {', '.join(joint.tiers)}."),
    )


def _silent(tier: str) -> Refusal:
    return Refusal(
        "E-TIER-SILENT",
        Message(f"层级“{tier}”的来源无一应答。", f"None of the sources of {tier} is there."),
        Message("请检查其连接；本次将不经它汇聚。", "Look at their connection; this run goes on without it."),
    )
