"""Evolve: replay the months, follow what every source is worth, and change the model exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from headwater.adapters import evolution_report, features, knowledge, lake, mlflow
from headwater.adapters.evolution_report import Line, Story, Told
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import equally, predict
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.evolution import Policy
from headwater.federation import Source
from headwater.security.events import NonPrivate
from headwater.statistics import Statistic
from headwater.steps.joint import PURPOSE
from headwater.steps.ledger import Books
from headwater.steps.register import Candidate, Registered, Score, register, registered_name, score
from headwater.steps.replay import History, State, follow
from headwater.steps.value import ridge_of
from headwater.types import SourceId

__all__ = ["EvolveReport", "evolve"]

_WORTH_ADDING = 0.01
"""R² that a source on trial must be worth: what it costs to ask and to explain one more source."""


@dataclass(frozen=True)
class EvolveReport:
    """What one replay did.

    Parameters
    ----------
    story : every source in every month, and the errors of the next month
    versions : those registered, with the month each belongs to
    refused : sources whose requirement does not let the region see their own statistic, as a replay needs it
    champion : label of the version that serves afterwards
    report : folder with ``zh.html`` and ``en.html``
    """

    run: str
    task: str
    story: Story
    versions: tuple[tuple[date, Registered], ...]
    refused: Mapping[SourceId, Message]
    champion: str | None
    report: Path

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.story.region,
            "origins": list(self.story.origins),
            "months": len(self.story.months),
            "sources": len({line.source for line in self.story.lines}),
            "actions": [f"{line.month:%Y-%m} {line.action} {line.source}" for line in self.story.actions],
            "rmse_evolving": self.story.mean_error("evolving"),
            "rmse_static": self.story.mean_error("static"),
            "rmse_target_only": self.story.mean_error("target_only"),
            "versions": [registered.version.label for _, registered in self.versions],
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "champion": self.champion,
            "report": str(self.report),
        }


def evolve(home: Home, *, run: Run, task: str = "stay_cost", min_stays: int = 100) -> EvolveReport:
    """Replay the months of the data as if they came one by one.

    In every month each source that delivered is valued by what it delivered then; one detector follows each source's
    values, with None where nothing came; the policy drops and adds sources, by subtracting and adding statistics.
    A version is registered when the set of sources changed, and in the last month.

    Parameters
    ----------
    min_stays : fewer stays over all months make no source
    """
    learner = ridge_of(home, task)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        snapshot = lake.snapshot(connection)
        region = features.read(connection, learner, snapshot=snapshot, region=run.region, min_stays=min_stays)
        region, guarded, refused = _permitted(home, region)
        history = History.ask(region, learner, guarded=guarded)
        # Neighbouring values share deliveries, so a span more must agree; and harm weighs more than a missed gain.
        policy = Policy(use=_WORTH_ADDING, demote_after=history.span + 1, promote_after=history.span + 2)
        states = list(follow(history, seed=run.seed, policy=policy))
        versions = _register(home, connection, history, states, run=run)
        story = _story(history, states, versions, run)
        report = evolution_report.write(home, story)
        knowledge.replace(connection, "evolution", key=run.key(task, region.name), rows=_rows(run, story))
    champion = mlflow.champion(home, registered_name(task, region.name))
    return EvolveReport(run.name, task, story, versions, refused, champion.label if champion else None, report)


def _permitted(home: Home, region: Region) -> tuple[Region, list[Source], dict[SourceId, Message]]:
    """Return the region of those sources whose own statistic it may see, these under guard, and why not the others.

    Nothing is debited: statistics without noise cost no ε, requirements alone say whether they may be seen.
    """
    books, refused = Books(home, PURPOSE, "clear"), {}
    for source in region.cities:
        try:
            books.permit(books.seen([source], NonPrivate()))
        except Refusal as refusal:
            refused[source] = refusal.reason
    kept = tuple(source for source in region.sources if source.source_id not in refused)
    if not kept:
        raise _nobody(region.name, refused)
    left = replace(
        region,
        sources=kept,
        cities={source: city for source, city in region.cities.items() if source not in refused},
        stays={source: count for source, count in region.stays.items() if source not in refused},
    )
    return left, books.guarded(kept, books.seen(left.cities, NonPrivate())), refused


def _nobody(region: str, refused: Mapping[SourceId, Message]) -> Refusal:
    why = next(iter(refused.values()), Message("没有来源。", "There are no sources."))
    return Refusal(
        "E-EVOLVE-SOURCES",
        Message(f"“{region}”没有可逐月跟踪的来源。{why.zh}", f"No source of {region} can be followed. {why.en}"),
        Message("请与来源商定要求，或改用汇聚。", "Agree with sources on their requirements, or aggregate alone."),
    )


def _register(
    home: Home, connection: duckdb.DuckDBPyConnection, history: History, states: Sequence[State], *, run: Run
) -> tuple[tuple[date, Registered], ...]:
    """Register the states whose set of sources changed, and the last; each descends from the one before."""
    versions: list[tuple[date, Registered]] = []
    name = registered_name(history.learner.model.spec.task, history.region.name)
    parent = mlflow.latest(home, name)
    for state in states:
        if state.changed or state is states[-1]:
            _require_exact(history, state)
            registered = register(home, connection, _candidate(history, state, parent), run=run)
            versions.append((state.tick.month, registered))
            parent = registered.version
    return tuple(versions)


def _require_exact(history: History, state: State) -> None:
    """Compare the model that grew step by step with one refit from the members' records; every bit must agree."""
    month = state.tick.month
    if history.refit(state) != state.growth.total:
        raise HeadwaterError(
            "E-EVOLVE-INEXACT",
            Message(f"{month:%Y-%m} 的模型与重新拟合不一致。", f"The model of {month:%Y-%m} differs from its refit."),
            Message("请保留数据并报告此问题。", "Keep the data and report this."),
        )


