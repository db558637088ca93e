"""Demo: the stack, a region's deliveries, and the whole chain run once in Airflow before one's eyes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headwater.adapters import chain
from headwater.adapters.chain import CHAIN, Progress
from headwater.adapters.home import Home
from headwater.adapters.processes import interruptible
from headwater.adapters.settings import Ports
from headwater.adapters.stack import Stack
from headwater.errors import Message, Refusal
from headwater.simulation import simulate
from headwater.steps.up import addresses, stay

__all__ = ["DemoReport", "demo", "run_chain"]

_LIMIT_S = 1800.0
_WEIGH_S = 5.0
"""Between two looks at the memory, each of which walks the pages of every process."""


@dataclass(frozen=True)
class DemoReport:
    """What the chain took.

    Parameters
    ----------
    seconds : from the start to the stack's health, to the first DAG's end, to the last DAG's end
    states : DAG to the state of its run
    resident_bytes : proportional memory of each component, with its children, at the highest total seen (every 5 s)
    """

    seconds: dict[str, float]
    states: dict[str, str]
    resident_bytes: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        return {"seconds": self.seconds, "states": self.states, "resident_bytes": self.resident_bytes}


def demo(
    home: Home,
    *,
    data: Path | None = None,
    ports: Ports | None = None,
    tell: Callable[[Message], None],
    watch: Callable[[Progress], None] = lambda progress: None,
    remain: bool = True,
) -> DemoReport:
    """Start the stack, run the chain on ``data`` or on the bundled region, then stay until Ctrl-C.

    Parameters
    ----------
    data : folder of deliveries; the bundled region, simulated where it is missing, when None
    tell : receives what there is to say, in both languages
    watch : receives the state of the chain about once a second
    remain : stay up after the chain until Ctrl-C

    Raises
    ------
    Refusal
        those of the stack, ``E-NO-DELIVERIES`` when there is no such folder, and ``E-CHAIN-FAILED`` with the DAG, task
        and log when a run fails
    """
    if data is not None and not data.is_dir():
        raise Refusal(
            "E-NO-DELIVERIES",
            Message(f"没有目录 {data}。", f"There is no folder {data}."),
            Message("检查 DATA 的路径，或不带它运行。", "Check the path given as DATA, or run without it."),
        )
    started = time.monotonic()
    stack = Stack(home, ports or Ports.from_environment(), tell)
    with interruptible():
        deliveries = data.resolve() if data else _bundled(home, tell)
        with stack:
            ready = time.monotonic() - started
            report = run_chain(stack, deliveries, tell=tell, watch=watch, started=started)
            report.seconds["ready"] = round(ready, 1)
            for line in (_summary(report), *addresses(home, stack.ports)):
                tell(line)
            if remain:
                stay(stack)
    return report


def run_chain(
    stack: Stack,
    deliveries: Path,
    *,
    tell: Callable[[Message], None],
    watch: Callable[[Progress], None],
    started: float,
) -> DemoReport:
    """Trigger the first DAG and follow the assets to the last one.

    Parameters
    ----------
    started : monotonic time from which seconds are counted
    """
    seconds: dict[str, float] = {}
    highest: dict[str, int] = {}
    weighed = -math.inf
    with stack.api() as api:
        chain.await_dags(api, limit_s=60)
        tell(Message(f"触发 {CHAIN[0]}：{deliveries}", f"Triggering {CHAIN[0]} on {deliveries}"))
        run_id, born = chain.trigger(api, deliveries)
        following = chain.Following(api, run_id=run_id, born=born)
        while not following.done:
            stack.check()
            progress = following.look()
            watch(progress)
            for name in progress.finished:
                seconds.setdefault(name, round(time.monotonic() - started, 1))
            if time.monotonic() - started > _LIMIT_S:
                raise Refusal(
                    "E-CHAIN-SLOW",
                    Message(f"{_LIMIT_S:.0f} 秒内未完成。", f"The chain was not done after {_LIMIT_S:.0f} s."),
                    Message("请在 Airflow 中查看各 DAG。", "Look at the DAGs in Airflow."),
                )
            if time.monotonic() - weighed > _WEIGH_S:
                highest = max(highest, stack.resident_bytes(), key=lambda found: sum(found.values()))
                weighed = time.monotonic()
            time.sleep(chain.LOOK_S)
    return DemoReport(seconds=seconds, states=dict.fromkeys(CHAIN, "success"), resident_bytes=highest)


def _bundled(home: Home, tell: Callable[[Message], None]) -> Path:
    folder, unfinished = home.deliveries, home.root / "simulating"
    if unfinished.exists() or not any(folder.iterdir()):
        tell(Message("生成示例地区 …", "Simulating the bundled region …"))
        unfinished.touch()
        simulate(folder, progress=_quarters(tell))
        unfinished.unlink()
    return folder


def _quarters(tell: Callable[[Message], None]) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if 4 * done // total > 4 * (done - 1) // total:
            percent = 100 * done // total
            tell(Message(f"  已生成 {percent}%", f"  {percent} % written"))

    return progress


def _summary(report: DemoReport) -> Message:
    first, last = report.seconds[CHAIN[0]], report.seconds[CHAIN[-1]]
    memory = sum(report.resident_bytes.values()) / 2**30
    return Message(
        f"全链完成：首个 DAG {first:.0f} 秒，全部 {last:.0f} 秒，内存 {memory:.1f} GiB。",
        f"The chain is done: first DAG {first:.0f} s, all {last:.0f} s, memory {memory:.1f} GiB.",
    )
