"""Bench ``faults``: steps are killed at random moments and run again; the result must be that of an undisturbed run.

Every trial goes back to a saved state, starts one step in a process of its own, ends it with SIGKILL (or kills a
server process of PostgreSQL, which makes the database recover), and runs the step again. The moment is drawn uniformly
over the step's measured duration; every other kill then waits for the next commit of the lake, after which the register
has yet to follow. All contents are compared by hash: register, raw tables, marts, verdicts, publication.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size, report
from headwater.bench.states import VOLATILE, States, content, differences, misplaced_lines
from headwater.simulation import simulate

__all__ = ["run"]

_SEED = 20260701
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_LIMIT_S = 300.0
_LOOK_S = 0.02
_WATCH_S = 0.001
_WARM = (
    "headwater.bench.faults",
    "headwater.steps.land",
    "headwater.adapters.gx",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
)
_KILLS = {"ci": {"land": 4, "build": 1, "check": 1}, "full": {"land": 56, "build": 16, "check": 30}}
_DATABASE_EVERY = 5
_MARTS_EVERY = {"ci": 4, "full": 8}


@dataclass(frozen=True)
class _Stage:
    """One step of the job on the first or the second delivery; ``inbox`` is the folder that it lands."""

    number: int
    step: str
    inbox: Path

    @property
    def name(self) -> str:
        return f"before_{self.number}_{self.step}"


@dataclass(frozen=True)
class _Trial:
    """What became of one kill: where, when, whether the catalog was in a transaction, and what came to differ."""

    stage: _Stage
    by_database: bool
    after_commit: bool
    second: float
    in_transaction: bool
    is_writing: bool
    wrong: tuple[str, ...]


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench on a small simulated region (synthetic data) in a home and a server of its own."""
    project = Home.from_environment().project
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=project).create()
    before = os.environ.pop(postgres.DSN_VARIABLE, None)
    try:
        os.environ[postgres.DSN_VARIABLE] = _server(home)
        figure = _Campaign(home, size).figure()
    finally:
        os.environ.pop(postgres.DSN_VARIABLE, None)
        if before is not None:
            os.environ[postgres.DSN_VARIABLE] = before
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)
    return report("faults", size, {"K1": figure}, project=project)


def _server(home: Home) -> str:
    dsn = postgres.start(home)
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as connection:
        # A killed process loses nothing that it gave to the operating system, so nothing need be forced to the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("select pg_reload_conf()")
    postgres.prepare(home)
    return dsn


