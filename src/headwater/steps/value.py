"""Value: what each hospital's records are worth to the bureau's task, and which set to use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date

import duckdb
import numpy as np

from headwater.adapters import features, knowledge, lake, mlflow, terms
from headwater.adapters.features import DataSeen, Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import CohortSums, InProcess
from headwater.federation.division import FLOOR, require_two_cohorts
from headwater.security import MASKED
from headwater.security.events import Gaussian, NonPrivate
from headwater.statistics.gaussian import noise_for
from headwater.steps import valued
from headwater.steps.choose import Played, approach_of, play, require_affordable
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded
from headwater.steps.revealed import Revealed, fingerprints
from headwater.steps.valued import SourceValue, Told, protection_of
from headwater.types import SourceId
from headwater.valuation import Approach, Budget, Exchange, Selection, Target
from headwater.valuation.utilities import PrivateSums, Sums
from headwater.valuation.utility import require_sources

__all__ = ["ValueReport", "ridge_of", "value"]


@dataclass(frozen=True)
class ValueReport:
    """What one valuation found.

    Parameters
    ----------
    month : first day of the last month whose stays it knows
    unit : of the values: ``R²`` on ln(cost), or ``nats``
    protection : what hid the answers
    sources : by falling value
    refused : sources that gave no usable answer or are proved untrue, and what to do
    small : hospitals below ``min_stays``, with their stays
    selection : which set, its certificate, and a sentence for every source
    budget : with what every source costs in its unit
    r2 : R² on the bureau's validation records: ``target_only`` without sources, ``selected`` with those, ``all``; where
        only sums left, what ``selected`` would give is not known, and with noise in them neither what ``all`` would
    evaluations : coalitions whose utility was computed
    exchange : what was asked and answered
    mlflow_run : where the run is recorded
    """

    run: str
    task: str
    region: str
    month: date
    origins: tuple[str, ...]
    data: DataSeen
    method: str
    unit: str
    protection: str
    sources: tuple[SourceValue, ...]
    refused: Mapping[SourceId, HeadwaterError]
    small: Mapping[SourceId, int]
    selection: Selection
    budget: Budget
    r2: Mapping[str, float]
    evaluations: int
    exchange: Exchange
    mlflow_run: str

    @property
    def selected(self) -> tuple[SourceId, ...]:
        """The sources to use, by falling value."""
        return tuple(line.source for line in self.sources if line.selected)

    def lines(self) -> list[dict[str, object]]:
        """Return the line of every source as JSON-safe values, by falling value."""
        return [asdict(line) for line in self.sources]

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values; ``lines`` has the sources one by one."""
        bound = self.selection.certificate.bound
        return {
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "month": f"{self.month:%Y-%m}",
            "origins": list(self.origins),
            "snapshot": self.data.snapshot,
            "method": self.method,
            "protection": self.protection,
            "sources": len(self.sources),
            "selected": list(self.selected),
            "spent": self.selection.cost,
            "budget": f"{self.budget.limit:g} {self.budget.unit}",
            "share_of_best": self.selection.share if np.isfinite(bound) else None,
            "refused": {source: str(error.reason) for source, error in self.refused.items()},
            "suspected": [line.source for line in self.sources if line.findings],
            "small": len(self.small),
            "bytes_per_source": max(line.bytes for line in self.sources),
            **{f"r2_{name}": number for name, number in self.r2.items()},
            "rounds": self.exchange.rounds,
            "epsilon": self.exchange.epsilon,
            "leverage": self.exchange.leverage,
            "mlflow_run": self.mlflow_run,
        }


def value(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    budget: int | Budget = 8,
    method: str | Approach = "auto",
    min_stays: int = 100,
) -> ValueReport:
    """Ask every source, value the answers, choose a set, and write all of it down.

    One valuation stands for a task, a region and a month; another one of the same three takes its place.

    Parameters
    ----------
    run : its ``month`` is the last whose stays are known: the newest there is if None
    budget : most sources to choose, or most to spend in ``sources``, ``bytes``, ``epsilon`` or ``money``; what sources
        ask in the last two is in the seed ``source_terms``. One whose value is not above 0 beyond its interval is
        never chosen
    method : a name that ``headwater.valuation.value`` takes; ``auto``: exact up to 15 sources, sampled above; or an
        approach, see ``approach_of``; ``private_sums``: every source spends the ε that its requirement allows a
        release, debited before it is asked
    min_stays : fewer stays make no source

    Raises
    ------
    Refusal
        ``E-VALUE-SOURCES``, ``E-FEATURE-MONTH``, ``E-SELECT-BUDGET``, ``E-SELECT-COST``, ``E-COHORT-REVEALED`` where
        sums with those of earlier valuations would lay a source open, ``E-WITHDRAWAL-LOST``, and what the method
        refuses
    """
    learner = ridge_of(home, task)
    spending = Budget(budget) if isinstance(budget, int) else budget
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        require_minded(home, connection)
        snapshot = lake.snapshot(connection)
        region = features.read(connection, learner, snapshot=snapshot, region=run.region, min_stays=min_stays)
        region, month = _until(region, run.month, min_stays)
        target = _target(region, learner)
        spending = _asked(connection, spending, snapshot, month)
        require_affordable(spending, [source.source_id for source in region.sources], target.question)
        approach, federation = _access(home, region, target, method)
        played = _play(federation, region, target, approach=approach, budget=spending, seed=run.seed)
        told = Told(run, task, month, region, approach, played)
        before = valued.run_before(connection, told)
        mlflow_run = mlflow.record(home, valued.entry(told, before=before))
        key = {"task": task, "region": region.name, "month": month}
        knowledge.replace(connection, "valuation", key=key, rows=valued.rows(told))
        knowledge.replace(connection, "selection", key=key, rows=[valued.chosen(told) | {"mlflow_run": mlflow_run}])
    return _report(told, mlflow_run)


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


