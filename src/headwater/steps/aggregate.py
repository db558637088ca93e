"""Aggregate: join the chosen sources tier by tier, each under its protection, into one model version."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TypeAlias

import duckdb

from headwater.adapters import features, knowledge, lake, mlflow
from headwater.adapters.features import DataSeen, Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run, Valued
from headwater.adapters.learners import Learner, equally, learner, predict
from headwater.aggregation import Aggregation, Mechanism, Tree, group
from headwater.aggregation import aggregate as climb
from headwater.content import models
from headwater.errors import Message, Refusal
from headwater.federation import Answers, InProcess, Question, Source, TableSource, ask
from headwater.statistics import Statistic
from headwater.steps.register import Candidate, Registered, Score, register, registered_name, score
from headwater.types import SourceId, Vector

__all__ = ["MASKED_CITIES", "AggregateReport", "Protections", "aggregate", "protections_of", "tree_of"]

Combine: TypeAlias = Callable[[Question, Answers], Statistic | None]
"""From the answers of a round to their sum; None if there are none."""


@dataclass(frozen=True)
class Protections:
    """How messages are protected on their way up, by name in ``headwater.security.PROTECTIONS``.

    Parameters
    ----------
    city : from a hospital to its city
    region : from a city to the region
    """

    city: str = "masked"
    region: str = "clear"


MASKED_CITIES = Protections()
"""The default: no city sees what one of its hospitals said."""


@dataclass(frozen=True)
class AggregateReport:
    """What one aggregation made.

    Parameters
    ----------
    scores : on the bureau's held-out stays: ``ours``; ``target_only``, the bureau's records alone; ``all_equal``, every
        valued source counted the same; ``pooled``, all their records in one place, which no real federation has
    sources : those in the model
    refused : chosen sources that did not answer, and why
    bytes_by_source : exchanged with each over all rounds: questions, keys and answers
    notes : where the tree was climbed otherwise than planned
    """

    run: str
    task: str
    region: str
    model: str
    currency: str
    origins: tuple[str, ...]
    data: DataSeen
    scores: Mapping[str, Score]
    sources: tuple[SourceId, ...]
    refused: Mapping[SourceId, Message]
    bytes_by_source: Mapping[str, int]
    notes: tuple[Message, ...]
    registered: Registered

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "model": self.model,
            "currency": self.currency,
            "origins": list(self.origins),
            "snapshot": self.data.snapshot,
            "sources": list(self.sources),
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "bytes_per_source": max(self.bytes_by_source.values(), default=0),
            "scores": {name: asdict(scored) for name, scored in self.scores.items()},
            "notes": [str(note) for note in self.notes],
            "version": self.registered.version.label,
            "is_champion": self.registered.is_champion,
        }


@dataclass
class _Climb:
    """Adds answers up the tree, round by round, and keeps account."""

    region: Region
    protections: Protections
    round_id: str
    rounds: int = 0
    bytes_by_source: dict[SourceId, int] = field(default_factory=dict)
    refused: dict[SourceId, Message] = field(default_factory=dict)
    notes: dict[Message, None] = field(default_factory=dict)

    def __call__(self, question: Question, answers: Answers) -> Statistic | None:
        """Return the sum of the answers at the region."""
        self.rounds += 1
        self.refused |= {source: error.reason for source, error in answers.refused.items()}
        if not answers.statistics:
            return None
        tree = tree_of(self.region, answers.statistics)
        protected = protections_of(tree, self.protections)
        grouping = group(tree, {name: Mechanism(protection) for name, protection in protected.items()})
        self.notes |= dict.fromkeys(grouping.notes)
        joined = climb(
            grouping.groups,
            answers.statistics,
            round_id=f"{self.round_id}/{self.rounds}",
            entropy=secrets.token_bytes,
        )
        self._account(question, joined)
        return joined.total

    def _account(self, question: Question, joined: Aggregation) -> None:
        for source in set(joined.bytes_sent) & set(self.region.cities):
            sent = question.nbytes + joined.bytes_sent[source] + joined.bytes_told[source]
            self.bytes_by_source[source] = self.bytes_by_source.get(source, 0) + sent


def aggregate(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    model: str = "stay_cost_ridge",
    protections: Protections = MASKED_CITIES,
) -> AggregateReport:
    """Join the sources that the newest valuation chose, compare, and register a version."""
    teacher = learner(_model(home, task, model))
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        valued, region = _read(connection, teacher, task=task, wanted=run.region)
        chosen = [line.source for line in valued if line.selected]
        climbing = _Climb(region, protections, f"{run.name}/{model}")
        parameters = _taught(teacher, region, chosen, climbing, seed=run.seed)
        test, target = region.target.test, teacher.model.spec.target
        scores = {name: score(predict(teacher, p, test), test, target=target) for name, p in parameters.items()}
        used = [line for line in valued if line.source in climbing.bytes_by_source]
        parent = mlflow.latest(home, registered_name(task, region.name))
        candidate = _candidate(teacher, climbing, used, scores=scores, parameters=parameters["ours"], parent=parent)
        registered = register(home, connection, candidate, run=run)
    return AggregateReport(
        run=run.name,
        task=task,
        region=region.name,
        model=model,
        currency=region.currency,
        origins=region.origins,
        data=region.data,
        scores=scores,
        sources=tuple(candidate.sources),
        refused=climbing.refused,
        bytes_by_source=climbing.bytes_by_source,
        notes=tuple(climbing.notes),
        registered=registered,
    )


def tree_of(region: Region, sources: Mapping[SourceId, object]) -> Tree:
    """Return hospital → city → region; a city that shares its name with the region or a hospital is told apart."""
    taken = {region.name, *sources}
    named = {source: region.cities[source] for source in sources}
    return Tree.of({s: f"{city} (city)" if city in taken else city for s, city in named.items()}, root=region.name)


def protections_of(tree: Tree, protections: Protections) -> dict[str, str]:
    """Return the protection of every node's messages, as the tiers demand."""
    cities = {tier.name: protections.region for tier in tree.root.walk() if tier is not tree.root}
    return cities | dict.fromkeys(tree.sources, protections.city)


