r"""Shamir's t-of-n shares of byte strings over the field of 2**31 - 1, whole groups at once.

A secret is cut into limbs of 30 bits; each limb is the constant of its own random polynomial of degree t - 1. Any t
shares give it back, fewer are independent of it.

Source: A. Shamir, How to share a secret, Communications of the ACM 22 (1979).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headwater.security.identity import Entropy

__all__ = ["join", "share_bytes", "split"]

_PRIME = 2**31 - 1
_LIMB = 30

Field = npt.NDArray[np.int64]


def share_bytes(secret_bytes: int) -> int:
    """Return the bytes of one share of a secret of so many bytes."""
    return 4 * -(-8 * secret_bytes // _LIMB)


def split(secret: bytes, places: Sequence[int], threshold: int, entropy: Entropy) -> list[bytes]:
    """Return one share for each of the distinct places 1 … 2**31 - 2, any ``threshold`` of which give the secret."""
    limbs = _limbs(secret)
    at = np.array(places, dtype=np.int64)[:, None]
    if threshold < 1 or threshold > len(places) or len(set(places)) != len(places) or at.min() < 1:
        raise ValueError("places must be distinct and positive, and at least as many as the threshold")
    coefficients = _uniform((threshold - 1, len(limbs)), entropy)
    value = np.zeros((len(places), len(limbs)), dtype=np.int64)
    for coefficient in coefficients:
        value = (value + coefficient) * at % _PRIME
    shares = ((value + limbs) % _PRIME).astype("<u4")
    return [share.tobytes() for share in shares]


def join(places: Sequence[int], shares: Sequence[Sequence[bytes]], secret_bytes: int) -> list[bytes | None]:
    """Return the secrets whose shares were dealt at ``places``: one row of shares a secret.

    None stands for a row that no secret of so many bytes gives.
    """
    data = b"".join(share for row in shares for share in row)
    values = np.frombuffer(data, dtype="<u4").astype(np.int64).reshape(len(shares), len(places), -1)
    weights = _at_zero(places)
    limbs = (values % _PRIME * weights[None, :, None] % _PRIME).sum(axis=1) % _PRIME
    return [_secret(row, secret_bytes) for row in limbs.tolist()]


def _at_zero(places: Sequence[int]) -> Field:
    """Return the weights by which values at the places give the value at zero."""
    weights = []
    for place in places:
        above, below = 1, 1
        for other in places:
            if other != place:
                above, below = above * other % _PRIME, below * (other - place) % _PRIME
        weights.append(above * pow(below, -1, _PRIME) % _PRIME)
    return np.array(weights, dtype=np.int64)


def _limbs(secret: bytes) -> Field:
    number = int.from_bytes(secret, "little")
    count = share_bytes(len(secret)) // 4
    return np.array([number >> (_LIMB * place) & (2**_LIMB - 1) for place in range(count)], dtype=np.int64)


def _secret(limbs: list[int], secret_bytes: int) -> bytes | None:
    number = sum(limb << (_LIMB * place) for place, limb in enumerate(limbs))
    if max(limbs) >> _LIMB or number >> (8 * secret_bytes):
        return None
    return number.to_bytes(secret_bytes, "little")


def _uniform(shape: tuple[int, int], entropy: Entropy) -> Field:
    """Return elements of the field, each equally likely: draws that are not elements are drawn again."""
    drawn = _draw(shape[0] * shape[1], entropy)
    while (again := np.flatnonzero(drawn == _PRIME)).size:
        drawn[again] = _draw(again.size, entropy)
    return drawn.reshape(shape)


def _draw(count: int, entropy: Entropy) -> Field:
    return np.frombuffer(entropy(4 * count), dtype="<u4").astype(np.int64) & _PRIME
