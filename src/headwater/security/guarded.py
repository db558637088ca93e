"""A source that holds every question against its requirement before it computes anything."""

from dataclasses import dataclass, replace

from headwater.federation.source import Computed, Description, Question, Source
from headwater.security.requirement import Release, Requirement
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Guarded"]


@dataclass(frozen=True, eq=False)
class Guarded:
    """A source under a requirement.

    Parameters
    ----------
    release : what every answer is: for what, to whom, with which noise, how it travels
    """

    source: Source
    requirement: Requirement
    release: Release

    @property
    def source_id(self) -> SourceId:
        """The name of the source."""
        return self.source.source_id

    def describe(self) -> Description:
        """Return what there is; numbers of records are public."""
        return self.source.describe()

    def answer(self, question: Question | Computed) -> Statistic:
        """Answer if the requirement permits it; see ``Requirement.permit``."""
        self.requirement.permit(replace(self.release, source=self.source_id))
        return self.source.answer(question)
