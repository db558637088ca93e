"""Secret keys as files: 32 random bytes that only their owner can read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

__all__ = ["key_at"]


def key_at(path: Path) -> bytes:
    """Return the key at ``path``, made on the first call.

    A new key stands at its place whole or not at all, and of two made at once the first stays.
    """
    if not path.exists():
        _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(32))
        file.flush()
        # What was already made with a key would mean nothing under another one.
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
