"""Hostile deliveries in the real landing: refused within two seconds and 300 MB, with nothing written elsewhere."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import xlsxwriter

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size
from headwater.bench.hostile_attempts import contract
from headwater.bench.hostile_files import CLASSES, Hostile
from headwater.claims.guarding import guard
from headwater.claims.reading import read

__all__ = ["hostile_figure"]

_SEED = 20260601
_SECONDS, _MEGABYTES = 2.0, 300.0
_PATIENCE = 60
_SHOWN = ("seconds", "first_seconds", "idle", "megabytes", "code")
_AGAIN = 1000
_DEAD = {"code": None, "said": "the process died", "seconds": float(_PATIENCE), "idle": 0.0, "megabytes": 0.0}
_CONTRACT = """
version: 2
sources:
  - name: {name}
    config:
      meta:
        title: {{zh: 合成, en: Synthetic}}
        owner: bench
        origin: synthetic
        currency: CNY
        deliveries: {name}
    tables:
      - name: drug
        config:
          meta: {{files: "*", format: {format}, columns: {{medins_list_codg: c, medins_list_name: n}}}}
"""


def hostile_figure(size: Size, *, home: Home) -> Figure:
    """Deliver one file of every hostile class and count those that did harm.

    Parameters
    ----------
    size : ``full`` takes every class through the real landing, each in a process of its own; ``ci`` copies the quick
        ones into a landing folder and reads them, all in one process that is not this one
    home : an installation; it stays as it was but for refused batches and the landing folder

    Returns
    -------
    Figure
        ``value`` is the number of classes not refused as they should be, or slower than 2 s, or above 300 MB, or with
        a trace outside the landing folder. Seconds are those of landing the file, or reading it for ``ci``; those that
        a landing takes that finds nothing new stand beside them and are not part of them; above 2 s the file is landed
        once more and the first time stands beside the better one. Megabytes are the peak of
        resident memory above what the process held before.
    """
    chosen = {name: hostile for name, hostile in CLASSES.items() if size == "full" or hostile.quick}
    root = Path(tempfile.mkdtemp(prefix="headwater-hostile-"))
    try:
        if size == "full":
            outcomes = {name: _settled(home, root, number, name) for number, name in enumerate(chosen)}
        else:
            outcomes = _read(home, root, list(chosen))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    failed = {name: wrong for name, outcome in outcomes.items() if (wrong := _failed(outcome, chosen[name]))}
    return Figure(
        value=len(failed),
        unit="classes not refused within 2 s and 300 MB",
        goal="0",
        holds=not failed,
        n=len(outcomes),
        note=f"synthetic files; {'real landing, a process each' if size == 'full' else 'copied and read'}; "
        "seconds from its start, without starting Python and connecting",
        also={
            "failed": failed,
            "worst_seconds": max(outcome["seconds"] for outcome in outcomes.values()),
            "worst_megabytes": max(outcome["megabytes"] for outcome in outcomes.values()),
            "guard_cost": _cost(size),
            "classes": {
                name: {key: outcome[key] for key in _SHOWN if key in outcome} for name, outcome in outcomes.items()
            },
        },
    )


def _cost(size: Size) -> dict[str, dict[str, float]]:
    """Return what the guard takes of reading harmless files, best of three: seconds of both and the share."""
    scale = 1 if size == "full" else 10
    root = Path(tempfile.mkdtemp(prefix="headwater-harmless-"))
    try:
        csv, xlsx = root / "f.csv", root / "f.xlsx"
        _write_text(csv, megabytes=150 // scale)
        _write_workbook(xlsx, rows=50_000 // scale)
        return {"csv": _share(csv, "csv"), "xlsx": _share(xlsx, "xlsx")}
    finally:
        shutil.rmtree(root)


def _write_text(path: Path, *, megabytes: int) -> None:
    rng = Random(_SEED)
    lines = [",".join(f"{rng.randrange(10**6)}.{place}" for place in range(12)) for _ in range(10_000)]
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        file.write((",".join(["c", "n", *(f"x{place}" for place in range(10))]) + "\n").encode())
        for _ in range(megabytes * 10**6 // len(block)):
            file.write(block)


def _write_workbook(path: Path, *, rows: int) -> None:
    rng = Random(_SEED)
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["c", "n", *(f"x{place}" for place in range(10))])
        for row in range(1, rows + 1):
            prices = [rng.randrange(10**5) / 100 for _ in range(5)]
            sheet.write_row(row, 0, [f"D{row:06d}", *prices, *(f"药{rng.randrange(3000)}" for _ in range(6))])


def _share(path: Path, kind: str) -> dict[str, float]:
    guarding, reading = float("inf"), float("inf")
    table = contract(kind)
    for _ in range(3):
        started = time.perf_counter()
        guard(path, name=path.name, table=table)
        guarding = min(guarding, time.perf_counter() - started)
        started = time.perf_counter()
        for _batch in read(path, name=path.name, table=table).batches:
            pass
        reading = min(reading, time.perf_counter() - started)
    return {"guard": round(guarding, 4), "reading": round(reading, 3), "share": round(guarding / reading, 4)}


def _failed(outcome: dict[str, Any], hostile: Hostile) -> str:
    """Say what went wrong, or nothing."""
    if outcome["code"] not in hostile.codes:
        return f"{outcome['code']} {outcome.get('said', '')}"
    if not outcome["zh"] or not outcome["en"]:
        return "the refusal lacks a language"
    if outcome["seconds"] > _SECONDS or outcome["megabytes"] > _MEGABYTES:
        return f"{outcome['seconds']} s, {outcome['megabytes']} MB"
    return f"changed {outcome['changed']}" if outcome["changed"] else ""


def _landed(home: Home, root: Path, number: int, name: str) -> dict[str, Any]:
    hostile, inbox, source = CLASSES[name], root / f"{number}" / "inbox", f"hostile{number}"
    (inbox / "contracts" / source).mkdir(parents=True)
    text = _CONTRACT.format(name=source, format=hostile.format)
    (inbox / "contracts" / source / f"_{source}.yml").write_text(text, encoding="utf-8")
    _deliver(hostile, root / "made", number)
    (inbox / source).mkdir()
    done = _in_process(home, inbox, ["land", str(root / "made"), source])
    shutil.rmtree(inbox)
    shutil.rmtree(root / "made")
    return done[0] if done else dict(_DEAD)


def _settled(home: Home, root: Path, number: int, name: str) -> dict[str, Any]:
    """Land one class; where it took too long, once more, as other work on the machine is none of the file's."""
    outcome = _landed(home, root, number, name)
    if outcome["seconds"] <= _SECONDS or outcome["code"] is None:
        return outcome
    again = _landed(home, root, number + _AGAIN, name)
    return again | {"first_seconds": outcome["seconds"]} if again["seconds"] < outcome["seconds"] else outcome


