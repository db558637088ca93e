"""The tree of joint runs as tasks: one for every tier as long as there are not too many, and which of them failed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["MOST", "bundles", "lost"]

MOST = 40
"""Tasks of one run of the DAG that a person can still overlook."""

_FOR_ALL, _A_REGION = 3, 4
"""Tasks besides those of cities: for all regions together, and for each of them."""


def bundles(plans: Iterable[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the tiers below all regions in bundles, each of which one task opens: of one tier if there is room.

    Parameters
    ----------
    plans : what ``Joint.to_dict`` tells of every region

    >>> bundles([{"entry": 3, "tiers": ["north", "south", "region"]}])
    [[{'entry': 3, 'tier': 'north'}], [{'entry': 3, 'tier': 'south'}]]
    """
    every = list(plans)
    tiers = [{"entry": one["entry"], "tier": tier} for one in every for tier in one["tiers"][:-1]]
    # Without any there is still one task, with nothing to do: Airflow would skip what maps over nothing.
    room = max(1, min(len(tiers), MOST - _FOR_ALL - _A_REGION * len(every)))
    return [tiers[first::room] for first in range(room)]


def lost(plan: Mapping[str, Any], opened: Iterable[Iterable[Sequence[Mapping[str, Any]]]]) -> list[str]:
    """Return the tiers of a plan that are not among those opened, lowest first.

    Parameters
    ----------
    opened : by level and bundle, what ``Opened.to_dict`` tells

    >>> lost({"region": "r", "tiers": ["north", "south", "r"]}, [[[{"region": "r", "tier": "south"}]], []])
    ['north', 'r']
    """
    there = {(one["region"], one["tier"]) for level in opened for bundle in level for one in bundle}
    return [tier for tier in plan["tiers"] if (plan["region"], tier) not in there]
