"""Join sources whose statistics nobody sees alone, and leave out those that would spoil the model."""

from collections.abc import Callable

import numpy as np

from headwater.aggregation.robust.beliefs import Beliefs
from headwater.aggregation.robust.finding import Robust
from headwater.aggregation.robust.judging import Revealed, judged
from headwater.errors import Message, Refusal
from headwater.federation import CohortSums, Transport
from headwater.federation.cohorts import Hiding
from headwater.federation.division import crossed, division
from headwater.security import MASKED
from headwater.types import SourceId
from headwater.valuation import Target

__all__ = ["robustly"]


def robustly(
    federation: Transport,
    target: Target,
    *,
    rng: np.random.Generator,
    protection: Hiding = MASKED,
    beliefs: Beliefs | None = None,
    recorded: Callable[[tuple[tuple[SourceId, ...], ...]], None] | None = None,
) -> Robust:
    """Join the sources of a federation under secure sums.

    Every sum is asked for once, in one round, by a plan that follows from the sources' names: the sums of a valuation
    by sums, and as many larger ones across them as the leverage allows. What is joined is made of these sums alone, so
    whoever behaves while it is tested and lies afterwards has no afterwards.

    Parameters
    ----------
    target : the target's own records; those that validate also judge
    rng : of the search for explanations
    protection : of the sums; one that shows each vector is refused
    beliefs : what is known of the sources beforehand
    recorded : told all cohorts before anybody is asked; may refuse, see ``CohortSums``

    Raises
    ------
    Refusal
        ``E-ROBUST-CLEAR``, ``E-COHORT-FEW``, ``E-COHORT-INCOMPLETE``, and what ``recorded`` refuses
    """
    if protection.reveals != "sum":
        raise _clear()
    # Summed as it is: a sum that no records can give is evidence here, not the end of the round.
    question = target.question
    sums = CohortSums(federation, question, protection, summed=question, recorded=recorded)
    masks = crossed(sums.sources)
    told = {**sums.sizes(), **(beliefs.records if beliefs else {})}
    revealed = Revealed(
        sums.sources,
        masks,
        sums.reveal(masks),
        np.array([told[source] for source in sums.sources], dtype=np.float64),
        tuple(len(partition) for partition in division(sums.sources)),
    )
    return judged(revealed, target, rng=rng, beliefs=beliefs)


def _clear() -> Refusal:
    return Refusal(
        "E-ROBUST-CLEAR",
        Message("该保护方式会显示每个来源的向量。", "This protection shows each source's vector."),
        Message("请改用只显示和数的保护方式，如 masked。", "Use one that reveals sums alone, e.g. masked."),
    )
