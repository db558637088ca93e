"""Where a source stands with the model, and what may be done with it."""

from typing import Literal, TypeAlias

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

ACTIONS: tuple[Action, ...] = (
    "recall",
    "promote",
    "refresh",
    "trial",
    "remove",
    "demote",
    "probation",
    "wait",
    "keep",
)
"""All actions, in the order in which they are served from a budget."""
