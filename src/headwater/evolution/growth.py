"""A model that grows and shrinks exactly: sources are merged and subtracted, and each step is certified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from headwater.errors import Message, Refusal
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Certificate", "Growth"]


@dataclass(frozen=True)
class Certificate:
    """Proof of one step: digests of the model's statistic before, after, and rebuilt from the remaining members."""

    action: Literal["add", "remove", "refresh"]
    source: SourceId
    before: str
    after: str
    rebuilt: str

    @property
    def holds(self) -> bool:
        """Whether the step left exactly what building anew from the remaining members gives."""
        return self.after == self.rebuilt


@dataclass(frozen=True)
class Growth:
    """The statistic behind a model version: the target's own records plus those of its members.

    Parameters
    ----------
    base : the target's own statistic, never removed
    members : statistic of each source in the model
    total : base and members together; kept by merging and subtracting, never by adding anew
    certificates : one for every step since the start
    """

    base: Statistic
    members: Mapping[SourceId, Statistic]
    total: Statistic
    certificates: tuple[Certificate, ...] = field(default=())

    @staticmethod
    def start(base: Statistic, members: Mapping[SourceId, Statistic]) -> "Growth":
        """Build the first version."""
        return Growth(base, dict(members), Statistic.total([base, *members.values()]))

    def add(self, source: SourceId, statistic: Statistic) -> "Growth":
        """Merge a source that is not in the model."""
        if source in self.members:
            raise _membership(source, "已在模型中", "is already in the model")
        return self._next("add", source, {**self.members, source: statistic}, self.total.merge(statistic))

    def remove(self, source: SourceId) -> "Growth":
        """Subtract a source; nothing of it remains."""
        rest = {name: statistic for name, statistic in self.members.items() if name != source}
        return self._next("remove", source, rest, self.total.subtract(self._member(source)))

    def refresh(self, source: SourceId, statistic: Statistic) -> "Growth":
        """Replace what a source said before by what it says now."""
        total = self.total.subtract(self._member(source)).merge(statistic)
        return self._next("refresh", source, {**self.members, source: statistic}, total)

    def _member(self, source: SourceId) -> Statistic:
        if source not in self.members:
            raise _membership(source, "不在模型中", "is not in the model")
        return self.members[source]

    def _next(
        self,
        action: Literal["add", "remove", "refresh"],
        source: SourceId,
        members: Mapping[SourceId, Statistic],
        total: Statistic,
    ) -> "Growth":
        rebuilt = Statistic.total([self.base, *members.values()]).digest
        certificate = Certificate(action, source, self.total.digest, total.digest, rebuilt)
        return Growth(self.base, members, total, (*self.certificates, certificate))


def _membership(source: SourceId, zh: str, en: str) -> Refusal:
    return Refusal(
        "E-GROWTH-MEMBER",
        Message(f"来源“{source}”{zh}。", f"Source {source} {en}."),
        Message("请核对模型的来源名单。", "Check the model's list of sources."),
    )
