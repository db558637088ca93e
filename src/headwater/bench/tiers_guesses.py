"""Games of two worlds: who attacks guesses in which of them it is, and does no better than a coin, or wins.

Each game is played again where its guard is missing; there the same attack must win, or the game shows nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import binomtest
from torch import nn

from headwater.bench.tiers_stage import Stage
from headwater.security import CLEAR, MASKED, Span
from headwater.security.gaussian_noise import GaussianNoise
from headwater.security.masking.boxes import BOX, KEY, KEY_BYTES, opened
from headwater.security.masking.graph import thresholds
from headwater.security.masking.shamir import join
from headwater.security.masking.streams import add_masks, key_of, pair_stream, public_of, shared_secret, stream
from headwater.security.packing import in_ring, unpack
from headwater.security.shared_noise import SharedNoise
from headwater.types import Fixed, Vector

__all__ = ["Guesses", "collusion", "inversion", "weights"]

_CONFIDENCE = 0.999
_BYTE = Span(0, 255)
Rng = np.random.Generator
Whole = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Guesses:
    """How often who attacked was right, of two possibilities that were equally likely."""

    tried: int
    right: int

    @staticmethod
    def of(guessed: Sequence[bool]) -> "Guesses":
        """Count guesses."""
        return Guesses(len(guessed), sum(guessed))

    @property
    def advantage(self) -> float:
        """Twice what was right more often than half."""
        return 2 * self.right / self.tried - 1

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson bounds of the advantage, at 99.9 %."""
        found = binomtest(self.right, self.tried).proportion_ci(_CONFIDENCE)
        return 2 * float(found.low) - 1, 2 * float(found.high) - 1

    @property
    def is_chance(self) -> bool:
        """Whether a coin may have guessed so."""
        return self.interval[0] <= 0 <= self.interval[1]

    def to_dict(self) -> dict[str, object]:
        """Return the numbers for a report."""
        return {"advantage": self.advantage, "interval": list(self.interval), "guesses": self.tried}


# Collusion: which of two honest members sent which of two values.


def collusion(rounds: int, *, fewer: int | None, seed: int) -> Guesses:
    """Let the server and members of a masked round tell each other all; value by value they guess who of two sent it.

    Parameters
    ----------
    fewer : how many fewer than open a secret; None for as many as the numbers of the group let collude
    """
    rng, guessed = np.random.default_rng(seed), list[bool]()
    for turn in range(rounds):
        members = (6, 9, 16)[turn % 3]
        numbers = thresholds(members)
        colluding = numbers.colluding if fewer is None else numbers.shares - fewer
        worlds = rng.integers(0, 256, (2, 64))
        swapped = rng.integers(0, 2, 64).astype(bool)
        vectors = {f"h{place:02d}": rng.integers(0, 256, 64).astype(np.uint64) for place in range(members)}
        vectors["h00"] = np.where(swapped, worlds[1], worlds[0]).astype(np.uint64)
        vectors["h01"] = np.where(swapped, worlds[0], worlds[1]).astype(np.uint64)
        stage = Stage(MASKED, vectors, _BYTE, seed=int(rng.integers(2**31))).play()
        left = _unmasked(stage, "h00", stage.pact.group[members - colluding :])
        guessed += _nearer(left, worlds, 2**stage.pact.bits, rng, swapped)
    return Guesses.of(guessed)


def _nearer(left: Fixed, worlds: Whole, ring: int, rng: Rng, swapped: Bits) -> list[bool]:
    """Guess, value by value, the world that is nearer in the ring; a coin decides where both are as near."""
    apart = (left.astype(np.int64) - worlds) % ring
    near = np.minimum(apart, ring - apart)
    coin = rng.integers(0, 2, len(left)).astype(bool)
    guess = np.where(near[0] == near[1], coin, near[1] < near[0])
    return [bool(right) for right in guess == swapped]


