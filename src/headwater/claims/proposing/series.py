"""Files that belong together: one pattern for the months of one table."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["families", "pattern"]

_DATED = re.compile(
    r"(?:19|20)\d{2}(?:[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?[0-3]\d)?|[-_.]?[Qq][1-4])?(?!\d)|(?<!\d)\d{1,4}(?!\d)"
)


def families(files: Iterable[Path]) -> list[list[Path]]:
    """Group files whose names differ in dates and numbers only, in one folder and of one kind.

    >>> [[file.name for file in family] for family in families([Path("fee_202401.csv"), Path("fee_202402.csv")])]
    [['fee_202401.csv', 'fee_202402.csv']]
    """
    found: dict[tuple[Path, str], list[Path]] = {}
    for file in sorted(files):
        found.setdefault((file.parent, _DATED.sub("\0", file.name)), []).append(file)
    return list(found.values())


def pattern(family: Sequence[Path], others: Iterable[Path]) -> str:
    """Return a glob for a family's names that matches none of the other files.

    >>> pattern([Path("fee_202401.csv"), Path("fee_202402.csv")], [Path("drug.csv")])
    'fee_*.csv'
    """
    names = [file.name for file in family]
    dated = [match for match in _DATED.finditer(names[0]) if len(match[0]) >= 4 or len(names) > 1]
    wide, exact = _starred(names[0], dated), _escaped(names[0])
    if not dated or any(fnmatchcase(file.name, wide) for file in others):
        return exact
    return wide if all(fnmatchcase(name, wide) for name in names) else exact


def _starred(name: str, parts: Sequence[re.Match[str]]) -> str:
    text, done = "", 0
    for part in parts:
        text += _escaped(name[done : part.start()]) + "*"
        done = part.end()
    return re.sub(r"\*+", "*", text + _escaped(name[done:]))


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
