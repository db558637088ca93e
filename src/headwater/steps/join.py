"""Join: all rounds of a joint run, as planned, reserved and permitted; who is lost on the way is planned around."""

import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from headwater.adapters import features, knowledge, lake
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner, Ridge, predict
from headwater.adapters.revealed import Cohort
from headwater.aggregation import Aggregation, Group
from headwater.aggregation import aggregate as climb
from headwater.aggregation.apart import apart
from headwater.aggregation.grouping import parted
from headwater.aggregation.robust import Beliefs, Judgement
from headwater.aggregation.weighing import Expected, weighed
from headwater.errors import Message, Refusal
from headwater.federation import InProcess, Question, TableSource, ask
from headwater.federation.bounded import BoundedQuestion
from headwater.security.pact import Pact, Span
from headwater.statistics import Statistic
from headwater.steps import audit, judge, outcome
from headwater.steps.joint import Joint, books_of, narrowed, recall, replan, teacher_of
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded
from headwater.steps.register import score
from headwater.steps.revealed import Revealed, fingerprints, hidden_cohorts
from headwater.types import SourceId, Vector

__all__ = ["Joined", "Round", "join", "joined"]

_LOG = logging.getLogger("headwater")
_LEAST = 0.01
"""What a record under noise must count for beside an exact one, to be asked for."""


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
    epsilon : what was debited for each source in whose answers there is noise
    judgement : of the sums, where they were to be judged
    minded_until : entry in the audit log of the last withdrawal that the records were read after
    """

    joint: Joint
    parameters: Vector
    rounds: tuple[Round, ...]
    bytes_by_source: Mapping[SourceId, int]
    epsilon: Mapping[SourceId, float]
    judgement: Judgement | None = None
    minded_until: int = 0

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """Those in the model."""
        counted = self.joint.sources if self.judgement is None else self.judgement.joined_sources
        return tuple(sorted(counted))

    @property
    def refused(self) -> dict[SourceId, Message]:
        """Chosen sources that are not in it, and why."""
        return {**self.joint.refused, **(self.judgement.missing if self.judgement else {})}

    def to_dict(self) -> dict[str, Any]:
        """Return the small facts as JSON-safe values."""
        return self.joint.to_dict() | {
            "bytes": sum(one.bytes for one in self.rounds),
            "rounds": len(self.rounds),
            "r2_log_valid": self.rounds[-1].r2_log,
            "sources": list(self.sources),
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "excluded": list(self.judgement.excluded) if self.judgement else [],
        }


Progress: TypeAlias = Callable[[Round], None]


def _logged(one: Round) -> None:
    _LOG.info("%s", one)


def join(home: Home, *, run: Run, entry: int, lost: Collection[str] = (), progress: Progress = _logged) -> Joined:
    """Play all rounds of a joint run.

    Once all of a round have answered, and before anything leaves them, noise is debited and kept which sums will be
    revealed. A tier that is lost, and a source that does not answer, are planned around while no sum was revealed; from
    then on whoever does not answer is left out, and the others are asked as planned. Both are entered in the audit log.
    Executed again, it pays again, for its noise is new. What came of it stands in ``knowledge.joined``.

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
        require_minded(home, connection)
        region = features.read(connection, teacher, snapshot=joint.snapshot, region=joint.region, only=joint.sources)
        rounds = _Rounds(home, joint, teacher, region, books_of(home), progress)
        found = rounds.learn(seed=run.seed)
        key = run.key(joint.task, joint.region) | {"model": joint.model}
        outcome.bind(home, row := _row(found, run), run=run.name)
        knowledge.replace(connection, "joined", key=key, rows=[row])
    return found


