"""One seeded day on which sources and a tier node are lost: what the sum must be, and what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import MASKED, Identity, Pact, Server, Span
from headwater.security.masking.graph import thresholds
from headwater.types import Fixed

__all__ = ["Outcome", "schedule"]

_PHASES = 5
_NEVER = _PHASES
_LENGTH = 5
_SPAN = Span(-1_000, 1_000)
_SIZES = (4, 5, 6, 7)
_TIERS = (5, 6)


@dataclass(frozen=True)
class Outcome:
    """What a day gave.

    Parameters
    ----------
    wrong : sums, of a tier or of the region, that are not their survivors'
    needless : rounds that ended though no more members were lost than a group of their size bears
    region : whether the region has its sum
    tiers, ended : tiers with a sum, and tiers that ended safely
    """

    wrong: int
    needless: int
    region: bool
    tiers: int
    ended: int


@dataclass(frozen=True)
class _Group:
    """A group on that day: vectors of its members, and before which phase each is lost."""

    vectors: Mapping[str, Fixed]
    lost: Mapping[str, int]
    span: Span

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those whose vector arrives."""
        return tuple(name for name, phase in self.lost.items() if phase > 2)

    @property
    def bears_it(self) -> bool:
        """Whether a group of this size bears its losses."""
        return sum(phase < _PHASES for phase in self.lost.values()) <= thresholds(len(self.vectors)).lost


def schedule(seed: int) -> Outcome:
    """Play one day: tiers of sources, then the region over the tiers, all under masks.

    On even days a third of every tier is lost at most, which every tier bears; on odd days a third of all sources, who
    may be of one tier.
    """
    rng = np.random.default_rng([11, seed])
    tiers = [_drawn(rng, f"t{place}") for place in range(int(rng.choice(_TIERS)))]
    tiers = _thinned(rng, tiers, evenly=seed % 2 == 0)
    node = int(rng.integers(len(tiers)))
    moment = int(rng.integers(2 * _PHASES))
    gone_early = moment < _PHASES and bool(rng.random() < 0.5)
    wrong, needless, speaking = 0, 0, {}
    for place, tier in enumerate(tiers):
        dies = moment if place == node and moment < _PHASES else None
        if dies is not None and gone_early:
            continue
        total, sound = _play(tier, rng, comes_back=dies)
        wrong += not sound
        needless += total is None and tier.bears_it
        if total is not None and sound:
            speaking[f"t{place}"] = total
    present = {
        f"t{place}": speaking.get(f"t{place}", np.zeros(_LENGTH, dtype=np.uint64)) for place in range(len(tiers))
    }
    lost = {name: _NEVER if name in speaking else 0 for name in present}
    if moment >= _PHASES and f"t{node}" in speaking:
        lost[f"t{node}"] = moment - _PHASES
    region = _Group(present, lost, _SPAN.times(1, max(_SIZES)))
    total, sound = _play(region, rng, comes_back=None)
    wrong += not sound
    needless += total is None and region.bears_it
    return Outcome(wrong, needless, total is not None, len(speaking), len(tiers) - len(speaking) - gone_early)


def _drawn(rng: np.random.Generator, tier: str) -> _Group:
    names = [f"{tier}-h{place}" for place in range(int(rng.choice(_SIZES)))]
    vectors = {name: rng.integers(_SPAN.low, _SPAN.high, _LENGTH, endpoint=True).view(np.uint64) for name in names}
    return _Group(vectors, dict.fromkeys(names, _NEVER), _SPAN)


def _thinned(rng: np.random.Generator, tiers: Sequence[_Group], *, evenly: bool) -> list[_Group]:
    """Lose at most a third of all sources, of each tier or wherever they are, each before a phase of its own."""
    names = [list(tier.vectors) for tier in tiers]
    pools = names if evenly else [[name for tier in names for name in tier]]
    chosen = [str(name) for pool in pools for name in rng.permutation(pool)[: _lost_of(rng, len(pool), evenly)]]
    phases = {name: int(rng.integers(_PHASES)) for name in chosen}
    return [_Group(tier.vectors, {name: phases.get(name, _NEVER) for name in tier.lost}, tier.span) for tier in tiers]


def _lost_of(rng: np.random.Generator, members: int, evenly: bool) -> int:
    return int(rng.integers((thresholds(members).lost if evenly else members // 3) + 1))


def _play(group: _Group, rng: np.random.Generator, *, comes_back: int | None) -> tuple[Fixed | None, bool]:
    """Return the sum, if there is one, and whether it is its survivors' sum as the schedule has them.

    ``comes_back`` is the phase in whose middle the server falls and is started again from its kept state.
    """
    entropy = seeded_entropy(int(rng.integers(2**31)))
    identities = {name: Identity(entropy(32)) for name in group.vectors}
    publics = {name: identity.public for name, identity in identities.items()}
    pact = Pact.of("masked", publics, round_id=str(rng.integers(2**31)), length=_LENGTH, span=group.span)
    members = {name: MASKED.member(pact, name, identity, entropy) for name, identity in identities.items()}
    server: Server = MASKED.server(pact)
    for phase in range(_PHASES):
        told = server.told()
        falls = int(rng.integers(len(told))) if comes_back == phase and told else None
        for turn, (name, words) in enumerate(told.items()):
            if turn == falls:
                server = MASKED.server(pact, state=server.to_bytes())
            if group.lost[name] <= phase:
                continue
            if rng.random() < 0.1:
                members[name] = MASKED.member(pact, name, identities[name], entropy, state=members[name].to_bytes())
            for _ in range(1 + (rng.random() < 0.2)):
                server.take(name, members[name].answer(words, partial(group.vectors.__getitem__, name)))
        try:
            server.close()
        except Refusal:
            return None, server.total is None and not server.told()
    plain = sum((group.vectors[name] for name in group.survivors), np.zeros(_LENGTH, dtype=np.uint64))
    total = server.total
    sound = total is not None and server.survivors == tuple(sorted(group.survivors)) and np.array_equal(total, plain)
    return total, bool(sound)