def _unmasked(stage: Stage, victim: str, colluders: Sequence[str]) -> Fixed:
    """Take away from a vector every mask that the server and colluders know, after a whole round."""
    server, group = stage.server, stage.pact.group
    seen = unpack(stage.said[2][victim][64:], stage.pact.length, stage.pact.bits)
    rest = in_ring(np.asarray(seen, dtype=np.uint64), stage.pact.bits)
    seed = server._secrets()[victim]  # type: ignore[attr-defined]
    streams = [(False, stream(seed, b"headwater own mask", stage.pact.digest, victim.encode()))]
    publics = {name: stage.said[0][name][64 + KEY_BYTES :] for name in group}
    mine = (victim, publics[victim])
    keys = {name: stage.members[name]._key for name in colluders}  # type: ignore[attr-defined]
    shared = {name: shared_secret(key, victim, mine[1]) for name, key in keys.items()}
    own = _joined(stage, victim, colluders)
    if own is not None and public_of(key_of(own)) == mine[1]:
        shared |= {name: shared_secret(key_of(own), name, publics[name]) for name in group if name != victim}
    for name, secret in shared.items():
        streams.append((victim > name, pair_stream(secret, stage.pact.digest, mine, (name, publics[name]))))
    add_masks(rest, streams)
    return rest.astype(np.uint64) & np.uint64(2**stage.pact.bits - 1)


def _joined(stage: Stage, victim: str, colluders: Sequence[str]) -> bytes | None:
    """Join the shares that colluders hold of a victim's mask key, however few they are."""
    boxes = {name: stage.server._boxes(victim, name)[:BOX] for name in colluders}  # type: ignore[attr-defined]
    keys = {name: stage.members[name]._known.boxes[victim][KEY] for name in colluders}  # type: ignore[attr-defined]
    shares = [opened(keys[name], boxes[name]) or b"" for name in colluders]
    places = [stage.pact.group.index(name) + 1 for name in colluders]
    return join(places, [shares], KEY_BYTES)[0]


# Gradient inversion: which of two records a member learned from.

_FEATURES, _HIDDEN, _MEMBERS = 10, 16, 6
_GRADIENT = _FEATURES * _HIDDEN + 2 * _HIDDEN + 1
_CLIP = 128
"""Largest norm of a gradient, in steps of the grid: exchanging a record moves the vector by twice that at most."""


def inversion(rounds: int, *, seen: str, seed: int) -> Guesses:
    """Read a record out of what is seen of a network's gradient, and guess which of two it was.

    Parameters
    ----------
    seen : ``clear`` or ``masked``, a member's message; ``sum`` or ``noisy``, what a masked round reveals, without noise
        or with noise shared at ε = 1
    """
    rng = np.random.default_rng(seed)
    noise = SharedNoise.of(1.0, 1e-6, members=_MEMBERS, l2=2.0 * _CLIP, length=_GRADIENT) if seen == "noisy" else None
    protection = CLEAR if seen == "clear" else MASKED
    span = Span(-_CLIP, _CLIP) if noise is None else noise.widened(Span(-_CLIP, _CLIP))
    guessed = list[bool]()
    for _ in range(rounds):
        network = _network(int(rng.integers(2**31)))
        records = rng.normal(size=(2, _MEMBERS, _FEATURES))
        vectors = {f"h{place}": _gradient(network, record) for place, record in enumerate(records[0])}
        if noise is not None:
            vectors = {name: noise.noised(vector, rng.bytes) for name, vector in vectors.items()}
        stage = Stage(protection, vectors, span, seed=int(rng.integers(2**31))).play()
        for place, name in enumerate(stage.pact.group):
            read = _read(_seen(stage, name, seen))
            apart = [1 - abs(float(read @ record) / float(np.linalg.norm(record))) for record in records[:, place]]
            guessed.append(apart[0] < apart[1])
    return Guesses.of(guessed)


def _network(seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(_FEATURES, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1)).double()


def _gradient(network: nn.Sequential, record: Vector) -> Fixed:
    """Return the gradient of one record's squared error, clipped, on the grid; rounded towards 0, to stay clipped."""
    network.zero_grad()
    torch.autograd.backward((network(torch.from_numpy(record)) - 3.0).square().sum())
    flat = np.concatenate([np.asarray(part.grad).reshape(-1) for part in network.parameters()])
    return np.asarray(np.trunc(flat * (_CLIP / np.linalg.norm(flat))).astype(np.int64).view(np.uint64))


