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
from headwater.adapters.learners import Learner, Ridge, predict
from headwater.aggregation import Aggregation, Group
from headwater.aggregation import aggregate as climb
from headwater.aggregation.grouping import parted
from headwater.aggregation.weighing import Expected, weighed
from headwater.errors import Message, Refusal
from headwater.federation import InProcess, Question, TableSource, ask
from headwater.federation.bounded import BoundedQuestion
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
        """Play all rounds, the bureau's own records joining in each; then the one of those who answer with noise."""
        own = TableSource("target", self.region.target.train, self.teacher.train)
        parameters = self.teacher.start(self.region.target.train, seed=seed)
        self._pay(self.teacher.rounds)
        for turn in range(self.teacher.rounds):
            question = self.teacher.question(parameters, seed=seed + turn)
            total = own.answer(question)
            theirs = self._round(question, self.teacher.rounds - turn, is_noisy=False)
            total = total.merge(theirs.total) if theirs else total
            parameters = self.teacher.solve(total)
            self._tell(theirs, parameters)
        if isinstance(self.teacher, Ridge) and self._groups(is_noisy=True):
            parameters = self._corrected(self.teacher, total)
        return Joined(self.joint, parameters, tuple(self.told), self.bytes_by_source)

    def _corrected(self, teacher: Ridge, total: Statistic) -> Vector:
        """Return the solution of the exact ``total``, corrected by what others say beyond it with noise."""
        own, ridge = self.region.target.train, teacher.model.spec.ridge
        question = BoundedQuestion.around(teacher.asked(), total, own, ridge=ridge)
        theirs = self._round(question, 1, is_noisy=True)
        parts, expected = theirs.parts if theirs else {}, Expected.of(question, own)
        records = self.joint.records
        found = weighed(question, total, parts, expected=expected, records=records, ridge=ridge).coefficients
        self._tell(theirs, found)
        return found

    def _groups(self, *, is_noisy: bool) -> tuple[Group, ...]:
        """Return the groups of the plan whose sums are, or are not, noisy."""
        return parted(self.joint.plan.groups)[is_noisy] if self.joint.plan else ()

    def _pay(self, turns: int) -> None:
        """Debit all rounds to come, and keep which sums will be revealed, before anybody is asked."""
        if (plan := self.joint.plan) is None:
            return
        cohorts = hidden_cohorts(plan.groups, self.books.rules(self.joint.sources))
        Revealed(self.home, self.joint.region).record(*cohorts)
        self.books.reserve(plan.exposures, times=turns)

    def _round(self, question: Question | BoundedQuestion, left: int, *, is_noisy: bool) -> Aggregation | None:
        """Return the sum of the answers, as far up as the plan says; None where nobody is left to be asked."""
        answers = self._answers(question, left, is_noisy=is_noisy)
        if not answers:
            return None
        round_id = f"{self.books.execution}/{len(self.told) + 1}"
        self._enter("release", round_id, sources=sorted(answers))
        summed = climb(
            self._groups(is_noisy=is_noisy),
            answers,
            round_id=round_id,
            entropy=secrets.token_bytes,
            span=self.joint.job.span if is_noisy else None,
            l2=self.joint.job.l2,
        )
        self._enter("keys", round_id, pacts=[_plain(pact) for pact in summed.pacts])
        for source in answers:
            told = question.nbytes + summed.bytes_sent[source] + summed.bytes_told[source]
            self.bytes_by_source[source] = self.bytes_by_source.get(source, 0) + told
        return summed

    def _answers(self, question: Question | BoundedQuestion, left: int, *, is_noisy: bool) -> dict[SourceId, Statistic]:
        """Return the answers of all in the groups, which are made anew as often as somebody does not answer."""
        while names := _sources(self._groups(is_noisy=is_noisy)) & set(self.joint.sources):
            theirs = [source for source in self.region.sources if source.source_id in names]
            seen = self.joint.plan.exposures if self.joint.plan else {}
            answers = ask(InProcess(self.books.guarded(theirs, seen)), question, sources=sorted(names))
            if not answers.refused:
                return answers.statistics
            silent = {source: error.reason for source, error in answers.refused.items()}
            for source, why in silent.items():
                _LOG.warning("来源“%s”未回答 / source %s did not answer: %s", source, source, why)
                self.bytes_by_source.pop(source, None)
            self.joint = replan(self.home, self.joint, silent=silent)
            self._pay(left)
        return {}

    def _tell(self, summed: Aggregation | None, parameters: Vector) -> None:
        valid = self.region.target.valid
        predicted = predict(self.teacher, parameters, valid)
        r2_log = score(predicted, valid, target=self.teacher.model.spec.target).r2_log
        sent = sum(summed.bytes_sent.values()) + sum(summed.bytes_told.values()) if summed else 0
        members = {source for part in summed.parts.values() for source in part.sources} if summed else ()
        self.told.append(Round(len(self.told) + 1, len(members), sent, r2_log))
        self.progress(self.told[-1])

    def _enter(self, kind: str, round_id: str, **told: Any) -> None:
        audit.enter(self.home, kind, {"plan": self.joint.entry, "round": round_id, **told})


def _sources(groups: Collection[Group]) -> set[str]:
    """Return who speaks in groups and is no tier of theirs."""
    return {name for group in groups for name in group.members} - {group.tier for group in groups}


def _plain(pact: Pact) -> dict[str, Any]:
    """Return what a group agreed on as JSON-safe values; its digest stands in all that its members signed."""
    return {
        "round": pact.round_id,
        "protection": pact.protection,
        "digest": pact.digest.hex(),
        "keys": {name: key.hex() for name, key in pact.identities},
        "holder": {"name": pact.holder.name, "key": pact.holder.digest.hex()} if pact.holder else None,
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
