"""Who says what in a round: Ed25519 signatures over pact, phase, sender and body, so that nothing can be said again."""

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Entropy", "Identity", "digest_of", "framed", "signed_by", "unframed"]

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns that many unpredictable bytes, e.g. ``secrets.token_bytes``."""

_CONTEXT = b"headwater round message"


class Identity:
    """A member's long-lived signing key; its public half stands in every pact."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, *subject: bytes) -> bytes:
        """Return 64 bytes that only this identity can give for these parts."""
        return self._key.sign(framed(_CONTEXT, *subject))


def signed_by(public: bytes, signature: bytes, *subject: bytes) -> bool:
    """Return whether the holder of ``public`` signed these parts."""
    return _verified(public, signature, framed(_CONTEXT, *subject))


@lru_cache(maxsize=1 << 13)
def _verified(public: bytes, signature: bytes, text: bytes) -> bool:
    # Where all members of a group live in one process, each would verify what the others have verified already.
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def framed(*parts: bytes) -> bytes:
    """Join parts so that no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def unframed(data: bytes) -> list[bytes]:
    """Return the parts that ``framed`` joined.

    Raises
    ------
    ValueError
        for bytes that ``framed`` never gives
    """
    parts, place = [], 0
    while place < len(data):
        start = place + 8
        place = start + int.from_bytes(data[place:start], "big")
        if place > len(data) or start > len(data):
            raise ValueError("cut short")
        parts.append(data[start:place])
    return parts


def digest_of(parts: Iterable[bytes]) -> bytes:
    """Return the SHA-256 of framed parts."""
    return hashlib.sha256(framed(*parts)).digest()
