"""The ways to value sources of a region, each measured: what it exchanges, and how it ranks beside retraining."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from headwater.adapters.features import Region
from headwater.adapters.learners import Learner
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import InProcess, Transport, ask
from headwater.security import MASKED
from headwater.statistics.features import Categorical, FeatureMap, Features
from headwater.steps.frontier_reference import Reference, Sample, agreement, reference, sampled
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import METHODS, Approach, Target, value
from headwater.valuation.choice import Choice, choose_features
from headwater.valuation.methods.exact import places_of
from headwater.valuation.probes import Probed
from headwater.valuation.utilities import Sums
from headwater.valuation.utility import Asked
from headwater.valuation.valuation import Exchange, choose

__all__ = ["FAMILIES", "Measured", "Point", "measure"]

FAMILIES: Mapping[str, Message] = {
    "sums": Message("只公开和数", "sums only"),
    "linear": Message("线性统计量", "linear statistics"),
    "lifted": Message("升维统计量", "lifted statistics"),
    "probes": Message("所选统计量 + 试训", "chosen statistic + probes"),
    "leave_one_out": Message("留一重训", "leave one out"),
    "permutations": Message("排列重训", "permutations"),
}
"""What a line of the drawing is called."""

_LIMITS = (20_000, 50_000, 100_000, 200_000)
_PROBES = (12, 48)
_ORDERS = (4, 12, 50)
_DRAWS = 3
"""How often a way that draws lots is measured on each half."""

_Choices = list[tuple[int, Choice]]
"""Features that leave the target's own, each with the limit of bytes that it keeps."""


@dataclass(frozen=True)
class Point:
    """One way to value, measured.

    Parameters
    ----------
    family : of ``FAMILIES``
    name : shown to people
    bytes : exchanged with the source that exchanges most, in both directions
    attributable : bytes that can be laid at that source's door; the rest is seen in sums alone
    trainings : of the model, on different coalitions
    spearman, worst : mean and least rank correlation with retraining, over halves and draws
    seconds : of one valuation, trainings not counted
    """

    family: str
    name: Message
    bytes: int
    attributable: int
    trainings: int
    spearman: float
    worst: float
    seconds: float


@dataclass(frozen=True)
class Measured:
    """The ways to value for one model.

    Parameters
    ----------
    name, title : of the model
    is_ridge : whether a statistic solves it
    sources, records : of the sample, the records of all sources together
    judges : judging records in one half
    ceiling : rank correlation of the retrained values by one half of the judging records with those by the other
    refused : sources that cannot be valued
    """

    name: str
    title: Message
    is_ridge: bool
    sources: tuple[SourceId, ...]
    records: int
    judges: int
    ceiling: float
    points: tuple[Point, ...]
    refused: Mapping[SourceId, HeadwaterError]

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        refused = {source: f"{error.reason} {error.remedy}" for source, error in self.refused.items()}
        facts = {name: getattr(self, name) for name in ("name", "sources", "records", "judges", "ceiling")}
        return {**facts, "refused": refused, "points": [asdict(point) for point in self.points]}


@dataclass(frozen=True, eq=False)
class _Round:
    """What one training exchanges with each source that takes part: largest question and answer of all rounds."""

    nbytes: int
    answer: int


@dataclass(frozen=True, eq=False)
class _Estimate:
    """Values (sources,), and what they cost."""

    values: Vector
    nbytes: int
    attributable: int
    trainings: int = 0


