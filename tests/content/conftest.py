"""One Airflow for all DAGs that a module runs: to start it takes longer than most of them."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters.home import Home

_LIMIT_S = 600


@dataclass(frozen=True)
class Ran:
    """What came of a run: its state, the states of its tasks by id, all assets announced so far, and what was said."""

    state: str
    tasks: dict[str, list[str]]
    assets: list[str]
    said: str


class Dags:
    """A process that runs the DAGs of a home one after the other, on a metadata database of its own."""

    def __init__(self, home: Home, program: str, versions: str) -> None:
        self._folder = home.project / "dags"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program))],
            cwd=home.project, env=_environment(home, versions), text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, dag_id: str, params: dict[str, Any] | None = None, **further: Any) -> Ran:
        """Run one DAG with these parameters; what else there is is told to the program."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"file": str(self._folder / f"{dag_id}.py"), "params": params or {}, **further}
        said: list[str] = []
        late = threading.Timer(_LIMIT_S, self._process.kill)
        late.start()
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith('{"state"'):
                    return Ran(**json.loads(line), said="".join(said))
                said.append(line)
        finally:
            late.cancel()
        pytest.fail(f"the process ended while it ran {dag_id}: {''.join(said)[-3000:]}")

    def close(self) -> None:
        """Let the process end."""
        said, _ = self._process.communicate(timeout=_LIMIT_S)
        assert self._process.returncode == 0, said[-3000:]


@pytest.fixture(scope="module")
def dags_of(new_versions: Callable[[], str]) -> Iterator[Callable[..., Dags]]:
    """Give what starts Airflow for a home; it ends with the module."""
    with contextlib.ExitStack() as started:

        def start(home: Home, *, program: str = "dag_run.py") -> Dags:
            return started.enter_context(contextlib.closing(Dags(home, program, new_versions())))

        yield start


def _environment(home: Home, versions: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    return kept | {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.project / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.airflow}/airflow.db",
        "HEADWATER_HOME": str(home.root),
        "HEADWATER_PROJECT": str(home.project),
        "MLFLOW_TRACKING_URI": versions,
        "PYTHONUNBUFFERED": "1",
    }
