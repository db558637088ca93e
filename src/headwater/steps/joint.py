"""A joint run's plan as the audit log has it: entered before anybody is asked, and read again by every task."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from headwater.adapters import features, knowledge, lake, postgres
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run, Valued
from headwater.adapters.learners import Learner, Ridge, learner
from headwater.aggregation.planning.cohorts import in_cohorts
from headwater.aggregation.planning.costs import Costs
from headwater.aggregation.planning.dropping import ALONE, fewer
from headwater.aggregation.planning.foresight import Job
from headwater.aggregation.planning.planner import Plan, Supplier, plan
from headwater.content import models
from headwater.content.requirements import requirement_for
from headwater.errors import Message, Refusal
from headwater.federation.bounded import BoundedQuestion
from headwater.security import Span
from headwater.steps import audit, judge
from headwater.steps.ledger import Books, requirements
from headwater.steps.revealed import LaidOpen, Revealed, hidden_cohorts
from headwater.steps.wish import AS_REQUIRED, Wish
from headwater.types import SourceId

__all__ = ["PURPOSE", "Joint", "books_of", "foreseen", "narrowed", "plan_join", "recall", "replan", "teacher_of"]

PURPOSE = "aggregation"
"""As requirements call it."""
_WHOLLY = 1.0 - 1e-6
"""The leverage of a source that some difference of sums is."""
_DIFFERENCE = Message(
    "以往公开过不含它的和数，与此次含它的和数之差即为它自身的统计量；此次不询问它。",
    "A sum of the others was revealed without it before: with it, their difference would be its own. Not asked.",
)


@dataclass(frozen=True)
class Joint:
    """Which of the chosen sources join, along which tree, and under what.

    Parameters
    ----------
    entry : number in the audit log, where it stands; what later tasks are told
    run : key of the occasion
    snapshot : of the lake; every task reads the same
    chosen : the valuation's lines of the chosen sources
    cities, records : of those of them that there are
    absent : the others, and why
    job : what was planned for
    lost : tiers that are not there
    dropped : sources left out of what was planned with them, and why; the others speak as they would have
    plan : None where nobody is to be asked
    """

    entry: int
    run: str
    task: str
    model: str
    region: str
    snapshot: int
    wish: Wish
    chosen: tuple[Valued, ...]
    cities: Mapping[SourceId, str]
    records: Mapping[SourceId, int]
    absent: Mapping[SourceId, Message]
    job: Job
    lost: tuple[str, ...] = ()
    dropped: Mapping[SourceId, Message] = field(default_factory=dict)
    plan: Plan | None = field(default=None, repr=False)

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """Those that will be asked."""
        return tuple(sorted(self.plan.exposures)) if self.plan else ()

    @property
    def refused(self) -> dict[SourceId, Message]:
        """Chosen sources that will not be asked, and why."""
        return {**self.absent, **(self.plan.refused if self.plan else {}), **self.dropped}

    @property
    def tiers(self) -> dict[str, tuple[SourceId, ...]]:
        """Every node that adds, lowest first, and the sources whose first message it hears or would have heard."""
        if self.plan is None:
            return {self.region: ()}
        return {tier.name: tier.sources for tier in self.plan.tree.root.walk()}

    def to_dict(self) -> dict[str, Any]:
        """Return the small facts as JSON-safe values."""
        return {
            "entry": self.entry,
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "model": self.model,
            "snapshot": self.snapshot,
            "plan": self.plan.digest if self.plan else None,
            "tiers": list(self.tiers),
            "sources": list(self.sources),
            "refused": {source: str(reason) for source, reason in self.refused.items()},
            "lost": list(self.lost),
        }


def teacher_of(home: Home, *, task: str, model: str) -> Learner:
    """Return the learner of a model that must be for the task."""
    found = models.load(home.project / "models", model)
    if found.spec.task != task:
        raise Refusal(
            "E-MODEL-TASK",
            Message(f"模型“{model}”不用于任务“{task}”。", f"The model {model!r} is not for the task {task!r}."),
            Message(f"它用于“{found.spec.task}”。", f"It is for {found.spec.task!r}."),
        )
    return learner(found)


def books_of(home: Home) -> Books:
    """Return the ledger for one execution of a step of a joint run."""
    return Books(home, PURPOSE)


def plan_join(home: Home, *, run: Run, task: str, model: str, wish: Wish = AS_REQUIRED) -> Joint:
    """Plan how the sources join that the newest valuation chose, and enter the plan in the audit log.

    Nobody is asked and nothing is spent. A run that would overspend, or whose sums with those of earlier runs would
    lay a source open, is refused here with the numbers, before it starts. Who was missing from an earlier sum of the
    others, and would be the difference of that one and this, is left out instead.

    Raises
    ------
    Refusal
        ``E-LEDGER-RUN``, ``E-COHORT-REVEALED``, and what ``foreseen`` refuses
    """
    return _entered(home, foreseen(home, run=run, task=task, model=model, wish=wish))


def foreseen(home: Home, *, run: Run, task: str, model: str, wish: Wish = AS_REQUIRED, purpose: str = PURPOSE) -> Joint:
    """Plan how the sources join that the newest valuation chose; nothing is entered, asked or spent.

    Raises
    ------
    Refusal
        ``E-PLAN-NOBODY``, ``E-KNOWLEDGE-VALUATION``, what a model or a requirement is refused for, a requirement's own
        words where it forbids the wish, and what ``judge.require`` and ``in_cohorts`` refuse where sums are judged
    """
    teacher = teacher_of(home, task=task, model=model)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        snapshot = lake.snapshot(connection)
        name = features.choose_region(connection, f"marts.feat_{task}", region=run.region, snapshot=snapshot)
        valued = knowledge.latest_valuation(connection, task=task, region=name)
        chosen = tuple(line for line in valued if line.selected)
        region = features.read(
            connection, teacher, snapshot=snapshot, region=name, only={line.source for line in chosen}
        )
    if wish.is_judged:
        judge.require(teacher, region.target)
    absent = _absent(home, chosen, region, purpose)
    joint = Joint(
        entry=0,
        run=run.name,
        task=task,
        model=model,
        region=name,
        snapshot=snapshot,
        wish=wish,
        chosen=chosen,
        cities={source: city for source, city in _cities(region).items() if source not in absent},
        records={source: count for source, count in region.stays.items() if source not in absent},
        absent=absent,
        job=_job(teacher, region, purpose, seed=run.seed),
    )
    joint = _noised(home, joint, teacher, region)
    return replace(joint, plan=_plan(home, joint))


def recall(home: Home, entry: int) -> Joint:
    """Return a joint run as the audit log has it, under the requirements that hold now.

    The whole log is held against its signatures before anything of the entry is believed.

    Raises
    ------
    Refusal
        ``E-AUDIT-CHANGED`` if the log is not as it was signed, ``E-JOIN-ENTRY`` if no plan stands there,
        ``E-JOIN-MOVED`` if the plan would now be another one, or noise be measured otherwise
    """
    with postgres.connect(home) as connection:
        found = audit.trusted(home, connection, lambda one: one.number == entry and one.kind == "plan")
    if not found:
        raise _no_plan(entry)
    told = json.loads(found[0].body)
    job = told["job"]
    joint = Joint(
        entry=entry,
        run=told["run"],
        task=told["task"],
        model=told["model"],
        region=told["region"],
        snapshot=told["snapshot"],
        wish=Wish(**told["wish"]),
        chosen=tuple(Valued(**line) for line in told["chosen"]),
        cities=told["cities"],
        records=told["records"],
        absent={source: Message(**why) for source, why in told["absent"].items()},
        job=Job(job["region"], job["purpose"], job["length"], job["span"] and Span(*job["span"]), job["l2"]),
        lost=tuple(told["lost"]),
        dropped={source: Message(**why) for source, why in told.get("dropped", {}).items()},
    )
    joint = replace(joint, plan=_plan(home, joint))
    if (joint.plan.digest if joint.plan else None) != told["digest"] or not _is_measured(home, joint):
        raise _moved(entry)
    return joint


def replan(home: Home, joint: Joint, *, lost: Collection[str] = (), silent: Mapping[SourceId, Message]) -> Joint:
    """Plan again without tiers that are lost and sources that did not answer, and enter that as well."""
    lost = tuple(sorted({*joint.lost, *lost}))
    return _entered(home, _without(home, replace(joint, lost=lost), silent))


def narrowed(home: Home, joint: Joint, why: Mapping[SourceId, Message]) -> Joint:
    """Leave sources out without planning again, and enter that as well: nobody is asked twice or otherwise.

    For when others have been asked already. Whose companions are then too few is left out as well.
    """
    gone = {**joint.dropped, **why}
    if joint.plan is None or fewer(joint.plan, why) is None:
        gone = {**dict.fromkeys(joint.sources, ALONE), **gone}
    again = replace(joint, dropped=gone)
    again = replace(again, plan=_plan(home, again))
    if again.plan is not None:
        books_of(home).permit(again.plan.exposures)
    return _told(home, again)


def _entered(home: Home, joint: Joint) -> Joint:
    """Hold the plan against revealed sums and ledger, and enter it."""
    joint, books = _hidden(home, joint), books_of(home)
    books.state(books.rules(joint.sources).values())
    if joint.plan is not None:
        books.permit(joint.plan.exposures)
        books.afford(joint.plan.exposures)
    return _told(home, joint)


def _hidden(home: Home, joint: Joint) -> Joint:
    """Return the run without whoever would be the difference between its sums and earlier ones of the others.

    A hospital that was silent once and stays chosen would otherwise stop the region for ever. Where it is not a planned
    source that is laid open, or too few are left without it, the run is refused.
    """
    first = None
    while joint.plan is not None:
        try:
            Revealed(home, joint.region).permit(*hidden_cohorts(joint.plan.groups, books_of(home).rules(joint.sources)))
            return joint
        except LaidOpen as refusal:
            first = first or refusal
            if refusal.source not in joint.sources or refusal.leverage < _WHOLLY:
                raise first from None
            laid_open = refusal.source
        try:
            joint = _without(home, joint, {laid_open: _DIFFERENCE})
        except Refusal:
            raise first from None
    if first:
        raise first
    return joint


def _without(home: Home, joint: Joint, gone: Mapping[SourceId, Message]) -> Joint:
    """Plan again without some sources."""
    left = {source: city for source, city in joint.cities.items() if source not in gone}
    records = {source: joint.records[source] for source in left}
    again = replace(joint, cities=left, records=records, absent={**joint.absent, **gone})
    return replace(again, plan=_plan(home, again))


def _told(home: Home, joint: Joint) -> Joint:
    """Enter the plan as it is."""
    plan, rules = joint.plan, books_of(home).rules(joint.sources)
    told = {
        **{name: getattr(joint, name) for name in ("run", "task", "model", "region", "snapshot", "cities", "records")},
        "wish": asdict(joint.wish),
        "chosen": [asdict(line) for line in joint.chosen],
        "absent": {source: asdict(why) for source, why in joint.absent.items()},
        "job": _plain(joint.job),
        "lost": list(joint.lost),
        "dropped": {source: asdict(why) for source, why in joint.dropped.items()},
        "requirements": {source: {"name": rule.name, "version": rule.version} for source, rule in rules.items()},
        "digest": plan.digest if plan else None,
        "plan": plan.to_dict() if plan else None,
    }
    return replace(joint, entry=audit.enter(home, "plan", told))


def _plan(home: Home, joint: Joint) -> Plan | None:
    """Return the plan under the requirements that hold now; the same for the same."""
    if not joint.cities:
        return None
    purpose = joint.job.purpose
    rules = joint.wish.narrowed(Books(home, purpose).rules(joint.cities), purpose=purpose)
    suppliers = [Supplier(s, city, joint.records[s], rules[s]) for s, city in sorted(joint.cities.items())]
    planned = in_cohorts if joint.wish.is_judged else plan
    found = planned(suppliers, {}, Costs(), job=joint.job, lost=joint.lost)
    return fewer(found, joint.dropped) if joint.dropped else found


def _cities(region: Region) -> dict[SourceId, str]:
    """Return each source's city; one that shares its name with the region or a hospital is told apart."""
    taken = {region.name, *region.cities}
    return {s: f"{city} (city)" if city in taken else city for s, city in sorted(region.cities.items())}


