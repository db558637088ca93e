"""What of every source is seen where, as its message climbs: what requirements are held against and ledgers debit."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.aggregation.grouping import Group
from headwater.federation.wire import travels
from headwater.security import PROTECTIONS
from headwater.security.events import Event, NonPrivate
from headwater.security.requirement import Shown, Viewer
from headwater.types import SourceId

__all__ = ["Exposure", "Sight", "exposures", "sights"]


@travels("exposure")
@dataclass(frozen=True)
class Exposure:
    """What whoever adds at one tier sees of one source.

    Parameters
    ----------
    viewer : the tier, or the region at the root
    shown : the source's own statistic, or a sum in which it stands, before noise
    protection : how it travelled there
    event : the noise in it, the least that a round can end with; ``NonPrivate`` without
    """

    tier: str
    viewer: Viewer
    shown: Shown
    protection: str
    event: Event


@dataclass(frozen=True)
class Sight:
    """A vector that whoever adds at one tier sees: one message, or the sum of a group whose members it cannot tell.

    Parameters
    ----------
    viewer : the tier, or the region at the root
    sources : those whose statistics stand in it without noise
    """

    tier: str
    viewer: Viewer
    sources: frozenset[SourceId]


def exposures(groups: Sequence[Group], *, l2: float | None, length: int) -> dict[SourceId, tuple[Exposure, ...]]:
    """Return the exposures of every source, lowest tier first.

    The last is the region's, and its event all that a ledger debits: whoever sees noise before it is added to sees no
    more than that one draw gives away, and whoever sees none is trusted to by the source's requirement.

    Parameters
    ----------
    groups : lowest tiers first, as a plan gives them
    l2, length : as ``Mechanism.drawn`` takes them
    """
    root = groups[-1].tier
    below: dict[tuple[str, str], dict[SourceId, Event]] = {}
    found: dict[SourceId, tuple[Exposure, ...]] = {}
    for group in groups:
        here = below.setdefault((group.strand, group.tier), {})
        for source, exposure in _seen(group, below, root=root, l2=l2, length=length):
            # Of the same kind of sum a source may stand in several, in cohorts.
            found[source] = tuple(dict.fromkeys((*found.get(source, ()), exposure)))
            here[source] = exposure.event
    return found


def sights(groups: Sequence[Group]) -> tuple[Sight, ...]:
    """Return every vector that is seen of a source without noise, lowest tier first.

    A source with noise of its own in a sum with others is taken to be known there: they then hide among fewer.

    Parameters
    ----------
    groups : lowest tiers first, as a plan gives them
    """
    below: dict[tuple[str, str], set[SourceId]] = defaultdict(set)
    found = []
    for group in groups:
        said = [
            frozenset(below.get((group.strand, name), {name}) if mechanism.noise == "nobody" else ())
            for name, mechanism in group.mechanisms
        ]
        together = frozenset[SourceId]().union(*said)
        below[group.strand, group.tier] |= together
        viewer: Viewer = "region" if group.tier == groups[-1].tier else "tier"
        seen = said if PROTECTIONS[group.protection].reveals == "each" else [together]
        found += [Sight(group.tier, viewer, sources) for sources in seen if sources]
    return tuple(found)


def _seen(
    group: Group, below: dict[tuple[str, str], dict[SourceId, Event]], *, root: str, l2: float | None, length: int
) -> Iterator[tuple[SourceId, Exposure]]:
    """Yield what the group's tier sees of every source in it."""
    viewer: Viewer = "region" if group.tier == root else "tier"
    each = PROTECTIONS[group.protection].reveals == "each"
    for name, mechanism in group.mechanisms:
        inside = below.get((group.strand, name), {name: NonPrivate()})
        added = mechanism.event(len(group.members), l2=l2, length=length)
        shown: Shown = "statistic" if each and len(inside) == 1 else "sum"
        for source, event in inside.items():
            yield source, Exposure(group.tier, viewer, shown, group.protection, added or event)
