"""Plan: how the sources that the newest valuation chose would be joined, and why; nothing is asked or spent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.adapters import plan_picture
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.aggregation import Plan
from headwater.errors import Message
from headwater.steps.joint import PURPOSE, foreseen
from headwater.types import SourceId

__all__ = ["PlanReport", "plan"]


@dataclass(frozen=True)
class PlanReport:
    """How one region's sources would be joined.

    Parameters
    ----------
    plan : None where nobody is to be asked
    refused : chosen sources that would not be asked, and why
    picture : where it was drawn
    """

    task: str
    region: str
    purpose: str
    plan: Plan | None
    refused: dict[SourceId, Message]
    picture: Path | None

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
    picture: Path | None = None,
) -> PlanReport:
    """Plan how the chosen sources of a region would be joined for a purpose.

    Parameters
    ----------
    picture : PNG to be drawn

    Raises
    ------
    Refusal
        what ``foreseen`` refuses
    """
    joint = foreseen(home, run=run, task=task, model=model, purpose=purpose)
    if picture and joint.plan:
        plan_picture.draw(picture, joint.plan)
    return PlanReport(task, joint.region, purpose, joint.plan, joint.refused, picture if joint.plan else None)
