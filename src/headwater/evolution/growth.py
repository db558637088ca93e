"""A model that grows and shrinks exactly: sources are merged and subtracted, and each step is certified.

A step costs one merge or subtraction and the digest of the outcome, however many members there are. That the outcome is
what building anew from all members gives is proven separately (``proven``), and must be before a version is registered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["BASE", "Action", "Certificate", "Growth"]

Action: TypeAlias = Literal["add", "remove", "refresh", "reduce"]

BASE = "target"
"""The name of the base among members, where records of it are withdrawn."""


@dataclass(frozen=True)
class Certificate:
    """One step: digests of the model's statistic before and after it."""

    action: Action
    source: SourceId
    before: str
    after: str


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
        rest, said = dict(self.members), self._member(source)
        del rest[source]
        return self._next("remove", source, rest, self.total.subtract(said))

    def refresh(self, source: SourceId, statistic: Statistic) -> "Growth":
        """Replace what a source said before by what it says now."""
        total = self.total.subtract(self._member(source)).merge(statistic)
        return self._next("refresh", source, {**self.members, source: statistic}, total)

    def reduce(self, source: SourceId, part: Statistic) -> "Growth":
        """Subtract some records of a member, or of the base where ``source`` is ``BASE``; its others stay.

        Parameters
        ----------
        part : statistic of those records, under the question that the member answered
        """
        total = self.total.subtract(part)
        if source != BASE:
            return self._next("reduce", source, {**self.members, source: self._member(source).subtract(part)}, total)
        step = Certificate("reduce", BASE, self.total.digest, total.digest)
        return Growth(self.base.subtract(part), self.members, total, (*self.certificates, step))

    def rebuilt(self) -> Statistic:
        """Build the total anew from base and members; costs one merge a member."""
        return Statistic.total([self.base, *self.members.values()])

    def proven(self) -> str:
        """Return the digest of the total, once building anew from all members gave the same bits.

        Raises
        ------
        HeadwaterError
            ``E-GROWTH-INEXACT`` where something was left behind or lost
        """
        rebuilt = self.rebuilt()
        if rebuilt != self.total:
            raise _inexact(self.total.digest, rebuilt.digest)
        return rebuilt.digest

    def _member(self, source: SourceId) -> Statistic:
        if source not in self.members:
            raise _membership(source, "不在模型中", "is not in the model")
        return self.members[source]

    def _next(
        self, action: Action, source: SourceId, members: Mapping[SourceId, Statistic], total: Statistic
    ) -> "Growth":
        step = Certificate(action, source, self.total.digest, total.digest)
        return Growth(self.base, members, total, (*self.certificates, step))


def _membership(source: SourceId, zh: str, en: str) -> Refusal:
    return Refusal(
        "E-GROWTH-MEMBER",
        Message(f"来源“{source}”{zh}。", f"Source {source} {en}."),
        Message("请核对模型的来源名单。", "Check the model's list of sources."),
    )


def _inexact(kept: str, rebuilt: str) -> HeadwaterError:
    return HeadwaterError(
        "E-GROWTH-INEXACT",
        Message(
            f"逐步增减所得（{kept[:16]}）与由全部成员重建所得（{rebuilt[:16]}）不一致。",
            f"What steps left ({kept[:16]}) differs from what all members give anew ({rebuilt[:16]}).",
        ),
        Message("请保留数据并报告此问题。", "Keep the data and report this."),
    )
