"""Masks: AES-128 in counter mode, keyed by HKDF-SHA256 over an X25519 secret or a member's own seed."""

from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from headwater.security.identity import Entropy, framed
from headwater.security.packing import Ring
from headwater.security.refusals import bad_key

__all__ = ["add_masks", "derived", "expanding", "key_of", "pair_stream", "public_of", "shared_secret", "stream"]

_CHUNK = 1 << 17
"""Bytes masked at once: streams and values stay in the cache."""


def key_of(secret: bytes) -> X25519PrivateKey:
    """Return the X25519 key of 32 secret bytes; making one costs as much as an agreement, so keep it."""
    return X25519PrivateKey.from_private_bytes(secret)


def public_of(key: X25519PrivateKey) -> bytes:
    """Return the 32 bytes that others need."""
    return key.public_key().public_bytes_raw()


def shared_secret(key: X25519PrivateKey, name: str, public: bytes) -> bytes:
    """Return what both ends of a pair know; a public key that gives no secret is refused under its owner's name."""
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise bad_key(name) from error


def derived(secret: bytes, *info: bytes, size: int = 16) -> bytes:
    """Return ``size`` bytes of keys for one use of a secret; no part of them tells of another."""
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=framed(*info)).derive(secret)


def stream(secret: bytes, *info: bytes) -> CipherContext:
    """Return the stream of a secret for one use: it encrypts zeros."""
    return Cipher(algorithms.AES(derived(secret, *info)), modes.CTR(bytes(16))).encryptor()


def pair_stream(shared: bytes, plan_digest: bytes, one: tuple[str, bytes], other: tuple[str, bytes]) -> CipherContext:
    """Return the stream of two members, given their names and public keys: the same from both ends."""
    ends = [part for name, key in sorted([one, other]) for part in (name.encode(), key)]
    return stream(shared, b"headwater pairwise mask", plan_digest, *ends)


def expanding(secret: bytes, *info: bytes) -> Entropy:
    """Return a source of bytes that is the same for the same secret, so that a repeated step says the same."""
    source = stream(secret, *info)
    return lambda count: source.update(bytes(count))


def add_masks(values: Ring, streams: Sequence[tuple[bool, CipherContext]]) -> None:
    """Add, in place, the streams marked True to the values and subtract the others, modulo the ring."""
    chunk = min(_CHUNK, max(values.nbytes, values.itemsize))
    zeros, buffer = memoryview(bytes(chunk)), bytearray(chunk + 15)
    step = chunk // values.itemsize
    for start in range(0, values.size, step):
        part = values[start : start + step]
        blank = zeros[: part.nbytes]
        mask = np.frombuffer(buffer, dtype=values.dtype.newbyteorder("<"), count=part.size)
        for adds, source in streams:
            source.update_into(blank, buffer)
            np.add(part, mask, out=part) if adds else np.subtract(part, mask, out=part)