def _read(home: Home, root: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    for number, name in enumerate(names):
        _deliver(CLASSES[name], root / "inbox" / f"{number}", number)
    done = _in_process(home, root / "inbox", ["read", *(CLASSES[name].format for name in names)])
    return {name: done[number] if number < len(done) else dict(_DEAD) for number, name in enumerate(names)}


def _deliver(hostile: Hostile, folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    hostile.write(folder / (hostile.title or f"f.{hostile.format}"), Random(_SEED + number))


def _in_process(home: Home, inbox: Path, arguments: list[str]) -> list[dict[str, Any]]:
    """Run attempts in a process of their own and return the outcomes that it lived to tell."""
    environment = os.environ | {
        # The attempt's own folder is where it runs, so a relative path to the package would lead nowhere.
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HEADWATER_HOME": str(home.root),
        "HEADWATER_PROJECT": str(home.project),
    }
    if arguments[0] == "land":
        environment[postgres.DSN_VARIABLE] = os.environ.get(postgres.DSN_VARIABLE) or postgres.start(home)
    command = [sys.executable, "-m", "headwater.bench.hostile_attempts", str(inbox), *arguments]
    with tempfile.TemporaryFile("w+") as told:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=environment, cwd=inbox.parent, stdout=told, timeout=_PATIENCE, check=False)
        told.seek(0)
        return [json.loads(line) for line in told if line.endswith("\n")]
