"""Reproduce: a version computed again from snapshot, sources, plan and seed, and held against what was registered."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headwater.adapters import features, held, knowledge, lake, mlflow, postgres, versions, withdrawals
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import predict
from headwater.adapters.served import Served
from headwater.adapters.versions import Line
from headwater.errors import Message, Refusal
from headwater.steps.champion import require_open
from headwater.steps.join import join
from headwater.steps.joint import recall
from headwater.steps.minded import require_minded
from headwater.steps.refit import refit
from headwater.steps.register import score
from headwater.steps.retrain import train
from headwater.types import Vector

__all__ = ["TOLERANCE", "Reproduced", "reproduce"]

TOLERANCE = 1e-9
"""By which parameters and figures may differ."""


@dataclass(frozen=True)
class Reproduced:
    """What came of computing a version again.

    Parameters
    ----------
    data_is_same : whether the snapshot still has, row by row, what was read then
    scores : largest difference of the figures on the held-out stays
    parameters : largest difference of those that were computed again; None where none could be
    computed, every : how many parameters were computed again, of how many
    is_bitwise : whether these agree in every bit
    how : what was done
    why_not : what could not be computed again and why
    """

    label: str
    step: str
    data_is_same: bool
    scores: float
    parameters: float | None
    computed: int
    every: int
    is_bitwise: bool
    how: Message
    why_not: tuple[Message, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that was computed again is as it was."""
        return self.data_is_same and self.scores <= TOLERANCE and (self.parameters or 0.0) <= TOLERANCE

    @property
    def is_whole(self) -> bool:
        """Whether all was computed again, and holds."""
        return self.holds and self.computed == self.every

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        return {**asdict(self), "holds": self.holds, "is_whole": self.is_whole}


@dataclass(frozen=True, eq=False)
class _Case:
    """One version to be computed again: what the lake tells of it, its own definition, the data as it was."""

    home: Home
    run: Run
    line: Line
    model: Served
    region: Region
    is_noisy: bool


def reproduce(home: Home, *, run: Run, name: str, number: int) -> Reproduced:
    """Compute a version again and compare.

    Statistics are asked for again and solved; rounds in clear are played again with their seed; a joint run is played
    again along the plan that the audit log has, under its masks. Noise is drawn anew whenever it is drawn, and would
    be paid for again: what is noisy is not computed, only its data and figures are.

    Raises
    ------
    Refusal
        ``E-VERSION-UNKNOWN``, ``E-VERSION-WITHDRAWN``, ``E-WITHDRAWAL-LOST``, ``E-LAKE-SNAPSHOT``
    """
    version = mlflow.numbered(home, name, number)
    model = mlflow.load(home, version)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        line = versions.line(connection, name, number)
        require_minded(home, connection)
        require_open(connection, line)
        lake.require_kept(connection, line.snapshot)
        left = withdrawals.left(connection, region=line.region, snapshot=line.snapshot)
        region = features.read_again(connection, model.learner, line, only=set(line.sources), left=left)
        is_noisy = any(one.epsilon for one in versions.members(connection, name, number))
    case = _Case(home, run, line, model, region, is_noisy)
    found, how, why_not = _again(case)
    kept, every = model.parameters, model.parameters.size
    computed = 0 if found is None else _computed(case)
    difference = None if found is None else float(np.abs(found - kept).max())
    return Reproduced(
        line.label,
        line.step,
        line.digest == region.data.digest,
        _scores(case),
        difference,
        computed,
        every,
        found is not None and found.tobytes() == kept.tobytes(),
        how,
        why_not,
    )


def _again(case: _Case) -> tuple[Vector | None, Message, tuple[Message, ...]]:
    """Return the parameters once more, how they came about, and what could not be had."""
    try:
        if case.line.step == "retrain":
            return train(case.home, case.region, case.model.learner, seed=_seed(case)).parameters, _TRAINED, ()
        if case.line.is_held:
            return _refitted(case)
        return _joined(case)
    except Refusal as refusal:
        return None, _NOT, (refusal.reason,)


def _refitted(case: _Case) -> tuple[Vector | None, Message, tuple[Message, ...]]:
    with postgres.connect(case.home) as connection:
        kept = held.load(connection, case.line.name, case.line.version)
    if kept is None:
        return None, _NOT, (_PURGED,)
    learner, parameters = case.model.learner, case.model.parameters
    total = refit(case.home, case.region, learner, parameters, kept).total
    exact, every = learner.share(parameters)
    older = () if exact == every else (_body(case.line, every - exact),)
    return learner.resolve(parameters, total), _REFIT, older


def _joined(case: _Case) -> tuple[Vector | None, Message, tuple[Message, ...]]:
    line = case.line
    if line.entry is None:
        return None, _NOT, (_NO_PLAN,)
    if case.is_noisy:
        return None, _NOT, (_NOISE,)
    joint = recall(case.home, line.entry)
    if joint.dropped and case.model.learner.rounds > 1:
        return None, _NOT, (_lost(", ".join(sorted(joint.dropped))),)
    again = Run(f"{case.run.name} reproduces {line.label}", case.run.at, _seed(case), line.region)
    found = join(case.home, run=again, entry=line.entry, progress=lambda _: None)
    if found.sources != tuple(sorted(line.sources)):
        return None, _NOT, (_lost(", ".join(sorted(set(line.sources) - set(found.sources)))),)
    return found.parameters, _JOINED, ()


def _computed(case: _Case) -> int:
    learner, parameters = case.model.learner, case.model.parameters
    exact, every = learner.share(parameters)
    return exact if case.line.is_held and case.line.step != "retrain" else every


def _scores(case: _Case) -> float:
    """Return by how much the figures of the registered parameters differ from those that are told."""
    test, learner = case.region.target.test, case.model.learner
    found = score(predict(learner, case.model.parameters, test), test, target=learner.model.spec.target)
    told = ((found.r2_log, case.line.r2_log), (found.mae, case.line.mae))
    return max((abs(again - then) for again, then in told if then is not None), default=0.0)


def _seed(case: _Case) -> int:
    return case.line.seed if case.line.seed is not None else case.run.seed


def _body(line: Line, count: int) -> Message:
    body = line.body or line.label
    return Message(
        f"网络主体的 {count} 个参数来自 {body}，按其本身重现。",
        f"{count} parameters of the body are those of {body}: reproduce that one.",
    )


def _lost(names: str) -> Message:
    return Message(
        f"掩码下的汇聚中途失去了成员（{names}），其已给出的部分无法再得。",
        f"Members were lost in a join under masks ({names}): what they had given cannot be had again.",
    )


_TRAINED = Message("各轮按种子重训，末段精确求解。", "The rounds were played again by their seed, the rest was solved.")
_REFIT = Message("由各成员的记录重新求得统计量并求解。", "The statistics were computed again from records, and solved.")
_JOINED = Message(
    "按审计日志中的计划在原有保护下重新汇聚。", "Joined again by the plan in the audit log, as protected."
)
_NOT = Message("未能重算参数，只核对数据与指标。", "Parameters were not computed again: data and figures alone were.")
_NOISE = Message(
    "含噪声：噪声每次重新抽取，重算既得不到同样的数，又要再付 ε。",
    "There is noise in it: drawn anew every time, it would give other numbers and cost ε again.",
)
_PURGED = Message("其在册统计量已随退出删除。", "What was held of its members went with a withdrawal.")
_NO_PLAN = Message("登记时尚未保存计划条目。", "It was registered without the entry of its plan.")
