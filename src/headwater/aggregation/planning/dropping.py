"""A plan with fewer sources, in which everybody else speaks as before: for when part of it has been played."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headwater.aggregation.exposure import exposures
from headwater.aggregation.grouping import Group
from headwater.aggregation.planning.expecting import epsilon_of, expect
from headwater.aggregation.planning.planner import Plan
from headwater.errors import Message
from headwater.security.protection import PROTECTIONS
from headwater.types import SourceId

__all__ = ["ALONE", "fewer"]

ALONE = Message("同伴中途退出，剩余不足。", "Companions dropped out, and too few are left.")


def fewer(plan: Plan, gone: Mapping[SourceId, Message]) -> Plan | None:
    """Return the plan without some sources and without those who are then too few; None where nobody is left.

    Nobody is moved: a source is in it as it was planned, or not at all. In one that was dropped after another the
    sources are those of one in which both were dropped at once.

    Parameters
    ----------
    gone : why each of them is gone
    """
    groups = _left(plan.groups, gone)
    if not groups:
        return None
    job, rules = plan.job, {one.source: one.requirement for one in plan.suppliers}
    seen = exposures(groups, l2=job.l2, length=job.length)
    dropped = {source: gone.get(source, ALONE) for source in plan.exposures if source not in seen}
    records = {one.source: one.records for one in plan.suppliers}
    return replace(
        plan,
        groups=groups,
        refused=dict(sorted({**plan.refused, **dropped}.items())),
        reasons={source: why for source, why in plan.reasons.items() if source in seen},
        expected=expect(groups, records, job=job, costs=plan.costs, links=plan.links),
        epsilon={source: epsilon_of(many[-1].event, rules[source].delta) for source, many in sorted(seen.items())},
        exposures=dict(sorted(seen.items())),
    )


def _left(groups: Sequence[Group], gone: Mapping[SourceId, Message]) -> tuple[Group, ...]:
    """Return the groups that can still be played, lowest first."""
    root = groups[-1].tier
    away = {(group.strand, name) for group in groups for name in group.members if name in gone}
    while True:
        here = [
            replace(group, mechanisms=tuple(one for one in group.mechanisms if (group.strand, one[0]) not in away))
            for group in groups
        ]
        speaking = {(group.strand, group.tier) for group in here if group.mechanisms}
        more = set()
        for before, group in zip(groups, here, strict=True):
            is_silent = (group.strand, group.tier) in away and group.tier != root
            if is_silent or len(group.members) < PROTECTIONS[before.protection].minimum:
                more |= {(group.strand, name) for name in group.members}
        tiers = {(group.strand, group.tier) for group in groups if group.tier != root}
        more |= tiers - speaking
        if more <= away:
            return tuple(group for group in here if group.mechanisms)
        away |= more
