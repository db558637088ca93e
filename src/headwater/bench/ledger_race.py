"""Debits that race: programs of their own reserve and release, are killed at any moment, and nothing is overspent.

Every program debits runs of many sources at once on a real server, then writes down what it released. Some of them kill
themselves between debit and release, all are killed from outside at random; others take their place.
"""

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

import psycopg

from headwater.adapters import audit, ledger, postgres
from headwater.adapters.accounting import fits
from headwater.adapters.home import Home
from headwater.adapters.ledger import Debit
from headwater.bench.figures import Size
from headwater.errors import Message
from headwater.security.events import Gaussian
from headwater.security.requirement import Caps, Release, Requirement
from headwater.security.tally import NOTHING
from headwater.steps.ledger import prove

__all__ = ["race"]

_SEED = 20260711
_AT = datetime(2026, 11, 30, tzinfo=UTC)
_PROGRAMS = 4
_EVENT = Gaussian(40.0)
_CAPS = Caps(1.0, 1.0, 1.0)
RULE = Requirement(
    name="race",
    title=Message("竞争", "Race"),
    sources=None,
    patients="stays",
    sees={"statistic": "nobody", "sum": "nobody", "noisy": "region"},
    delta=1e-6,
    caps=_CAPS,
    purposes={"a": _CAPS, "b": _CAPS},
    mechanisms=frozenset({"masked", "gaussian"}),
)


@dataclass(frozen=True)
class _Scale:
    """How many debits are tried, in runs of many sources; ``life``: mean number of runs after which one is killed."""

    debits: int
    sources: int
    run: int
    life: int


_SCALES: Mapping[Size, _Scale] = {"ci": _Scale(2_000, 20, 10, 10), "full": _Scale(1_000_000, 6_000, 50, 200)}


def race(size: Size) -> dict[str, Any]:
    """Return what became of the race: debits tried, granted, overspends, kills, and a naive ledger beside it."""
    scale = _SCALES[size]
    started = time.perf_counter()
    with _installation() as home:
        kills = _run(home, scale)
        seconds = time.perf_counter() - started
        found = _counted(home, scale)
        with postgres.connect(home, autocommit=True) as connection:
            naive = _naive(home, connection)
    return {**found, "kills": kills, "seconds": round(seconds, 1), "naive_races_overspent_of_20": naive}


@contextmanager
def _installation() -> Iterator[Home]:
    """Give a server of its own, whatever the environment says: nobody's real budget is spent."""
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=Home.from_environment().project).create()
    before = os.environ.pop(postgres.DSN_VARIABLE, None)
    try:
        os.environ[postgres.DSN_VARIABLE] = postgres.start(home)
        postgres.prepare(home)
        yield home
    finally:
        os.environ.pop(postgres.DSN_VARIABLE, None)
        if before is not None:
            os.environ[postgres.DSN_VARIABLE] = before
        postgres.stop(home)
        shutil.rmtree(root)


