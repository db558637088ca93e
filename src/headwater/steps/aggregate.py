"""Aggregate: join the chosen sources tier by tier, each as it requires, into one model version."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from headwater.adapters import features, knowledge, lake
from headwater.adapters.features import DataSeen, Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner, equally, predict
from headwater.aggregation.robust import Judgement
from headwater.errors import Message, Refusal
from headwater.federation import Answers, Question, Source
from headwater.security.events import NonPrivate
from headwater.statistics import Statistic
from headwater.steps import audit
from headwater.steps.join import Joined, Progress, Round, join, joined
from headwater.steps.joint import PURPOSE, Joint, plan_join, teacher_of
from headwater.steps.learning import learn as learn_rounds
from headwater.steps.learning import plainly
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded, require_remaining
from headwater.steps.open_tier import open_tiers
from headwater.steps.register import Candidate, Registered, Score, register, score
from headwater.steps.wish import AS_REQUIRED, Wish
from headwater.types import SourceId, Vector

__all__ = ["AggregateReport", "aggregate", "conclude"]

_HIDDEN = Message(
    "有来源不许统筹区看到其统计量：不计算“全部来源等权”与“集中数据”两项参照。",
    "Some sources keep their own statistic from the region: all alike and pooled, as references, are not computed.",
)
_WISHED = Message(
    "已要求只见合计：不计算“全部来源等权”与“集中数据”两项参照。",
    "Sums alone were wished to be seen: all alike and pooled, as references, are not computed.",
)


@dataclass(frozen=True)
class AggregateReport:
    """What one aggregation made.

    Parameters
    ----------
    scores : on the bureau's held-out stays: ``ours``; ``target_only``, the bureau's records alone; and where every
        valued source permits it and nobody wished for masks, ``all_equal``, all of them counted the same, and
        ``pooled``, all their records in one place, which no real federation has
    joint : the plan, as it was in the end
    protections : of every source in the model, how its answers left it
    epsilon : what the ledger was debited for each source in whose answers there is noise, lost or not
    rounds : what every round took and gave
    bytes_by_source : exchanged with each over all rounds: questions, keys and answers
    notes : what is otherwise than usual
    refused : chosen sources that are not in the model, and why
    judgement : of the sums of cohorts, where that was wished: who is left out, and on what evidence
    """

    run: str
    task: str
    model: str
    currency: str
    origins: tuple[str, ...]
    data: DataSeen
    scores: Mapping[str, Score]
    joint: Joint
    protections: Mapping[SourceId, str]
    epsilon: Mapping[SourceId, float]
    rounds: tuple[Round, ...]
    bytes_by_source: Mapping[str, int]
    notes: tuple[Message, ...]
    refused: Mapping[SourceId, Message]
    judgement: Judgement | None
    registered: Registered

    @property
    def region(self) -> str:
        """Whose model it is."""
        return self.joint.region

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """Those in the model."""
        return tuple(self.protections)

    def to_dict(self) -> dict[str, Any]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "model": self.model,
            "currency": self.currency,
            "origins": list(self.origins),
            "snapshot": self.data.snapshot,
            "plan": self.joint.plan.digest if self.joint.plan else None,
            "entry": self.joint.entry,
            "lost": list(self.joint.lost),
            "sources": list(self.sources),
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "protections": dict(Counter(self.protections.values())),
            "epsilon": max(self.epsilon.values(), default=0.0),
            "rounds": len(self.rounds),
            "bytes": sum(one.bytes for one in self.rounds),
            "bytes_per_source": max(self.bytes_by_source.values(), default=0),
            "scores": {name: asdict(scored) for name, scored in self.scores.items()},
            "notes": [str(note) for note in self.notes],
            "excluded": list(self.judgement.excluded) if self.judgement else [],
            "version": self.registered.version.label,
            "is_champion": self.registered.is_champion,
        }

    def lines(self) -> dict[str, Any]:
        """Return what is told of the plan, of every source and of every round, as JSON-safe values."""
        return {
            "plan": self.joint.plan.to_dict() if self.joint.plan else None,
            "protection_by_source": dict(self.protections),
            "epsilon_by_source": dict(self.epsilon),
            "bytes_by_source": dict(self.bytes_by_source),
            "by_round": [asdict(one) for one in self.rounds],
            "judgement": self.judgement.to_dict() if self.judgement else None,
        }


def aggregate(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    model: str = "stay_cost_ridge",
    wish: Wish = AS_REQUIRED,
    progress: Progress | None = None,
) -> AggregateReport:
    """Plan how the sources join that the newest valuation chose, open the tiers, play all rounds, register a version.

    Raises
    ------
    Refusal
        what ``plan_join``, ``open_tiers``, ``join`` and ``conclude`` refuse
    """
    joint = plan_join(home, run=run, task=task, model=model, wish=wish)
    opened = {one.tier for one in open_tiers(home, [{"entry": joint.entry, "tier": tier} for tier in joint.tiers])}
    named, lost = replace(run, region=joint.region), [tier for tier in joint.tiers if tier not in opened]
    told = {} if progress is None else {"progress": progress}
    join(home, run=named, entry=joint.entry, lost=lost, **told)
    return conclude(home, run=named, task=task, model=model)


def conclude(home: Home, *, run: Run, task: str, model: str) -> AggregateReport:
    """Compare what a run joined with what there would be without it, and register it as a version.

    Raises
    ------
    Refusal
        ``E-REGISTER-WITHDRAWN`` where somebody withdrew whose records the rounds had read, ``E-WITHDRAWAL-LOST``
    """
    found, teacher = joined(home, run=run, task=task, model=model), teacher_of(home, task=task, model=model)
    joint = found.joint
    with lake.connect(home) as connection:
        require_minded(home, connection)
        require_remaining(connection, joint.region, found.sources, since=found.minded_until)
        valued = {line.source for line in knowledge.latest_valuation(connection, task=task, region=joint.region)}
        region = features.read(
            connection, teacher, snapshot=joint.snapshot, region=joint.region, only=valued | set(joint.sources)
        )
        everyone = sorted(valued & set(region.cities))
        books = Books(home, PURPOSE, "clear")
        hidden = _hidden(books, joint, everyone)
        beside = [] if hidden else _shown(books, joint, region, everyone)
        parameters = {"ours": found.parameters} | _beside(teacher, region, beside, seed=run.seed)
        test, target = region.target.test, teacher.model.spec.target
        scores = {name: score(predict(teacher, p, test), test, target=target) for name, p in parameters.items()}
        # What is registered was learned from what the rounds read, which is older than what was read here.
        region = replace(region, minded_until=found.minded_until)
        candidate = _candidate(home, found, teacher, region, scores, alone=parameters["target_only"])
        registered = register(home, connection, candidate, run=run)
    return AggregateReport(
        run=run.name,
        task=task,
        model=model,
        currency=region.currency,
        origins=region.origins,
        data=region.data,
        scores=scores,
        joint=joint,
        protections=_protections(found),
        epsilon=found.epsilon,
        rounds=found.rounds,
        bytes_by_source=found.bytes_by_source,
        notes=(hidden,) if hidden else (),
        refused=found.refused,
        judgement=found.judgement,
        registered=registered,
    )


def _hidden(books: Books, joint: Joint, sources: Sequence[SourceId]) -> Message | None:
    """Return why the region may not look at every source's own statistic, as references do; None where it may."""
    if joint.wish.hides:
        return _WISHED
    try:
        books.permit(books.seen(sources, NonPrivate()))
    except Refusal:
        return _HIDDEN
    return None


