"""Three years followed by what the library offers: regimes, a version for each, values, a policy, and exact growth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from headwater.bench.years_world import GRAM, TICKS, WARMUP, World
from headwater.evolution import (
    COUNTED,
    Budgets,
    Evidence,
    Growth,
    Policy,
    Standing,
    Turn,
)
from headwater.evolution.agreement import Sums
from headwater.evolution.belief import Belief
from headwater.evolution.regimes import Belonging, Regimes
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector
from headwater.valuation import METHODS, GramUtility

__all__ = ["Followed", "followed"]

TARGET = "own records"
_JUDGED = 13
"""Newest deliveries of the target's own by which a version's sources are valued."""
_FEWEST = 24
"""Records of its own below which nobody is valued."""
_RIDGE = 1.0
_COALITIONS = 32
"""At which every marginal is worked out, each week anew."""


@dataclass(eq=False)
class _Version:
    """What is known of the model of one regime.

    Parameters
    ----------
    growth : its statistic, changed by exact steps alone
    standings : of the sources that said something under the regime
    values : what each was worth in each week in which the regime held
    """

    growth: Growth
    standings: dict[SourceId, Standing] = field(default_factory=dict)
    values: dict[SourceId, list[float | None]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Followed:
    """The outcome of three years.

    Parameters
    ----------
    models : (TICKS, dim) coefficients, each made before its week
    actions : how often each action was taken
    steps : merges and subtractions of sources; what they left was in the end found equal to building anew, bit for bit
    changes : how often a source was seen to change, and how often it returned to a known regime
    """

    models: Vector
    actions: Mapping[str, int]
    steps: int
    changes: tuple[int, int]


def followed(world: World, *, policy: Policy, seed: int) -> Followed:
    """Follow a world; nothing is known of a week before it is over."""
    regimes, belief, versions = Regimes(GRAM), Belief(), dict[int, _Version]()
    models, actions, changes = [], Counter[str](), Counter[bool]()
    for week in range(WARMUP + TICKS - 1):
        said = sorted(world.said[week].items())
        found = {source: regimes.update(week, source, statistic) for source, statistic in said}
        changes.update(one.returned for one in found.values() if one.change)
        regimes.update(week, TARGET, GRAM.statistic(*world.own[week]))
        _bring_up(versions, regimes)
        shares = belief.believed(regimes, TARGET).shares
        likeliest = max(shares, key=lambda regime: shares[regime])
        worth = _values(regimes, likeliest, found, np.random.default_rng([seed, week]))
        actions.update(_decide(versions[likeliest], likeliest, found, worth, policy=policy))
        _bring_up(versions, regimes)
        if week >= WARMUP - 1:
            models.append(sum(share * _model(versions[regime], regimes) for regime, share in shares.items()))
    for version in versions.values():
        version.growth.proven()
    steps = sum(len(version.growth.certificates) for version in versions.values())
    return Followed(np.array(models), dict(actions), steps, (changes.total(), changes[True]))


def _bring_up(versions: dict[int, _Version], regimes: Regimes) -> None:
    """Bring every version to what was said under its regime by those that count, by exact steps alone.

    Who agrees with a regime by its statistic enters its version on probation; its values decide about it then.
    """
    for regime in set(versions) - set(regimes.known):
        del versions[regime]
    for regime in regimes.known:
        said = {s: regimes.said(s)[regime] for s in regimes.sources if regime in regimes.said(s)}
        if regime not in versions:
            versions[regime] = _Version(Growth.start(_nobody(), {}))
        version = versions[regime]
        for source in said:
            version.standings.setdefault(source, "member" if source == TARGET else "probation")
        wanted = {source: s for source, s in said.items() if version.standings[source] in COUNTED}
        version.growth = _grown(version.growth, wanted)


def _grown(growth: Growth, wanted: Mapping[SourceId, Statistic]) -> Growth:
    for source in sorted(set(growth.members) - set(wanted)):
        growth = growth.remove(source)
    for source, statistic in wanted.items():
        if source not in growth.members:
            growth = growth.add(source, statistic)
        elif growth.members[source] != statistic:
            growth = growth.refresh(source, statistic)
    return growth


def _nobody() -> Statistic:
    return GRAM.statistic(np.zeros((0, GRAM.dim)), np.zeros(0))


def _decide(
    version: _Version,
    regime: int,
    found: Mapping[SourceId, Belonging],
    worth: Mapping[SourceId, float],
    *,
    policy: Policy,
) -> Counter[str]:
    """Let the policy decide about everyone in the version, from all values so far and what the week's answers say."""
    evidence = {}
    for source in sorted(set(version.standings) - {TARGET}):
        values = version.values.setdefault(source, [])
        values.append(worth.get(source))
        belonging = found[source] if source in worth else None
        change = belonging.change if belonging else None
        turn = Turn(change.onset, regime if belonging.returned else None) if belonging and change else None
        evidence[source] = Evidence(tuple(values), change, turn=turn)
    plan = policy.plan(evidence, version.standings, budgets=Budgets())
    version.standings |= plan.standings
    return Counter(made.action for made in plan.decisions.values())


def _values(
    regimes: Regimes, regime: int, found: Mapping[SourceId, Belonging], rng: np.random.Generator
) -> dict[SourceId, float]:
    """Value what sources said under the regime on the target's newest own records, for those that spoke of it now."""
    newest = [one.statistic for one in regimes.deliveries(TARGET) if one.regime == regime][-_JUDGED:]
    if not newest or GRAM.records(judges := Statistic.total(newest)) < _FEWEST:
        return {}
    players = {
        source: regimes.said(source)[regime]
        for source in regimes.sources
        if source != TARGET and regime in regimes.said(source)
    }
    if not players:
        return {}
    base = regimes.said(TARGET)[regime].subtract(judges)
    game = GramUtility(target=base, sources=players, validation=judges, gram=GRAM, ridge=_RIDGE)
    worth = METHODS["mean_field"](game, game.players, rng=rng, budget=_COALITIONS * (len(players) + 1) + 2)
    return {source: worth.of(source) for source in players if source in found and _now(regimes, source) == regime}


def _now(regimes: Regimes, source: SourceId) -> int:
    """Return the regime that a source is in, which may have been joined with another since it was found."""
    return regimes.deliveries(source)[-1].regime


def _model(version: _Version, regimes: Regimes) -> Vector:
    return (Sums.of(GRAM, version.growth.total) + regimes.expected).coefficients(0.0)
