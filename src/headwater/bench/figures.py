"""The form in which every bench reports: one JSON object, figures by the ids of the goals they are held against."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["Figure", "Size", "report"]

Size = Literal["ci", "full"]


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Parameters
    ----------
    value : what the goal names first: a ratio, a count of violations, the worst case; None if it could not be run
    unit : of the value
    goal : as text, e.g. ``>= 5``
    holds : whether the goal is met
    baseline : the same measure of what it is compared with, from the same run
    n : how many rows or repetitions stand behind it
    note : how it was measured, or why it could not be
    also : further numbers
    """

    value: float | None
    unit: str
    goal: str
    holds: bool
    baseline: Mapping[str, float] = field(default_factory=dict)
    n: int = 0
    note: str = ""
    also: Mapping[str, Any] = field(default_factory=dict)


def report(name: str, size: Size, figures: Mapping[str, Figure], *, project: Path) -> dict[str, Any]:
    """Return the object that a bench prints as its last line."""
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "bench": name,
        "size": size,
        "commit": _commit(project),
        "machine": {"cores": os.cpu_count(), "memory_gib": round(pages * page_size / 2**30)},
        "figures": {key: _plain(figure) for key, figure in figures.items()},
    }


def _plain(figure: Figure) -> dict[str, Any]:
    plain = {name: getattr(figure, name) for name in ("value", "unit", "goal", "holds", "n", "note")}
    plain |= {"baseline": dict(figure.baseline), "also": dict(figure.also)}
    return dict(json.loads(json.dumps(plain)))


def _commit(project: Path) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=project, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
