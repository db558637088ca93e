"""Expect: bounds of what is usual for each source, proposed from accepted deliveries and reviewed as a difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.adapters import lake, profile
from headwater.adapters.home import Home
from headwater.content.bounds import derive
from headwater.content.profiles import Change, ProfileSuite, changes, difference, read_profiles, suites, write
from headwater.errors import Message, Refusal

__all__ = ["Proposal", "propose"]


@dataclass(frozen=True)
class Proposal:
    """What was proposed, and what it would change.

    Parameters
    ----------
    folder : where the suites lie or would lie
    changes : every bound that differs
    difference : unified difference of the files
    is_written : whether it was accepted
    """

    folder: Path
    suites: tuple[ProfileSuite, ...]
    changes: tuple[Change, ...]
    difference: str
    is_written: bool

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on."""
        return {
            "folder": str(self.folder),
            "suites": len(self.suites),
            "rules": sum(len(suite.rules) for suite in self.suites),
            "changes": len(self.changes),
            "written": self.is_written,
        }


def propose(
    home: Home,
    *,
    only: tuple[str | None, str | None] = (None, None),
    since: str | None = None,
    out: Path | None = None,
    accept: bool = False,
) -> Proposal:
    """Derive bounds from the deliveries whose checks passed, and show or write what they change.

    Parameters
    ----------
    only : source and entity; None for all
    since : ``YYYY-MM``: what is usual has changed, so that only deliveries from this month on count, failed ones too
    out : folder of the suites; ``HEADWATER_HOME/expectations`` when None
    accept : whether to write them

    Raises
    ------
    Refusal
        ``E-NO-PROFILE`` when too few deliveries have been checked
    """
    with lake.connect(home) as connection:
        history = profile.history(connection, source=only[0], entity=only[1], since=since)
    new = suites(derive(history))
    if not new:
        raise Refusal(
            "E-NO-PROFILE",
            Message("已检查的送报太少，无法推出常态。", "Too few deliveries have been checked to know what is usual."),
            Message(
                "先送入至少六个月的数据并运行 headwater check。",
                "Land at least six months and run headwater check first.",
            ),
        )
    folder = out or home.profiles
    proposal = Proposal(folder, new, _changes(folder, new), difference(folder, new), accept)
    if accept:
        write(folder, new)
    return proposal


def _changes(folder: Path, new: Sequence[ProfileSuite]) -> tuple[Change, ...]:
    return changes(read_profiles(folder), new)
