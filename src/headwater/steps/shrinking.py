"""Shrinking: a version without what left, its equality with retraining, and what that cannot undo."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb

from headwater.adapters import features, lake, mlflow, versions, withdrawals
from headwater.adapters.features import Region
from headwater.adapters.held import Held
from headwater.adapters.home import Home
from headwater.adapters.learners import Learner, predict
from headwater.adapters.versions import Line, Member
from headwater.adapters.withdrawals import Withdrawal
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.evolution import BASE, Certificate, Growth
from headwater.steps.leaving import Leaving, shrunk
from headwater.steps.refit import Refit, refit
from headwater.steps.register import Candidate, digest_of, score
from headwater.types import Vector

__all__ = ["Shrinking"]


@dataclass(frozen=True, eq=False)
class Shrinking:
    """A version that serves, and what is left of it.

    Parameters
    ----------
    before, after : parameters
    growth : the statistic behind ``after``, with a certificate of every step from that behind ``before``
    refit : the same from the records of all who remain; None where one of them may not be asked any more
    unasked : why, then
    covered : the withdrawals that it is without and ``before`` was not
    seconds : what subtracting and solving took
    """

    serving: mlflow.Version
    line: Line
    members: tuple[Member, ...]
    held: Held
    learner: Learner
    region: Region
    before: Vector
    after: Vector
    growth: Growth
    refit: Refit | None
    unasked: Message | None
    covered: tuple[Withdrawal, ...]
    seconds: float

    @staticmethod
    def of(
        home: Home, connection: duckdb.DuckDBPyConnection, serving: mlflow.Version, line: Line, kept: Held
    ) -> "Shrinking":
        """Subtract all that withdrew since the version was read, and hold the outcome against retraining.

        Raises
        ------
        HeadwaterError
            ``E-WITHDRAW-INEXACT`` where they differ, ``E-LAKE-SNAPSHOT`` where the records are kept no more
        """
        lake.require_kept(connection, line.snapshot)
        model = mlflow.load(home, serving)
        learner = model.learner
        # Looked up once: who is entered from now on is neither subtracted here nor missed among those who remain.
        now = withdrawals.left(connection, region=line.region, snapshot=line.snapshot)
        left = now.beyond(versions.left_out(connection, line))
        stays = features.stays_of(connection, learner, region=line.region, snapshot=line.snapshot)
        started = time.perf_counter()
        growth = shrunk(kept, left, stays, learner=learner, parameters=model.parameters)
        after = learner.resolve(model.parameters, growth.total)
        seconds = time.perf_counter() - started
        members = tuple(
            one for one in versions.members(connection, line.name, line.version) if one.source in growth.members
        )
        region = features.read_again(connection, learner, line, only=set(growth.members), left=now)
        again, unasked = None, None
        try:
            again = refit(home, region, learner, model.parameters, replace(kept, growth=growth))
        except Refusal as refusal:
            unasked = refusal.reason
        if again is not None and again.total != growth.total:
            raise _inexact(line.label)
        entries = {one.entry for one in versions.gone_from(connection, line) if one.entry <= now.entry}
        covered = tuple(withdrawals.by_entry(connection, entries))
        told = (model.parameters, after, growth, again, unasked, covered, seconds)
        return Shrinking(serving, line, members, kept, learner, region, *told)

    @property
    def steps(self) -> tuple[Certificate, ...]:
        """What was done to the statistic; nothing where nothing of what withdrew was in it."""
        return self.growth.certificates[len(self.held.growth.certificates) :]

    @property
    def exact(self) -> tuple[int, int]:
        """How many parameters are exact without what left, of how many."""
        return self.learner.share(self.after)

    @property
    def body(self) -> str | None:
        """The version whose body the rest of the parameters is from; None where all are exact."""
        exact, every = self.exact
        return (self.line.body or self.line.label) if exact < every else None

    def certificate(self) -> dict[str, Any]:
        """Return digests before and after, and what they were held against."""
        exact, every = self.exact
        return {
            "version_before": self.line.label,
            "entries": [{"entry": one.entry, **Leaving.of(one).told, "stays": len(one.stays)} for one in self.covered],
            "steps": [asdict(one) for one in self.steps],
            "total_before": self.held.growth.total.digest,
            "total_after": self.growth.total.digest,
            "rebuilt_from_members": self.growth.proven(),
            "retrained_from_records": self.refit.total.digest if self.refit else None,
            "retrained_records": self.refit.records if self.refit else None,
            "retrained_bytes": self.refit.bytes if self.refit else None,
            "not_undone": [asdict(one) for one in self.not_undone],
            "not_retrained": asdict(self.unasked) if self.unasked else None,
            "equals_retraining": self.refit is not None and self.refit.total == self.growth.total,
            "snapshot": self.line.snapshot,
            "parameters_before": digest_of(self.before),
            "parameters_after": digest_of(self.after),
            "exact_parameters": exact,
            "parameters": every,
            "scheduled_body": self.body,
            "bytes_from_others": 0,
            "seconds": round(self.seconds, 6),
        }

    @property
    def not_undone(self) -> tuple[Message, ...]:
        """What subtracting does not undo."""
        due = () if self.body is None else (_scheduled(self.body, *self.exact),)
        return (_OLDER, _PREDICTED, *due)

    def candidate(self, certificate: Mapping[str, object], *, entry: int) -> Candidate:
        """Return the version that takes the place of the one that serves."""
        test, target = self.region.target.test, self.learner.model.spec.target
        own = self.learner.exact(self.before).of(self.region.target.train)
        alone = self.learner.resolve(self.before, own)
        scores = {
            name: score(predict(self.learner, parameters, test), test, target=target)
            for name, parameters in (("ours", self.after), ("target_only", alone))
        }
        return Candidate(
            step="withdraw",
            region=self.region,
            learner=self.learner,
            parameters=self.after,
            alone=alone,
            scores=scores,
            sources={one.source: {**asdict(one), "months": list(one.months)} for one in self.members},
            protection={one.source: one.protection or "clear" for one in self.members},
            month=self.held.until,
            parent=self.serving,
            tags={"headwater.withdrawal_entry": str(entry)},
            artifacts={"withdrawal.json": dict(certificate)},
            growth=self.growth,
            months={
                source: months
                for source, months in self.held.months.items()
                if source == BASE or source in self.growth.members
            },
            weight=self.held.weight,
            body=self.body,
        )


_OLDER = Message(
    "以往版本仍含其影响，仅为审计保留，不能再现役；其在册统计量已删除。湖中快照与保险库里的原始数据按各自期限保存。",
    "Older versions were made with them. They are kept for audit and may not serve; what was held of their statistics "
    "is deleted. Snapshots of the lake and delivered bytes are kept as long as their own terms say.",
)
_PREDICTED = Message(
    "此前作出的预测与据此作出的决定不撤回。",
    "Predictions made before, and what was decided by them, are not taken back.",
)


def _scheduled(body: str, exact: int, every: int) -> Message:
    return Message(
        f"只有末层 {exact} / {every} 个参数精确不含其记录；网络主体来自 {body}，学习时含其记录，待重新训练："
        "headwater model retrain。",
        f"Only the last layer, {exact} of {every} parameters, is exactly without them; the body is that of {body}, "
        "learned while they were in, until it is trained anew: headwater model retrain.",
    )


def _inexact(label: str) -> HeadwaterError:
    return HeadwaterError(
        "E-WITHDRAW-INEXACT",
        Message(
            f"从 {label} 减去后与不含其记录的重新训练不一致，未登记新版本。",
            f"{label} without them differs from retraining without them; no version was registered.",
        ),
        Message("请保留数据并报告此问题。", "Keep the data and report this."),
    )
