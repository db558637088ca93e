"""One draw of a federation, and all ways of joining it, each through real masks and real noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from headwater.aggregation import Group, Part, aggregate
from headwater.aggregation.weighing import Expected, weighed
from headwater.bench.tiers_classes import classes, exact_groups
from headwater.bench.tiers_federations import Federation
from headwater.bench.tiers_solvers import perturbed, whole_labels
from headwater.checks.protections import seeded_entropy
from headwater.federation.bounded import BoundedQuestion
from headwater.security import Span
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector

__all__ = ["RIDGE", "Trial"]

RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Trial:
    """One draw of a federation, and all ways of joining it."""

    federation: Federation
    seed: int

    @cached_property
    def own(self) -> Statistic:
        """The bureau's statistic."""
        return self.federation.question.of(self.federation.own)

    @cached_property
    def members(self) -> dict[str, list[SourceId]]:
        """Sources by class."""
        return classes(sorted(self.federation.sources))

    def loss(self, coefficients: Vector) -> float:
        """Return the mean squared error on records held out."""
        question = self.federation.question
        return question.family.loss(question.of(self.federation.test), coefficients)

    def solved(self, total: Statistic) -> float:
        """Return the loss of the exact solution."""
        return self.loss(self.federation.question.family.solve(total, ridge=RIDGE))

    def exact(self, members: Mapping[str, list[SourceId]]) -> Statistic:
        """Return the bureau's statistic with all that classes without noise say."""
        groups = exact_groups(members)
        if not groups:
            return self.own
        named = {name for group in groups for name in group.members if name in self.federation.sources}
        answers = {name: self.federation.question.of(self.federation.sources[name]) for name in named}
        joined = aggregate(groups, answers, round_id="exact", entropy=seeded_entropy(self.seed))
        return self.own.merge(joined.total)

    def pooled(self) -> Statistic:
        """Return the statistic of all records in one place."""
        answers = [self.federation.question.of(table) for table in self.federation.sources.values()]
        return self.own.merge(Statistic.total(answers))

    def parts(self, question: BoundedQuestion, groups: Sequence[Group], name: str) -> dict[str, Part]:
        """Return what the noisy groups answer."""
        named = {member for group in groups for member in group.members if member in self.federation.sources}
        answers = {source: question.of(self.federation.sources[source]) for source in named}
        span = Span(*question.family.bounds(max(self.federation.records[source] for source in named)))
        entropy = seeded_entropy(1_000 * self.seed + crc32(name.encode()) % 1_000)
        joined = aggregate(
            groups, answers, round_id=name, entropy=entropy, span=span, l2=question.family.l2
        )
        return dict(joined.parts)

    def ours(self, total: Statistic, groups: Sequence[Group], name: str) -> tuple[float, Mapping[str, float]]:
        """Return the loss of parts weighed, and their weights."""
        federation = self.federation
        question = BoundedQuestion.around(federation.question, total, federation.own, ridge=RIDGE)
        expected = Expected.of(question, federation.own)
        parts = self.parts(question, groups, name) if groups else {}
        found = weighed(question, total, parts, expected=expected, records=federation.records, ridge=RIDGE)
        return self.loss(found.coefficients), found.weights

    def plainly(self, total: Statistic, groups: Sequence[Group], name: str) -> dict[str, float]:
        """Return losses of one round whose noisy sums are taken as if they were exact, and with a raised ridge."""
        federation = self.federation
        asked = BoundedQuestion.around(federation.question, self.own, federation.own, ridge=RIDGE)
        question = whole_labels(asked, federation.own)
        parts = self.parts(question, groups, name)
        return {
            way: self.loss(perturbed(question, total, parts, ridge=RIDGE, raised=raised))
            for way, raised in (("ssp", False), ("adassp", True))
        }
