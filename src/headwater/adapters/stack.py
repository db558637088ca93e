"""The stack on one machine: PostgreSQL, MLflow and Airflow's four components, started, awaited and stopped as one."""

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

import httpx
import psutil
import psycopg

from headwater.adapters import airflow_api, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.processes import Component, Processes, resident_bytes, sweep
from headwater.adapters.settings import Ports, environment, passwords
from headwater.errors import Message, Refusal

__all__ = ["COMPONENTS", "POOLS", "Stack", "commands", "free_ports", "migrate", "running", "tail"]

COMPONENTS = ("mlflow", "api-server", "scheduler", "dag-processor", "triggerer")
"""What runs besides PostgreSQL, in the order in which it is started."""

POOLS = {"warehouse": (1, "一次只构建一次数据仓库 / one warehouse build at a time")}
"""Pool name to slots and description."""

# Logs lie on the disk that the api-server reads, so nobody has to serve them.
_EXTRA = {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}
_COMMANDS = """
import json, sys
from airflow.__main__ import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["airflow", *words]
    main()
"""
_READY_S = 120.0
_MIGRATE_S = 180.0
_POLL_S = 0.25


@dataclass
class Stack:
    """Everything an installation runs, as one context: inside it all is healthy, after it nothing is left.

    Parameters
    ----------
    home : state and content
    ports : where to listen
    tell : receives one line a step, in both languages
    """

    home: Home
    ports: Ports = field(default_factory=Ports.from_environment)
    tell: Callable[[Message], None] = lambda message: None

    def __post_init__(self) -> None:
        self._exit = contextlib.ExitStack()
        self._processes = Processes(mark=_mark(self.home))

    def __enter__(self) -> "Stack":
        with contextlib.ExitStack() as undo:
            undo.enter_context(_only_one(self.home))
            _clear(self.home)
            free_ports(self.ports)
            self.tell(Message("启动 PostgreSQL …", "Starting PostgreSQL …"))
            if postgres.DSN_VARIABLE not in os.environ:
                undo.callback(postgres.stop, self.home)
            variables = environment(self.home, self.ports)
            migrate(self.home, variables)
            undo.enter_context(self._processes)
            self._start(variables)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *about: object) -> None:
        self.tell(Message("正在停止 …", "Stopping …"))
        self._exit.close()

    def api(self) -> airflow_api.AirflowApi:
        """Return a session of the administrator with Airflow."""
        return airflow_api.AirflowApi(self.ports.airflow_url, user="admin", password=passwords(self.home)["admin"])

    def check(self) -> None:
        """Refuse to go on when a component ended by itself."""
        fallen = self._processes.fallen()
        if fallen is not None:
            component, status = fallen
            end = tail(component.log)
            raise Refusal(
                "E-STACK-COMPONENT",
                Message(f"{component.name} 意外退出（{status}）。", f"{component.name} ended with status {status}."),
                Message(f"请看日志 {component.log}，末行：{end}", f"See its log {component.log}, which ends: {end}"),
            )

    def resident_bytes(self) -> dict[str, int]:
        """Return proportional memory in bytes by component, with its children; an outside database is not counted."""
        holder = self.home.pgdata / "postmaster.pid"
        server = int(holder.read_text(encoding="utf-8").split()[0]) if holder.exists() else 0
        return {"postgres": resident_bytes(server), **self._processes.resident_bytes()}

    def _start(self, variables: Mapping[str, str]) -> None:
        since = datetime.now(UTC)
        for name, command in commands(self.ports).items():
            self.tell(Message(f"启动 {name} …", f"Starting {name} …"))
            self._processes.start(Component(name, command, variables, self.home.logs / f"{name}.log"))
        self.tell(Message("等待各组件就绪 …", "Waiting until every component is healthy …"))
        deadline = time.monotonic() + _READY_S
        # One client, as each reads all certificates of the machine.
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while missing := self._missing(client, since):
                self.check()
                if time.monotonic() > deadline:
                    raise _slow(self.home, missing)
                time.sleep(_POLL_S)

    def _missing(self, client: httpx.Client, since: datetime) -> str:
        states = airflow_api.health(client, self.ports.airflow_url, since=since)
        states["mlflow"] = _mlflow_health(client, self.ports.mlflow_url)
        return ", ".join(sorted(name for name, state in states.items() if state != "healthy"))


