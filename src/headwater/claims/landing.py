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
    name = _digest(file)
    if not _place(vault, name).exists():
        name = _kept(file, name, vault)
    path = _place(vault, name)
    return Landed(name, path, path.stat().st_size, shown_name(file.relative_to(inbox).as_posix()))


def _kept(file: Path, name: str, vault: Path) -> str:
    """Copy ``file`` into the vault; return the digest of the copy, as a file still being sent may have grown."""
    (vault / "landing").mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own: another source may bring the same bytes at this moment.
    part = vault / "landing" / f"{name}.{secrets.token_hex(8)}.part"
    shutil.copyfile(file, part)
    name = _digest(part)
    part.chmod(0o400)
    target = _place(vault, name)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    # Rename is atomic: a reader sees the whole file or none, whoever lands it first.
    part.replace(target)
    return name


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