@dataclass(eq=False)
class _Trained:
    """A game of retrained models that remembers which coalitions were looked at, and the utility that gives it."""

    players: tuple[SourceId, ...]
    labels: Vector
    predicted: Vector
    table: Vector
    seen: dict[bytes, Masks] = field(default_factory=dict)

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        return Asked(self, self.players, Exchange())

    def method(self, players: int) -> str:
        return choose(players)

    def __call__(self, coalitions: Masks) -> Vector:
        return np.asarray(self.table[self._places(coalitions)], dtype=np.float64)

    def predictions(self, coalitions: Masks) -> Vector:
        return np.asarray(self.predicted[self._places(coalitions)], dtype=np.float64)

    def _places(self, coalitions: Masks) -> npt.NDArray[np.int64]:
        for mask in coalitions:
            if mask.any():
                self.seen[mask.tobytes()] = mask
        return places_of(coalitions)

    def charged(self, exchange: Exchange, each: _Round, values: Vector) -> _Estimate:
        """Return the estimate with what was exchanged besides and what the trainings exchange."""
        most = int(np.sum(list(self.seen.values()), axis=0).max(initial=0)) if self.seen else 0
        spent = max(map(exchange.bytes_of, exchange.asked), default=0)
        told = max(exchange.attributable.values(), default=0)
        return _Estimate(values, spent + most * each.nbytes, told + most * each.answer, len(self.seen))


@dataclass(frozen=True, eq=False)
class _Way:
    """One point to be measured: from a half's target and its retrained game to an estimate."""

    family: str
    name: Message
    estimate: Callable[[Target, _Trained, np.random.Generator], _Estimate]
    draws: int = 1


def measure(region: Region, learner: Learner, *, records: int, seed: int, advance: Callable[[int], None]) -> Measured:
    """Retrain a model on all coalitions of sampled sources, and hold every way that suits it against that.

    Parameters
    ----------
    records : of all sources together, see ``sampled``
    advance : told how many coalitions were trained since it was last told
    """
    spec = learner.model.spec
    sample = sampled(region, spec, records=records, rng=np.random.default_rng(seed))
    truth = reference(sample, learner, advance=advance)
    each, lifted = _round(sample, learner, seed), _lifted(sample.targets[0])
    # Where one statistic is exact, there is nothing that a probe could mend.
    chosen = () if learner.is_exact else (choose_features(sample.targets[0]),)
    ways = (*_without_training(sample, lifted), *_with_training(sample, chosen, each))
    found = (_measured(way, sample, truth, seed) for way in ways)
    return Measured(
        name=spec.name,
        title=spec.title,
        is_ridge=spec.learner == "gram",
        sources=tuple(sample.tables),
        records=sample.records,
        judges=min(int(target.valid.num_rows) for target in sample.targets),
        ceiling=truth.ceiling,
        points=tuple(point for point in found if point is not None),
        refused=sample.refused,
    )


def _measured(way: _Way, sample: Sample, truth: Reference, seed: int) -> Point | None:
    """Return the point; None where the sources are too few for sums that hide one."""
    found, scores, started = [], [], time.perf_counter()
    for half, (target, values) in enumerate(zip(sample.targets, truth.values, strict=True)):
        for draw in range(way.draws):
            known = _Trained(tuple(sample.tables), truth.labels[half], truth.predicted[half], truth.tables[half])
            try:
                estimate = way.estimate(target, known, np.random.default_rng((seed, half, draw)))
            except Refusal as refusal:
                if refusal.code != "E-COHORT-FEW":
                    raise
                return None
            found.append(estimate)
            scores.append(agreement(estimate.values, values))
    return Point(
        family=way.family,
        name=way.name,
        bytes=max(estimate.nbytes for estimate in found),
        attributable=max(estimate.attributable for estimate in found),
        trainings=max(estimate.trainings for estimate in found),
        spearman=float(np.mean(scores)),
        worst=min(scores),
        seconds=(time.perf_counter() - started) / len(found),
    )


def _without_training(sample: Sample, lifted: _Choices) -> Iterator[_Way]:
    """Yield what needs the sources' answers alone."""
    federation, target = sample.federation, sample.targets[0]
    yield _Way("sums", FAMILIES["sums"], _valued(federation, Approach(Sums(MASKED)), target.features), _DRAWS)
    assert isinstance(target.features, FeatureMap)
    for name, features in _narrower(target.features):
        yield _Way("linear", name, _valued(federation, "statistics", features))
    for limit, choice in lifted:
        kilobytes = Message(f"升维，{limit // 1000} kB 以内", f"lifted, within {limit // 1000} kB")
        yield _Way("lifted", kilobytes, _valued(federation, Approach(choice), target.features))