def _shown(books: Books, joint: Joint, region: Region, names: Sequence[SourceId]) -> list[Source]:
    """Return the sources under their requirements, after the audit log was told that they will be asked beside."""
    if not names:
        return []
    told = {"plan": joint.entry, "round": f"{books.execution}/references", "sources": list(names)}
    audit.enter(books.home, "release", told)
    asked = [source for source in region.sources if source.source_id in set(names)]
    return books.guarded(asked, books.seen(names, NonPrivate()))


def _beside(teacher: Learner, region: Region, sources: Sequence[Source], *, seed: int) -> dict[str, Vector]:
    """Return the parameters of the models that ours is shown beside, of ``sources`` where there are any."""
    learn, everyone = partial(learn_rounds, teacher, region, seed=seed), sorted(source.source_id for source in sources)
    alone = {"target_only": learn([], [], plainly)}
    if not everyone:
        return alone
    whole = partial(learn, [region.pooled], ["pooled"], _wholly)
    if teacher.is_exact:
        # One statistic of very many records may leave the range of the encoding; the sum of the sources' is the same.
        whole = partial(learn, sources, everyone, plainly)
    return {**alone, "all_equal": learn(sources, everyone, _equally), "pooled": whole()}


def _equally(question: Question, answers: Answers) -> Statistic | None:
    return Statistic.total(equally(question, list(answers.statistics.values()))) if answers.statistics else None