class _Campaign:
    """All trials on one installation."""

    def __init__(self, home: Home, size: Size) -> None:
        self._home = home
        self._size = size
        self._states = States(home)
        self._random = np.random.default_rng(_SEED)
        # Processes are forked from a server that has imported everything and opened nothing.
        self._fork: ForkServerContext = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(list(_WARM))
        # Tokens of persons depend on the key, which is otherwise drawn at the first landing.
        (home.vault / "pseudonym.key").write_bytes(bytes(range(32)))
        first, second = home.root / "first", home.root / "second"
        _deliver(first, second)
        steps = [(step, inbox) for inbox in (first, second) for step in ("land", "build", "check")]
        self._stages = [_Stage(number, step, inbox) for number, (step, inbox) in enumerate(steps)]
        self._seconds: dict[int, float] = {}
        self._expected: dict[int, dict[str, str]] = {}

    def figure(self) -> Figure:
        started = time.perf_counter()
        self._undisturbed()
        trials: list[_Trial] = []
        late = 0
        plan = [step for step, wanted in _KILLS[self._size].items() for _ in range(wanted)]
        done = dict.fromkeys(_STEPS, 0)
        for step in self._random.permutation(plan):
            stages = [stage for stage in self._stages if stage.step == step]
            stage = stages[done[step] % 2]
            done[step] += 1
            # A step that had ended before its moment came was not killed: another moment is drawn.
            while (trial := self._trial(stage, number=len(trials))) is None:
                late += 1
            trials.append(trial)
        return _figure(trials, late=late, seconds=time.perf_counter() - started, lengths=self._seconds)

    def _undisturbed(self) -> None:
        # The server of processes imports when it is first asked for one.
        first = self._fork.Process(target=_nothing)
        first.start()
        first.join(_LIMIT_S)
        for stage in self._stages:
            self._states.save(stage.name)
            started = time.perf_counter()
            self._finish(stage)
            self._seconds[stage.number] = time.perf_counter() - started
            self._expected[stage.number] = content(self._home)
        if misplaced_lines(self._home):
            raise AssertionError("the undisturbed run must balance")

    def _trial(self, stage: _Stage, *, number: int) -> _Trial | None:
        """Kill one step once and run it again; None if it had ended before its moment came."""
        self._states.restore(stage.name)
        by_database = number % _DATABASE_EVERY == _DATABASE_EVERY - 1
        moment = float(self._random.uniform(0.0, self._seconds[stage.number]))
        # A check commits to the lake only as it ends.
        after_commit = number % 2 == 1 and stage.step != "check"
        started = time.perf_counter()
        process = self._start(stage)
        process.join(moment)
        if not process.is_alive():
            # The step is shorter than it was when it was measured; later moments fall within its real length.
            self._seconds[stage.number] = min(self._seconds[stage.number], time.perf_counter() - started)
            return None
        if after_commit:
            _await_commit(self._home, process)
        if not process.is_alive():
            return None
        in_transaction, is_writing, servers = _activity(self._home)
        if by_database and servers:
            os.kill(servers[int(self._random.integers(len(servers)))], signal.SIGKILL)
        else:
            by_database = False
            process.kill()
        process.join(_LIMIT_S)
        _await_server(self._home)
        wrong = self._again(stage, with_marts=number % _MARTS_EVERY[self._size] == 0)
        return _Trial(stage, by_database, after_commit, moment, in_transaction, is_writing, tuple(wrong))

    def _again(self, stage: _Stage, *, with_marts: bool) -> list[str]:
        following = self._stages[stage.number + 1 : stage.number + 2] if with_marts and stage.step == "land" else []
        for one in (stage, *following):
            try:
                self._finish(one)
            except RuntimeError as error:
                return [str(error)]
            if wrong := differences(content(self._home), self._expected[one.number]):
                return wrong
        lost = misplaced_lines(self._home)
        return [f"{lost} lines lost or doubled"] if lost else []

    def _start(self, stage: _Stage) -> ForkServerProcess:
        dsn = os.environ[postgres.DSN_VARIABLE]
        process = self._fork.Process(target=_step, args=(self._home, dsn, stage))
        process.start()
        return process

    def _finish(self, stage: _Stage) -> None:
        process = self._start(stage)
        process.join(_LIMIT_S)
        if process.exitcode != 0:
            process.kill()
            told = (self._home.logs / "faults.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{stage.name} ended with {process.exitcode}: {told[-600:]}")


def _nothing() -> None:
    """Take the place of a step where only a process is wanted."""