def _with_training(sample: Sample, chosen: Sequence[Choice], each: _Round) -> Iterator[_Way]:
    """Yield what retrains the model on some coalitions."""
    federation = sample.federation
    players = federation.source_ids
    for choice, count in product(chosen, (count for count in _PROBES if count < 2 ** len(players))):
        name = Message(f"所选统计量，试训 {count} 次", f"chosen statistic, {count} probes")
        yield _Way("probes", name, _probed(federation, choice, count, each))
    yield _Way("leave_one_out", FAMILIES["leave_one_out"], _solved("leave_one_out", players, None, each))
    for orders in _ORDERS:
        name = Message(f"{orders} 个排列，逐一重训", f"{orders} permutations")
        yield _Way("permutations", name, _solved("permutation", players, orders * len(players), each), _DRAWS)


def _valued(
    federation: InProcess, method: str | Approach, features: Features
) -> Callable[[Target, _Trained, np.random.Generator], _Estimate]:
    def estimate(target: Target, trained: _Trained, rng: np.random.Generator) -> _Estimate:
        found = value(federation, target, method=method, feature_map=features, rng=rng)
        values = np.array([found.of(source) for source in federation.source_ids])
        return trained.charged(found.exchange, _Round(0, 0), values)

    return estimate


def _probed(
    federation: InProcess, choice: Choice, count: int, each: _Round
) -> Callable[[Target, _Trained, np.random.Generator], _Estimate]:
    def estimate(target: Target, trained: _Trained, rng: np.random.Generator) -> _Estimate:
        method = Approach(Probed(trained, count, surrogate=choice))
        found = value(federation, target, method=method, feature_map=target.features, rng=rng)
        return trained.charged(found.exchange, each, np.array([found.of(source) for source in federation.source_ids]))

    return estimate


def _solved(
    method: str, players: tuple[str, ...], budget: int | None, each: _Round
) -> Callable[[Target, _Trained, np.random.Generator], _Estimate]:
    def estimate(target: Target, trained: _Trained, rng: np.random.Generator) -> _Estimate:
        found = METHODS[method](trained, players, rng=rng, budget=budget)
        return trained.charged(Exchange(), each, found.values)

    return estimate


def _narrower(features: FeatureMap) -> Iterator[tuple[Message, FeatureMap]]:
    """Yield the numbers alone, codes in a quarter of their columns, and all features."""
    quarter = tuple(Categorical(one.name, max(1, one.buckets // 4), fill=one.fill) for one in features.categorical)
    if features.categorical and features.numeric:
        yield Message("线性，仅数值列", "linear, numbers only"), FeatureMap(features.numeric)
        yield (
            Message("线性，编码列取四分之一", "linear, a quarter of the codes"),
            replace(features, categorical=quarter),
        )
    yield Message("线性，全部特征", "linear, all features"), features


def _lifted(target: Target) -> _Choices:
    """Return what ``choose_features`` gives under each limit, by rising limit."""
    choices = ((limit, choose_features(target, limit=limit)) for limit in _LIMITS)
    return [(limit, choice) for limit, choice in choices if [part.name for part in choice.parts] != ["linear"]]


def _round(sample: Sample, learner: Learner, seed: int) -> _Round:
    """Ask every source for one round of the model, and count."""
    train = sample.targets[0].train
    question = learner.question(learner.start(train, seed=seed), seed=seed)
    federation = InProcess([replace(source, trainer=learner.train) for source in sample.sources])
    most = max(ask(federation, question).bytes_by_source.values())
    return _Round(learner.rounds * most, learner.rounds * (most - question.nbytes))
