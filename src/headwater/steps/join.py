"""Join: all rounds of a joint run, as planned, reserved and permitted; who is lost on the way is planned around."""

import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np

from headwater.adapters import features, knowledge, lake
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner, predict
from headwater.aggregation import Aggregation
from headwater.aggregation import aggregate as climb
from headwater.errors import Message, Refusal
from headwater.federation import InProcess, Question, TableSource, ask
from headwater.security.pact import Pact
from headwater.statistics import Statistic
from headwater.steps import audit
from headwater.steps.joint import Joint, books_of, recall, replan, teacher_of
from headwater.steps.ledger import Books
from headwater.steps.register import score
from headwater.steps.revealed import Revealed, hidden_cohorts
from headwater.types import SourceId, Vector

__all__ = ["Joined", "Round", "join", "joined"]

_LOG = logging.getLogger("headwater")


@dataclass(frozen=True)
class Round:
    """What one round took and gave.

    Parameters
    ----------
    number : from 1
    sources : in its sum
    bytes : sent and told by all sources and tiers together
    r2_log : R² of ln(cost) on the bureau's validation records afterwards
    """

    number: int
    sources: int
    bytes: int
    r2_log: float

    def __str__(self) -> str:
        return f"round 轮 {self.number}: sources 来源 {self.sources}, bytes 字节 {self.bytes:,}, R² {self.r2_log:.4f}"


