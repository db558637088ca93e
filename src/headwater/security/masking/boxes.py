"""Shares on their way: each sealed in a box of its own, for one holder, under a key that serves this box alone.

A holder opens a share by giving the key of its box. The box was signed by its owner, so whoever has both knows what was
dealt, and nobody can say that it was dealt something else: no second key opens a box that was sealed honestly.
"""

from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.security.desk import Occasion
from headwater.security.identity import digest_of
from headwater.security.masking.graph import neighbourhoods, thresholds
from headwater.security.masking.shamir import share_bytes
from headwater.security.masking.streams import derived
from headwater.security.pact import Pact

__all__ = [
    "BOX",
    "BOX_KEY",
    "KEY",
    "KEY_BYTES",
    "SEED",
    "SHARE",
    "around",
    "box_keys",
    "boxes_for",
    "occasion",
    "opened",
    "sealed_box",
]

KEY_BYTES = 32
SHARE = share_bytes(KEY_BYTES)
BOX = SHARE + 16
BOX_KEY = 16
KEY, SEED = 0, 1
"""Which secret a box holds a share of: the key of its owner's masks with others, or the seed of its own mask."""

_NONCE = bytes(12)
"""Each key seals one box: it is derived from pact, kind, sender and receiver."""


def occasion(pact: Pact, phase: int, present: Sequence[tuple[str, ...]]) -> Occasion:
    """Return what a body is said to: the lists of those present, as far as all who answer were told them."""
    told = present[: min(phase, 3)]
    return Occasion(pact, phase, digest_of(pact.bitmap(names) for names in told) if told else b"")


def around(pact: Pact, present: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return a member's neighbours and itself, sorted, given who gave keys: the holders of its shares, in order."""
    return neighbourhoods(pact.digest, present, thresholds(len(pact.group)).degree)[name]


def box_keys(agreed: bytes, pact: Pact, sender: str, receiver: str) -> tuple[bytes, bytes]:
    """Return the keys of both boxes, ``KEY`` and ``SEED``, of what their two ends agreed on."""
    keys = derived(agreed, b"headwater shares", pact.digest, sender.encode(), receiver.encode(), size=2 * BOX_KEY)
    return keys[:BOX_KEY], keys[BOX_KEY:]


def sealed_box(key: bytes, share: bytes) -> bytes:
    """Return the box that holds a share."""
    return AESGCM(key).encrypt(_NONCE, share, None)


def opened(key: bytes, box: bytes) -> bytes | None:
    """Return the share; None if it is not this box's key."""
    try:
        return AESGCM(key).decrypt(_NONCE, box, None)
    except InvalidTag:
        return None


def boxes_for(holders: Sequence[str], data: bytes) -> Mapping[str, tuple[bytes, bytes]]:
    """Return by name the two boxes that stand in ``data`` one after the other; ValueError for another length."""
    if len(data) != 2 * BOX * len(holders):
        raise ValueError("another number of boxes")
    pairs = (data[start : start + 2 * BOX] for start in range(0, len(data), 2 * BOX))
    return {name: (pair[:BOX], pair[BOX:]) for name, pair in zip(holders, pairs, strict=True)}
