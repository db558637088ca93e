"""Say of each source what the sums say of it, and who is left out, named, or kept under suspicion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwater.aggregation.robust.finding import CohortFinding, Finding, Robust
from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector

__all__ = ["Verdict", "found_in", "nothing_usable", "two_faced"]

NAMED = 0.999
"""Probability from which a source that is left out is also named."""
NAMED_SHIFT = 1.2
"""Standard deviations a record from which it is: hospitals that are only dearer or see other cases differ by less."""
_SUSPECTED = 0.5


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was decided of all sources at once.

    Parameters
    ----------
    joined : see ``Robust``
    weights, marked, chances, shifts : (sources,) what each counts, whether the best explanation marks it, how probably
        it is to be marked, and how far what it adds a record lies off, in standard deviations of the label
    keeps_all : nobody is left out
    """

    joined: Statistic
    weights: Vector
    marked: Masks
    chances: Vector
    shifts: Vector
    keeps_all: bool


def found_in(
    sources: Sequence[SourceId],
    verdict: Verdict,
    cohorts: tuple[CohortFinding, ...],
    measured: tuple[float, float, float],
    notes: tuple[Message, ...],
) -> Robust:
    """Return the finding of every source that stands out, in its place; ``measured`` are harm, against and leverage."""
    excluded: dict[SourceId, Finding] = {}
    undecided: dict[SourceId, Finding] = {}
    suspected: dict[SourceId, Finding] = {}
    lonely, alike = _lonely(cohorts), _alike(sources, cohorts)
    out = {source for place, source in enumerate(sources) if verdict.marked[place] and not verdict.keeps_all}
    for place, source in enumerate(sources):
        chance, is_marked = float(verdict.chances[place]), bool(verdict.marked[place])
        if source in lonely:
            finding = _broke(source, cohorts, alone=lonely[source])
            (excluded if lonely[source] else undecided)[source] = finding
        elif source in out:
            is_named = chance >= NAMED and verdict.shifts[place] >= NAMED_SHIFT and not alike[source]
            what = "named" if is_named else "alike" if alike[source] else "left"
            finding = _stands_out(source, chance, float(verdict.shifts[place]), cohorts, what)
            (excluded if is_named else undecided)[source] = finding
        elif others := out.intersection(alike[source]):
            undecided[source] = _like(source, sorted(others), chance, float(verdict.shifts[place]), cohorts)
        elif is_marked or chance >= _SUSPECTED:
            suspected[source] = _stands_out(source, chance, float(verdict.shifts[place]), cohorts, "kept")
    each = dict(zip(sources, verdict.weights.tolist(), strict=True))
    told = (each, excluded, undecided, suspected, cohorts)
    return Robust(*told, *measured[:2], notes, measured[2], joined=verdict.joined)


def nothing_usable(
    sources: Sequence[SourceId], cohorts: tuple[CohortFinding, ...], nothing: Statistic, exposed: float
) -> Robust:
    """Return that nobody is joined, as every sum breaks a bound; ``exposed`` is the leverage."""
    zeros = np.zeros(len(sources))
    verdict = Verdict(nothing, zeros, zeros > 0, zeros, zeros, keeps_all=False)
    return found_in(sources, verdict, cohorts, (float("inf"), float("inf"), exposed), ())


def two_faced() -> Message:
    """Return the note on partitions whose totals differ: whose fault it is, sums do not tell."""
    return Message(
        "各划分的总和不一致：有来源在不同的和数中给出了不同的数；只采用第一次划分。",
        "The partitions' totals differ: a source said different things in different sums; only the first is used.",
    )


def _lonely(cohorts: tuple[CohortFinding, ...]) -> dict[SourceId, bool]:
    """Return who stands in no sum within the bounds, and whether one of its sums has no other such member.

    Whoever breaks bounds breaks those of each of its sums, so a sum within the bounds clears its members.
    """
    cleared = {name for cohort in cohorts if cohort.beyond is None for name in cohort.members}
    left = [[name for name in cohort.members if name not in cleared] for cohort in cohorts if cohort.beyond]
    return {name: any(group == [name] for group in left) for name in sorted({name for group in left for name in group})}


def _alike(sources: Sequence[SourceId], cohorts: tuple[CohortFinding, ...]) -> dict[SourceId, tuple[SourceId, ...]]:
    """Return by source the others that stand in the very same of the sums that are used.

    Whatever one of them says, the sums are as if another had said it: only what is thought of it before tells them
    apart, and nobody is to be named for that.
    """
    used = [set(cohort.members) for cohort in cohorts if np.isfinite(cohort.times)]
    stands = {source: tuple(source in members for members in used) for source in sources}
    return {
        source: tuple(other for other in sources if other != source and stands[other] == stands[source])
        for source in sources
    }


def _broke(source: SourceId, cohorts: tuple[CohortFinding, ...], *, alone: bool) -> Finding:
    places = _places(source, cohorts)
    reason = next(cohort.beyond for cohort in cohorts if source in cohort.members and cohort.beyond)
    zh = "其余成员都另有一个合规的和数" if alone else "尚不能与同组其他成员区分，不予点名"
    en = "every other member also stands in a sum within the bounds" if alone else "not told apart from other members"
    told = Message(
        f"来源“{source}”所在的 {len(places)} 个和数都超出界限（{reason.zh}）；{zh}。",
        f"All {len(places)} sums of source {source} break a bound ({reason.en}); {en}.",
    )
    return Finding(1.0 if alone else float("nan"), float("nan"), places, told)


def _like(
    source: SourceId, others: Sequence[SourceId], chance: float, shift: float, cohorts: tuple[CohortFinding, ...]
) -> Finding:
    named = ", ".join(others)
    told = Message(
        f"来源“{source}”所在和数与 {named} 完全相同，无法区分；均未并入、不点名。",
        f"Source {source} stands in the very same sums as {named}: they cannot be told apart; left out, not named.",
    )
    return Finding(chance, shift, _places(source, cohorts), told)


def _places(source: SourceId, cohorts: tuple[CohortFinding, ...]) -> tuple[int, ...]:
    return tuple(place for place, cohort in enumerate(cohorts) if source in cohort.members)


_WHAT = {
    "named": ("已排除", "left out"),
    "left": ("未并入，但证据不足以点名", "left out, not named, as others would explain the sums nearly as well"),
    "alike": (
        "另有来源与其所在和数完全相同，未并入、不点名",
        "left out, not named, as another source stands in the very same sums",
    ),
    "kept": ("无实质危害，予以保留", "kept, as it does no harm that matters"),
}


def _stands_out(
    source: SourceId, chance: float, shift: float, cohorts: tuple[CohortFinding, ...], what: str
) -> Finding:
    places = _places(source, cohorts)
    usable = [place for place in places if cohorts[place].beyond is None and np.isfinite(cohorts[place].times)]
    times = ", ".join(f"{cohorts[place].times:.1f}" for place in usable)
    least = min((cohorts[place].chance for place in usable), default=float("nan"))
    zh, en = _WHAT[what]
    told = Message(
        f"来源“{source}”所在各和数与目标方自有记录的偏差为通常的 {times} 倍（最小概率 {least:.1g}）；"
        f"由该来源解释的概率为 {chance:.3f}，相当于每条记录偏 {shift:.2f} 个标准差；{zh}。",
        f"Sums of source {source} lie off the target's own records by {times} times the usual (least probability "
        f"{least:.1g}); that this source is a cause has probability {chance:.3f}, {shift:.2f} standard deviations a "
        f"record; {en}.",
    )
    return Finding(chance, shift, places, told)
