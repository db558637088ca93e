"""Register: a model becomes a version with its whole lineage, and serves only if it is better than what serves now."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from headwater.adapters import knowledge, mlflow
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner
from headwater.steps import audit
from headwater.types import SourceId, Vector

__all__ = ["Candidate", "Registered", "Score", "register", "registered_name", "score"]


@dataclass(frozen=True)
class Score:
    """How a model does on stays it has not seen.

    Parameters
    ----------
    r2_log : share of the variance of ln(cost) explained
    mae : mean absolute error of the cost, in the currency of the region
    """

    r2_log: float
    mae: float

    def beats(self, other: "Score", *, metric: str) -> bool:
        """Return whether this is better by ``metric``, ``r2_log`` or ``mae``; equal is not better."""
        return self.mae < other.mae if metric == "mae" else self.r2_log > other.r2_log


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that wants to become a version.

    Parameters
    ----------
    step : the verb that made it
    parameters : of ``learner``
    scores : ``ours`` and the references it is shown beside: ``target_only``, ``all_equal``, ``pooled``
    sources : those it was made from, with what each was worth
    protection : source to the protection of its messages
    month : last month of the data it knows; None for all
    parent : the version it descends from
    facts : further short parameters of the run
    tags : further tags of the run and the version
    rounds : figures of every round, by name
    artifacts : further files, by name
    """

    step: str
    region: Region
    learner: Learner
    parameters: Vector
    scores: Mapping[str, Score]
    sources: Mapping[SourceId, Mapping[str, object]]
    protection: Mapping[SourceId, str]
    month: date | None = None
    parent: mlflow.Version | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What it predicts."""
        return self.learner.model.spec.task

    @property
    def registered(self) -> str:
        """The name in the registry."""
        return registered_name(self.task, self.region.name)


@dataclass(frozen=True)
class Registered:
    """The version that a candidate became.

    Parameters
    ----------
    is_champion : whether it serves now
    opponent : what it had to beat, on the same rows: the champion before it, or else the bureau's records alone
    """

    version: mlflow.Version
    is_champion: bool
    opponent: Score


def registered_name(task: str, region: str) -> str:
    """Return the name in the registry: one champion for each task and region."""
    return f"{task}-{region}"


def score(predicted: Vector, table: pa.Table, *, target: str) -> Score:
    """Judge predictions of ln(cost), (rows,), against the stays of ``table``."""
    actual, cost = (np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in (target, "cost"))
    spread = float(((actual - actual.mean()) ** 2).sum())
    return Score(
        r2_log=1.0 - float(((actual - predicted) ** 2).sum()) / spread,
        mae=float(np.abs(np.exp(predicted) - cost).mean()),
    )


def register(home: Home, connection: duckdb.DuckDBPyConnection, candidate: Candidate, *, run: Run) -> Registered:
    """Make the candidate a version, let it serve if it is better on the bureau's held-out stays, and write it down."""
    before = mlflow.champion(home, candidate.registered)
    version = mlflow.register(home, _publication(candidate, run))
    opponent = candidate.scores["target_only"]
    if before is not None:
        opponent = _test(candidate, mlflow.predictor(home, before))
    if before != version and candidate.scores["ours"].beats(opponent, metric=candidate.learner.model.spec.metrics[0]):
        mlflow.promote(home, version)
        before = version
    registered = Registered(version, before == version, opponent)
    key = run.key(candidate.task, candidate.region.name)
    key |= {"step": candidate.step, "name": candidate.registered, "version": version.number}
    knowledge.replace(connection, "model_version", key=key, rows=[_row(candidate, registered, run)])
    _log(home, candidate, registered)
    return registered


def _log(home: Home, candidate: Candidate, registered: Registered) -> None:
    audit.enter(
        home,
        "model_version",
        {
            "name": candidate.registered,
            "version": registered.version.number,
            "parameters": hashlib.sha256(np.ascontiguousarray(candidate.parameters).tobytes()).hexdigest(),
            "is_champion": registered.is_champion,
            "snapshot": candidate.region.data.snapshot,
            "data": candidate.region.data.digest,
            "protections": {source: candidate.protection[source] for source in candidate.sources},
        },
    )


def _test(candidate: Candidate, predictor: Callable[[pa.Table], Vector]) -> Score:
    test = candidate.region.target.test
    return score(predictor(test), test, target=candidate.learner.model.spec.target)


def _publication(candidate: Candidate, run: Run) -> mlflow.Publication:
    spec, region = candidate.learner.model.spec, candidate.region
    month = f"{candidate.month:%Y-%m}" if candidate.month else "all"
    listed = {
        source: {**facts, "protection": candidate.protection[source]} for source, facts in candidate.sources.items()
    }
    entry = mlflow.Entry(
        experiment=f"{candidate.task}_{candidate.step}",
        title=f"{spec.name} {region.name} {month}",
        run=f"{run.name}/{candidate.step}/{spec.name}/{region.name}/{month}",
        at=run.at,
        data=region.data,
        metrics={**_metrics(candidate), **candidate.rounds},
        params={
            "model": spec.name,
            "seed": str(run.seed),
            "sources": str(len(candidate.sources)),
            "snapshot": str(region.data.snapshot),
            **candidate.facts,
        },
        tags={
            "headwater.step": candidate.step,
            "headwater.region": region.name,
            "headwater.currency": region.currency,
            "headwater.origin": " ".join(region.origins),
            "headwater.model": spec.name,
            "headwater.month": month,
            **candidate.tags,
        },
        artifacts={"sources.json": {"sources": listed}, **{k: dict(v) for k, v in candidate.artifacts.items()}},
    )
    return mlflow.Publication(
        registered=candidate.registered,
        model=candidate.learner.model,
        parameters=candidate.parameters,
        entry=entry,
        description=_description(candidate),
        parent=candidate.parent,
    )


def _metrics(candidate: Candidate) -> dict[str, float]:
    named = {"ours": "", "target_only": "_target_only", "all_equal": "_all_equal", "pooled": "_pooled"}
    return {
        f"{metric}{named[which]}": number
        for which, scored in candidate.scores.items()
        for metric, number in asdict(scored).items()
    }


def _description(candidate: Candidate) -> str:
    title, currency = candidate.learner.model.spec.title, candidate.region.currency
    lines = [
        f"{title.zh} · {title.en}",
        "",
        f"| | R² ln(cost) | MAE {currency} |",
        "| --- | --- | --- |",
        *(f"| {which} | {s.r2_log:.4f} | {s.mae:.2f} |" for which, s in candidate.scores.items()),
        "",
        f"来源 · sources: {', '.join(candidate.sources) or '—'}",
        "",
        f"数据 · data: {', '.join(candidate.region.origins)}",
    ]
    return "\n".join(lines)


def _row(candidate: Candidate, registered: Registered, run: Run) -> dict[str, object]:
    region, version = candidate.region, registered.version
    protections = sorted(set(candidate.protection.values()))
    return {
        "as_of": run.as_of,
        "snapshot": region.data.snapshot,
        "digest": region.data.digest,
        "model": candidate.learner.model.spec.name,
        "month": candidate.month,
        "sources": list(candidate.sources),
        "protection": "+".join(protections),
        "parent": version.parent,
        "is_champion": registered.is_champion,
        "currency": region.currency,
        "mlflow_run": version.run_id,
        "mlflow_model": version.model_id,
        **_metrics(candidate),
    }
