"""Versions of an evolution: the states whose set of sources changed, and the newest, each held against a refit."""

from collections.abc import Mapping, Sequence
from datetime import date

import duckdb

from headwater.adapters import features, mlflow
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import equally, predict
from headwater.errors import HeadwaterError, Message
from headwater.statistics import Statistic
from headwater.steps.history import History
from headwater.steps.register import Candidate, Registered, Score, register, registered_name, score
from headwater.steps.replay import State, refit
from headwater.types import SourceId

__all__ = ["grown_versions"]


def grown_versions(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    history: History,
    states: Sequence[State],
    *,
    run: Run,
    before: int | None,
) -> dict[date, Registered]:
    """Register the states whose set of sources changed, and the last; each goes on from the one before.

    Parameters
    ----------
    before : number of the version of the months that the states go on from; None: they begin, and go on from none
    """
    versions: dict[date, Registered] = {}
    name = registered_name(history.learner.model.spec.task, history.region.name)
    parent = None if before is None else mlflow.numbered(home, name, before)
    for state in states:
        if state.changed or state is states[-1]:
            require_exact(history, state)
            registered = register(home, connection, _candidate(history, state, parent), run=run)
            versions[state.stand.tick.month] = registered
            parent = registered.version
    return versions


def require_exact(history: History, state: State) -> None:
    """Compare the model that grew step by step with one refit from the members' records; every bit must agree."""
    month = state.stand.tick.month
    if refit(history, state) != state.growth.total:
        raise HeadwaterError(
            "E-EVOLVE-INEXACT",
            Message(f"{month:%Y-%m} 的模型与重新拟合不一致。", f"The model of {month:%Y-%m} differs from its refit."),
            Message("请保留数据并报告此问题。", "Keep the data and report this."),
        )


def _candidate(history: History, state: State, parent: mlflow.Version | None) -> Candidate:
    month, members = state.stand.tick.month, sorted(state.growth.members)
    # Nobody is judged by stays that were not there yet.
    region = features.known_by(history.region, month)
    months = {source: _told(history, state, source) for source in members}
    return Candidate(
        step="evolve",
        region=region,
        learner=history.learner,
        parameters=state.coefficients["evolving"],
        alone=state.coefficients["target_only"],
        scores=_scores(history, state, region),
        sources={
            source: {
                "value": state.stand.tick.values.get(source),
                "city": region.cities[source],
                "months": [f"{at:%Y-%m}" for at in months[source]],
            }
            for source in members
        },
        protection=dict.fromkeys(members, "clear"),
        month=month,
        parent=parent,
        facts={"window": str(history.window(month)), "own_weight": str(state.stand.weight)},
        growth=state.growth,
        months=months,
        weight=state.stand.weight,
    )


def _told(history: History, state: State, source: SourceId) -> tuple[date, ...]:
    """Return the months that the model remembers of a source."""
    blocks = history.hearing.blocks[source]
    return tuple(sorted(at for heard in state.stand.memory[source] for at in blocks[heard].months))


def _scores(history: History, state: State, region: features.Region) -> Mapping[str, Score]:
    """Judge the state on the bureau's held-out stays, beside references that remember as many answers."""
    learner, month = history.learner, state.stand.tick.month
    own, everyone = history.train.until(month), history.everything(month)
    models = {
        "ours": state.coefficients["evolving"],
        "target_only": state.coefficients["target_only"],
        "all_equal": learner.coefficients(Statistic.total([own, *equally(learner.asked(), everyone)])),
        "pooled": learner.coefficients(Statistic.total([own, *everyone])),
    }
    test, target = region.target.test, learner.model.spec.target
    return {name: score(predict(learner, model, test), test, target=target) for name, model in models.items()}
