"""Register: a model becomes a version with its whole lineage, and serves only if it is better than what serves now."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from headwater.adapters import held, knowledge, mlflow, postgres, versions
from headwater.adapters.features import Region
from headwater.adapters.held import Held
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner, predict
from headwater.evolution import BASE, Growth
from headwater.steps import audit
from headwater.steps.champion import Change, Why, serve, serving
from headwater.steps.comparison import Comparison, compare
from headwater.steps.forget import forget
from headwater.steps.minded import require_minded, require_remaining
from headwater.steps.predict import predict as predict_stays
from headwater.types import SourceId, Vector

__all__ = [
    "Candidate",
    "Registered",
    "Score",
    "digest_of",
    "register",
    "registered_name",
    "score",
]


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


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that wants to become a version.

    Parameters
    ----------
    step : the verb that made it
    parameters : of ``learner``
    alone : parameters that the bureau's records alone give, what the first version is compared with
    scores : ``ours`` and the references it is shown beside: ``target_only``, ``all_equal``, ``pooled``
    sources : those it was made from, with what each was worth
    protection : source to the protection of its messages
    month : last month of the data it knows; None for all
    parent : the version that it goes on from; None where it was learned anew, whatever serves
    facts : further short parameters of the run
    tags : further tags of the run and the version
    rounds : figures of every round, by name
    artifacts : further files, by name
    growth : the statistic of its exact part, where the region holds what each member said; else only sums are known
    months : of each member, those that its statistic tells of; of the base, where not all until ``month`` count
    weight : how often each of the bureau's own records counts in it
    body : label of the version whose body it has, where only its last layer is solved
    """

    step: str
    region: Region
    learner: Learner
    parameters: Vector
    alone: Vector
    scores: Mapping[str, Score]
    sources: Mapping[SourceId, Mapping[str, object]]
    protection: Mapping[SourceId, str]
    month: date | None = None
    parent: mlflow.Version | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    growth: Growth | None = None
    months: Mapping[SourceId, Sequence[date]] = field(default_factory=dict)
    weight: int = 1
    body: str | None = None

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
    comparison : with what it had to beat beyond its interval, on the same rows: the champion before it, or else the
        bureau's records alone
    forgotten : of how many versions that were withdrawn from, and serve no more, what was held was deleted
    """

    version: mlflow.Version
    is_champion: bool
    comparison: Comparison
    forgotten: int = 0


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
    """Make the candidate a version, write it down, and let it serve if it is better beyond doubt on held-out stays.

    It also serves, whatever it scores, where records were withdrawn from what serves now. A run that is repeated finds
    the version it registered, if that has the same parameters and minds the same withdrawals; else it makes another.

    Raises
    ------
    Refusal
        ``E-REGISTER-WITHDRAWN`` where somebody withdrew after the candidate's records were read, ``E-WITHDRAWAL-LOST``
    HeadwaterError
        ``E-GROWTH-INEXACT`` where the candidate grew to something else than its members give anew
    """
    if candidate.growth is not None:
        candidate.growth.proven()
    with postgres.alone(home, task=candidate.task, region=candidate.region.name, who=f"register {run.name}"):
        return _registered(home, connection, candidate, run)


def _registered(home: Home, connection: duckdb.DuckDBPyConnection, candidate: Candidate, run: Run) -> Registered:
    task, region = candidate.task, candidate.region
    require_minded(home, connection, until=region.minded_until)
    require_remaining(connection, region.name, candidate.sources, since=region.minded_until)
    before = serving(home, connection, candidate.registered)
    version = mlflow.register(home, _publication(candidate, before, run))
    comparison = _compared(home, candidate, before)
    # What may serve no more is relieved by whatever comes, for that was made without what withdrew.
    must = before not in (None, version) and bool(_withdrawn(connection, before))
    registered = Registered(version, before == version or must or comparison.is_better, comparison)
    # The statistics and the lineage of a version are there before it serves, and are not written twice.
    if not versions.known(connection, version.name, version.number):
        _keep(home, connection, candidate, registered, run=run)
    if registered.is_champion and before != version:
        why: Why = "withdrawal" if must else "better"
        change = Change(task, region.name, version, before, why, comparison, region.data.snapshot)
        serve(home, connection, change, run=run)
    now = version if registered.is_champion else before
    if now is not None:
        predict_stays(home, connection, now, region=region, run=run)
    forgotten = forget(home, connection, candidate.registered, serves=now.number if now else None)
    return replace(registered, forgotten=forgotten)


def _withdrawn(connection: duckdb.DuckDBPyConnection, serving: mlflow.Version | None) -> tuple[str, ...]:
    if serving is None:
        return ()
    return versions.withdrawn_from(connection, versions.line(connection, serving.name, serving.number))


def _compared(home: Home, candidate: Candidate, before: mlflow.Version | None) -> Comparison:
    """Compare the candidate with what serves, or with the bureau's records alone, on the bureau's held-out stays."""
    learner, test = candidate.learner, candidate.region.target.test
    theirs = predict(learner, candidate.alone, test) if before is None else mlflow.predictor(home, before)(test)
    return compare(
        predict(learner, candidate.parameters, test),
        theirs,
        test,
        target=learner.model.spec.target,
        metric=learner.model.spec.metrics[0],
        opponent=before.label if before else None,
    )


def _keep(
    home: Home, connection: duckdb.DuckDBPyConnection, candidate: Candidate, registered: Registered, *, run: Run
) -> None:
    """Write the version down: what its members said, what they are, and that it is there."""
    version = registered.version
    if candidate.growth is not None:
        there = [*candidate.growth.members, *(candidate.months.keys() & {BASE})]
        months = {source: tuple(candidate.months.get(source, ())) for source in there}
        postgres.prepare(home)
        with postgres.connect(home) as ops:
            kept = Held(candidate.growth, months, candidate.month, candidate.weight)
            held.keep(ops, version.name, version.number, kept)
    key = run.key(candidate.task, candidate.region.name)
    key |= {"name": candidate.registered, "version": version.number}
    told = {"as_of": run.as_of, "snapshot": candidate.region.data.snapshot}
    members = [{**told, **_member(candidate, source)} for source in candidate.sources]
    knowledge.replace(connection, "member", key=key, rows=members)
    row, key = _row(candidate, registered, run), key | {"step": candidate.step}
    _log(home, candidate, registered, row={**key, **row})
    # Last: where this row is, all of the version is there.
    knowledge.replace(connection, "model_version", key=key, rows=[row])


def _months(candidate: Candidate, source: SourceId) -> list[str]:
    return [f"{month:%Y-%m}" for month in candidate.months.get(source, ())]


def _member(candidate: Candidate, source: SourceId) -> dict[str, object]:
    facts = candidate.sources[source]
    known = {name: facts.get(name) for name in ("city", "value", "low", "high", "valuation", "mechanism", "epsilon")}
    told = {"source": source, "protection": candidate.protection[source], "months": _months(candidate, source)}
    return {**known, **told}


def _log(home: Home, candidate: Candidate, registered: Registered, *, row: Mapping[str, object]) -> None:
    months = {source: _months(candidate, source) for source in candidate.sources}
    audit.enter(
        home,
        "model_version",
        {
            "name": candidate.registered,
            "version": registered.version.number,
            "parameters": digest_of(candidate.parameters),
            "is_champion": registered.is_champion,
            "compared": registered.comparison.to_dict(),
            "snapshot": candidate.region.data.snapshot,
            "data": candidate.region.data.digest,
            "protections": {source: candidate.protection[source] for source in candidate.sources},
            "withdrawn": candidate.region.minded_until,
            # So that what the lake tells later of sources, months and withdrawals can be held against it.
            "row": versions.digest(row, months),
        },
    )


def digest_of(parameters: Vector) -> str:
    """Return the SHA-256 of parameters: equal exactly when every bit is equal."""
    return hashlib.sha256(np.ascontiguousarray(parameters).tobytes()).hexdigest()


def _exactness(candidate: Candidate) -> str:
    """Return how many parameters are solved exactly from sums: ``68/68``; none of a network from rounds."""
    exact, every = candidate.learner.share(candidate.parameters)
    return f"{exact if candidate.growth is not None or candidate.learner.is_exact else 0}/{every}"


def _certified(candidate: Candidate) -> dict[str, dict[str, object]]:
    """Return the certificate of every step, and that all together left what the members give anew."""
    if candidate.growth is None:
        return {}
    growth = candidate.growth
    steps = [asdict(one) for one in growth.certificates]
    return {"certificates.json": {"certificates": steps, "total": growth.total.digest, "rebuilt": growth.proven()}}


def _publication(candidate: Candidate, before: mlflow.Version | None, run: Run) -> mlflow.Publication:
    return mlflow.Publication(
        registered=candidate.registered,
        model=candidate.learner.model,
        parameters=candidate.parameters,
        entry=_entry(candidate, run),
        description=_description(candidate),
        parent=candidate.parent,
        opponent=before,
    )


def _entry(candidate: Candidate, run: Run) -> mlflow.Entry:
    spec, region = candidate.learner.model.spec, candidate.region
    month = f"{candidate.month:%Y-%m}" if candidate.month else "all"
    # Repeated over other records, or after a withdrawal, an occasion makes another version.
    made = f"{digest_of(candidate.parameters)}/{region.minded_until}"
    return mlflow.Entry(
        experiment=f"{candidate.task}_{candidate.step}",
        title=f"{spec.name} {region.name} {month}",
        run=f"{run.name}/{candidate.step}/{spec.name}/{region.name}/{month}/{made}",
        at=run.at,
        data=region.data,
        metrics={**_metrics(candidate), **candidate.rounds},
        params={
            "model": spec.name,
            "seed": str(run.seed),
            "sources": str(len(candidate.sources)),
            "snapshot": str(region.data.snapshot),
            "exact": _exactness(candidate),
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
        artifacts=_artifacts(candidate),
    )


def _artifacts(candidate: Candidate) -> dict[str, dict[str, object]]:
    listed = {
        source: {**facts, "protection": candidate.protection[source]} for source, facts in candidate.sources.items()
    }
    further = {name: dict(content) for name, content in candidate.artifacts.items()}
    return {"sources.json": {"sources": listed}, **_certified(candidate), **further}


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
        "opponent": registered.comparison.opponent,
        "is_champion": registered.is_champion,
        "currency": region.currency,
        "seed": run.seed,
        "entry": int(candidate.tags["headwater.plan_entry"]) if "headwater.plan_entry" in candidate.tags else None,
        "exact": _exactness(candidate),
        "body": candidate.body,
        "is_held": candidate.growth is not None,
        "withdrawn": region.minded_until,
        "mlflow_run": version.run_id,
        "mlflow_model": version.model_id,
        **_metrics(candidate),
    }
