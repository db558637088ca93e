"""Retrain: a model anew from the chosen sources that show their own statistics, so that it can shrink exactly later.

Of a network this is the scheduled part: the body is trained in rounds and frozen, and the last layer is solved exactly
from the members' statistics of what the body makes of their records. Until it is retrained, sources come and go exactly
in the last layer, and the body stays as it is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from headwater.adapters import features, knowledge, lake
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run, Valued
from headwater.adapters.learners import Learner, predict
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.evolution import Growth
from headwater.federation import Answers, InProcess, ask
from headwater.security.events import NonPrivate
from headwater.steps.joint import PURPOSE, teacher_of
from headwater.steps.learning import learn, plainly
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded
from headwater.steps.register import Candidate, Registered, Score, register, score
from headwater.types import SourceId, Vector

__all__ = ["RetrainReport", "Trained", "retrain", "train"]


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gave.

    Parameters
    ----------
    answers : to the question whose sum the exact part is solved from, with who was refused
    """

    parameters: Vector
    growth: Growth
    answers: Answers


@dataclass(frozen=True)
class RetrainReport:
    """What was trained, and what it does beside the bureau's records alone."""

    run: str
    task: str
    region: str
    model: str
    scores: Mapping[str, Score]
    sources: tuple[SourceId, ...]
    refused: Mapping[SourceId, HeadwaterError]
    exact: tuple[int, int]
    registered: Registered

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        return {
            **{name: getattr(self, name) for name in ("run", "task", "region", "model")},
            "sources": list(self.sources),
            "refused": {source: str(error.reason) for source, error in self.refused.items()},
            "exact_parameters": self.exact[0],
            "parameters": self.exact[1],
            "scores": {name: asdict(one) for name, one in self.scores.items()},
            "version": self.registered.version.label,
            "is_champion": self.registered.is_champion,
            "comparison": dict(self.registered.comparison.to_dict()),
        }


def train(home: Home, region: Region, teacher: Learner, *, seed: int) -> Trained:
    """Train over all sources of the region that show their own statistics, and solve the exact part from these.

    Raises
    ------
    Refusal
        ``E-RETRAIN-NOBODY`` where none does
    """
    books, names = Books(home, PURPOSE, "clear"), sorted(region.cities)
    guarded = books.guarded(region.sources, books.seen(names, NonPrivate()))
    parameters = teacher.start(region.target.train, seed=seed)
    if not teacher.is_exact:
        parameters = learn(teacher, region, guarded, names, plainly, seed=seed)
    question = teacher.exact(parameters)
    answers = ask(InProcess(guarded), question, sources=names)
    if not answers.statistics:
        raise _nobody(region.name)
    growth = Growth.start(question.of(region.target.train), answers.statistics)
    return Trained(teacher.resolve(parameters, growth.total), growth, answers)


def retrain(home: Home, *, run: Run, task: str = "stay_cost", model: str = "stay_cost_network") -> RetrainReport:
    """Train a model on the sources that the newest valuation chose, and register it.

    Raises
    ------
    Refusal
        ``E-KNOWLEDGE-VALUATION``, ``E-RETRAIN-NOBODY``, ``E-WITHDRAWAL-LOST``, what a model or a requirement is
        refused for
    """
    teacher = teacher_of(home, task=task, model=model)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        require_minded(home, connection)
        region, chosen = _chosen(connection, teacher, run, task)
        trained = train(home, region, teacher, seed=run.seed)
        alone = learn(teacher, region, [], [], plainly, seed=run.seed)
        test, target = region.target.test, teacher.model.spec.target
        scores = {
            name: score(predict(teacher, parameters, test), test, target=target)
            for name, parameters in (("ours", trained.parameters), ("target_only", alone))
        }
        members = sorted(trained.growth.members)
        candidate = Candidate(
            step="retrain",
            region=region,
            learner=teacher,
            parameters=trained.parameters,
            alone=alone,
            scores=scores,
            sources={source: _told(chosen[source], region, trained.answers) for source in members},
            protection=dict.fromkeys(members, "clear"),
            growth=trained.growth,
        )
        registered = register(home, connection, candidate, run=run)
    exact, refused = teacher.share(trained.parameters), trained.answers.refused
    return RetrainReport(run.name, task, region.name, model, scores, tuple(members), refused, exact, registered)


def _chosen(
    connection: duckdb.DuckDBPyConnection, teacher: Learner, run: Run, task: str
) -> tuple[Region, dict[SourceId, Valued]]:
    snapshot = lake.snapshot(connection)
    name = features.choose_region(connection, f"marts.feat_{task}", region=run.region, snapshot=snapshot)
    valued = knowledge.latest_valuation(connection, task=task, region=name)
    chosen = {line.source: line for line in valued if line.selected}
    return features.read(connection, teacher, snapshot=snapshot, region=name, only=set(chosen)), chosen


def _told(line: Valued, region: Region, answers: Answers) -> dict[str, object]:
    return {
        **{name: getattr(line, name) for name in ("value", "low", "high")},
        "valuation": line.run,
        "city": region.cities[line.source],
        "stays": region.stays[line.source],
        "bytes": answers.bytes_by_source[line.source],
    }


def _nobody(region: str) -> Refusal:
    return Refusal(
        "E-RETRAIN-NOBODY",
        Message(f"“{region}”没有可出示自身统计量的来源。", f"No source of {region} shows its own statistic."),
        Message("请改用 headwater aggregate。", "Use headwater aggregate."),
    )
