"""Differences: sums so chosen that, taken from each other, they leave one source. Each is refused before it is asked.

Two doors: sums of cohorts, which whoever values sources may ask for one after the other, and sums under encryption,
which a tier may hand to the holder of the key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from headwater.adapters.tenseal import Ckks, KeyHolder
from headwater.bench.tiers_stage import Stage
from headwater.bench.valuation_hospitals import FEATURES, made_up_table
from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.federation.cohorts import CohortSums
from headwater.types import Masks
from headwater.valuation import Target

__all__ = ["Differences", "of_cohorts", "under_encryption"]

_SOURCES = 24
_CHAIN = 3


@dataclass
class Differences:
    """What became of sums that would have told one source's vector.

    Parameters
    ----------
    won : those that were told, or refused with a trace left
    """

    refused: int = 0
    won: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many there were."""
        return self.refused + len(self.won)

    def judge(self, what: str, ask: Callable[[], object], state: Callable[[], bytes]) -> None:
        """Ask for the last of the sums; it must be refused, and nothing may have moved."""
        before = state()
        try:
            ask()
        except Refusal:
            if state() == before:
                self.refused += 1
                return
        self.won.append(what)


def of_cohorts(count: int, *, seed: int) -> Differences:
    """Try sums of 24 made-up sources: after some cohorts, one that their sum exceeds by one source."""
    rng, found = np.random.default_rng(seed), Differences()
    tables, target = _hospitals(rng)
    for _ in range(count):
        cohorts = CohortSums(InProcess.of(tables), target.question)
        revealed, last = _chain(rng)
        cohorts.reveal(revealed)
        found.judge("sums of cohorts", partial(cohorts.reveal, last), lambda held=cohorts: held.revealed.tobytes())  # type: ignore[misc]
    return found


def under_encryption(count: int, *, seed: int) -> Differences:
    """Let a tier have the sum of five members opened, and then that of four of them."""
    rng, found, holder = np.random.default_rng(seed), Differences(), KeyHolder("region")
    protection = Ckks(holder)
    for turn in range(count):
        vectors = {f"h{place}": rng.integers(0, 256, 4).astype(np.uint64) for place in range(5)}
        stage = Stage(protection, vectors, round_id=f"round {turn}", seed=seed).play()
        smaller = protection.server(stage.pact)
        for name, message in list(stage.said[0].items())[1:]:
            smaller.take(name, message)
        found.judge("sums under encryption", smaller.close, holder.to_bytes)
    return found


def _hospitals(rng: np.random.Generator) -> tuple[dict[str, pa.Table], Target]:
    beta = rng.normal(size=FEATURES)
    tables = {f"h{at:02d}": made_up_table(rng, beta, 20, f"h{at:02d}") for at in range(_SOURCES)}
    columns = [f"x{at}" for at in range(FEATURES)]
    return tables, Target.of(made_up_table(rng, beta, 60, "target"), label="label", columns=columns, rng=rng)


def _chain(rng: np.random.Generator) -> tuple[Masks, Masks]:
    """Return one to three disjoint cohorts, and a mask that their sum exceeds by one source."""
    order, parts = rng.permutation(_SOURCES), int(rng.integers(1, _CHAIN + 1))
    masks = np.zeros((parts, _SOURCES), dtype=np.bool_)
    for part in range(parts):
        masks[part, order[6 * part : 6 * (part + 1)]] = True
    last: Masks = np.zeros((1, _SOURCES), dtype=np.bool_)
    last[0, order[1 : 6 * parts]] = True
    return masks, last
