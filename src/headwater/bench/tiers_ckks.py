"""Encrypted sums: a source's bytes and time, exactness, the tier's addition, beside plain TenSEAL (A4, its part)."""

import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tenseal as ts

from headwater.adapters.tenseal import CKKS
from headwater.bench.figures import Figure, Size
from headwater.security import Pact, Span
from headwater.security.limbs import DEGREE, Limbs
from headwater.types import Fixed

__all__ = ["figures"]

_MEMBERS = 16
_MILLION = 1_000_000
_SHORT = Span(0, 2**16 - 1)
_BATCHED = 1_032_193
"""A prime of 20 bits, 1 more than a multiple of 2N: what exact sums of 16 values of 16 bits take in BFV."""


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return the part of A4 that is encrypted; no data set is needed."""
    length = _MILLION if size == "full" else 100_000
    kinds = np.random.default_rng(1).integers(0, 2**16, (4, length)).astype(np.uint64)
    ours, plain, exact_scheme = _ours(kinds), _plain(kinds), _bfv(kinds)
    scale = _MILLION / length
    megabytes, seconds = ours["bytes"] * scale / 1e6, ours["encrypt"] * scale
    return {
        "A4_ckks": Figure(
            value=megabytes,
            unit="MB for 1 M values",
            goal="<= 29 MB and <= .6 s to encrypt 1 M",
            holds=megabytes <= 29 and seconds <= 0.6 and ours["wrong"] == 0,
            baseline={f"tenseal_{key}": value for key, value in plain.items()}
            | {f"bfv_{key}": value for key, value in exact_scheme.items()},
            n=length,
            note=f"CPU seconds of one thread over {length} values of 16 bits, {_MEMBERS} members; the whole answer: "
            "range, limbs, encryption, bytes, digest, signature; encrypt: the encryption alone, scaled to 1 M in the "
            "goal; wide: a quarter as many values in the widest span; baseline: the same values by TenSEAL in floating "
            "point, and by BFV in 20 bits",
            also={**ours, "encrypt_1m": seconds, "wide": _wide(kinds[:, : length // 4])},
        )
    }


def _ours(kinds: Fixed, span: Span | None = _SHORT) -> dict[str, float]:
    """Play a round of the real protection; return its bytes, its times and how many sums are wrong."""
    length, names = kinds.shape[1], [f"m{place:02d}" for place in range(_MEMBERS)]
    session = CKKS.open(names, round_id="r", length=length, entropy=secrets.token_bytes, span=span)
    answers, takes, sent = [], [], 0
    for place, (name, words) in enumerate(session.server.told().items()):
        values = kinds[place % 4]
        start = time.process_time()
        message = session.members[name].answer(words, partial(np.asarray, values))
        answers.append(time.process_time() - start)
        takes.append(_cpu(partial(session.server.take, name, message)))
        sent = max(sent, len(message))
    opening = _cpu(session.server.close)
    expected = sum((kinds[place % 4] for place in range(_MEMBERS)), np.zeros(length, dtype=np.uint64))
    pact = Pact.of(CKKS.name, dict.fromkeys(names, b""), round_id="r", length=length, span=span)
    slots, context = Limbs.of(pact).cut(pact.span.lifted(kinds[0])), CKKS._public
    pieces = [slots[start : start + DEGREE // 2].tolist() for start in range(0, len(slots), DEGREE // 2)]
    encrypt = [_cpu(lambda: [ts.ckks_vector(context, piece, Limbs.of(pact).scale) for piece in pieces]) for _ in "abc"]
    return {
        "wrong": float(np.not_equal(np.asarray(session.server.total), expected).sum()),
        "bytes": float(sent),
        "encrypt": min(encrypt),
        "answer": min(answers),
        "take": min(takes),
        "open": opening,
        "slots_a_value": Limbs.of(pact).slots(length) / length,
    }


def _wide(kinds: Fixed) -> dict[str, float]:
    """Return the same of values in the widest span, where each takes several slots."""
    return _ours((kinds.view(np.int64) * 2**43 - 2**58).view(np.uint64), None)


def _plain(kinds: Fixed) -> dict[str, float]:
    """Return bytes, times and the largest error of TenSEAL as its own tutorial uses it."""
    context = ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=[50, 40], n_threads=1)
    rows = [(row / 2.0**16).tolist() for row in kinds]
    # Pieces of the length of one ciphertext, for longer vectors print a warning each.
    made = [[row[start : start + 2048] for start in range(0, len(row), 2048)] for row in rows]
    encrypted = [[ts.ckks_vector(context, piece, 2.0**40) for piece in row] for row in made]
    encrypt = min(_cpu(lambda: [ts.ckks_vector(context, piece, 2.0**40) for piece in made[0]]) for _ in range(3))
    written = sum(len(part.serialize()) for part in encrypted[0])
    summed = [one + two + three + four for one, two, three, four in zip(*encrypted, strict=True)]
    opened = np.array([number for part in summed for number in part.decrypt()])
    error = float(np.abs(opened - kinds.sum(axis=0) / 2.0**16).max())
    return {"encrypt": encrypt, "bytes": float(written), "error": error}


def _bfv(kinds: Fixed) -> dict[str, float]:
    """Return bytes and times of the exact scheme at the same parameters: twice the values in a ciphertext."""
    context = ts.context(ts.SCHEME_TYPE.BFV, DEGREE, plain_modulus=_BATCHED, coeff_mod_bit_sizes=[50, 40], n_threads=1)
    pieces = [kinds[0][start : start + DEGREE].tolist() for start in range(0, kinds.shape[1], DEGREE)]
    encrypt = min(_cpu(lambda: [ts.bfv_vector(context, piece) for piece in pieces]) for _ in range(3))
    return {"encrypt": encrypt, "bytes": float(sum(len(ts.bfv_vector(context, piece).serialize()) for piece in pieces))}


def _cpu(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start