def _run(home: Home, scale: _Scale) -> int:
    """Keep programs at work until all debits were tried; return how many were killed."""
    rng, kills = random.Random(_SEED), 0
    quota = dict.fromkeys(range(_PROGRAMS), scale.debits // scale.run // _PROGRAMS)
    lives: Counter[int] = Counter()
    alive: dict[int, tuple[BaseProcess, int]] = {}
    while alive or any(quota.values()):
        for name in [name for name in quota if quota[name] > 0 and name not in alive]:
            lives[name] += 1
            told = (home, scale, f"{name}-{lives[name]}", quota[name])
            program: BaseProcess = get_context("fork").Process(target=_work, args=told, daemon=True)
            program.start()
            # From outside it is killed at any moment after so many runs.
            alive[name] = program, rng.randint(1, 2 * scale.life)
        for name, (running, life) in list(alive.items()):
            if _tried(home, f"{name}-{lives[name]}") >= life and running.is_alive():
                running.kill()
            if running.is_alive():
                continue
            running.join()
            if running.exitcode not in (0, -signal.SIGKILL):
                raise RuntimeError(f"a program of the race ended with {running.exitcode}")
            kills += running.exitcode != 0
            quota[name] -= _tried(home, f"{name}-{lives[name]}")
            del alive[name]
        time.sleep(rng.uniform(0, 0.05))
    return kills


def _work(home: Home, scale: _Scale, name: str, runs: int) -> None:
    """Be one program of the race: debit runs, write down what is released, and sometimes die in between."""
    rng = random.Random(f"{_SEED} {name}")
    dies = rng.randint(1, 2 * scale.life)
    with postgres.connect(home, autocommit=True) as connection, _logs(home, name) as (tries, log):
        for place in range(runs):
            chosen = rng.sample(range(scale.sources), scale.run)
            purpose = rng.choice("ab")
            tries.write(b".")
            debits = [
                Debit(Release(f"{name}/{place}", f"s{one}", purpose, _EVENT, protection="masked"), RULE)
                for one in chosen
            ]
            with connection.transaction():
                found = ledger.debit(connection, debits, at=_AT)
                released = [one for one in found if isinstance(one, ledger.Entry)]
                told = [{"release": one.release_id, "source": one.source_id, "sha256": one.digest} for one in released]
                audit.add(home, connection, "ledger", {"purpose": purpose, "debits": told})
            if place == dies:
                os.kill(os.getpid(), signal.SIGKILL)
            log.writelines(f"{one.release_id} {one.source_id}\n" for one in released)
            log.flush()


@contextmanager
def _logs(home: Home, name: str) -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Give the files in which a program notes each run that it tries, and each release."""
    with (home.logs / f"{name}.tries").open("wb", buffering=0) as tries, (home.logs / f"{name}.log").open("w") as log:
        yield tries, log


def _tried(home: Home, name: str) -> int:
    file = home.logs / f"{name}.tries"
    return file.stat().st_size if file.exists() else 0


def _counted(home: Home, scale: _Scale) -> dict[str, Any]:
    lines = [line for file in home.logs.glob("*.log") for line in file.read_text().splitlines(keepends=True)]
    # The last line of a program that was killed may be cut.
    released = {tuple(line.split()) for line in lines if line.endswith("\n")}
    most = fits(NOTHING, _EVENT, delta=RULE.delta, cap=RULE.caps.lifetime)
    with postgres.connect(home, autocommit=True) as connection:
        counts: Counter[str] = Counter()
        unpaid = set(released)
        for entry in ledger.entries(connection):
            counts[entry.source_id] += 1
            unpaid.discard((entry.release_id, entry.source_id))
    proof = prove(home)
    return {
        "tried": sum(_tried(home, file.stem) for file in home.logs.glob("*.tries")) * scale.run,
        "granted": counts.total(),
        "released": len(released),
        "fit": most,
        "full_sources": sum(count == most for count in counts.values()),
        "overspends": sum(count > most for count in counts.values()) + len(unpaid) + len(proof.faults),
    }


def _naive(home: Home, connection: psycopg.Connection) -> int:
    """Return how many of 20 races of 16 writers overspend a ledger that reads, decides and then writes."""
    connection.execute("create table ops.naive (race integer primary key, spent integer not null)")
    connection.execute("insert into ops.naive select n, 0 from generate_series(1, 20) as n")

    def write(number: int, start: threading.Barrier) -> None:
        with postgres.connect(home, autocommit=True) as mine:
            start.wait()
            row = mine.execute("select spent from ops.naive where race = %s", (number,)).fetchone()
            if row is not None and row[0] + 1 <= 8:
                mine.execute("insert into ops.naive_debit values (%s)", (number,))
                mine.execute("update ops.naive set spent = spent + 1 where race = %s", (number,))

    connection.execute("create table ops.naive_debit (race integer not null)")
    for number in range(1, 21):
        start = threading.Barrier(16, timeout=120)
        writers = [threading.Thread(target=write, args=(number, start)) for _ in range(16)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    row = connection.execute(
        "select count(*) from (select race from ops.naive_debit group by race having count(*) > 8) as over"
    ).fetchone()
    return int(row[0]) if row else 0