@dataclass(frozen=True, eq=False)
class Joined:
    """What came of all rounds.

    Parameters
    ----------
    joint : as it was in the end, without who was lost
    parameters : of the model
    bytes_by_source : exchanged with each over all rounds: questions, keys and answers
    """

    joint: Joint
    parameters: Vector
    rounds: tuple[Round, ...]
    bytes_by_source: Mapping[SourceId, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the small facts as JSON-safe values."""
        return self.joint.to_dict() | {
            "bytes": sum(one.bytes for one in self.rounds),
            "rounds": len(self.rounds),
            "r2_log_valid": self.rounds[-1].r2_log,
        }


Progress: TypeAlias = Callable[[Round], None]


def _logged(one: Round) -> None:
    _LOG.info("%s", one)


def join(home: Home, *, run: Run, entry: int, lost: Collection[str] = (), progress: Progress = _logged) -> Joined:
    """Play all rounds of a joint run.

    Whoever is asked is debited before, for every round; a source that does not answer, and a tier that is lost, are
    planned around, which is entered in the audit log and debited anew. Executed again, it pays again, for its noise
    is new. What came of it stands in ``knowledge.joined``.

    Parameters
    ----------
    entry : of the plan in the audit log
    lost : tiers that could not be opened
    progress : is told every round when it is over
    """
    joint = recall(home, entry)
    if joint.region in lost:
        raise _no_root(joint.region)
    for tier in lost:
        _LOG.warning("层级“%s”已失去，重新规划 / the tier %s is lost, planned again without it", tier, tier)
    if lost:
        joint = replan(home, joint, lost=lost, silent={})
    teacher = teacher_of(home, task=joint.task, model=joint.model)
    with lake.connect(home) as connection:
        region = features.read(connection, teacher, snapshot=joint.snapshot, region=joint.region, only=joint.sources)
        rounds = _Rounds(home, joint, teacher, region, books_of(home), progress)
        found = rounds.learn(seed=run.seed)
        key = run.key(joint.task, joint.region) | {"model": joint.model}
        knowledge.replace(connection, "joined", key=key, rows=[_row(found, run)])
    return found


def joined(home: Home, *, run: Run, task: str, model: str) -> Joined:
    """Return what a run joined, as it stands in the lake."""
    with lake.connect(home) as connection:
        row = knowledge.joined(connection, key=run.key(task, str(run.region)) | {"model": model})
    return Joined(
        recall(home, row.entry),
        np.asarray(row.parameters, dtype=np.float64),
        tuple(Round(**one) for one in json.loads(row.rounds)),
        json.loads(row.bytes),
    )


@dataclass
class _Rounds:
    """The rounds of one execution."""

    home: Home
    joint: Joint
    teacher: Learner
    region: Region
    books: Books
    progress: Progress
    told: list[Round] = field(default_factory=list)
    bytes_by_source: dict[SourceId, int] = field(default_factory=dict)

    def learn(self, *, seed: int) -> Joined:
        """Play all rounds, the bureau's own records joining in each."""
        own = TableSource("target", self.region.target.train, self.teacher.train)
        parameters = self.teacher.start(self.region.target.train, seed=seed)
        self._pay(self.teacher.rounds)
        for turn in range(self.teacher.rounds):
            question = self.teacher.question(parameters, seed=seed + turn)
            total, theirs = own.answer(question), self._sum(question, turn)
            parameters = self.teacher.solve(total.merge(theirs.total) if theirs else total)
            self._tell(theirs, parameters, turn)
        return Joined(self.joint, parameters, tuple(self.told), self.bytes_by_source)

    def _pay(self, turns: int) -> None:
        """Debit all rounds to come, and keep which sums will be revealed, before anybody is asked."""
        if (plan := self.joint.plan) is None:
            return
        cohorts = hidden_cohorts(plan.groups, self.books.rules(self.joint.sources))
        Revealed(self.home, self.joint.region).record(cohorts)
        self.books.reserve(plan.exposures, times=turns)

    def _sum(self, question: Question, turn: int) -> Aggregation | None:
        """Return the sum of the answers, as far up as the plan says; None where nobody is left to be asked."""
        answers = self._answers(question, turn)
        if answers is None or self.joint.plan is None:
            return None
        round_id = f"{self.books.execution}/{turn + 1}"
        self._enter("release", round_id, sources=list(answers))
        summed = climb(self.joint.plan.groups, answers, round_id=round_id, entropy=secrets.token_bytes)
        self._enter("keys", round_id, pacts=[_plain(pact) for pact in summed.pacts])
        for source in answers:
            told = question.nbytes + summed.bytes_sent[source] + summed.bytes_told[source]
            self.bytes_by_source[source] = self.bytes_by_source.get(source, 0) + told
        return summed

    def _answers(self, question: Question, turn: int) -> dict[SourceId, Statistic] | None:
        """Return the answers of all that are in the plan, which is made anew as often as somebody does not answer."""
        while (plan := self.joint.plan) is not None:
            theirs = [source for source in self.region.sources if source.source_id in plan.exposures]
            transport = InProcess(self.books.guarded(theirs, plan.exposures))
            answers = ask(transport, question, sources=self.joint.sources)
            if not answers.refused:
                return answers.statistics
            silent = {source: error.reason for source, error in answers.refused.items()}
            for source, why in silent.items():
                _LOG.warning("来源“%s”未回答 / source %s did not answer: %s", source, source, why)
                self.bytes_by_source.pop(source, None)
            self.joint = replan(self.home, self.joint, silent=silent)
            self._pay(self.teacher.rounds - turn)
        return None

    def _tell(self, summed: Aggregation | None, parameters: Vector, turn: int) -> None:
        valid = self.region.target.valid
        predicted = predict(self.teacher, parameters, valid)
        r2_log = score(predicted, valid, target=self.teacher.model.spec.target).r2_log
        sent = sum(summed.bytes_sent.values()) + sum(summed.bytes_told.values()) if summed else 0
        self.told.append(Round(turn + 1, len(self.joint.sources), sent, r2_log))
        self.progress(self.told[-1])

    def _enter(self, kind: str, round_id: str, **told: Any) -> None:
        audit.enter(self.home, kind, {"plan": self.joint.entry, "round": round_id, **told})


def _plain(pact: Pact) -> dict[str, Any]:
    """Return what a group agreed on as JSON-safe values; its digest stands in all that its members signed."""
    return {
        "round": pact.round_id,
        "protection": pact.protection,
        "digest": pact.digest.hex(),
        "keys": {name: key.hex() for name, key in pact.identities},
    }


def _no_root(region: str) -> Refusal:
    return Refusal(
        "E-JOIN-ROOT",
        Message(
            f"“{region}”自身未能就绪，无处汇聚。", f"{region} itself could not be opened: there is nowhere to join."
        ),
        Message("请查看其打开任务的日志。", "See the log of the task that opens it."),
    )


def _row(found: Joined, run: Run) -> Mapping[str, object]:
    return {
        "as_of": run.as_of,
        "snapshot": found.joint.snapshot,
        "entry": found.joint.entry,
        "parameters": found.parameters.tolist(),
        "rounds": json.dumps([asdict(one) for one in found.rounds]),
        "bytes": json.dumps(dict(found.bytes_by_source)),
    }
