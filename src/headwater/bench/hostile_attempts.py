"""Attempts of hostile files, in a process that may die of them; prints one outcome a line."""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.bench.memory import memory, peak_forgotten
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, FileFormat, TableContract
from headwater.claims.guarding import guard_place
from headwater.claims.landing import land_bytes
from headwater.claims.reading import read
from headwater.errors import Refusal
from headwater.steps.land import LandReport, land

__all__ = ["contract"]

_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_ADDRESSES = 12 << 30
"""Address space of the process, so that a reader that is caught ends and not the machine."""
_ESCAPED = "hostile-escaped.txt"


def contract(kind: str) -> TableContract:
    """Return the contract under which hostile files of a format are delivered."""
    columns = (("medins_list_codg", ColumnRule(column="c")), ("medins_list_name", ColumnRule(column="n")))
    return TableContract(ENTITIES["drug"], "*", cast(FileFormat, kind), "auto", None, 1, columns)


def _land(inbox: Path, made: Path, source: str) -> dict[str, Any]:
    """Land a folder while it is empty, and then with the hostile file in it."""
    home, folder = Home.from_environment(), inbox / source
    reports: list[LandReport] = []

    def run() -> None:
        reports.append(land(home, deliveries=inbox, sources=[source], now=_NOW))

    # The least of several: what else the machine does must not be taken off the file's own time.
    idle = min(_timed(run) for _ in range(4))
    for file in made.iterdir():
        file.rename(folder / file.name)
    outcome = _measured(run, (home.root, inbox.parent), (home.vault / "landing", home.pgdata))
    outcome |= {"idle": round(idle, 2), "seconds": round(max(0.0, outcome["seconds"] - idle), 2)}
    with postgres.connect(home) as connection:
        rows = connection.execute(
            "select sha256, state, refusal_code, refusal_zh, refusal_en from ops.batch where source_id = %s", (source,)
        ).fetchall()
    if rows:
        digest, state, code, zh, en = rows[0]
        # Bombs are not kept, and a second attempt has to copy as much as the first.
        (home.vault / "landing" / digest[:2] / digest).unlink()
        return outcome | {"code": code if state == "refused" else None, "zh": zh, "en": en, "said": state}
    if not reports[-1].refused:
        return outcome | {"code": None, "said": "passed over in silence"}
    # What is no file never gets into the register, and the report has no code; the place itself still tells it.
    return outcome | _told(lambda: _places(folder))


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _read(folder: Path, kind: str) -> dict[str, Any]:
    table = contract(kind)
    told: dict[str, Any] = {}
    vault = folder.parent / "vault"

    def run() -> None:
        _places(folder)
        for file in folder.iterdir():
            landed = land_bytes(file, inbox=folder, vault=vault)
            for _ in read(landed.path, name=landed.name, table=table).batches:
                pass

    outcome = _measured(lambda: told.update(_told(run)), (folder.parent,), (vault,))
    return outcome | {"idle": 0.0, "seconds": round(outcome["seconds"], 2)} | told


def _places(folder: Path) -> None:
    for file in folder.iterdir():
        guard_place(file, folder=folder, name=file.name)


def _told(run: Callable[[], object]) -> dict[str, Any]:
    try:
        run()
    except Refusal as refusal:
        return {"code": refusal.code, "zh": refusal.reason.zh, "en": refusal.reason.en}
    return {"code": None, "said": "not refused"}


def _measured(run: Callable[[], object], roots: tuple[Path, ...], kept: tuple[Path, ...]) -> dict[str, Any]:
    before, held = _snapshot(roots, kept), peak_forgotten()
    seconds = _timed(run)
    peak = memory("VmHWM")
    after = _snapshot(roots, kept)
    changed = sorted(str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {"seconds": seconds, "megabytes": round(max(0.0, peak - held), 1), "changed": changed}


def _snapshot(roots: tuple[Path, ...], kept: tuple[Path, ...]) -> dict[Path, tuple[int, int]]:
    """Return size and time of every file that a hostile one could reach, but those under ``kept``."""
    found = [file for root in roots for file in root.rglob("*")]
    above = [folder / _ESCAPED for root in roots for folder in (*root.parents, Path("/tmp"))]  # noqa: S108
    return {
        file: (file.lstat().st_size, file.lstat().st_mtime_ns)
        for file in [*found, *(file for file in above if file.exists())]
        if not any(file.is_relative_to(folder) for folder in kept) and not (file.is_dir() and not file.is_symlink())
    }


def _main(inbox: Path, how: str, *arguments: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    if how == "land":
        print(json.dumps(_land(inbox, Path(arguments[0]), arguments[1])), flush=True)
        return
    for number, kind in enumerate(arguments):
        print(json.dumps(_read(inbox / f"{number}", kind)), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *sys.argv[2:])
