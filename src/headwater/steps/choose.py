"""Ask the sources, leave out who lies, value the others, choose among them: all of a valuation but its record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Answers, GramQuestion, InProcess, Remembering, Transport, Without, ask
from headwater.security import PROTECTIONS
from headwater.statistics import Statistic
from headwater.steps.told import choose_told
from headwater.types import SourceId
from headwater.valuation import Approach, Budget, GramUtility, Selection, Target, Valuation, cautious, select, value
from headwater.valuation.honesty import Finding, Report, Said, as_paid, examine
from headwater.valuation.judging import Rejudged, rejudged
from headwater.valuation.selection.problem import Problem
from headwater.valuation.utilities import PrivateSums, Retraining, Sums
from headwater.valuation.utilities.statistics import usable
from headwater.valuation.utility import require_sources

__all__ = ["PRIVATE", "Played", "approach_of", "play", "require_affordable"]

PRIVATE = "private_sums"
"""The method under which every source spends privacy, and is asked nothing that would cost more."""


@dataclass(frozen=True, eq=False)
class Played:
    """What asking, valuing and choosing found.

    Parameters
    ----------
    budget : with what every source costs in its unit
    rejudged : how far values move under other judging records; None where they are no Shapley values in R²
    findings : what was noticed about the sources' honesty, by source; none for most
    refused : sources that could not be used or are proved untrue
    r2 : R² on the judging records: ``target_only``, ``selected``, ``all``; what is not known is missing
    """

    valuation: Valuation
    selection: Selection
    budget: Budget
    rejudged: Rejudged | None
    findings: Mapping[SourceId, tuple[Finding, ...]]
    refused: Mapping[SourceId, HeadwaterError]
    r2: Mapping[str, float]


def approach_of(method: str, protection: str = "clear") -> Approach | str:
    """Return the approach of a method's name and the name of what hides the answers.

    ``PRIVATE`` stays a name: what it may spend is known when its sources are.

    Raises
    ------
    Refusal
        ``E-UNKNOWN-NAME``, and ``E-VALUE-PROTECTION`` where every source answers for itself: what hides vectors in a
        sum can hide nothing there
    """
    if method == PRIVATE:
        return PRIVATE
    approach, hidden = Approach.named(method), PROTECTIONS[protection]
    if isinstance(approach.utility, Sums):
        return replace(approach, utility=Sums(hidden))
    if hidden.reveals == "sum":
        raise Refusal(
            "E-VALUE-PROTECTION",
            Message(
                f"方法“{method}”需要各来源单独作答，保护方式“{protection}”只能隐藏求和中的回答。",
                f"The method {method!r} has every source answer for itself; {protection!r} hides answers in sums only.",
            ),
            Message("请改用方法 sums，或把保护方式设为 clear。", "Use the method sums, or the protection clear."),
        )
    return approach


def play(
    transport: Transport,
    target: Target,
    *,
    approach: Approach,
    budget: Budget,
    claims: Mapping[SourceId, pa.Table],
    seed: int,
) -> Played:
    """Value the sources and choose among them.

    Where every source answers with its own statistic, the answers are examined first and held against the claims that
    the bureau paid; who is proved untrue is left out before anything is valued. A set is chosen by R², whatever the
    utility that values. Where only sums leave, no source's own statistic may be asked for: the set is chosen by the
    values that the sources told, see ``choose_told``. Retraining takes the records from the bureau's own claims.

    Parameters
    ----------
    budget : in ``bytes`` without costs, each source costs what valuing it exchanged and one more such round
    claims : the bureau's own records of the sources, as far as it has them
    """
    if isinstance(approach.utility, Sums | PrivateSums):
        return _unseen(transport, target, approach, budget, seed)
    # No source is asked the same thing twice.
    federation, question = Remembering(transport), target.question
    answers = ask(federation, question)
    statistics, _ = usable(answers, question)
    report = _examined(statistics, question, target, claims, seed)
    require_sources(
        {source: None for source in statistics if source not in report.refused},
        {**answers.refused, **report.refused},
    )
    left = Without(federation, frozenset(report.refused))
    if isinstance(approach.utility, Retraining):
        # Whoever asks over a transport has no records but those that it paid for.
        at_hand = {source: claims[source] for source in left.source_ids if source in statistics and source in claims}
        valuation = _valued(InProcess.of(at_hand), target, approach, seed)
    else:
        valuation = _valued(left, target, approach, seed)
    return _seen(answers, target, valuation, budget, report, seed)


def _examined(
    statistics: Mapping[SourceId, Statistic],
    question: GramQuestion,
    target: Target,
    claims: Mapping[SourceId, pa.Table],
    seed: int,
) -> Report:
    """Return what the examination found, and where an answer is not the statistic of the claims that were paid."""
    found = examine({s: Said(part) for s, part in statistics.items()}, target, rng=np.random.default_rng(seed))
    paid = {s: as_paid(part, question, claims[s]) for s, part in statistics.items() if s in claims}
    return Report({source: (*paid.get(source, ()), *findings) for source, findings in found.findings.items()})


def _valued(federation: Transport, target: Target, approach: Approach, seed: int) -> Valuation:
    return value(federation, target, method=approach, feature_map="linear", rng=np.random.default_rng(seed))


def _seen(answers: Answers, target: Target, valuation: Valuation, budget: Budget, report: Report, seed: int) -> Played:
    """Choose where every source's statistic is known."""
    question, rng = target.question, np.random.default_rng(seed)
    statistics = {source: answers.statistics[source] for source in valuation.players}
    game = GramUtility(
        question.of(target.train), statistics, question.of(target.valid), question.family, ridge=target.ridge
    )
    budget = _priced(budget, valuation, question)
    by_r2 = valuation.concept == "shapley" and valuation.method.startswith("statistics/")
    moved = rejudged(game, target, valuation, rng=np.random.default_rng(seed)) if by_r2 else None
    selection = select(cautious(game), game.players, budget=budget, valuation=valuation, rng=rng)
    groups = [np.isin(game.players, group) for group in ((), selection.chosen, game.players)]
    r2 = dict(zip(("target_only", "selected", "all"), game.r2(np.stack(groups)).tolist(), strict=True))
    return Played(
        valuation=valuation,
        selection=selection if moved is None else replace(selection, reasons=_reasons(selection, valuation, moved)),
        budget=budget,
        rejudged=moved,
        findings={source: found for source, found in report.findings.items() if found},
        refused={**valuation.refused, **report.refused},
        r2=r2,
    )