def joined(home: Home, *, run: Run, task: str, model: str) -> Joined:
    """Return what a run joined, as it stands in the lake."""
    with lake.connect(home) as connection:
        row = knowledge.joined(connection, key=run.key(task, str(run.region)) | {"model": model})
    outcome.hold(home, row, run=run.name)
    return Joined(
        recall(home, row.entry),
        np.asarray(row.parameters, dtype=np.float64),
        tuple(Round(**one) for one in json.loads(row.rounds)),
        json.loads(row.bytes),
        json.loads(row.epsilon),
        Judgement.from_dict(told) if (told := json.loads(row.judgement)) else None,
        row.withdrawn,
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
    judgement: Judgement | None = None

    def learn(self, *, seed: int) -> Joined:
        """Play all rounds, the bureau's own records joining in each; then the one of those who answer with noise."""
        own = TableSource("target", self.region.target.train, self.teacher.train)
        parameters = self.teacher.start(self.region.target.train, seed=seed)
        self._permit()
        for turn in range(self.teacher.rounds):
            question = self.teacher.question(parameters, seed=seed + turn)
            total = own.answer(question)
            theirs = self._round(question, is_noisy=False)
            total = total.merge(self._heard(theirs, seed=seed)) if theirs else total
            parameters = self.teacher.solve(parameters, total)
            self._tell(theirs, parameters)
        if isinstance(self.teacher, Ridge) and self._groups(is_noisy=True):
            parameters = self._corrected(self.teacher, total, parameters)
        spent = self.books.spent()
        told, read = tuple(self.told), self.region.minded_until
        return Joined(self.joint, parameters, told, self.bytes_by_source, spent, self.judgement, read)

    def _heard(self, summed: Aggregation, *, seed: int) -> Statistic:
        """Return what is joined of a round without noise: all of it, or what its sums let be trusted."""
        if not self.joint.wish.is_judged:
            return summed.total
        standing = {line.source: (line.low, line.high) for line in self.joint.chosen}
        beliefs = Beliefs(self.joint.records, standing)
        groups = self._groups(is_noisy=False)
        found = judge.judge(groups, summed, self.region, self.teacher, beliefs=beliefs, seed=seed)
        self.judgement = Judgement.from_dict(told := found.to_dict())
        self._enter("judgement", **told)
        return found.joined

    def _corrected(self, teacher: Ridge, total: Statistic, exact: Vector) -> Vector:
        """Return the solution of the exact ``total``, corrected by what others say beyond it with noise."""
        own, ridge = self.region.target.train, teacher.model.spec.ridge
        question = BoundedQuestion.around(teacher.asked(), total, own, ridge=ridge)
        expected = Expected.of(question, own)
        self._spare(expected)
        theirs = self._round(question, is_noisy=True)
        if theirs is None:
            return exact
        records = self.joint.records
        found = weighed(question, total, theirs.parts, expected=expected, records=records, ridge=ridge).coefficients
        self._tell(theirs, found)
        return found

    def _groups(self, *, is_noisy: bool) -> tuple[Group, ...]:
        """Return the groups of the plan whose sums are, or are not, noisy."""
        return parted(self.joint.plan.groups)[is_noisy] if self.joint.plan else ()

    def _spare(self, expected: Expected) -> None:
        """Leave out strands whose noise leaves next to nothing of them, before anybody pays for it."""
        why: dict[SourceId, Message] = {}
        groups = self._groups(is_noisy=True)
        for strand in sorted({group.strand for group in groups}):
            inside = _sources([group for group in groups if group.strand == strand])
            records = sum(self.joint.records[source] for source in inside)
            deviation = self.joint.plan.expected.deviations[strand] if self.joint.plan else 0.0
            worth = expected.worth(records, deviation=deviation)
            if worth < _LEAST:
                why.update(dict.fromkeys(inside, _worthless(worth)))
        if why:
            _LOG.warning("不值得加噪询问 / not worth asking with noise: %s", ", ".join(sorted(why)))
            self.joint = narrowed(self.home, self.joint, why)

    def _permit(self) -> None:
        """Refuse what another run has made too much since it was planned, before anybody is asked."""
        if (plan := self.joint.plan) is not None:
            self.books.afford(plan.exposures)
            self._revealed.permit(*self._hidden(plan.groups))

    def _pay(self, groups: tuple[Group, ...]) -> None:
        """Debit what is about to be released, and keep which sums will be revealed.

        In this order: what is kept is kept for ever, so a debit that is refused must leave nothing behind.
        """
        plan, sources = self.joint.plan, _sources(groups)
        self.books.reserve({source: plan.exposures[source] for source in sorted(sources)} if plan else {})
        self._revealed.record(*self._hidden(groups))

    def _hidden(self, groups: tuple[Group, ...]) -> tuple[tuple[Cohort, ...], tuple[Cohort, ...]]:
        return hidden_cohorts(groups, self.books.rules(_sources(groups)))

    def _round(self, question: Question | BoundedQuestion, *, is_noisy: bool) -> Aggregation | None:
        """Return the sum of the answers, as far up as the plan says; None where nobody is left to be asked."""
        answers = self._answers(question, is_noisy=is_noisy)
        if not answers:
            return None
        groups = self._groups(is_noisy=is_noisy)
        self._pay(groups)
        self._enter("release", sources=sorted(answers))
        summed = self._climb(groups, answers, span=self.joint.job.span if is_noisy else None)
        lost = {source: error.reason for source, error in summed.lost.items()}
        self._enter("keys", pacts=[_plain(pact) for pact in summed.pacts], lost=sorted(lost))
        for source in answers:
            told = question.nbytes + summed.bytes_sent[source] + summed.bytes_told[source]
            self.bytes_by_source[source] = self.bytes_by_source.get(source, 0) + told
        if lost and self.joint.wish.is_judged:
            self._revealed.admit(*self._hidden(judge.heard(groups, summed)))
            raise judge.incomplete(lost)
        if lost:
            self.joint = narrowed(self.home, self.joint, lost)
            self._revealed.admit(*self._hidden(self._groups(is_noisy=is_noisy)))
        return summed

    def _climb(
        self, groups: tuple[Group, ...], answers: Mapping[SourceId, Statistic], *, span: Span | None
    ) -> Aggregation:
        """Return the sum of a round's answers, or the sums of its cohorts where they are to be judged."""
        if self.joint.wish.is_judged:
            return apart(groups, answers, round_id=self._round_id, entropy=secrets.token_bytes)
        name, entropy = self._round_id, secrets.token_bytes
        return climb(groups, answers, round_id=name, entropy=entropy, span=span, l2=self.joint.job.l2)

    def _answers(self, question: Question | BoundedQuestion, *, is_noisy: bool) -> dict[SourceId, Statistic]:
        """Return the answers of all in the groups; whoever does not answer is planned around, or left out."""
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
            # Planned again, others might be asked twice, or as they were not asked when it was their turn.
            if is_noisy or self.told:
                self.joint = narrowed(self.home, self.joint, silent)
            else:
                self.joint = replan(self.home, self.joint, silent=silent)
        return {}

    def _tell(self, summed: Aggregation | None, parameters: Vector) -> None:
        valid = self.region.target.valid
        predicted = predict(self.teacher, parameters, valid)
        r2_log = score(predicted, valid, target=self.teacher.model.spec.target).r2_log
        sent = sum(summed.bytes_sent.values()) + sum(summed.bytes_told.values()) if summed else 0
        members = {source for part in summed.parts.values() for source in part.sources} if summed else ()
        self.told.append(Round(len(self.told) + 1, len(members), sent, r2_log))
        self.progress(self.told[-1])

    @cached_property
    def _revealed(self) -> Revealed:
        return Revealed(self.home, self.joint.region, fingerprints(self.region))

    @property
    def _round_id(self) -> str:
        """The name of the round that is played now, never used before."""
        return f"{self.books.execution}/{len(self.told) + 1}"

    def _enter(self, kind: str, **told: Any) -> None:
        audit.enter(self.home, kind, {"plan": self.joint.entry, "round": self._round_id, **told})


def _worthless(worth: float) -> Message:
    return Message(
        f"所需噪声使其每条记录只抵 {worth:.1%}，未询问、未记账。",
        f"With the noise that it takes, a record of it would count {worth:.1%}: not asked, nothing debited.",
    )


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
        "epsilon": json.dumps(dict(found.epsilon)),
        "judgement": json.dumps(found.judgement.to_dict() if found.judgement else None, allow_nan=False),
        "withdrawn": found.minded_until,
    }
