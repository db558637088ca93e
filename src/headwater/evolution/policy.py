"""Keep, drop or add a source, from what it was worth until now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from headwater.errors import Message
from headwater.evolution.detector import Change

__all__ = ["Action", "Decision", "Policy"]

Action: TypeAlias = Literal["keep", "drop", "add", "wait"]


@dataclass(frozen=True)
class Decision:
    """What to do with one source, and why in one sentence."""

    action: Action
    reason: Message


@dataclass(frozen=True)
class Policy:
    """Hysteresis: harm must persist, or be a proven change, before a source is dropped; use must persist to add one.

    Parameters
    ----------
    drop_below, add_above : values, in the unit of the utility; drop_below <= add_above
    drop_after, add_after : consecutive observed values that must agree
    """

    drop_below: float = 0.0
    add_above: float = 0.0
    drop_after: int = 2
    add_after: int = 2

    def __post_init__(self) -> None:
        if self.drop_below > self.add_above or min(self.drop_after, self.add_after) < 1:
            raise ValueError("drop_below must not exceed add_above, and both waits must be at least 1")

    def decide(self, history: Sequence[float | None], *, active: bool, change: Change | None = None) -> Decision:
        """Return the decision after the last value of ``history``; None in it is an absence and decides nothing.

        >>> Policy().decide([0.2, -0.1, None], active=True).action
        'keep'
        >>> Policy().decide([0.2, -0.1, None, -0.1], active=True).action
        'drop'
        """
        if not history or history[-1] is None:
            return _absent(active)
        observed = [value for value in history if value is not None]
        return self._leaving(observed, change) if active else self._joining(observed)

    def _leaving(self, observed: Sequence[float], change: Change | None) -> Decision:
        if change is not None and change.size < 0 and observed[-1] < self.drop_below:
            return _changed(change)
        recent = observed[-self.drop_after :]
        if len(recent) == self.drop_after and max(recent) < self.drop_below:
            return _persistent("drop", recent[-1], len(recent))
        return Decision("keep", Message(f"价值 {observed[-1]:.4g}，继续使用。", f"Worth {observed[-1]:.4g}: kept."))

    def _joining(self, observed: Sequence[float]) -> Decision:
        recent = observed[-self.add_after :]
        if len(recent) == self.add_after and min(recent) > self.add_above:
            return _persistent("add", recent[-1], len(recent))
        return Decision("wait", Message(f"价值 {observed[-1]:.4g}，继续观察。", f"Worth {observed[-1]:.4g}: watched."))


def _absent(active: bool) -> Decision:
    reason = Message(
        "本期缺席；缺席不等于价值低，不作变动。", "Absent; absence is not a low value, so nothing changes."
    )
    return Decision("keep" if active else "wait", reason)


def _changed(change: Change) -> Decision:
    reason = Message(
        f"价值自 {change.onset:g} 起下降 {-change.size:.4g}（置信度 {change.confidence:.4f}），移除。",
        f"Its value fell by {-change.size:.4g} at {change.onset:g} (confidence {change.confidence:.4f}): dropped.",
    )
    return Decision("drop", reason)


def _persistent(action: Action, value: float, times: int) -> Decision:
    word = {"drop": ("移除", "dropped"), "add": ("加入", "added")}[action]
    reason = Message(
        f"连续 {times} 期价值如 {value:.4g}，{word[0]}。", f"Worth about {value:.4g} for {times} periods: {word[1]}."
    )
    return Decision(action, reason)
