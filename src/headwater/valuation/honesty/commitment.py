"""A source binds itself to what it will say before it knows what it will be asked."""

import hashlib
import hmac

__all__ = ["SALT_BYTES", "commit", "opens"]

SALT_BYTES = 16
"""Fewest bytes of a salt: a statistic of few records could be guessed from its bare hash."""

_PURPOSE = b"headwater/commitment/1"


def commit(message: bytes, salt: bytes) -> bytes:
    """Return the 32 bytes that bind to ``message`` and tell nothing of it while ``salt`` is secret.

    The salt's length is hashed too, so that no byte can move between salt and message.

    >>> opens(commit(b"42", bytes(16)), b"42", bytes(16)), opens(commit(b"42", bytes(16)), b"43", bytes(16))
    (True, False)
    """
    if len(salt) < SALT_BYTES:
        raise ValueError(f"a salt has at least {SALT_BYTES} bytes")
    return hashlib.sha256(_PURPOSE + len(salt).to_bytes(8, "little") + salt + message).digest()


def opens(commitment: bytes, message: bytes, salt: bytes) -> bool:
    """Tell whether ``message`` and ``salt`` are what the commitment was made of."""
    return len(salt) >= SALT_BYTES and hmac.compare_digest(commitment, commit(message, salt))
