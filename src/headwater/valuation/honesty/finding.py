"""What was found about a source: proved by what it said itself or by claims that were paid, or only suspected."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.types import SourceId

__all__ = ["Finding", "Report"]


@dataclass(frozen=True)
class Finding:
    """One finding.

    Parameters
    ----------
    check : what found it, e.g. ``audit``
    proved : an honest source cannot cause it; otherwise it is a reason to look closer, never to refuse
    message : what was found
    evidence : the numbers it rests on
    other : the source that it is about as well; once that one is proved untrue, nothing is left of the suspicion
    """

    check: str
    proved: bool
    message: Message
    evidence: Mapping[str, float] = field(default_factory=dict)
    other: SourceId | None = None


@dataclass(frozen=True)
class Report:
    """Every source's findings, none for most, and how many of its blocks were opened."""

    findings: Mapping[SourceId, tuple[Finding, ...]]
    opened: Mapping[SourceId, int] = field(default_factory=dict)

    @property
    def refused(self) -> dict[SourceId, HeadwaterError]:
        """The sources with a proved finding, and why each may not be used."""
        return {
            source: _untrue(source, proofs[0])
            for source, found in self.findings.items()
            if (proofs := [finding for finding in found if finding.proved])
        }

    @property
    def suspected(self) -> tuple[SourceId, ...]:
        """The sources with findings of which none is proved, by name; who was copied by a proved liar is cleared."""
        refused = self.refused
        left = {s: [one for one in found if one.other not in refused] for s, found in self.findings.items()}
        return tuple(sorted(source for source, found in left.items() if found and source not in refused))


def _untrue(source: SourceId, finding: Finding) -> Refusal:
    return Refusal(
        "E-HONESTY-PROVED",
        Message(f"来源“{source}”：{finding.message.zh}", f"Source {source}: {finding.message.en}"),
        Message("请与该来源核对后重新估值。", "Settle it with the source, then value again."),
    )
