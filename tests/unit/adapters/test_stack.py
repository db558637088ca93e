"""What the launcher refuses before it starts anything, and how it clears up after a killed one."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from headwater.adapters import stack
from headwater.adapters.home import Home
from headwater.adapters.processes import MARK
from headwater.adapters.settings import Ports
from headwater.adapters.stack import Stack
from headwater.errors import Refusal


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home", project=Path(__file__).resolve().parents[3]).create()


def test_a_taken_port_is_refused_by_its_number_and_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refusal) as refusal:
            stack.free_ports(Ports(airflow=port, mlflow=0))
    error = refusal.value
    assert error.code == "E-PORT-TAKEN"
    assert str(port) in error.reason.zh
    assert str(port) in error.reason.en
    assert "HEADWATER_AIRFLOW_PORT" in error.remedy.en


def test_a_second_launcher_is_refused(bare: Home) -> None:
    assert not stack.running(bare)
    with (bare.root / "stack.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert stack.running(bare)
        with pytest.raises(Refusal, match="E-STACK-RUNNING"), Stack(bare, Ports()):
            pytest.fail("a second stack started")
    assert not stack.running(bare)


def test_what_a_killed_launcher_left_is_cleared_before_ports_are_looked_at(bare: Home) -> None:
    code = (
        "import socket, time\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, MARK: stack._mark(bare)}
    left = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert left.stdout is not None
    port = int(left.stdout.readline())
    left.stdout.close()
    with pytest.raises(Refusal, match="E-PORT-TAKEN"):
        stack.free_ports(Ports(airflow=port, mlflow=0))
    dead, alive = left.pid, os.getpid()
    bare.pgdata.mkdir()
    holders = bare.pgdata / ".handle_pids.json"
    holders.write_text(json.dumps([alive, 2**22 - 7]), encoding="utf-8")
    stack._clear(bare)
    left.wait(timeout=60)
    assert not psutil.pid_exists(dead)
    stack.free_ports(Ports(airflow=port, mlflow=0))
    assert json.loads(holders.read_text(encoding="utf-8")) == [alive]


def test_components_are_started_without_a_secret_in_the_command_line() -> None:
    commands = stack.commands(Ports(airflow=8123, mlflow=5123))
    assert tuple(commands) == stack.COMPONENTS
    assert all(command[0] == sys.executable for command in commands.values())
    words = " ".join(word for command in commands.values() for word in command)
    assert "postgresql" not in words
    assert "--port 5123" in words


def test_the_end_of_a_log_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert stack.tail(log) == ""
    log.write_text("a\nb\nc\nd\n", encoding="utf-8")
    assert stack.tail(log) == "b | c | d"


def test_a_stack_that_cannot_start_leaves_nothing(bare: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_POSTGRES_DSN", "host=/nowhere user=x connect_timeout=1")
    said: list[str] = []
    with (
        pytest.raises(Exception, match="nowhere"),
        Stack(bare, Ports(airflow=0, mlflow=0), lambda m: said.append(m.en)),
    ):
        pytest.fail("a stack without a database started")
    assert said == ["Starting PostgreSQL …"]
    assert not stack.running(bare)
