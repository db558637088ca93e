"""What a node keeps of its rounds, secrets included: files in its vault, each whole or not there."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.adapters.home import Home
from headwater.security.identity import framed, unframed

__all__ = ["Shelf"]


@dataclass(frozen=True)
class Shelf:
    """Files of one folder, which their owner alone can read; a name may hold anything."""

    folder: Path

    @staticmethod
    def of(home: Home) -> "Shelf":
        """Return that of an installation."""
        folder = home.vault / "rounds"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Shelf(folder)

    def read(self, name: str) -> bytes | None:
        """Return what was written last under a name, None where nothing was."""
        try:
            return unframed(self._file(name).read_bytes())[1]
        except FileNotFoundError:
            return None

    def write(self, name: str, kept: bytes) -> None:
        """Keep it; when this returns it is on disk."""
        file = self._file(name)
        draft = file.with_suffix(".part")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(framed(name.encode(), kept))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            # A new name is on disk when its folder is.
            os.fsync(folder)
        finally:
            os.close(folder)

    def names(self) -> Iterator[str]:
        """Yield all names."""
        for file in sorted(self.folder.glob("*.kept")):
            with file.open("rb") as opened:
                yield opened.read(int.from_bytes(opened.read(8), "big")).decode()

    def _file(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.kept"
