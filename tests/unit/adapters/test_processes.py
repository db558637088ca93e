"""Processes that are ours end with us: the obedient, the deaf, and the grandchild nobody waits for."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headwater.adapters.processes import Component, Processes, interruptible, marked, sweep

OBEDIENT = "import time; print('up', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
    "print('up', child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    assert sweep(str(tmp_path), until=time.monotonic() + 60) == 0


def alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def component(name: str, code: str, folder: Path) -> Component:
    return Component(name, (sys.executable, "-c", code), {"PATH": os.environ["PATH"]}, folder / f"{name}.log")


def await_text(log: Path, word: str) -> str:
    deadline = time.monotonic() + 120
    while word not in (text := log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline, text
        time.sleep(0.02)
    return text


def start(processes: Processes, one: Component) -> int:
    pid = processes.start(one)
    await_text(one.log, "up")
    return pid


def test_an_obedient_process_is_asked_and_goes(tmp_path: Path, mark: str) -> None:
    processes = Processes(mark=mark, grace_s=120, limit_s=180)
    pid = start(processes, component("obedient", OBEDIENT, tmp_path))
    assert os.getsid(pid) == pid
    assert processes.stop() == (), "nobody had to be killed"
    assert not alive(pid)


def test_a_deaf_process_is_killed_in_time(tmp_path: Path, mark: str) -> None:
    processes = Processes(mark=mark, grace_s=0.3, limit_s=60)
    pid = start(processes, component("deaf", DEAF, tmp_path))
    assert processes.stop() == ("deaf",)
    assert not alive(pid)


def test_a_grandchild_in_a_session_of_its_own_goes_too(tmp_path: Path, mark: str) -> None:
    one = component("parent", PARENT, tmp_path)
    with Processes(mark=mark) as processes:
        start(processes, one)
        grandchild = int(await_text(one.log, "up").split()[1])
        assert {process.pid for process in marked(mark)} >= {grandchild}
    assert not marked(mark)
    assert not alive(grandchild)


def test_others_are_left_alone(tmp_path: Path, mark: str) -> None:
    other = Processes(mark=f"{mark}-other")
    pid = start(other, component("other", OBEDIENT, tmp_path))
    sweep(mark, until=time.monotonic() + 1)
    assert alive(pid)
    other.stop()


def test_a_component_that_falls_is_noticed(tmp_path: Path, mark: str) -> None:
    with Processes(mark=mark) as processes:
        assert processes.fallen() is None
        processes.start(component("short", "raise SystemExit(3)", tmp_path))
        deadline = time.monotonic() + 120
        while (fallen := processes.fallen()) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert fallen is not None
        assert (fallen[0].name, fallen[1]) == ("short", 3)


def test_memory_is_counted_with_the_children(tmp_path: Path, mark: str) -> None:
    with Processes(mark=mark) as processes:
        start(processes, component("one", OBEDIENT, tmp_path))
        start(processes, component("two", PARENT, tmp_path))
        found = processes.resident_bytes()
    assert set(found) == {"one", "two"}
    assert found["two"] > found["one"] > 1 << 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_acts_like_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    threading.Timer(0.05, lambda: os.kill(os.getpid(), number)).start()
    with pytest.raises(KeyboardInterrupt), interruptible():
        time.sleep(10)
    assert signal.getsignal(number) is before
