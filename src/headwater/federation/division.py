r"""Into which cohorts sources are divided, and how exposed that leaves each of them.

The division is drawn from the names of the sources and from nothing else. So the same sources are divided alike by
whatever is asked of them, whenever and with whatever seed, and who asks again is told no new sum.

The leverage of a source in what was revealed is the squared norm of its unit vector projected on the span of all
revealed masks: 1 when some combination of the sums is that source alone.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import count
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.types import Masks, SourceId, Vector

__all__ = [
    "FLOOR",
    "LIMIT",
    "crossed",
    "division",
    "leverage",
    "named_cohorts",
    "require_hiding",
    "require_two_cohorts",
]

FLOOR = 5
"""Fewest members of a cohort, and fewest sources outside it. It may be raised, never lowered."""

LIMIT = 0.5
"""Largest leverage of a source. It may be lowered, never raised."""

_PARTITIONS = 2
_SMALL_COHORTS = 40
_LARGE_COHORTS = 20
_ATTEMPTS = 50
_CROSSINGS = 60
"""How many larger cohorts are tried in vain before the leverage counts as used up."""
_APART = 1e-6
"""A cohort whose mask is no further than this from the span of the others tells nothing new."""


def leverage(masks: Masks) -> Vector:
    """Return the (sources,) squared norms of unit vectors projected on the span of (m, sources) masks.

    >>> leverage(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=bool)).round(3)
    array([0.667, 0.667, 0.667, 0.   ])
    """
    return np.asarray(np.square(_basis(masks)).sum(axis=0))


def division(sources: Sequence[SourceId], *, partitions: int = _PARTITIONS, floor: int = FLOOR) -> tuple[Masks, ...]:
    """Return partitions of the sources, each (cohorts, sources) masks that hold every source once.

    There are as many as ``LIMIT`` allows and at most ``partitions``; fewer are the first of more. Up to 40 cohorts of
    one are as small as allowed, because small coalitions decide; the rest share at most 20 larger ones.

    Raises
    ------
    Refusal
        ``E-COHORT-FEW`` for fewer sources than two cohorts need, ``E-COHORT-LIMITS`` for a floor too low
    """
    require_hiding(floor, LIMIT)
    require_two_cohorts(len(sources), floor)
    orders = _orders(sources)
    chosen = [_partition(next(orders), floor)]
    for order in orders:
        if len(chosen) >= partitions:
            break
        another = _partition(order, floor)
        if leverage(np.concatenate([*chosen, another])).max() <= LIMIT:
            chosen.append(another)
    return tuple(chosen)


def crossed(sources: Sequence[SourceId]) -> Masks:
    """Return (cohorts, sources) masks: those of ``division``, and larger ones across them while ``LIMIT`` allows it.

    The partitions come first. The larger ones hold a third of the sources, drawn by digest, mostly those of small
    leverage; they tell sources apart that two partitions do not.

    Raises
    ------
    Refusal
        ``E-COHORT-FEW`` for fewer sources than two cohorts need
    """
    masks = np.concatenate(division(sources))
    basis = _basis(masks)
    members = min(max(2 * FLOOR, len(sources) // 3), len(sources) - FLOOR)
    in_vain = 0
    for draws in _draws(sources):
        if in_vain == _CROSSINGS:
            break
        exposed = np.square(basis).sum(axis=0)
        # The keys of a weighted draw without replacement (Efraimidis and Spirakis 2006).
        order = np.argsort(draws ** (1.0 / np.maximum(LIMIT - exposed, 1e-6)))
        another = np.isin(np.arange(len(sources)), order[-members:])
        beside = another - basis.T @ (basis @ another)
        length = float(np.linalg.norm(beside))
        if length > _APART and (exposed + np.square(beside / length)).max() <= LIMIT:
            masks, basis = np.vstack([masks, another]), np.vstack([basis, beside / length])
        else:
            in_vain += 1
    return masks


def named_cohorts(sources: Sequence[SourceId], masks: Masks) -> tuple[tuple[SourceId, ...], ...]:
    """Return the members of each of (cohorts, sources) masks.

    >>> named_cohorts(["a", "b", "c"], np.array([[1, 0, 1]], dtype=bool))
    (('a', 'c'),)
    """
    return tuple(tuple(sources[place] for place in np.flatnonzero(mask).tolist()) for mask in masks)


def require_hiding(floor: int, limit: float) -> None:
    """Refuse with ``E-COHORT-LIMITS`` cohorts so small, or a leverage so large, that a source does not stay hidden."""
    if isinstance(floor, Integral) and floor >= FLOOR and isinstance(limit, Real) and 0 < limit <= LIMIT:
        return
    raise Refusal(
        "E-COHORT-LIMITS",
        Message(
            f"群组至少 {floor!r} 个来源、杠杆值上限 {limit!r}，不足以隐藏单个来源。",
            f"Cohorts of at least {floor!r} sources and a leverage up to {limit!r} do not hide a source.",
        ),
        Message(
            f"请给出不小于 {FLOOR} 的整数 floor，以及大于 0、不超过 {LIMIT} 的 limit。",
            f"Give a whole floor of {FLOOR} or more, and a limit above 0 and up to {LIMIT}.",
        ),
    )


def require_two_cohorts(sources: int, floor: int) -> None:
    """Refuse with ``E-COHORT-FEW`` fewer sources than two cohorts need."""
    if sources >= 2 * floor:
        return
    raise Refusal(
        "E-COHORT-FEW",
        Message(
            f"只有 {sources} 个可用来源，求和至少需要 {2 * floor} 个。", f"{sources} usable sources of {2 * floor}."
        ),
        Message("请登记更多来源，或用别的方法。", "Register more sources, or use another method."),
    )


def _basis(masks: Masks) -> Vector:
    """Return (rank, sources) orthonormal rows that span (m, sources) masks."""
    if not len(masks):
        return np.zeros((0, masks.shape[1]))
    _, scale, rows = np.linalg.svd(masks.astype(np.float64), full_matrices=False)
    return np.asarray(rows[scale > scale[0] * 1e-10])


def _draws(sources: Sequence[SourceId]) -> Iterator[Vector]:
    """Yield (sources,) numbers in (0, 1) by a digest of all names and each name."""
    everyone = b"crossed" + json.dumps(sorted(sources)).encode()
    for attempt in count():
        key = hashlib.sha256(everyone + attempt.to_bytes(4, "big")).digest()
        digests = (hashlib.sha256(key + source.encode()).digest()[:6] for source in sources)
        yield np.array([(int.from_bytes(digest, "big") + 1) / (2**48 + 1) for digest in digests])


def _orders(sources: Sequence[SourceId]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield orders of arrival by a digest of all names and each name: the same in any release of any library."""
    everyone = json.dumps(sorted(sources)).encode()
    for attempt in range(_ATTEMPTS):
        key = hashlib.sha256(everyone + attempt.to_bytes(2, "big")).digest()
        digests = [hashlib.sha256(key + source.encode()).digest() for source in sources]
        yield np.array(sorted(range(len(sources)), key=digests.__getitem__), dtype=np.int64)


def _partition(order: npt.NDArray[np.int64], floor: int) -> Masks:
    sources = len(order)
    small = min(sources // floor, _SMALL_COHORTS)
    left = sources - small * floor
    large = min(_LARGE_COHORTS, left // floor)
    sizes = np.full(small, floor) if large else _even(sources, small)
    if large:
        sizes = np.concatenate([sizes, _even(left, large)])
    cohort = np.empty(sources, dtype=np.int64)
    cohort[order] = np.repeat(np.arange(len(sizes)), sizes)
    return np.asarray(cohort[None, :] == np.arange(len(sizes))[:, None], dtype=np.bool_)


def _even(total: int, parts: int) -> npt.NDArray[np.int64]:
    return np.array([total // parts + (place < total % parts) for place in range(parts)])
