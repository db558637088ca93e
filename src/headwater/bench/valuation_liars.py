"""V7: liars among honest but unusual hospitals, with every check, and with no claims to hold them against.

One source of each federation tries every attack at every strength; federations are made up and, where their records
are at hand, real. See ``valuation_hospitals`` for them and ``valuation_attacks`` for what is tried.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headwater.bench.figures import Figure, Size
from headwater.bench.valuation_attacks import ATTACKS
from headwater.bench.valuation_hospitals import FEATURES, MADE_UP, drawn, kinds, made_up_table
from headwater.federation import CohortSums, InProcess
from headwater.types import Masks, SourceId
from headwater.valuation import GramUtility, Target, exact
from headwater.valuation.averaging import Told, own_values
from headwater.valuation.honesty import Report, Said, bounded, examine, recomputed

__all__ = ["figures"]

_SEEDS = {"ci": {MADE_UP: 1, "heart_disease": 1}, "full": {MADE_UP: 12, "heart_disease": 6, "sih": 6, "desynpuf": 6}}
_STRENGTHS = {"ci": (1.0,), "full": (0.02, 0.1, 0.25, 1.0)}
_TARGET = 300
_SCALAR_SOURCES, _COHORT = 20, 5


@dataclass(frozen=True)
class _Trial:
    """One liar: whether it was proved, whether anything spoke without claims, ranks gained, and honest ones accused."""

    proved: bool
    without_claims: bool
    gained: int
    honest: int
    accused: int
    suspected: int


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Let every attack at every strength be tried by one source of each federation."""
    started = time.perf_counter()
    tried: dict[tuple[str, str], list[_Trial]] = defaultdict(list)
    present = [kind for kind in kinds(data) if kind in _SEEDS[size]]
    for kind in present:
        for seed in range(_SEEDS[size][kind]):
            for attack, trial in _all(kind, seed, size, data):
                tried[kind, attack].append(trial)
    trials = [trial for found in tried.values() for trial in found]
    scalars = [_scalar(seed) for seed in range(_SEEDS[size][MADE_UP])]
    whole = _summary(trials)
    holds = whole["ranks_gained_undetected"] <= 1 and whole["detected"] >= 0.99 and whole["honest_refused"] <= 0.01
    return {
        "V7": Figure(
            value=whole["detected"],
            unit="share of lies proved",
            goal="no more than 1 rank gained undetected; >= .99 detected; <= .01 of the honest flagged",
            holds=holds and all(found["caught"] == 1 and found["honest_flagged"] == 0 for found in scalars),
            baseline={"without_claims": whole["detected_without_claims"]},
            n=len(trials),
            note=(
                f"{', '.join(present)}; {len(ATTACKS)} attacks, strengths {_STRENGTHS[size]}, all claims at hand; "
                "baseline: any finding, suspicions included, if the bureau holds no claims"
            ),
            also={
                **whole,
                "kinds": {kind: _summary(_joined(tried, kind)) for kind in present},
                "attacks": {
                    attack: {kind: _summary(found) for (kind, name), found in tried.items() if name == attack}
                    for attack in ATTACKS
                },
                "scalars": {key: float(np.mean([found[key] for found in scalars])) for key in scalars[0]},
                "seconds": time.perf_counter() - started,
            },
        )
    }


def _joined(tried: Mapping[tuple[str, str], list[_Trial]], kind: str) -> list[_Trial]:
    return [trial for (name, _), found in tried.items() if name == kind for trial in found]


def _all(kind: str, seed: int, size: Size, data: Path | None) -> Iterator[tuple[str, _Trial]]:
    """Yield the trials of one federation with the names of their attacks."""
    rng = np.random.default_rng(seed)
    federation = drawn(kind, rng, data)
    honest = {source: federation.says(source) for source in federation.held}
    ranks = _ranks(federation.target, honest)
    liar = _liar(ranks, seed, rng)
    for name, attack in ATTACKS.items():
        for strength in _STRENGTHS[size]:
            said = honest | {liar: attack(rng, federation, liar, strength).says(liar)}
            yield name, _judged(said, liar, ranks[liar], federation.target, rng)


