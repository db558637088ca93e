"""Value: what each hospital's records are worth to the bureau's task, and which set to use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from headwater.adapters import features, knowledge, lake, mlflow
from headwater.adapters.features import DataSeen, Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.errors import Message, Refusal
from headwater.federation import InProcess, Remembering, ask
from headwater.security import MASKED
from headwater.security.events import Gaussian, NonPrivate
from headwater.statistics import Statistic
from headwater.statistics.gaussian import noise_for
from headwater.steps.ledger import Books
from headwater.types import SourceId
from headwater.valuation import Exchange, GramUtility, Target, Valuation, cautious, select
from headwater.valuation import value as valued
from headwater.valuation.utilities import PrivateSums
from headwater.valuation.value import Approach

__all__ = ["PRIVATE", "SourceValue", "ValueReport", "game_of", "ridge_of", "value"]

PRIVATE = "private_sums"
"""The method under which every source spends privacy, and is asked nothing that would cost more."""


@dataclass(frozen=True)
class SourceValue:
    """One source's line.

    Parameters
    ----------
    value, low, high : Shapley value and its interval, in R² on ln(cost) over the bureau's own records alone
    bytes : exchanged with it, question and answer together
    """

    source: SourceId
    city: str
    stays: int
    value: float
    low: float
    high: float
    selected: bool
    bytes: int


@dataclass(frozen=True)
class ValueReport:
    """What one valuation found.

    Parameters
    ----------
    sources : by falling value
    refused : sources that gave no usable answer, and why
    small : hospitals below ``min_stays``, with their stays
    r2 : R² on the bureau's validation records: ``target_only`` without sources, ``selected`` with those, ``all``; under
        privacy nobody knows ``selected``, and ``all`` is estimated from noisy sums
    epsilon : privacy spent by every source, at the δ of its requirement; 0 where nothing was spent
    evaluations : coalitions whose utility was computed
    mlflow_run : where the run is recorded
    """

    run: str
    task: str
    region: str
    origins: tuple[str, ...]
    data: DataSeen
    method: str
    sources: tuple[SourceValue, ...]
    refused: Mapping[SourceId, Message]
    small: Mapping[SourceId, int]
    r2: Mapping[str, float]
    evaluations: int
    mlflow_run: str
    epsilon: float = 0.0

    @property
    def selected(self) -> tuple[SourceId, ...]:
        """The sources to use, by falling value."""
        return tuple(line.source for line in self.sources if line.selected)

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "origins": list(self.origins),
            "snapshot": self.data.snapshot,
            "method": self.method,
            "sources": len(self.sources),
            "selected": list(self.selected),
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "small": len(self.small),
            "bytes_per_source": max(line.bytes for line in self.sources),
            **{f"r2_{name}": number for name, number in self.r2.items()},
            "epsilon": self.epsilon,
            "mlflow_run": self.mlflow_run,
        }


@dataclass(frozen=True, eq=False)
class _Found:
    """What the game gave, before it is written down."""

    region: Region
    valuation: Valuation
    lines: tuple[SourceValue, ...]
    r2: Mapping[str, float]


def value(
    home: Home, *, run: Run, task: str = "stay_cost", budget: int = 8, method: str = "auto", min_stays: int = 100
) -> ValueReport:
    """Ask every source one question, value the answers, choose a set, and write all of it down.

    Parameters
    ----------
    budget : most sources to choose; one whose value is not above 0 beyond its interval is never chosen
    method : a name that ``headwater.valuation.value`` takes; ``auto``: exact up to 15 sources, sampled above;
        ``private_sums``: every source spends the ε that its requirement allows a release, debited before it is asked
    min_stays : fewer stays make no source
    """
    learner = ridge_of(home, task)
    with lake.connect(home) as connection:
        knowledge.prepare(connection)
        snapshot = lake.snapshot(connection)
        region = features.read(connection, learner, snapshot=snapshot, region=run.region, min_stays=min_stays)
        found = _play(home, region, learner, method=method, budget=budget, seed=run.seed)
        mlflow_run = mlflow.record(home, _entry(run, task, found, budget=budget))
        knowledge.replace(connection, "valuation", key=run.key(task, region.name), rows=_rows(run, found))
    return ValueReport(
        run=run.name,
        task=task,
        region=region.name,
        origins=region.origins,
        data=region.data,
        method=found.valuation.method,
        sources=found.lines,
        refused={source: error.reason for source, error in found.valuation.refused.items()},
        small=region.small,
        r2=found.r2,
        evaluations=found.valuation.evaluations,
        mlflow_run=mlflow_run,
        epsilon=found.valuation.exchange.epsilon,
    )


def ridge_of(home: Home, task: str) -> Ridge:
    """Return the learner whose statistic values the sources of a task: the task's ``gram`` model, first by name."""
    folder = home.project / "models"
    for name in models.names(folder):
        model = models.load(folder, name)
        if model.spec.task == task and model.spec.learner == "gram":
            return Ridge(model)
    raise Refusal(
        "E-VALUE-MODEL",
        Message(f"任务“{task}”没有 gram 模型。", f"The task {task!r} has no model of the learner gram."),
        Message("请在 models/ 中加入一个。", "Add one to models/."),
    )


def game_of(target: Target, statistics: Mapping[SourceId, Statistic]) -> GramUtility:
    """Return the game in R² that sources play with their statistics for the target's validation records."""
    question = target.question
    return GramUtility(
        question.of(target.train), statistics, question.of(target.valid), question.family, ridge=target.ridge
    )