def _step(home: Home, dsn: str, stage: _Stage) -> None:
    """Run one step as a process of its own; what it says goes into a log."""
    os.environ[postgres.DSN_VARIABLE] = dsn
    log = os.open(home.logs / "faults.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    _STEPS[stage.step](home, stage)


def _land(home: Home, stage: _Stage) -> None:
    from headwater.steps.land import land

    land(home, deliveries=stage.inbox, now=_NOW)


def _build(home: Home, stage: _Stage) -> None:
    from headwater.steps.build import build

    build(home)


def _check(home: Home, stage: _Stage) -> None:
    from headwater.steps.check import check
    from headwater.steps.publish import publish

    now = _NOW + timedelta(minutes=stage.number)
    check(home, run_id=f"run {stage.number}", now=now)
    publish(home, by="bench", now=now)


_STEPS: dict[str, Callable[[Home, _Stage], None]] = {"land": _land, "build": _build, "check": _check}


def _activity(home: Home) -> tuple[bool, bool, list[int]]:
    """Return whether the catalog is in a transaction, whether it is writing, and the server processes at work."""
    with psycopg.connect(postgres.dsn(home, "postgres"), autocommit=True) as connection:
        rows = connection.execute(
            "select pid, datname = 'lake' and xact_start is not null, datname = 'lake' and backend_xid is not null "
            "from pg_stat_activity where datname in ('lake', 'headwater') and backend_type = 'client backend'"
        ).fetchall()
    return any(row[1] for row in rows), any(row[2] for row in rows), [row[0] for row in rows]


def _await_commit(home: Home, process: ForkServerProcess) -> None:
    """Wait until the lake has a new snapshot or the process has ended."""
    newest = "select max(snapshot_id) from ducklake_snapshot "
    with psycopg.connect(postgres.dsn(home, "lake"), autocommit=True) as connection:
        before: object = None
        while process.is_alive():
            try:
                now = connection.execute(newest).fetchone()
            except psycopg.errors.UndefinedTable:
                now = (0,)
            if before is not None and now != before:
                return
            before = now
            time.sleep(_WATCH_S)


def _await_server(home: Home) -> None:
    """Wait until the server answers: after the death of one of its processes it recovers."""
    deadline = time.monotonic() + 60.0
    while True:
        try:
            psycopg.connect(postgres.dsn(home, "headwater")).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def _figure(trials: Sequence[_Trial], *, late: int, seconds: float, lengths: dict[int, float]) -> Figure:
    wrong = [trial for trial in trials if trial.wrong]
    steps = sorted({trial.stage.step for trial in trials})
    return Figure(
        value=float(len(wrong)),
        unit="trials that differ",
        goal="0",
        holds=not wrong and bool(trials),
        n=len(trials),
        note=(
            "SIGKILL at uniformly random moments of a step, half of them (not of checks) then at the lake's next "
            "commit, and the step again; register, raw, marts, verdicts, publication equal an undisturbed run's; "
            "synthetic region of two hospitals, second delivery with resent, shrunk (held), correcting and new files; "
            "PostgreSQL with fsync off, as processes die and the machine does not; marts after a kill of landing are "
            "built in every eighth trial (every fourth in ci)"
        ),
        also={
            "kills_by_step": {step: sum(trial.stage.step == step for trial in trials) for step in steps},
            "kills_of_a_database_process": sum(trial.by_database for trial in trials),
            "kills_at_a_commit": sum(trial.after_commit for trial in trials),
            "kills_in_a_transaction": sum(trial.in_transaction for trial in trials),
            "kills_while_writing_the_catalog": sum(trial.is_writing for trial in trials),
            "ended_before_the_kill": late,
            "seconds": round(seconds, 1),
            "seconds_of_a_step": {str(number): round(value, 2) for number, value in lengths.items()},
            "left_out": {table: list(columns) for table, columns in VOLATILE.items()},
            "differences": [_told(trial) for trial in wrong[:10]],
        },
    )


def _told(trial: _Trial) -> dict[str, object]:
    return {
        "stage": trial.stage.name,
        "second": round(trial.second, 3),
        "by_database": trial.by_database,
        "after_commit": trial.after_commit,
        "wrong": list(trial.wrong),
    }


def _deliver(first: Path, second: Path) -> None:
    """Write two deliveries: a month of two hospitals with dirt, and the same inbox a month later."""
    simulate(second, hospitals=2, months=2, stays=260, seed=_SEED, truth=second.parent / "truth")
    # The second hospital sends corrections, which none of the project's contracts has.
    project = Home.from_environment().project / "dbt_project" / "models" / "staging" / "h0102" / "_h0102.yml"
    text = project.read_text(encoding="utf-8").replace("h0102", "h0902")
    text = text.replace("files: fee_lines_*.csv", "files: fee_lines_*.csv\n        corrections: fee_lines_*_fix.csv")
    contract = second / "contracts" / "h0902" / "_h0902.yml"
    contract.parent.mkdir(parents=True)
    contract.write_text(text, encoding="utf-8")
    (second / "h0102").rename(second / "h0902")
    shutil.copytree(second, first)
    newest = max(file.name[-10:] for file in first.glob("h0101/fee_lines_*.csv"))
    for file in (*first.glob(f"*/*_{newest}"),):
        file.unlink()
    _change(second, newest)


def _change(inbox: Path, newest: str) -> None:
    """Send the first month's files again: longer, shorter, cut in half (which is held), and with corrections."""
    (lines,) = [file for file in inbox.glob("h0101/fee_lines_*.csv") if not file.name.endswith(newest)]
    rows = lines.read_bytes().splitlines(keepends=True)
    # Ten lines go, and ten that the next month's file brings too come first.
    moved = (inbox / "h0101" / f"fee_lines_{newest}").read_bytes().splitlines(keepends=True)[1:11]
    lines.write_bytes(b"".join([*rows[:1], *moved, *rows[1:-10]]))
    (pages,) = [file for file in inbox.glob("h0902/front_page_*.csv") if not file.name.endswith(newest)]
    rows = pages.read_bytes().splitlines(keepends=True)
    pages.write_bytes(b"".join([rows[0], *reversed(rows[1:])]))
    (drugs,) = inbox.glob("h0101/drug_list.csv")
    rows = drugs.read_bytes().splitlines(keepends=True)
    drugs.write_bytes(b"".join(rows[: len(rows) // 2]))
    (fees,) = [file for file in inbox.glob("h0902/fee_lines_*.csv") if not file.name.endswith(newest)]
    rows = fees.read_bytes().splitlines(keepends=True)
    fixed = [row.split(b",") for row in rows[1:21] if b'"' not in row]
    place = rows[0].split(b",").index(b"bilg_dept_name")
    corrected = [b",".join([*row[:place], "更正科".encode("gb18030"), *row[place + 1 :]]) for row in fixed]
    fees.with_name(f"{fees.stem}_fix.csv").write_bytes(rows[0] + b"".join(corrected))