def commands(ports: Ports) -> dict[str, tuple[str, ...]]:
    """Return component name to the command that runs it in the environment of :func:`settings.environment`."""
    python = (sys.executable, "-m")
    listen = ("--host", ports.host, "--port", str(ports.mlflow), "--workers", "1")
    airflow = {name: (*python, "airflow", name, *_EXTRA.get(name, ())) for name in COMPONENTS[1:]}
    return {"mlflow": (*python, "mlflow", "server", *listen), **airflow}


def migrate(home: Home, variables: Mapping[str, str]) -> None:
    """Bring the databases to the installed versions; where they are there already nothing is started."""
    postgres.prepare(home)
    stamp, wanted = home.airflow / "migrated", f"{version('apache-airflow')} {json.dumps(POOLS)}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == f"{wanted} {_revision(home)}":
        return
    # The catalog's tables are made by whoever attaches first; two first ones at once would clash.
    lake.connect(home).close()
    pools = (("pools", "set", name, str(slots), description) for name, (slots, description) in POOLS.items())
    _airflow(home, variables, ("db", "migrate"), *pools)
    stamp.write_text(f"{wanted} {_revision(home)}", encoding="utf-8")


def free_ports(ports: Ports) -> None:
    """Refuse when a port is taken."""
    for variable, port in (("HEADWATER_AIRFLOW_PORT", ports.airflow), ("HEADWATER_MLFLOW_PORT", ports.mlflow)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # A port that a server left a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ports.host, port))
            except OSError as error:
                raise _taken(f"{ports.host}:{port}", variable, str(error.strerror)) from error


def running(home: Home) -> bool:
    """Say whether a launcher holds this home now."""
    try:
        with _only_one(home):
            return False
    except Refusal:
        return True


def tail(log: Path, *, lines: int = 3) -> str:
    """Return the last lines of a log, joined by `` | ``."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return " | ".join(text.strip().splitlines()[-lines:])


def _taken(address: str, variable: str, reason: str) -> Refusal:
    return Refusal(
        "E-PORT-TAKEN",
        Message(f"端口 {address} 不可用（{reason}）。", f"Port {address} cannot be used ({reason})."),
        Message(
            f"请停止占用它的程序，或用 {variable} 指定别的端口。",
            f"Stop the program that uses it, or name another port in {variable}.",
        ),
    )


def _mark(home: Home) -> str:
    return hashlib.sha256(str(home.root).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[IO[str]]:
    """Hold the home for one launcher; the system lets go of it when the launcher ends, however it ends."""
    home.create()
    with (home.root / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refusal(
                "E-STACK-RUNNING",
                Message(f"{home.root} 已有一个运行中的 headwater。", f"headwater already runs on {home.root}."),
                Message("请先在其终端按 Ctrl-C。", "Press Ctrl-C in its terminal first."),
            ) from error
        yield lock


def _clear(home: Home) -> None:
    """Stop what a killed launcher left behind: it would hold the ports, write beside us and keep the server up."""
    sweep(_mark(home), until=time.monotonic() + 5)
    holders = home.pgdata / ".handle_pids.json"
    if holders.exists():
        alive = [pid for pid in json.loads(holders.read_text(encoding="utf-8") or "[]") if psutil.pid_exists(pid)]
        holders.write_text(json.dumps(alive), encoding="utf-8")


def _slow(home: Home, missing: str) -> Refusal:
    return Refusal(
        "E-STACK-SLOW",
        Message(f"{_READY_S:.0f} 秒后仍未就绪：{missing}。", f"Not healthy in {_READY_S:.0f} s: {missing}."),
        Message(f"请看 {home.logs} 中的日志。", f"See the logs in {home.logs}."),
    )


def _mlflow_health(client: httpx.Client, base_url: str) -> str:
    try:
        answer = client.get(f"{base_url}/health")
    except httpx.TransportError:
        return "absent"
    return "healthy" if answer.is_success else "unhealthy"


def _airflow(home: Home, variables: Mapping[str, str], *commands: Sequence[str]) -> None:
    """Run commands of Airflow one after the other in one process: to start it takes longer than most of them."""
    log = home.logs / "migrate.log"
    with log.open("ab") as out:
        done = subprocess.run(
            [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=_MIGRATE_S,
            check=False,
        )
    if done.returncode:
        told = ", ".join(f"airflow {' '.join(command[:2])}" for command in commands)
        raise Refusal(
            "E-AIRFLOW-MIGRATE",
            Message(f"{told} 失败。", f"{told} failed."),
            Message(f"请看 {log}：{tail(log)}", f"See {log}: {tail(log)}"),
        )


def _revision(home: Home) -> str:
    with postgres.connect(home, "airflow") as connection:
        try:
            row = connection.execute("select version_num from alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return ""
    return str(row[0]) if row else ""
