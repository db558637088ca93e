"""Fold groups one by one: sums in which a source may stand several times, none of which is added to another."""

from collections import Counter
from collections.abc import Mapping, Sequence

from headwater.aggregation.grouping import Group
from headwater.aggregation.tiers import Aggregation, Part, aggregate
from headwater.errors import HeadwaterError
from headwater.security import Entropy
from headwater.security.events import Event
from headwater.security.pact import Pact
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["apart"]


def apart(
    groups: Sequence[Group], contributions: Mapping[SourceId, Statistic], *, round_id: str, entropy: Entropy
) -> Aggregation:
    """Add up the members of every group by themselves, until one of them is lost.

    Parameters
    ----------
    groups : of sources, at one tier, each in a strand of its own; nobody adds noise
    contributions : one statistic a source, the same in all its sums
    round_id : never used before

    Returns
    -------
    by strand the sum of its group. Where somebody is lost it is the last, of those who are left: a sum more would be
    of others than were agreed on. ``total`` means nothing, as sums overlap
    """
    parts: dict[str, Part] = {}
    sent, told = Counter[str](), Counter[str]()
    pacts: list[Pact] = []
    events: dict[SourceId, Event] = {}
    lost: dict[SourceId, HeadwaterError] = {}
    for group in groups:
        one = aggregate([group], {s: contributions[s] for s in group.members}, round_id=round_id, entropy=entropy)
        parts |= one.parts
        pacts += one.pacts
        events |= one.events
        sent.update(one.bytes_sent)
        told.update(one.bytes_told)
        if one.lost:
            lost = dict(one.lost)
            break
    return Aggregation(parts, sent, told, tuple(pacts), events, lost)