def _judged(said: dict[SourceId, Said], liar: SourceId, rank: int, target: Target, rng: np.random.Generator) -> _Trial:
    """Examine everyone; ``rank`` is the liar's by its true records."""
    report = examine(said, target, rng=rng)
    honest = [source for source in said if source != liar]
    return _Trial(
        proved=liar in report.refused,
        without_claims=_speaks(report, liar),
        gained=rank - _ranks(target, said)[liar],
        honest=len(honest),
        accused=sum(source in report.refused for source in honest),
        suspected=sum(source in report.suspected for source in honest),
    )


def _summary(trials: list[_Trial]) -> dict[str, float]:
    """Return what happened, with claims and without; the honest are those beside the liars."""
    unseen = [trial.gained for trial in trials if not trial.without_claims]
    honest = sum(trial.honest for trial in trials)
    return {
        "detected": float(np.mean([trial.proved for trial in trials])),
        "ranks_gained_undetected": max((trial.gained for trial in trials if not trial.proved), default=0),
        "ranks_gained_unchecked": max(trial.gained for trial in trials),
        "honest_refused": sum(trial.accused for trial in trials) / honest,
        "honest_suspected": sum(trial.suspected for trial in trials) / honest,
        "detected_without_claims": float(np.mean([trial.without_claims for trial in trials])),
        "ranks_gained_undetected_without_claims": max(unseen, default=0),
    }


def _liar(ranks: dict[SourceId, int], seed: int, rng: np.random.Generator) -> SourceId:
    """Return a source of the lower half, which has something to gain; every fourth time the large one."""
    if "large" in ranks and seed % 4 == 3:
        return "large"
    return str(rng.choice([source for source, rank in sorted(ranks.items()) if 2 * rank > len(ranks)]))


def _ranks(target: Target, said: dict[SourceId, Said]) -> dict[SourceId, int]:
    question = target.question
    game = GramUtility(
        question.of(target.train), {source: part.statistic for source, part in said.items()},
        question.of(target.valid), question.family, target.ridge,
    )  # fmt: skip
    valuation = exact(game, game.players, rng=np.random.default_rng(0))
    return {source: rank for rank, source in enumerate(valuation.ranked(), 1)}


def _speaks(report: Report, liar: SourceId) -> bool:
    return any(finding.check != "claims" for finding in report.findings[liar])


def _scalar(seed: int) -> dict[str, float]:
    """Let the last of twenty sources give itself twice the best value, where only sums and one number each are sent."""
    rng = np.random.default_rng(seed)
    beta = rng.normal(size=FEATURES) / np.sqrt(FEATURES)
    names = [f"h{at:02d}" for at in range(_SCALAR_SOURCES)]
    tables = {name: made_up_table(rng, beta, int(rng.integers(40, 400)), name) for name in names}
    target = Target.of(
        made_up_table(rng, beta, _TARGET, "target"),
        label="label",
        columns=[f"x{at}" for at in range(FEATURES)],
        rng=rng,
    )
    question = target.question
    cohorts = CohortSums(InProcess.of(tables), question)
    masks: Masks = np.zeros((_SCALAR_SOURCES // _COHORT, _SCALAR_SOURCES), dtype=np.bool_)
    masks[rng.permutation(_SCALAR_SOURCES) % len(masks), np.arange(_SCALAR_SOURCES)] = True
    sums = cohorts.reveal(masks)
    told = Told(
        question.family, target.ridge, sums, tuple(masks.sum(axis=1).tolist()), (tuple(range(len(masks))),),
        question.of(target.train), question.of(target.valid), seed,
    )  # fmt: skip
    values = own_values(cohorts, told, masks)
    lied = values.copy()
    liar = int(np.argmin(values))
    lied[liar] = 2 * values.max()
    found = [
        recomputed(lied[at], told, question.of(tables[name]), tuple(np.flatnonzero(masks[:, at]).tolist()))
        for at, name in enumerate(names)
    ]
    return {
        "caught": float(bool(found[liar])),
        "honest_flagged": float(sum(map(bool, found)) - bool(found[liar])),
        "largest_lie_unbounded": float(lied[liar] / values.max()),
        "largest_lie_bounded": float(bounded(lied)[liar] / values.max()),
    }
