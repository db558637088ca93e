"""Up, demo and component: what they say, what they simulate, what they become."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.adapters import stack
from headwater.adapters.home import Home
from headwater.adapters.settings import Ports, passwords
from headwater.errors import Message, Refusal
from headwater.simulation import simulate
from headwater.steps import demo
from headwater.steps.component import component
from headwater.steps.demo import DemoReport
from headwater.steps.up import addresses


def test_addresses_and_logins_are_told_in_both_languages(home: Home) -> None:
    lines = addresses(home, Ports(airflow=8123, mlflow=5123))
    for language in ("zh", "en"):
        told = "\n".join(getattr(line, language) for line in lines)
        assert "http://127.0.0.1:8123" in told
        assert "http://127.0.0.1:5123" in told
        assert all(f"{user} / {password}" in told for user, password in passwords(home).items())
        assert f"/headwater/quality?lang={'zh-CN' if language == 'zh' else 'en'}" in told


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let the demonstration simulate a small region, and note where."""
    written: list[Path] = []

    def smaller(out: Path, **options: object) -> None:
        written.append(out)
        simulate(out, hospitals=3, months=2, stays=60, seed=1, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(demo, "simulate", smaller)
    return written


def test_the_region_is_simulated_once_and_again_when_it_was_cut_short(home: Home, small: list[Path]) -> None:
    told: list[Message] = []
    assert demo._bundled(home, told.append) == home.deliveries
    assert small == [home.deliveries]
    assert [line.en.strip() for line in told[1:]][-1] == "100 % written"
    demo._bundled(home, told.append)
    assert len(small) == 1
    (home.root / "simulating").touch()
    demo._bundled(home, told.append)
    assert len(small) == 2
    assert not (home.root / "simulating").exists()


def test_a_folder_that_is_not_there_is_refused_before_anything_starts(home: Home, tmp_path: Path) -> None:
    told: list[Message] = []
    with pytest.raises(Refusal) as refusal:
        demo.demo(home, data=tmp_path / "none", tell=told.append)
    assert (refusal.value.code, told) == ("E-NO-DELIVERIES", [])


def test_deliveries_of_ones_own_are_left_alone(home: Home, small: list[Path]) -> None:
    (home.deliveries / "h9").mkdir(parents=True)
    assert demo._bundled(home, lambda message: None) == home.deliveries
    assert small == []


def test_the_summary_names_seconds_and_memory() -> None:
    report = DemoReport({"ingest_deliveries": 61.2, "evolve_model": 130.9}, {}, {"a": 2**30, "b": 2**29})
    assert demo._summary(report).en == "The chain is done: first DAG 61 s, all 131 s, memory 1.5 GiB."
    assert json.loads(json.dumps(report.to_dict()))["resident_bytes"] == {"a": 2**30, "b": 2**29}


def test_an_unknown_component_is_refused(home: Home) -> None:
    with pytest.raises(Refusal, match="E-UNKNOWN-NAME") as refusal:
        component(home, "webserver")
    assert all(name in refusal.value.remedy.en for name in stack.COMPONENTS)


def test_a_component_becomes_its_process(home: Home) -> None:
    """Put in the place of the scheduler's command one that tells its environment."""
    code = (
        "import json, sys; from headwater.adapters import stack; from headwater.adapters.home import Home\n"
        "from headwater.steps.component import component\n"
        "tell = 'import json, os; print(json.dumps(dict(os.environ)))'\n"
        "stack.commands = lambda ports: {'scheduler': (sys.executable, '-c', tell)}\n"
        "component(Home.from_environment(), 'scheduler')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True, timeout=300
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["HEADWATER_HOME"] == str(home.root)
    assert found["AIRFLOW__CORE__EXECUTOR"] == "headwater.adapters.warm_executor.WarmExecutor"
    assert found["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql+psycopg2://")
