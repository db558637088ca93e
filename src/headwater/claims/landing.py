"""Landing: delivered bytes are kept as they came, once, under their SHA-256."""

import hashlib
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from headwater.claims.pseudonyms import without_persons

__all__ = ["HIDDEN", "Landed", "land_bytes", "landed_before", "shown_name"]

HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]")
"""Letters of a name that terminals obey or readers do not see: control, reordering, without width, or replaced."""

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Landed:
    """One delivered file in the vault.

    Parameters
    ----------
    sha256 : hex digest of the bytes, the file's identity
    path : read-only copy in the vault
    size : bytes
    name : name under which it was delivered, relative to the inbox
    """

    sha256: str
    path: Path
    size: int
    name: str


def land_bytes(file: Path, *, inbox: Path, vault: Path) -> Landed:
    """Copy ``file`` into ``vault`` under its digest; a file that is there already is not copied again."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    name = digest.hexdigest()
    target = _place(vault, name)
    if not target.exists():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name of its own: another source may bring the same bytes at this moment.
        part = target.with_name(f"{name}.{secrets.token_hex(8)}.part")
        shutil.copyfile(file, part)
        part.chmod(0o400)
        # Rename is atomic: a reader sees the whole file or none, whoever lands it first.
        part.replace(target)
    return Landed(
        sha256=name, path=target, size=file.stat().st_size, name=shown_name(file.relative_to(inbox).as_posix())
    )


def landed_before(sha256: str, *, name: str, vault: Path) -> Landed:
    """Return a file that the vault holds from an earlier delivery."""
    path = _place(vault, sha256)
    return Landed(sha256=sha256, path=path, size=path.stat().st_size, name=name)


def _place(vault: Path, sha256: str) -> Path:
    return vault / "landing" / sha256[:2] / sha256


def shown_name(name: str) -> str:
    """Return a file name as it may be stored: valid text that shows, and nothing that looks like an identity number."""
    plain = without_persons(name.encode("utf-8", "backslashreplace").decode())
    return re.sub(r"\d{14,17}[\dXxＸｘ]", "***", HIDDEN.sub("\ufffd", plain))
