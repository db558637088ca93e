"""Reference: what a bureau supplies becomes a dated version in the lake, or is refused with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from headwater.adapters import lake, references
from headwater.adapters.home import Home
from headwater.adapters.reference_files import read_text
from headwater.adapters.references import Version
from headwater.claims.guarding import guard_place
from headwater.claims.landing import land_bytes, shown_name
from headwater.claims.references import KINDS, refer
from headwater.content.references import Layout, layout_for, named_date, read_layouts
from headwater.errors import Message, Refusal

__all__ = ["FOLDER", "Loaded", "ReferenceReport", "listed", "load", "supplied"]

FOLDER = "reference"
"""Folder of the inbox whose files are references."""


@dataclass(frozen=True)
class Loaded:
    """What became of one file.

    Parameters
    ----------
    state : ``loaded``, ``unchanged`` or ``refused``
    kind, version, valid_from : empty or None where it was refused before they were known
    rows_in, rows, rows_repeated, rows_passed : of the file; in = loaded + repeated + passed over by the layout
    ignored : delivered columns that the layout does not read
    reason : why it was refused and what to do about it
    """

    file_name: str
    state: str
    kind: str = ""
    version: str = ""
    valid_from: date | None = None
    rows_in: int = 0
    rows: int = 0
    rows_repeated: int = 0
    rows_passed: int = 0
    ignored: tuple[str, ...] = ()
    reason: Message | None = None

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        told = {"zh": self.reason.zh, "en": self.reason.en} if self.reason else None
        day = self.valid_from.isoformat() if self.valid_from else None
        return {**self.__dict__, "ignored": list(self.ignored), "reason": told, "valid_from": day}


@dataclass(frozen=True)
class ReferenceReport:
    """What one loading did.

    Parameters
    ----------
    unread : files in the folder that no layout reads
    snapshot_id : the lake's snapshot afterwards; None where there was nothing to load
    """

    files: tuple[Loaded, ...] = ()
    unread: tuple[str, ...] = ()
    snapshot_id: int | None = None

    @property
    def refused(self) -> tuple[Loaded, ...]:
        """Files that were not loaded, with their reasons."""
        return tuple(file for file in self.files if file.state == "refused")

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """Files that brought a new version."""
        return tuple(file for file in self.files if file.state == "loaded")

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        return {
            "loaded": len(self.loaded),
            "refused": len(self.refused),
            "files": [file.to_dict() for file in self.files],
            "unread": list(self.unread),
            "snapshot_id": self.snapshot_id,
        }


def load(home: Home, path: Path, *, kind: str | None = None, valid_from: date | None = None) -> ReferenceReport:
    """Load a file or every file of a folder that a layout reads; what is there already stays as it is.

    Parameters
    ----------
    kind : of reference; otherwise the layout or the file's name tells
    valid_from : the first day it holds; otherwise the layout or the file's name tells

    Raises
    ------
    Refusal
        ``E-REFERENCE-NONE`` when there is no such file or folder, or nothing in it that a layout reads;
        ``E-REFERENCE-KIND`` for an unknown kind. What is wrong with one file is told in the report.
    """
    if kind is not None and kind not in KINDS:
        raise Refusal(
            "E-REFERENCE-KIND",
            Message(f"没有参考表类别 {kind}。", f"There is no kind of reference called {kind}."),
            Message(f"可选：{'、'.join(KINDS)}。", f"There are {', '.join(KINDS)}."),
        )
    if not path.exists():
        raise Refusal(
            "E-REFERENCE-NONE",
            Message(f"{path} 不存在。", f"{path} does not exist."),
            Message("检查路径。", "Check the path."),
        )
    report = _loaded(home, path, kind=kind, valid_from=valid_from)
    if not report.files:
        raise Refusal(
            "E-REFERENCE-NONE",
            Message(f"{path} 中没有可读取的参考表。", f"There is no reference in {path} that a layout reads."),
            Message(
                "用 --kind 指明类别，把文件命名为 <类别>_<日期>.csv，或在 dbt_project/references/ 声明布局。",
                "Name its --kind, call it <kind>_<date>.csv, or declare a layout in dbt_project/references/.",
            ),
        )
    return report


def supplied(home: Home, deliveries: Path) -> ReferenceReport | None:
    """Load what lies in the inbox's folder of references; None where there is none."""
    folder = deliveries / FOLDER
    return _loaded(home, folder) if folder.is_dir() else None


def _loaded(home: Home, path: Path, *, kind: str | None = None, valid_from: date | None = None) -> ReferenceReport:
    layouts = read_layouts(home.project)
    files = {file: layout_for(file, layouts, kind=kind) for file in _files(path)}
    home.create()
    folder = path if path.is_dir() else path.parent
    with lake.connect(home) as connection:
        references.create_tables(home, connection)
        results = []
        # Older versions first, so that the report reads as time went by.
        for file, layout in sorted(files.items(), key=lambda found: (named_date(found[0]) or date.max, found[0])):
            if layout is not None:
                day = valid_from or named_date(file) or layout.valid_from
                results.append(_Delivered(home, connection, file, folder).load(layout, day))
        unread = tuple(_name(file, folder) for file, layout in files.items() if layout is None)
        return ReferenceReport(tuple(results), unread, lake.snapshot(connection))


def listed(home: Home) -> list[Version]:
    """Return every version in the lake, by kind, the newest first."""
    with lake.connect(home) as connection:
        references.create_tables(home, connection)
        return references.versions(connection)


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    # Programs leave hidden files and locks behind; nobody delivers those.
    return [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith((".", "~$"))]


def _name(file: Path, folder: Path) -> str:
    return shown_name(file.relative_to(folder).as_posix())


class _Delivered:
    """One delivered file on its way into the lake."""

    def __init__(self, home: Home, connection: duckdb.DuckDBPyConnection, file: Path, folder: Path) -> None:
        self._home = home
        self._lake = connection
        self._file = file
        self._folder = folder
        self._name = _name(file, folder)

    def load(self, layout: Layout, valid_from: date | None) -> Loaded:
        """Load it as ``layout`` says, or tell why not."""
        try:
            return self._load(layout, valid_from)
        except Refusal as error:
            return Loaded(self._name, "refused", layout.kind, valid_from=valid_from, reason=error.told)

    def _load(self, layout: Layout, valid_from: date | None) -> Loaded:
        if valid_from is None:
            raise Refusal(
                "E-REFERENCE-DATE",
                Message(f"不知道参考表 {self._name} 自哪天起有效。", f"Nobody says from which day {self._name} holds."),
                Message(
                    "用 --valid-from 指明，或把文件命名为 <类别>_<日期>.csv，日期须存在，如 drug_20260101.csv。",
                    "Give --valid-from, or call it <kind>_<date>.csv with a day that exists, as drug_20260101.csv.",
                ),
            )
        guard_place(self._file, folder=self._folder, name=self._name)
        landed = land_bytes(self._file, inbox=self._folder, vault=self._home.vault)
        text = read_text(landed.path, layout, name=self._name)
        found = refer(KINDS[layout.kind], text.columns, name=self._name, joined=layout.joined)
        file = (self._name, landed.sha256)
        new = references.write(self._home, self._lake, found, valid_from=valid_from, file=file)
        return Loaded(
            file_name=self._name,
            state="loaded" if new else "unchanged",
            kind=layout.kind,
            version=found.version,
            valid_from=valid_from,
            rows_in=text.rows_in,
            rows=len(found.table),
            rows_repeated=found.rows_repeated,
            rows_passed=text.rows_passed,
            ignored=text.ignored,
        )
