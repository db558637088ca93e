"""One draw of a federation, and ways of joining it, each planned, and through real masks and real noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from headwater.aggregation import Group, Part, aggregate
from headwater.aggregation.grouping import parted
from headwater.aggregation.weighing import Expected, Weighed, weighed
from headwater.bench.tiers_classes import CLASSES, classes, planned
from headwater.bench.tiers_federations import Federation
from headwater.bench.tiers_solvers import perturbed, whole_labels
from headwater.checks.protections import seeded_entropy
from headwater.federation.bounded import BoundedQuestion
from headwater.federation.source import Computed, GramQuestion
from headwater.security import Entropy, Span
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Trial"]

_RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Trial:
    """A federation, and the ε of those that demand noise."""

    federation: Federation
    epsilon: float
    seed: int

    def losses(self) -> dict[str, float]:
        """Return the mean squared error on records held out of our ways of joining, and of both ends of the gap."""
        exact, _ = self._groups(self._mixed)
        total = self._exact(exact)
        found = {"target": self._solved(self._own), "non_private": self._solved(self._pooled)}
        found["mixed_exact_parts"] = self._solved(total)
        return found | {way: self._ours(members) for way, members in self._ways.items()}

    def others(self) -> dict[str, float]:
        """Return the same of two common ways to add noisy sums, and of ours with one class alone."""
        found = {f"only_{kind}": self._ours({kind: self._mixed[kind]}) for kind in CLASSES}
        asked = BoundedQuestion.around(self._question, self._own, self.federation.own, ridge=_RIDGE)
        question = whole_labels(asked, self.federation.own)
        for way, members in self._ways.items():
            exact, noisy = self._groups(members)
            total, parts = self._exact(exact), self._parts(question, noisy)
            for name, raised in (("ssp", False), ("adassp", True)):
                solved = perturbed(question, total, parts, ridge=_RIDGE, raised=raised)
                found[f"{way}_{name}"] = self._loss(solved)
        return found

    @cached_property
    def _mixed(self) -> dict[str, list[SourceId]]:
        return classes(sorted(self.federation.sources))

    @property
    def _ways(self) -> Mapping[str, Mapping[str, Sequence[SourceId]]]:
        sources = sorted(self.federation.sources)
        return {"mixed": self._mixed, "strictest": {"strict": sources}, "shared": {"shared": sources}}

    def _ours(self, members: Mapping[str, Sequence[SourceId]]) -> float:
        exact, noisy = self._groups(members)
        return self._loss(self._weighed(self._exact(exact), noisy).coefficients)

    def _groups(self, members: Mapping[str, Sequence[SourceId]]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
        named = tuple((kind, tuple(names)) for kind, names in members.items())
        return parted(planned(named, self.epsilon, self._question.feature_map.dim).groups)

    def _exact(self, groups: Sequence[Group]) -> Statistic:
        """Return the bureau's statistic with all that is told without noise."""
        if not groups:
            return self._own
        answers = self._answers(self._question, groups)
        return self._own.merge(aggregate(groups, answers, round_id="1", entropy=self._entropy(groups)).total)

    def _parts(self, question: BoundedQuestion, groups: Sequence[Group]) -> Mapping[str, Part]:
        """Return what is told with noise."""
        if not groups:
            return {}
        answers, form = self._answers(question, groups), question.family
        span = Span(*form.bounds(max(self.federation.records[source] for source in answers)))
        joined = aggregate(groups, answers, round_id="2", entropy=self._entropy(groups), span=span, l2=form.l2)
        return joined.parts

    def _weighed(self, total: Statistic, noisy: Sequence[Group]) -> Weighed:
        own, records = self.federation.own, self.federation.records
        question = BoundedQuestion.around(self._question, total, own, ridge=_RIDGE)
        expected, parts = Expected.of(question, own), self._parts(question, noisy)
        return weighed(question, total, parts, expected=expected, records=records, ridge=_RIDGE)

    def _answers(self, question: Computed, groups: Sequence[Group]) -> dict[SourceId, Statistic]:
        named = {name for group in groups for name in group.members} & set(self.federation.sources)
        return {name: question.of(self.federation.sources[name]) for name in named}

    def _entropy(self, groups: Sequence[Group]) -> Entropy:
        return seeded_entropy(1_000_000 * self.seed + crc32(repr(groups).encode()) % 1_000_000)

    def _solved(self, total: Statistic) -> float:
        return self._loss(self._question.family.solve(total, ridge=_RIDGE))

    def _loss(self, coefficients: Vector) -> float:
        return self._question.family.loss(self._held_out, coefficients)

    @property
    def _question(self) -> GramQuestion:
        return self.federation.question

    @cached_property
    def _own(self) -> Statistic:
        return self._question.of(self.federation.own)

    @cached_property
    def _held_out(self) -> Statistic:
        return self._question.of(self.federation.test)

    @cached_property
    def _pooled(self) -> Statistic:
        """All records in one place, which no real federation has."""
        return Statistic.total([self._own, *(self._question.of(table) for table in self.federation.sources.values())])
