"""Long-running processes of our own: each in a session of its own, all of them gone when their owner leaves."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType

import psutil

__all__ = ["MARK", "Component", "Processes", "interruptible", "marked", "resident_bytes", "sweep"]

MARK = "HEADWATER_STACK"
"""Environment variable by which every process of one stack, however deep, is recognised as ours."""

_POLL_S = 0.05


@dataclass(frozen=True)
class Component:
    """One process to run.

    Parameters
    ----------
    name : what it is called in messages
    command : argument list, never a shell line
    environment : the whole environment of the process
    log : file that receives what it prints
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass
class Processes:
    """A set of running components; leaving the context stops every process they ever started.

    Parameters
    ----------
    mark : value of :data:`MARK` in the environment of all of them
    grace_s : how long a component may take to stop by itself
    limit_s : when, after the request to stop, the last process is gone
    """

    mark: str
    grace_s: float = 5.0
    limit_s: float = 10.0
    _running: dict[str, tuple[Component, "subprocess.Popen[bytes]"]] = field(default_factory=dict)

    def start(self, component: Component) -> int:
        """Start one component and return its process id."""
        component.log.parent.mkdir(parents=True, exist_ok=True)
        with component.log.open("ab") as log:
            process = subprocess.Popen(
                list(component.command),
                env={**component.environment, MARK: self.mark, "SPT_NOENV": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[component.name] = (component, process)
        return process.pid

    def fallen(self) -> tuple[Component, int] | None:
        """Return a component that ended by itself, with its exit status."""
        for component, process in self._running.values():
            status = process.poll()
            if status is not None:
                return component, status
        return None

    def resident_bytes(self) -> dict[str, int]:
        """Return the proportional memory of each component with all its children, in bytes."""
        return {name: resident_bytes(process.pid) for name, (_, process) in self._running.items()}

    def stop(self) -> tuple[str, ...]:
        """Ask every component to stop, insist on what is left, and return the names of those that had to be killed."""
        asked = time.monotonic()
        for _, process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        _wait(lambda: all(p.poll() is not None for _, p in self._running.values()), until=asked + self.grace_s)
        killed = tuple(name for name, (_, process) in self._running.items() if process.poll() is None)
        sweep(self.mark, until=asked + self.limit_s)
        for _, process in self._running.values():
            process.wait(timeout=self.limit_s)
        self._running.clear()
        return killed

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def marked(mark: str) -> tuple[psutil.Process, ...]:
    """Return every living process that carries ``mark``, wherever it stands in the process tree."""
    return tuple(process for process in psutil.process_iter() if _carries(process, mark))


def sweep(mark: str, *, until: float) -> int:
    """Kill what carries ``mark`` until nothing does or ``until`` (monotonic seconds) has come; return what is left."""
    while left := marked(mark):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=0.2)
        if time.monotonic() >= until:
            return len(marked(mark))
    return 0


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        # A zombie has no environment any more, and the process that asks is never its own prey.
        return process.pid != os.getpid() and bool(process.environ().get(MARK) == mark)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def _wait(done: Callable[[], bool], *, until: float) -> None:
    while not done() and time.monotonic() < until:
        time.sleep(_POLL_S)


def resident_bytes(pid: int) -> int:
    """Return the proportional memory of a process with all its children, in bytes; 0 when there is none."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
    return total
