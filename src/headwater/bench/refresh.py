"""One month's refresh of the marts against building all of them: the same lake, the same tests, one month apart."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size
from headwater.simulation import simulate
from headwater.steps.build import MARTS, VIEWS, build
from headwater.steps.land import land

__all__ = ["refresh_figure"]

_STAYS = {"ci": 1_200, "full": 400_000}
_HOSPITALS = {"ci": 2, "full": 12}
_MONTHS = {"ci": 6, "full": 24}
_SEED = 20260701
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_GOAL = 0.1


def refresh_figure(size: Size, *, home: Home | None = None) -> Figure:
    """Return what one month's refresh costs as a share of a full build (figure Q5), on a simulated region.

    All months but the last are landed and built; then the last one lands, is refreshed, and everything is built anew.
    Both builds run all tests of the data they touch. The marts of both must be equal, row for row.

    Parameters
    ----------
    size : ``full`` is 24 months with some ten million fee lines, ``ci`` a small part that shows only that it works
    home : where to work; a home of its own that is removed afterwards when None
    """
    if home is not None:
        return _measured(size, home)
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=Home.from_environment().project).create()
    try:
        return _measured(size, home)
    finally:
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)


def _measured(size: Size, home: Home) -> Figure:
    simulated = simulate(
        home.deliveries, hospitals=_HOSPITALS[size], months=_MONTHS[size], stays=_STAYS[size], seed=_SEED
    )
    held = _hold_back_last_month(home)
    postgres.prepare(home)
    land(home, deliveries=home.deliveries, now=_NOW)
    build(home)
    for here, there in held:
        there.rename(here)
    landing = _timed(lambda: land(home, deliveries=home.deliveries, now=_NOW))
    refresh = _timed(lambda: build(home))
    refreshed = _sums(home)
    full = _timed(lambda: build(home, full_refresh=True))
    unequal = sum(one != other for one, other in zip(refreshed, _sums(home), strict=True))
    ratio = refresh / full
    return Figure(
        value=ratio,
        unit="x full build",
        goal=f"<= {_GOAL}",
        holds=ratio <= _GOAL and unequal == 0,
        baseline={"full_build": 1.0},
        n=simulated.fee_lines,
        note="fee lines of a synthetic region; the marts after the refresh and after the full build are compared",
        also={
            "months": _MONTHS[size],
            "marts_unequal": unequal,
            "seconds": {
                "landing": round(landing, 2),
                "refresh": round(refresh, 2),
                "full": round(full, 2),
            },
        },
    )


def _hold_back_last_month(home: Home) -> list[tuple[Path, Path]]:
    """Move the last month's files of every source aside; return where they belong and where they lie."""
    dated = {
        file: found.group(1)
        for file in sorted(home.deliveries.glob("*/*"))
        if (found := re.search(r"_(\d{6})\.\w+$", file.name))
    }
    last = max(dated.values())
    held = [(file, home.root / "held" / file.parent.name / file.name) for file, month in dated.items() if month == last]
    for here, there in held:
        there.parent.mkdir(parents=True, exist_ok=True)
        here.rename(there)
    return held


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _sums(home: Home) -> list[tuple[object, ...]]:
    """Return the number of rows of each mart and a sum of their hashes, which no order changes."""
    with lake.connect(home) as connection:
        rows = [
            connection.execute(f"SELECT count(*), sum(hash(mart)) FROM lake.marts.{mart} AS mart").fetchone()
            for mart in (*MARTS, *VIEWS)
        ]
    return [row or () for row in rows]