def _until(region: Region, month: date | None, min_stays: int) -> tuple[Region, date]:
    """Return the region as known by a month, and that month."""
    newest = region.newest
    if month is not None and newest is not None:
        region = features.known_by(region, month, min_stays=min_stays)
    if not region.sources or newest is None:
        raise _no_sources(region)
    return region, month or newest


def _asked(connection: duckdb.DuckDBPyConnection, budget: Budget, snapshot: int, month: date) -> Budget:
    """Return the budget with what sources ask, where it is counted in something that they ask."""
    if budget.unit not in terms.UNITS or budget.costs is not None:
        return budget
    return replace(budget, costs=terms.costs(connection, budget.unit, snapshot=snapshot, month=month))


def _access(home: Home, region: Region, target: Target, method: str | Approach) -> tuple[Approach, InProcess]:
    """Return the approach, and the sources as their requirements let them answer it.

    Sums without noise are held against all that were ever revealed here. Under privacy the whole budget of those who
    can answer is reserved before anything is asked of their records, and nothing is asked that would cost more.
    """
    approach = approach_of(method) if isinstance(method, str) else method
    if not isinstance(approach, str):
        books = Books(home, "valuation", protection_of(approach))
        if isinstance(approach.utility, Sums):
            kept = replace(approach.utility, recorded=Revealed(home, region.name, fingerprints(region)).record)
            approach = replace(approach, utility=kept)
        plain = books.seen((source.source_id for source in region.sources), NonPrivate())
        return approach, InProcess(books.guarded(region.sources, plain))
    books, sources = Books(home, "valuation"), [source.source_id for source in region.sources]
    epsilon, delta = books.terms(sources)
    noisy = Gaussian(noise_for(epsilon, delta))
    federation = InProcess(books.guarded(region.sources, books.seen(sources, noisy)))
    able = CohortSums(federation, target.question)
    require_sources(dict.fromkeys(able.sources), able.refused)
    require_two_cohorts(len(able.sources), FLOOR)
    books.reserve(books.seen(able.sources, noisy))
    return Approach(PrivateSums(books, epsilon, delta, protection=MASKED)), federation


def _target(region: Region, learner: Ridge) -> Target:
    spec, own = learner.model.spec, region.target
    return Target(own.train, own.valid, spec.target, spec.features, ridge=spec.ridge)


def _play(
    federation: InProcess, region: Region, target: Target, *, approach: Approach, budget: Budget, seed: int
) -> Played:
    # In this process the sources are the lake's own records; over any other transport these are still the paid claims.
    claims = {source.source_id: source.table for source in region.sources}
    return play(federation, target, approach=approach, budget=budget, claims=claims, seed=seed)


def _report(told: Told, mlflow_run: str) -> ValueReport:
    region, played = told.region, told.played
    return ValueReport(
        run=told.run.name,
        task=told.task,
        region=region.name,
        month=told.month,
        origins=region.origins,
        data=region.data,
        method=told.method,
        unit=told.unit,
        protection=told.protection,
        sources=told.lines,
        refused=played.refused,
        small=region.small,
        selection=played.selection,
        budget=played.budget,
        r2=played.r2,
        evaluations=played.valuation.evaluations,
        exchange=played.valuation.exchange,
        mlflow_run=mlflow_run,
    )


def _no_sources(region: Region) -> Refusal:
    return Refusal(
        "E-VALUE-SOURCES",
        Message(f"“{region.name}”没有可用的来源。", f"{region.name} has no source that can be used."),
        Message("请降低 min_stays，或先接入更多数据。", "Lower min_stays, or land more data first."),
    )