def _job(teacher: Learner, region: Region, purpose: str, *, seed: int) -> Job:
    asked = teacher.question(teacher.start(region.target.train, seed=seed), seed=seed)
    return Job(region.name, purpose, asked.family.length)


def _noised(home: Home, joint: Joint, teacher: Learner, region: Region) -> Joint:
    """Return the run with noise measured, where a source can only join with noise and the learner can learn from that.

    Statistics without noise are asked as ever; the others are asked a bounded question, which one record moves little.
    """
    if not isinstance(teacher, Ridge) or not joint.cities or joint.wish.is_judged:
        return joint
    try:
        # Noise is for those who require it: a wish for masks that cannot be met is refused, it spends nobody's privacy.
        plan = _plan(home, replace(joint, wish=AS_REQUIRED))
        if plan is None or not plan.refused:
            return joint
    except Refusal as refusal:
        if refusal.code != "E-PLAN-NOBODY":
            raise
    own, asked = region.target.train, teacher.asked()
    # Refused here rather than in the round: where nothing is left over, no bounded question can be asked.
    form = BoundedQuestion.around(asked, asked.of(own), own, ridge=teacher.model.spec.ridge).family
    span = Span(*form.bounds(max(joint.records.values())))
    return replace(joint, job=replace(joint.job, length=form.length, span=span, l2=form.l2))