def _reasons(selection: Selection, valuation: Valuation, moved: Rejudged) -> dict[SourceId, Message]:
    """Return the sentences, true to the wider interval too: an exact value has none of its own, and 0 may lie in it."""
    doubtful = (valuation.high < 0) & (moved.high >= 0)
    message = Message(
        "未选：按手头的验证记录价值低于 0；换一批验证记录，结论可能不同。",
        "Left out: on the judging records at hand its value is below 0; other records might say otherwise.",
    )
    told = {valuation.players[place]: message for place in np.flatnonzero(doubtful)}
    return {**selection.reasons, **told}


def _unseen(federation: Transport, target: Target, approach: Approach, budget: Budget, seed: int) -> Played:
    """Choose where only sums are known; with noise in them, what all sources give together is not told either."""
    valuation = _valued(federation, target, approach, seed)
    question = target.question
    budget = _priced(budget, valuation, question)
    selection = choose_told(valuation, budget, rng=np.random.default_rng(seed))
    own = question.family.solve(question.of(target.train), ridge=target.ridge)
    alone = question.family.r2(question.of(target.valid), own)
    r2 = {"target_only": alone}
    if isinstance(approach.utility, Sums):
        r2["all"] = alone + float(valuation.values.sum())
    return Played(valuation, selection, budget, None, {}, valuation.refused, r2)


def require_affordable(budget: Budget, sources: Sequence[SourceId], question: GramQuestion) -> None:
    """Refuse, before anybody is asked, a budget that no source fits into.

    What bytes a valuation takes is not known yet: each source costs no less than one round of the model to come.

    Raises
    ------
    Refusal
        ``E-VALUE-COST`` for a unit that is not known, ``E-SELECT-BUDGET``, ``E-SELECT-COST``
    """
    if budget.unit != "sources" and budget.costs is None:
        if budget.unit != "bytes":
            raise _no_costs(budget.unit)
        budget = replace(budget, costs=dict.fromkeys(sources, float(_again(question))))
    Problem.of(lambda coalitions: np.zeros(len(coalitions)), sources, budget)


def _again(question: GramQuestion) -> int:
    """Return the bytes of one round of the model to come."""
    return question.nbytes + question.family.length * 8


def _priced(budget: Budget, valuation: Valuation, question: GramQuestion) -> Budget:
    """Return the budget with costs: bytes are those of the valuation and of one round of the model to come."""
    if budget.unit == "sources" or budget.costs is not None:
        return budget
    if budget.unit == "bytes":
        again, exchange = _again(question), valuation.exchange
        return replace(budget, costs={source: float(exchange.bytes_of(source) + again) for source in valuation.players})
    raise _no_costs(budget.unit)


def _no_costs(unit: str) -> Refusal:
    return Refusal(
        "E-VALUE-COST",
        Message(f"不知道各来源的成本（{unit}）。", f"What sources cost in {unit} is not known."),
        Message(
            "请给出各来源的成本，或按 sources、bytes、epsilon、money 之一计。",
            "Give what every source costs, or count in sources, bytes, epsilon or money.",
        ),
    )
