"""Judge: what the sums of a joint run's cohorts say of their members, against the bureau's own records."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from headwater.adapters import features
from headwater.adapters.features import Region
from headwater.adapters.learners import Learner, Ridge
from headwater.aggregation import Aggregation, Group
from headwater.aggregation.planning.cohorts import partitions
from headwater.aggregation.robust import Beliefs, Revealed, Robust, judged
from headwater.errors import Message, Refusal
from headwater.types import SourceId
from headwater.valuation import Target

__all__ = ["heard", "incomplete", "judge", "require"]

_FEWEST = 20
"""Own records below which there is no line to hold sums against, nor a mean squared error to compare."""


def require(teacher: Learner, own: features.Target) -> Ridge:
    """Return the learner whose sums can be judged, or refuse.

    Raises
    ------
    Refusal
        ``E-JUDGE-MODEL`` for a learner without a Gram statistic, ``E-JUDGE-RECORDS`` for too few own records
    """
    if not isinstance(teacher, Ridge):
        raise _no_gram(teacher.model.spec.name)
    if min(own.train.num_rows, own.valid.num_rows) < _FEWEST:
        raise _too_few(own)
    return teacher


def judge(
    groups: tuple[Group, ...], summed: Aggregation, region: Region, teacher: Learner, *, beliefs: Beliefs, seed: int
) -> Robust:
    """Return what may be joined of the sums of cohorts, and who stands out.

    Parameters
    ----------
    groups : as ``in_cohorts`` planned them; nobody was lost
    beliefs : with the records of every source

    Raises
    ------
    Refusal
        what ``require`` refuses
    """
    own = region.target
    ridge = require(teacher, own)
    spec = ridge.model.spec
    sources = tuple(sorted({name for group in groups for name in group.members}))
    revealed = Revealed(
        sources,
        np.array([[source in group.members for source in sources] for group in groups]),
        tuple(summed.parts[group.strand].total for group in groups),
        np.array([beliefs.records[source] for source in sources], dtype=np.float64),
        partitions(groups),
        ridge.asked(),
    )
    target = Target(own.train, own.valid, spec.target, spec.features, ridge=spec.ridge)
    return judged(revealed, target, rng=np.random.default_rng(seed), beliefs=beliefs)


def heard(groups: tuple[Group, ...], summed: Aggregation) -> tuple[Group, ...]:
    """Return the groups as they were heard, of those who were left, as far as there is a sum of them."""
    return tuple(
        replace(
            group, mechanisms=tuple(one for one in group.mechanisms if one[0] in summed.parts[group.strand].sources)
        )
        for group in groups
        if group.strand in summed.parts
    )


def incomplete(lost: Mapping[SourceId, Message]) -> Refusal:
    """Return that a source was lost within the round: its sums were told in part, so none of others may follow."""
    named = ", ".join(sorted(lost))
    return Refusal(
        "E-COHORT-INCOMPLETE",
        Message(
            f"来源 {named} 中途失去；已公开的和数已记录，其余不再求和。",
            f"Sources {named} were lost half-way; the sums that were told are kept as revealed, and no more are asked.",
        ),
        Message(
            "同样的分组再求和，无论有无它，都会暴露它，会被拒绝；请由来源在要求中规定加噪后再汇聚。",
            "The same cohorts once more, with them or without, would lay them open and are refused: join with noise, "
            "as requirements say.",
        ),
    )


def _no_gram(model: str) -> Refusal:
    return Refusal(
        "E-JUDGE-MODEL",
        Message(
            f"模型“{model}”不由 Gram 统计量求解，其和数无从评判。",
            f"The model {model!r} is not solved from a Gram statistic: its sums cannot be judged.",
        ),
        Message(
            "请改用岭回归模型，如 stay_cost_ridge，或不选 judged。",
            "Take a ridge model, e.g. stay_cost_ridge, or do not wish for judged.",
        ),
    )


def _too_few(own: features.Target) -> Refusal:
    train, valid = own.train.num_rows, own.valid.num_rows
    return Refusal(
        "E-JUDGE-RECORDS",
        Message(
            f"医保局自有的训练记录 {train} 条、评判记录 {valid} 条，各须至少 {_FEWEST} 条。",
            f"The bureau has {train} records of its own to train with and {valid} to judge with, of {_FEWEST} each.",
        ),
        Message("请补充审核样本，或不选 judged。", "Audit more stays, or do not wish for judged."),
    )
