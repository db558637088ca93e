"""Evolve: take up where the last month stands, follow what every source is worth, and change the model exactly."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from headwater.adapters import evolution_report, evolved, features, knowledge, lake, mlflow, postgres
from headwater.adapters.evolution_report import Month, SourceMonth, Story
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import Message, Refusal
from headwater.evolution import DETECTORS, Budgets, Policy, Watch, month_at
from headwater.federation import Source
from headwater.security.events import NonPrivate
from headwater.steps import stands
from headwater.steps.drain import outages
from headwater.steps.grown_versions import grown_versions
from headwater.steps.history import History
from headwater.steps.joint import PURPOSE
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded
from headwater.steps.register import Registered, registered_name
from headwater.steps.replay import State, follow
from headwater.steps.stands import Row
from headwater.steps.value import ridge_of
from headwater.types import SourceId

__all__ = ["EvolveReport", "UNLIMITED", "evolve", "policy_of", "watch_of"]

UNLIMITED = Budgets()


def policy_of(sources: int) -> Policy:
    """Return the policy for this many sources, who share what there is to gain.

    One that is to join must be worth a tenth of R² divided by all, and 0.01 at most: what it costs to ask and explain
    one more. Below the same with a minus a value is harm; between lies noise. Neighbouring values share deliveries, so
    a few in a row must agree; harm weighs more than a missed gain.
    """
    edge = min(0.01, 0.1 / max(1, sources))
    return Policy(harm=-edge, use=edge, demote_after=3, promote_after=4, tell=_told)


def _told(time: float) -> str:
    return f"{month_at(time):%Y-%m}"


def watch_of(history: History, budgets: Budgets = UNLIMITED) -> Watch:
    """Return how the sources of a history are watched, each by itself: their values move together for other reasons."""
    hearing = history.hearing
    return Watch(DETECTORS["glr"], policy_of(len(history.sources)), budgets, hearing.cost, hearing.pending)


@dataclass(frozen=True)
class EvolveReport:
    """What one run did, or would do.

    Parameters
    ----------
    story : every source in every month until now, and the errors of the models
    new : months that this run followed
    versions : those registered, by the month each belongs to
    refused : sources whose requirement does not let the region see their own statistic, as a replay needs it
    champion : label of the version that serves afterwards
    report : folder with ``zh.html`` and ``en.html``; None for a dry run, which writes nothing
    """

    run: str
    task: str
    story: Story
    new: tuple[date, ...]
    versions: Mapping[date, Registered]
    refused: Mapping[SourceId, Message]
    champion: str | None
    report: Path | None

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.story.region,
            "origins": list(self.story.origins),
            "dry": self.story.dry,
            "months": len(self.story.months),
            "new": [f"{month:%Y-%m}" for month in self.new],
            "sources": len(self.story.sources),
            "actions": [f"{one.month:%Y-%m} {one.action} {one.source}" for one in self.story.actions_in(self.new)],
            "proposals": [f"{one.month:%Y-%m} {one.standing} {one.source}" for one in self.story.proposals],
            "rmse_evolving": self.story.mean_error("evolving"),
            "rmse_static": self.story.mean_error("static"),
            "rmse_target_only": self.story.mean_error("target_only"),
            "versions": [registered.version.label for registered in self.versions.values()],
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "champion": self.champion,
            "report": str(self.report) if self.report else None,
        }


def evolve(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    min_stays: int = 100,
    budgets: Budgets = UNLIMITED,
    dry: bool = False,
) -> EvolveReport:
    """Follow the months since the last that was followed, up to ``run.month``, as if they came one by one.

    In every month the sources are asked for what is new, and each is valued by what it delivered then; one detector
    follows each source's values, with None where nothing came; the policy decides within the budgets. A version is
    registered when the set of sources changed, and in the last month. A run under the same name as one before replaces
    what that one did, and follows anew what came after it. Where nothing is new, nothing happens.

    Parameters
    ----------
    min_stays : fewer stays until a month make no source yet
    dry : find out what would happen: sources are asked, but nothing is kept, registered or reported
    """
    learner = ridge_of(home, task)
    with lake.connect(home) as connection, _alone(home, connection, task, run):
        knowledge.prepare(home, connection)
        evolved.prepare(home, connection)
        require_minded(home, connection)
        snapshot = lake.snapshot(connection)
        region = features.read(connection, learner, snapshot=snapshot, region=run.region, min_stays=min_stays)
        region, guarded, refused = _permitted(home, region)
        key = {"task": task, "region": region.name}
        kept = _Kept.read(connection, key, run=run)
        history = History.of(region, learner, guarded=guarded, until=kept.until, fewest=min_stays)
        history.require_months()
        watch = replace(watch_of(history, budgets), away=outages(home, region))
        states, mended = _followed(connection, history, kept, run=run, watch=watch, key=key)
        made = _Made.of(states, run=run, snapshot=region.data.snapshot, budgets=budgets)
        versions: Mapping[date, Registered] = {}
        if not dry:
            if states:
                versions = grown_versions(home, connection, history, states, run=run, before=kept.version)
                made.tell(versions)
            since = made.since if kept.months else date.min
            heard_since = min([since, *mended])
            heard = stands.heard_rows(history.hearing, since=heard_since)
            tables: dict[str, tuple[date, Sequence[Row]]] = {"heard": (heard_since, heard)}
            tables |= {"evolution": (since, made.lines), "evolution_month": (since, made.months)}
            evolved.rewrite(connection, tables, key=key, newest=kept.newest)
            evolved.forget(connection, key=key, but=history.sources)
    story = _story(region, run, [*kept.months, *made.months], [*kept.lines, *made.lines], dry=dry)
    report = None if dry else evolution_report.write(home, story)
    champion = mlflow.champion(home, registered_name(task, region.name))
    new = tuple(state.stand.tick.month for state in states)
    return EvolveReport(run.name, task, story, new, versions, refused, champion.label if champion else None, report)


@dataclass(frozen=True)
class _Kept:
    """What the lake has of months before those that this run follows, the last month to follow, and the newest kept."""

    months: Sequence[Row]
    lines: Sequence[Row]
    until: date | None
    newest: date | None

    @property
    def version(self) -> int | None:
        """Number of the last version that was registered for these months."""
        labels = [row["version"] for row in self.months if row["version"]]
        return int(labels[-1].rpartition("/")[2]) if labels else None

    @staticmethod
    def read(connection: duckdb.DuckDBPyConnection, key: Row, *, run: Run) -> "_Kept":
        months = evolved.rows(connection, "evolution_month", key=key)
        own = [row["month"] for row in months if row["run"] == run.name]
        until = run.month
        if own and until is not None:
            # What stood on a month that is followed anew must be followed anew too.
            until = max(until, months[-1]["month"])
        before = {row["month"] for row in months if not own or row["month"] < own[0]}
        lines = evolved.rows(connection, "evolution", key=key)
        newest = months[-1]["month"] if months else None
        kept, told = ([row for row in rows if row["month"] in before] for rows in (months, lines))
        return _Kept(kept, told, until, newest)


@dataclass(frozen=True)
class _Made:
    """The rows of what was followed, from month ``since`` on."""

    since: date
    months: list[dict[str, Any]]
    lines: list[Row]

    @staticmethod
    def of(states: Sequence[State], *, run: Run, snapshot: int, budgets: Budgets) -> "_Made":
        months = [stands.month_row(state, run=run, snapshot=snapshot, budgets=budgets) for state in states]
        lines = [row for state in states for row in stands.line_rows(state, run=run, snapshot=snapshot)]
        return _Made(months[0]["month"] if months else date.max, months, lines)

    def tell(self, versions: Mapping[date, Registered]) -> None:
        for row in self.months:
            if found := versions.get(row["month"]):
                row |= {"version": found.version.label, "is_champion": found.is_champion}


def _alone(home: Home, connection: duckdb.DuckDBPyConnection, task: str, run: Run) -> AbstractContextManager[None]:
    """Follow a region's sources one run after the other: the second sees what the first did."""
    mart, snapshot = f"marts.feat_{task}", lake.snapshot(connection)
    region = features.choose_region(connection, mart, region=run.region, snapshot=snapshot)
    return postgres.alone(home, task=task, region=region, who=f"evolve {run.name}")


def _followed(
    connection: duckdb.DuckDBPyConnection,
    history: History,
    kept: _Kept,
    *,
    run: Run,
    watch: Watch,
    key: Row,
) -> tuple[list[State], list[date]]:
    """Return the new states, and the months whose answers were asked for anew, as their records were mended."""
    hearing = history.hearing
    past = stands.stands(kept.months, kept.lines)
    known = evolved.rows(connection, "heard", key=key) if past else []
    stands.hold(hearing, [row for row in known if row["month"] <= past[-1].tick.month])
    mended = hearing.mend()
    approved = stands.approvals(connection, key=key)
    return list(follow(history, seed=run.seed, watch=watch, past=past, approved=approved)), mended


def _story(region: Region, run: Run, months: Sequence[Row], lines: Sequence[Row], *, dry: bool) -> Story:
    return Story(
        run=run.name,
        at=run.at,
        region=region.name,
        origins=region.origins,
        snapshot=region.data.snapshot,
        months=tuple(Month.of(row) for row in months),
        lines=tuple(SourceMonth.of(row) for row in lines),
        dry=dry,
    )


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
