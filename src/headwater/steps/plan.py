"""Plan: how the sources that the newest valuation chose would be joined, and why; nothing is asked or spent."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater.adapters import plan_picture
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.aggregation import Plan
from headwater.errors import Message
from headwater.steps.joint import PURPOSE, foreseen
from headwater.steps.wish import AS_REQUIRED, Wish
from headwater.types import SourceId

__all__ = ["PlanReport", "plan"]


@dataclass(frozen=True)
class PlanReport:
    """How one region's sources would be joined.

    Parameters
    ----------
    plan : None where nobody is to be asked
    refused : chosen sources that would not be asked, and why
    picture : where it was drawn, if it was
    """

    task: str
    region: str
    purpose: str
    plan: Plan | None
    refused: dict[SourceId, Message]
    picture: Path | None = None

    def drawn(self, picture: Path) -> "PlanReport":
        """Draw the plan into a PNG; where nobody is to be asked there is nothing to draw."""
        if self.plan is None:
            return self
        plan_picture.draw(picture, self.plan)
        return replace(self, picture=picture)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-safe values."""
        return {
            "task": self.task,
            "region": self.region,
            "purpose": self.purpose,
            "digest": self.plan.digest if self.plan else None,
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "plan": self.plan.to_dict() if self.plan else None,
            "picture": self.picture,
        }


def plan(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    model: str = "stay_cost_ridge",
    purpose: str = PURPOSE,
    wish: Wish = AS_REQUIRED,
) -> PlanReport:
    """Plan how the chosen sources of a region would be joined for a purpose.

    Raises
    ------
    Refusal
        what ``foreseen`` refuses
    """
    joint = foreseen(home, run=run, task=task, model=model, wish=wish, purpose=purpose)
    return PlanReport(task, joint.region, purpose, joint.plan, joint.refused)