def _model(home: Home, task: str, name: str) -> models.Model:
    found = models.load(home.project / "models", name)
    if found.spec.task != task:
        raise Refusal(
            "E-MODEL-TASK",
            Message(f"模型“{name}”不用于任务“{task}”。", f"The model {name!r} is not for the task {task!r}."),
            Message(f"它用于“{found.spec.task}”。", f"It is for {found.spec.task!r}."),
        )
    return found


def _read(
    connection: duckdb.DuckDBPyConnection, teacher: Learner, *, task: str, wanted: str | None
) -> tuple[list[Valued], Region]:
    snapshot = lake.snapshot(connection)
    name = features.choose_region(connection, f"marts.feat_{task}", region=wanted, snapshot=snapshot)
    valued = knowledge.latest_valuation(connection, task=task, region=name)
    only = {line.source for line in valued}
    return valued, features.read(connection, teacher, snapshot=snapshot, region=name, only=only)


def _taught(
    teacher: Learner, region: Region, chosen: Sequence[SourceId], climbing: _Climb, *, seed: int
) -> dict[str, Vector]:
    """Return the parameters of our model and of the three it is shown beside."""
    learn = partial(_learn, teacher, region, seed=seed)
    everyone = [source.source_id for source in region.sources]
    whole = partial(learn, [region.pooled], ["pooled"], _wholly)
    if teacher.is_exact:
        # One statistic of very many records may leave the range of the encoding; the sum of the sources' is the same.
        whole = partial(learn, region.sources, everyone, _plainly)
    return {
        "ours": learn(region.sources, chosen, climbing),
        "target_only": learn(region.sources, [], _plainly),
        "all_equal": learn(region.sources, everyone, _equally),
        "pooled": whole(),
    }


def _learn(
    teacher: Learner,
    region: Region,
    sources: Sequence[Source],
    asked: Sequence[SourceId],
    combine: Combine,
    *,
    seed: int,
) -> Vector:
    """Return the parameters that rounds over ``asked`` give, the bureau's own records joining in each."""
    transport, own = InProcess(sources), TableSource("target", region.target.train, teacher.train)
    parameters = teacher.start(region.target.train, seed=seed)
    for turn in range(teacher.rounds):
        question = teacher.question(parameters, seed=seed + turn)
        total = own.answer(question)
        theirs = combine(question, ask(transport, question, sources=asked)) if asked else None
        parameters = teacher.solve(total.merge(theirs) if theirs is not None else total)
    return parameters


def _plainly(question: Question, answers: Answers) -> Statistic | None:
    return Statistic.total(answers.statistics.values()) if answers.statistics else None


def _equally(question: Question, answers: Answers) -> Statistic | None:
    return Statistic.total(equally(question, list(answers.statistics.values()))) if answers.statistics else None


def _wholly(question: Question, answers: Answers) -> Statistic | None:
    """Refuse where anything is missing: a reference that silently lacks records would flatter the model."""
    for error in answers.refused.values():
        raise error
    return _plainly(question, answers)


def _candidate(
    teacher: Learner,
    climbing: _Climb,
    used: Sequence[Valued],
    *,
    scores: Mapping[str, Score],
    parameters: Vector,
    parent: mlflow.Version | None,
) -> Candidate:
    kinds = climbing.protections
    return Candidate(
        step="aggregate",
        region=climbing.region,
        learner=teacher,
        parameters=parameters,
        scores=scores,
        sources={
            line.source: {
                "value": line.value,
                "low": line.low,
                "high": line.high,
                "valuation": line.run,
                "city": climbing.region.cities[line.source],
                "stays": climbing.region.stays[line.source],
                "bytes": climbing.bytes_by_source[line.source],
            }
            for line in used
        },
        protection=dict.fromkeys((line.source for line in used), kinds.city),
        parent=parent,
        facts={"protection_city": kinds.city, "protection_region": kinds.region, "rounds": str(climbing.rounds)},
    )