def _is_measured(home: Home, joint: Joint) -> bool:
    """Whether noise is for what one record can do to the question that will be asked, and no value leaves the span."""
    job, teacher = joint.job, teacher_of(home, task=joint.task, model=joint.model)
    if job.span is None or not isinstance(teacher, Ridge):
        return job.span is None and job.l2 is None
    form = BoundedQuestion.form(teacher.asked())
    low, high = form.bounds(max(joint.records.values(), default=0))
    return (job.length, job.l2) == (form.length, form.l2) and job.span.low <= low and high <= job.span.high


def _plain(job: Job) -> dict[str, Any]:
    span = job.span and [job.span.low, job.span.high]
    return {"region": job.region, "purpose": job.purpose, "length": job.length, "span": span, "l2": job.l2}


def _absent(home: Home, chosen: Sequence[Valued], region: Region, purpose: str) -> dict[SourceId, Message]:
    """Return the chosen sources that cannot be planned with: gone from the mart, or nothing allows them the purpose."""
    known, found = requirements(home), {}
    for source in (line.source for line in chosen):
        if source not in region.cities:
            found[source] = Message(
                f"特征表中没有来源“{source}”的记录。", f"The feature mart has no records of {source}."
            )
            continue
        try:
            requirement_for(known, source, purpose)
        except Refusal as refusal:
            found[source] = refusal.reason
    return found


def _no_plan(entry: int) -> Refusal:
    return Refusal(
        "E-JOIN-ENTRY",
        Message(f"审计日志第 {entry} 条不是联合计划。", f"Entry {entry} of the audit log is no plan of a joint run."),
        Message("用 headwater audit show 查看编号。", "See the numbers with headwater audit show."),
    )


def _moved(entry: int) -> Refusal:
    return Refusal(
        "E-JOIN-MOVED",
        Message(
            f"审计日志第 {entry} 条的计划已不成立：此后来源要求、模型的特征或规划程序有变。",
            f"The plan of audit entry {entry} no longer stands: since then, what sources require, the model's features "
            "or the planner have changed.",
        ),
        Message("请重新触发，以重新规划。", "Trigger the run again, so that it is planned anew."),
    )
