"""The seam of every detector: a stream of values with gaps in, changes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from headwater.errors import Message, Refusal
from headwater.registry import Registry

__all__ = ["Change", "DETECTORS", "Detector", "require_step"]


@dataclass(frozen=True)
class Change:
    """A change of level or of variance that a detector is convinced of.

    Parameters
    ----------
    time : when it was noticed
    onset : estimate of when it happened; within a gap, its middle
    size : level after minus level before, in the unit of the values
    confidence : between 0 and 1; how the detector computes it is in its own documentation
    kind : of what the change is
    """

    time: float
    onset: float
    size: float
    confidence: float
    kind: Literal["level", "variance"] = "level"


class Detector(Protocol):
    """Watches one stream. Absence (None) is a state of its own and never a low value."""

    def update(self, time: float, value: float | None) -> Change | None:
        """Take the value at ``time`` (strictly increasing), or note its absence; return a change if there is one."""
        ...


DETECTORS: Registry[Callable[[], Detector]] = Registry("detector")
"""Makers of detectors with their calibrated settings, by the stem of their file."""


def require_step(before: float | None, time: float, value: float | None) -> None:
    """Refuse time that does not advance, and values that are not finite."""
    if before is not None and not time > before:
        raise Refusal(
            "E-STREAM-TIME",
            Message(f"时间 {time:g} 不在 {before:g} 之后。", f"Time {time:g} is not after {before:g}."),
            Message("请按时间顺序逐点输入。", "Feed the points in the order of time, each once."),
        )
    if value is not None and not abs(value) < float("inf"):
        raise Refusal(
            "E-STREAM-VALUE",
            Message(f"时间 {time:g} 的值不是有限数。", f"The value at time {time:g} is not finite."),
            Message("缺失请用 None。", "Use None for an absent value."),
        )