def _candidate(history: History, state: State, parent: mlflow.Version | None) -> Candidate:
    month, region = state.tick.month, history.region
    members = sorted(state.growth.members)
    values = {source: state.tick.values.get(source) for source in members}
    return Candidate(
        step="evolve",
        region=region,
        learner=history.learner,
        parameters=state.coefficients["evolving"],
        alone=state.coefficients["target_only"],
        scores=_scores(history, state),
        sources={
            source: {
                "value": values[source],
                "city": region.cities[source],
                "months": [f"{m:%Y-%m}" for m in state.memory[source]],
            }
            for source in members
        },
        protection=dict.fromkeys(members, "clear"),
        month=month,
        parent=parent,
        facts={name: str(getattr(history, name)) for name in ("window", "span", "memory")},
        growth=state.growth,
        months=state.memory,
    )


def _scores(history: History, state: State) -> dict[str, Score]:
    """Judge the state on the bureau's held-out stays, beside references that remember as many deliveries."""
    learner, base = history.learner, state.growth.base
    everyone = history.everything(state.tick.month)
    models = {
        "ours": state.coefficients["evolving"],
        "target_only": state.coefficients["target_only"],
        "all_equal": learner.solve(Statistic.total([base, *equally(learner.asked(), everyone)])),
        "pooled": learner.solve(Statistic.total([base, *everyone])),
    }
    test, target = history.region.target.test, learner.model.spec.target
    return {name: score(predict(learner, model, test), test, target=target) for name, model in models.items()}


def _story(history: History, states: Sequence[State], versions: Sequence[tuple[date, Registered]], run: Run) -> Story:
    by_month = {state.tick.month: state for state in states}
    following = dict(zip(history.months, history.months[1:], strict=False))
    return Story(
        run=run.name,
        at=run.at,
        region=history.region.name,
        origins=history.region.origins,
        snapshot=history.region.data.snapshot,
        months=tuple(by_month),
        lines=tuple(_line(state, source) for state in states for source in history.sources),
        errors={following[month]: state.errors for month, state in by_month.items() if state.errors},
        versions=tuple(
            Told(month, r.version.label, tuple(sorted(by_month[month].growth.members)), r.is_champion)
            for month, r in versions
        ),
        memory=history.memory,
        span=history.span,
        steps=len(states[-1].growth.certificates),
        bytes_by_source=history.bytes_by_source,
    )


def _line(state: State, source: SourceId) -> Line:
    tick = state.tick
    worth, decision, change = tick.values[source], tick.decisions[source], tick.changes.get(source)
    state_name = "absent" if worth is None else "member" if source in state.before else "trial"
    return Line(
        month=tick.month,
        source=source,
        value=worth,
        state=state_name,
        action=decision.action,
        reason=decision.reason,
        onset=_month(change.onset) if change else None,
        size=change.size if change else None,
    )


def _month(number: float) -> date:
    """Return the month that a detector's time falls into: the first whose number is not below it."""
    year, month = divmod(int(-(-number // 1)), 12)
    return date(year, month + 1, 1)


def _rows(run: Run, story: Story) -> list[Mapping[str, object]]:
    return [
        {
            "as_of": run.as_of,
            "snapshot": story.snapshot,
            "month": line.month,
            "source": line.source,
            "value": line.value,
            "state": line.state,
            "action": line.action,
            "reason_zh": line.reason.zh,
            "reason_en": line.reason.en,
            "change_onset": line.onset,
            "change_size": line.size,
        }
        for line in story.lines
    ]
