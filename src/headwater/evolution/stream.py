"""Replay the periods of the data: value every source, watch each value, decide, and go on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from headwater.evolution.detector import Change, Detector
from headwater.evolution.policy import Decision, Evidence, Policy
from headwater.evolution.standing import COUNTED, Standing
from headwater.types import SourceId

__all__ = ["Tick", "Values", "month_number", "replay"]

Values: TypeAlias = Mapping[SourceId, float | None]
"""What each source is worth in one month; None if it did not answer."""


@dataclass(frozen=True)
class Tick:
    """One month of a replay: values, changes noticed, decisions, and the members from the next month on."""

    month: date
    values: Values
    changes: Mapping[SourceId, Change]
    decisions: Mapping[SourceId, Decision]
    active: frozenset[SourceId]


def month_number(month: date) -> float:
    """Return the time of a month for detectors, in months.

    >>> month_number(date(2025, 3, 1)) - month_number(date(2024, 12, 1))
    3.0
    """
    return float(12 * month.year + month.month - 1)


def replay(
    months: Iterable[date],
    value: Callable[[date, frozenset[SourceId]], Values],
    *,
    active: Iterable[SourceId],
    policy: Policy,
    detector: Callable[[], Detector],
) -> Iterator[Tick]:
    """Yield one tick a month.

    Parameters
    ----------
    months : first days, in order
    value : values all known sources in a month, given the members of the model
    active : members at the start; every other source that ``value`` names is on trial
    detector : makes a new detector for each source
    """
    standings: dict[SourceId, Standing] = dict.fromkeys(active, "member")
    detectors: dict[SourceId, Detector] = {}
    histories: dict[SourceId, list[float | None]] = {}
    for month in months:
        values = value(month, _members(standings))
        changes: dict[SourceId, Change] = {}
        decisions: dict[SourceId, Decision] = {}
        for source, worth in sorted(values.items()):
            if source not in detectors:
                detectors[source], histories[source] = detector(), []
            histories[source].append(worth)
            change = detectors[source].update(month_number(month), worth)
            if change is not None:
                changes[source] = change
            evidence = Evidence(tuple(histories[source]), change)
            decisions[source] = policy.decide(evidence, standings.get(source, "trial"))
        standings |= {source: made.unapproved or made.standing for source, made in decisions.items()}
        yield Tick(month, values, changes, decisions, _members(standings))


def _members(standings: Mapping[SourceId, Standing]) -> frozenset[SourceId]:
    return frozenset(source for source, standing in standings.items() if standing in COUNTED)