def _wholly(question: Question, answers: Answers) -> Statistic | None:
    """Refuse where anything is missing: a reference that silently lacks records would flatter the model."""
    for error in answers.refused.values():
        raise error
    return plainly(question, answers)


def _candidate(
    home: Home, found: Joined, teacher: Learner, region: Region, scores: Mapping[str, Score], *, alone: Vector
) -> Candidate:
    joint, used, head = found.joint, _protections(found), audit.head(home)
    epsilon, plan, judged = found.epsilon, joint.plan, found.judgement
    return Candidate(
        step="aggregate",
        region=region,
        learner=teacher,
        parameters=found.parameters,
        alone=alone,
        scores=scores,
        sources=_listed(found, region),
        protection=used,
        facts={
            "protection_city": joint.wish.city,
            "protection_region": joint.wish.region,
            "protections": ", ".join(f"{name} {count}" for name, count in sorted(Counter(used.values()).items())),
            "epsilon": f"{max(epsilon.values(), default=0.0):g}",
            "rounds": str(len(found.rounds)),
            **({"excluded": str(len(judged.excluded)), "undecided": str(len(judged.undecided))} if judged else {}),
        },
        tags={
            "headwater.plan": plan.digest if plan else "",
            "headwater.plan_entry": str(joint.entry),
            "headwater.audit_head": head.root.hex(),
            "headwater.audit_size": str(head.size),
            **({"headwater.excluded": ", ".join(judged.excluded)} if judged else {}),
        },
        rounds={
            f"round_{name}": [float(getattr(one, name)) for one in found.rounds]
            for name in ("sources", "bytes", "r2_log")
        },
        artifacts={
            **({"plan.json": plan.to_dict()} if plan else {}),
            **({"judgement.json": judged.to_dict()} if judged else {}),
        },
    )


def _listed(found: Joined, region: Region) -> dict[SourceId, Mapping[str, object]]:
    """Return what is told of every source in the model."""
    lines, mechanisms = {line.source: line for line in found.joint.chosen}, _mechanisms(found.joint)
    return {
        source: {
            **{name: getattr(lines[source], name) for name in ("value", "low", "high")},
            "valuation": lines[source].run,
            "city": region.cities[source],
            "stays": region.stays[source],
            "bytes": found.bytes_by_source[source],
            "mechanism": mechanisms[source],
            "epsilon": found.epsilon.get(source),
        }
        for source in found.sources
    }


def _protections(found: Joined) -> dict[SourceId, str]:
    """Return by source in the model how its answers travel when they leave it."""
    groups = found.joint.plan.groups if found.joint.plan else ()
    told = {name: mechanism.protection for group in groups for name, mechanism in group.mechanisms}
    return {source: told[source] for source in found.sources}


def _mechanisms(joint: Joint) -> dict[SourceId, str]:
    groups = joint.plan.groups if joint.plan else ()
    return {name: mechanism.label for group in groups for name, mechanism in group.mechanisms}
