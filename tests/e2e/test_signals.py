"""The launcher as a command: killed, started again, told to end; nothing of it may be left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headwater.adapters import stack
from headwater.adapters.home import Home
from headwater.adapters.processes import marked

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.e2e


@pytest.fixture
def home() -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="headwater-signals-"))
    yield Home(root=root, project=PROJECT)
    shutil.rmtree(root)


def launch(home: Home, log: Path) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "HEADWATER_POSTGRES_DSN"}
    for name in ("HEADWATER_AIRFLOW_PORT", "HEADWATER_MLFLOW_PORT"):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            environment[name] = str(probe.getsockname()[1])
    environment |= {"HEADWATER_HOME": str(home.root), "HEADWATER_PROJECT": str(home.project)}
    # A suite that was started in the background ignores Ctrl-C, and its children would too.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heeding}; from headwater.cli.main import main; main()", "up"]
    with log.open("wb") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def await_up(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 300
    while "Press Ctrl-C to stop." not in (told := log.read_text(encoding="utf-8")):
        assert process.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def database(home: Home) -> psutil.Process:
    return psutil.Process(int((home.pgdata / "postmaster.pid").read_text(encoding="utf-8").split()[0]))


def test_a_killed_launcher_is_cleared_up_after_and_ctrl_c_leaves_nothing(home: Home, tmp_path: Path) -> None:
    log, mark = tmp_path / "up.log", stack._mark(home)
    first = launch(home, log)
    await_up(first, log)
    first.kill()
    first.wait(timeout=60)
    left = {process.pid for process in marked(mark)}
    assert left, "the components outlive a killed launcher until the next one clears them"
    second = launch(home, log)
    await_up(second, log)
    server = database(home)
    assert not left & {process.pid for process in marked(mark)}
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=120) == 0, log.read_text(encoding="utf-8")
    assert marked(mark) == ()
    # Where nobody reaps orphans, what has ended stays as a zombie.
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert not stack.running(home)
