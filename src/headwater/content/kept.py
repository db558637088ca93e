"""What is read from files is kept as long as their bytes are the same, as plans and policies are asked for often."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A reader that reads again only what has changed.

    Times and sizes of files say too little: two edits within a second, or a copy that keeps its time, would be missed.

    Parameters
    ----------
    read : path → a value that nobody alters
    files : path → all files of which the value is made
    """

    def __init__(self, read: Callable[[Path], Value], files: Callable[[Path], Iterable[Path]]) -> None:
        self._read, self._files = read, files
        self._values: dict[Path, tuple[bytes, Value]] = {}

    def __call__(self, path: Path) -> Value:
        """Return the value of the files as they are now; whatever reading refuses is refused every time."""
        digest = self._digest(path)
        kept = self._values.get(path)
        if kept is not None and kept[0] == digest:
            return kept[1]
        value = self._read(path)
        # Changed while they were read, files may have given a value of neither content: it serves this once.
        if digest and self._digest(path) == digest:
            self._values[path] = (digest, value)
        return value

    def _digest(self, path: Path) -> bytes:
        """Return the digest of all names and bytes, empty where something cannot be read."""
        digest = hashlib.sha256()
        try:
            for file in sorted(self._files(path)):
                content = file.read_bytes()
                digest.update(f"{file}\0{len(content)}\0".encode())
                digest.update(content)
        except OSError:
            return b""
        return digest.digest()
