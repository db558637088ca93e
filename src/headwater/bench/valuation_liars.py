"""V7: liars among honest but unusual hospitals, with every check, and with no claims to hold them against.

Records are drawn (synthetic): nine hospitals, among them a small one, one of rare cases, one of shifted cases, one
whose costs hardly vary, and a large one of which the audit opens a part of the blocks only.
"""

import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.bench.figures import Figure, Size
from headwater.bench.valuation_attacks import ATTACKS, KEY, Federation
from headwater.federation import CohortSums, InProcess
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import GramUtility, Target, exact
from headwater.valuation.averaging import Told, own_values
from headwater.valuation.honesty import Report, Said, bounded, examine, recomputed

__all__ = ["figures"]

_SEEDS = {"ci": 1, "full": 12}
_STRENGTHS = {"ci": (0.25, 1.0), "full": (0.02, 0.1, 0.25, 1.0)}
_FEATURES = 6
_ORDINARY = (80, 150, 200, 300)
_SMALL, _UNUSUAL, _LARGE = 25, 200, 1500
_TARGET = 300
_KINDS = {"ordinary": (0, 1, 1.5), "rare": (0, 0.4, 1.5), "shifted": (1.5, 1, 1.5), "uniform": (0, 1, 0.7)}
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
    started, trials = time.perf_counter(), defaultdict(list)
    for seed in range(_SEEDS[size]):
        rng = np.random.default_rng(seed)
        federation = _federation(rng)
        honest = {source: federation.says(source) for source in federation.held}
        before = _ranks(federation.target, honest)
        liar = _liar(before, seed, rng)
        for name, attack in ATTACKS.items():
            for strength in _STRENGTHS[size]:
                trials[name].append(_tried(attack(rng, federation, liar, strength), liar, honest, rng))
    everything = [trial for found in trials.values() for trial in found]
    detected = float(np.mean([trial.proved for trial in everything]))
    gained = max((trial.gained for trial in everything if not trial.proved), default=0)
    accused = sum(trial.accused for trial in everything) / sum(trial.honest for trial in everything)
    scalars = [_scalar(seed) for seed in range(_SEEDS[size])]
    holds = gained <= 1 and detected >= 0.99 and accused <= 0.01 and all(found["caught"] for found in scalars)
    return {
        "V7": Figure(
            value=detected,
            unit="share of lies proved",
            goal="no more than 1 rank gained undetected; >= .99 detected; <= .01 of the honest flagged",
            holds=holds and all(found["honest_flagged"] == 0 for found in scalars),
            baseline={"without_claims": float(np.mean([trial.without_claims for trial in everything]))},
            n=len(everything),
            note=(
                f"synthetic records; {len(ATTACKS)} attacks, strengths {_STRENGTHS[size]}, all claims at hand; "
                "baseline: any finding, suspicions included, if the bureau holds no claims"
            ),
            also={
                "ranks_gained_undetected": gained,
                "honest_flagged": accused,
                "honest_suspected": sum(trial.suspected for trial in everything)
                / sum(trial.honest for trial in everything),
                "attacks": {name: _summary(found) for name, found in trials.items()},
                "scalars": {key: float(np.mean([found[key] for found in scalars])) for key in scalars[0]},
                "seconds": time.perf_counter() - started,
            },
        )
    }


def _summary(trials: list[_Trial]) -> dict[str, float]:
    unseen = [trial.gained for trial in trials if not trial.without_claims]
    return {
        "detected": float(np.mean([trial.proved for trial in trials])),
        "ranks_gained_undetected": max((trial.gained for trial in trials if not trial.proved), default=0),
        "ranks_gained_unchecked": max(trial.gained for trial in trials),
        "detected_without_claims": float(np.mean([trial.without_claims for trial in trials])),
        "ranks_gained_undetected_without_claims": max(unseen, default=0),
    }


def _federation(rng: np.random.Generator) -> Federation:
    beta = rng.normal(size=_FEATURES) / np.sqrt(_FEATURES)
    tables = {f"h{at}": _table(rng, beta, count, f"h{at}") for at, count in enumerate(_ORDINARY)}
    tables |= {
        "large": _table(rng, beta, _LARGE, "large"),
        "rare": _table(rng, beta, _UNUSUAL, "rare", "rare"),
        "shifted": _table(rng, beta, _UNUSUAL, "shifted", "shifted"),
        "small": _table(rng, beta, _SMALL, "small"),
        "uniform": _table(rng, beta, _UNUSUAL, "uniform", "uniform"),
    }
    own = _table(rng, beta, _TARGET, "target")
    columns = [f"x{at}" for at in range(_FEATURES)]
    target = Target.of(own, label="label", columns=columns, rng=rng)
    return Federation(target, tables, tables)


def _table(rng: np.random.Generator, beta: Vector, count: int, name: str, kind: str = "ordinary") -> pa.Table:
    """Return records of a kind of hospital in ``_KINDS``: shift and spread of its cases, noise of its labels."""
    shift, spread, noise = _KINDS[kind]
    x = shift * rng.normal(size=_FEATURES) / np.sqrt(_FEATURES) + spread * rng.normal(size=(count, _FEATURES))
    columns: dict[str, object] = {f"x{at}": x[:, at] for at in range(_FEATURES)}
    columns |= {"label": x @ beta + noise * rng.normal(size=count)}
    return pa.table(columns | {KEY: [f"{name}-{at}" for at in range(count)], "month": np.arange(count) % 3})


def _liar(ranks: dict[SourceId, int], seed: int, rng: np.random.Generator) -> SourceId:
    """Return a source of the lower half, which has something to gain; every fourth time the large one."""
    if seed % 4 == 3:
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


def _tried(federation: Federation, liar: SourceId, truth: dict[SourceId, Said], rng: np.random.Generator) -> _Trial:
    said = truth | {liar: federation.says(liar)}
    report = examine(said, federation.target, rng=rng)
    honest = [source for source in said if source != liar]
    return _Trial(
        proved=liar in report.refused,
        without_claims=_speaks(report, liar),
        gained=_ranks(federation.target, truth)[liar] - _ranks(federation.target, said)[liar],
        honest=len(honest),
        accused=sum(source in report.refused for source in honest),
        suspected=sum(source in report.suspected for source in honest),
    )


def _speaks(report: Report, liar: SourceId) -> bool:
    return any(finding.check != "claims" for finding in report.findings[liar])


def _scalar(seed: int) -> dict[str, float]:
    """Let the last of twenty sources give itself twice the best value, where only sums and one number each are sent."""
    rng = np.random.default_rng(seed)
    beta = rng.normal(size=_FEATURES) / np.sqrt(_FEATURES)
    names = [f"h{at:02d}" for at in range(_SCALAR_SOURCES)]
    tables = {name: _table(rng, beta, int(rng.integers(40, 400)), name) for name in names}
    target = Target.of(
        _table(rng, beta, _TARGET, "target"), label="label", columns=[f"x{at}" for at in range(_FEATURES)], rng=rng
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