def _play(home: Home, region: Region, learner: Ridge, *, method: str, budget: int, seed: int) -> _Found:
    if not region.sources:
        raise _no_sources(region)
    spec, own = learner.model.spec, region.target
    target = Target(own.train, own.valid, spec.target, spec.features, ridge=spec.ridge)
    if method == PRIVATE:
        return _privately(region, target, Books(home, "valuation"), budget=budget, seed=seed)
    return _openly(region, target, Books(home, "valuation", "clear"), method=method, budget=budget, seed=seed)


def _openly(region: Region, target: Target, books: Books, *, method: str, budget: int, seed: int) -> _Found:
    # Whatever the utility that values, a set is chosen by R²; for that no source is asked the same thing twice.
    federation = Remembering(InProcess(books.guarded(region.sources, NonPrivate())))
    valuation = valued(federation, target, method=method, feature_map="linear", rng=np.random.default_rng(seed))
    game = game_of(target, ask(federation, target.question, sources=valuation.players).statistics)
    selection = select(
        cautious(game), game.players, budget=budget, valuation=valuation, rng=np.random.default_rng(seed)
    )
    chosen = selection.chosen
    lines = tuple(_line(region, valuation, source, chosen) for source in valuation.ranked())
    absolute = game.r2(np.stack([np.isin(game.players, group) for group in ((), chosen, game.players)]))
    r2 = dict(zip(("target_only", "selected", "all"), absolute.tolist(), strict=True))
    # The lake has always called the methods over statistics by their own names.
    return _Found(region, replace(valuation, method=valuation.method.removeprefix("statistics/")), lines, r2)


def _privately(region: Region, target: Target, books: Books, *, budget: int, seed: int) -> _Found:
    """Value under privacy: the whole budget is reserved first, and nothing is asked that would cost more."""
    sources = [source.source_id for source in region.sources]
    epsilon, delta = books.terms(sources)
    noise = noise_for(epsilon, delta)
    books.reserve(sources, noise=noise)
    federation = InProcess(books.guarded(region.sources, Gaussian(noise)))
    private = Approach(PrivateSums(books, epsilon, delta, protection=MASKED))
    valuation = valued(federation, target, method=private, feature_map="linear", rng=np.random.default_rng(seed))
    # Without exact statistics there is no R² of a set to choose by; what is worth something is taken by its value.
    worth = [source for source in valuation.ranked() if valuation.low[valuation.players.index(source)] > 0]
    lines = tuple(_line(region, valuation, source, tuple(worth[:budget])) for source in valuation.ranked())
    alone = float(game_of(target, {}).r2(np.zeros((1, 0), dtype=bool))[0])
    return _Found(region, valuation, lines, {"target_only": alone, "all": alone + float(valuation.values.sum())})


def _line(region: Region, valuation: Valuation, source: SourceId, chosen: tuple[SourceId, ...]) -> SourceValue:
    place = valuation.players.index(source)
    return SourceValue(
        source=source,
        city=region.cities[source],
        stays=region.stays[source],
        value=float(valuation.values[place]),
        low=float(valuation.low[place]),
        high=float(valuation.high[place]),
        selected=source in chosen,
        bytes=valuation.exchange.bytes_of(source),
    )


def _rows(run: Run, found: _Found) -> list[dict[str, object]]:
    common = {"as_of": run.as_of, "snapshot": found.region.data.snapshot, "method": found.valuation.method}
    return [common | asdict(line) for line in found.lines]


def _entry(run: Run, task: str, found: _Found, *, budget: int) -> mlflow.Entry:
    lines, region = found.lines, found.region
    refused = {source: asdict(error.reason) for source, error in found.valuation.refused.items()}
    return mlflow.Entry(
        experiment=f"{task}_value",
        title=f"{region.name} {run.name}",
        run=f"{run.name}/value/{task}/{region.name}",
        at=run.at,
        data=region.data,
        metrics={
            **{f"r2_{name}": number for name, number in found.r2.items()},
            "sources": len(lines),
            "selected": sum(line.selected for line in lines),
            "evaluations": found.valuation.evaluations,
            "bytes_per_source": max(line.bytes for line in lines),
        },
        params={"method": found.valuation.method, "budget": str(budget), "seed": str(run.seed)},
        tags={
            "headwater.step": "value",
            "headwater.region": region.name,
            "headwater.currency": region.currency,
            "headwater.origin": " ".join(region.origins),
        },
        artifacts={
            "sources.json": {
                "sources": [asdict(line) | _certainty(found.valuation, line.source) for line in lines],
                "exchange": _totals(found.valuation.exchange),
                "refused": refused,
                "small": dict(region.small),
            }
        },
    )


def _certainty(valuation: Valuation, source: SourceId) -> dict[str, object]:
    """Return how sure a source's rank is."""
    place = valuation.players.index(source)
    if valuation.ranks is None or valuation.stability is None:
        return {}
    return {"ranks": valuation.ranks[place].tolist(), "rank_stability": float(valuation.stability[place])}


def _totals(exchange: Exchange) -> dict[str, object]:
    return {
        "bytes": sum(exchange.bytes_of(source) for source in exchange.asked),
        "attributable": sum(exchange.attributable.values()),
        **{name: getattr(exchange, name) for name in ("rounds", "epsilon", "leverage")},
    }


def _no_sources(region: Region) -> Refusal:
    return Refusal(
        "E-VALUE-SOURCES",
        Message(f"“{region.name}”没有可用的来源。", f"{region.name} has no source that can be used."),
        Message("请降低 min_stays，或先接入更多数据。", "Lower min_stays, or land more data first."),
    )