def _seen(stage: Stage, name: str, seen: str) -> Vector:
    """Return what an attacker takes for the gradient of a member."""
    if seen in ("sum", "noisy"):
        return np.asarray(stage.server.total).view(np.int64).astype(np.float64)
    bits = stage.pact.span.bits(1) if seen == "clear" else stage.pact.bits
    phase = 0 if seen == "clear" else 2
    lifted = unpack(stage.said[phase][name][64:], stage.pact.length, bits).astype(np.float64)
    return np.asarray(lifted + stage.pact.span.low)


def _read(gradient: Vector) -> Vector:
    """Return the direction of the record: gradients of a neuron's weights are the record times that of its bias."""
    weights = gradient[: _FEATURES * _HIDDEN].reshape(_HIDDEN, _FEATURES)
    bias = gradient[_FEATURES * _HIDDEN :][:_HIDDEN]
    record = bias @ weights
    return np.asarray(record / max(float(np.linalg.norm(record)), 1e-12))


# Weights by ε: which of two members allows more.

Guess: TypeAlias = Callable[[Mapping[str, Fixed], Mapping[str, Fixed], Sequence[GaussianNoise], Rng], bool]
"""From known vectors, vectors with noise, and the noise of even and odd members: whether even ones spend less."""

_TIGHT, _LOOSE = 0.5, 8.0
_KNOWN = 64


def weights(rounds: int, *, how: str, seed: int) -> Guesses:
    """Guess which of two members spends the smaller ε, where all vectors are known but for the noise.

    Parameters
    ----------
    how : ``ours``: masked, every vector counts once, bounds are those of the least ε that anybody may require;
        ``clear``: the same, in clear; ``weighted``: each vector is weighted by how little noise its ε takes
    """
    rng, guessed = np.random.default_rng(seed), list[bool]()
    noises = [GaussianNoise.of(epsilon, 1e-6, l2=20.0, length=_KNOWN) for epsilon in (_TIGHT, _LOOSE)]
    plays: Mapping[str, Guess] = {
        "ours": partial(_messages, True),
        "clear": partial(_messages, False),
        "weighted": _weighted,
    }
    for _ in range(rounds):
        is_first_tight = bool(rng.integers(2))
        order = noises if is_first_tight else noises[::-1]
        known = {f"h{place}": rng.integers(0, 256, _KNOWN).astype(np.uint64) for place in range(_MEMBERS)}
        said = {name: order[at % 2].noised(vector, rng.bytes) for at, (name, vector) in enumerate(known.items())}
        guessed.append(plays[how](known, said, order, rng) == is_first_tight)
    return Guesses.of(guessed)


def _messages(
    masked: bool, known: Mapping[str, Fixed], said: Mapping[str, Fixed], order: Sequence[GaussianNoise], rng: Rng
) -> bool:
    """Guess that whose message is further from its vector has more noise."""
    widest = max(order, key=lambda noise: noise.deviation).widened(_BYTE)
    stage = Stage(MASKED if masked else CLEAR, said, widest, seed=int(rng.integers(2**31))).play()
    bits = stage.pact.bits if masked else stage.pact.span.bits(1)
    far = []
    for name in ("h0", "h1"):
        seen = unpack(stage.said[2 if masked else 0][name][64:], _KNOWN, bits).astype(np.float64) + widest.low
        far.append(float(np.square(seen - known[name].astype(np.float64)).sum()))
    return far[0] > far[1]


def _weighted(known: Mapping[str, Fixed], said: Mapping[str, Fixed], order: Sequence[GaussianNoise], rng: Rng) -> bool:
    """Guess the order of weights under which the known vectors give nearly the sum that was told."""
    factors = [round((max(noise.deviation for noise in order) / noise.deviation) ** 2) for noise in order]
    told = _summed(said, factors)
    off = [float(np.square(told - _summed(known, tried)).sum()) for tried in (sorted(factors), sorted(factors)[::-1])]
    return off[0] < off[1]


def _summed(vectors: Mapping[str, Fixed], factors: Sequence[int]) -> Vector:
    signed = [vector.view(np.int64).astype(np.float64) for vector in vectors.values()]
    return np.asarray(sum(factors[at % 2] * vector for at, vector in enumerate(signed)))
