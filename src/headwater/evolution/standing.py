"""Where a source stands with the model, and what may be done with it."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from headwater.errors import Message

__all__ = ["ACTIONS", "Action", "COUNTED", "Standing"]

Standing: TypeAlias = Literal["trial", "member", "probation", "demoted", "removed"]
"""``trial``: asked and valued, not in the model yet.
``member``: in the model.
``probation``: in the model, and doubted: its next values decide.
``demoted``: out of the model, still asked when there is budget left, and may come back through a trial.
``removed``: no longer asked, and nothing of it is in the model; only a person brings it back.
"""

COUNTED: frozenset[Standing] = frozenset({"member", "probation"})
"""Standings whose statistic is in the model."""

Action: TypeAlias = Literal["keep", "wait", "probation", "demote", "remove", "trial", "promote", "refresh", "recall"]
"""``keep``: nothing changes; ``wait``: something is due that the period's budget has no room for;
``probation``, ``demote``, ``remove``, ``trial``, ``promote``: to the standing of that name (``promote``: to member);
``refresh``: stays in the model, and what it said before ``Decision.since`` leaves it;
``recall``: an earlier regime of it is back, so what it said under ``Decision.regime`` counts (again) in the model.
"""

ACTIONS: Mapping[Action, Message] = {
    "recall": Message("召回", "recall"),
    "promote": Message("加入", "promote"),
    "refresh": Message("更新", "refresh"),
    "trial": Message("试用", "trial"),
    "remove": Message("移除", "remove"),
    "demote": Message("降级", "demote"),
    "probation": Message("察看", "probation"),
    "wait": Message("待预算", "wait for budget"),
    "keep": Message("不变", "keep"),
}
"""All actions and what people call them, in the order in which they are served from a budget."""
