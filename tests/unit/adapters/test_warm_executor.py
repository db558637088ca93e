"""Workers fork from a scheduler that has imported what tasks import, and that has no thread a fork would lose."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters import warm_executor
from headwater.adapters.warm_executor import preload, wanted

PROJECT = Path(__file__).resolve().parents[3]
HEAVY = {"dbt.cli.main", "duckdb", "great_expectations", "mlflow", "pandas", "scipy.stats", "sklearn"}

# Arrow's allocator restarts its thread in a child by itself.
SCHEDULER = """
import ast, json, os, sys
from importlib import import_module
from pathlib import Path
import duckdb
duckdb.execute("SET threads = 4")

def threads():
    tasks = Path("/proc/self/task")
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid())]
    return [name for name in names if name != "jemalloc_bg_thd"]

lost = []
os.register_at_fork(before=lambda: lost.append(threads()))
module, name = sys.argv[1].rsplit(".", 1)
executor = getattr(import_module(module), name)(parallelism=1)
executor.start()
held = set(sys.modules)
executor.end()
for file in sorted(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).glob("*.py")):
    for function in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom):
                    exec(ast.unparse(node), {})
print(json.dumps({"lost": lost, "held": sorted(held), "anew": sorted(set(sys.modules) - held)}))
"""


def scheduler(executor: str, dags: Path, home: Path) -> Any:
    """Start an executor in a process of its own; say what it held when workers forked, and what tasks then import."""
    environment = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULER, executor],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_a_task_imports_nothing_anew_and_no_thread_is_lost(tmp_path: Path) -> None:
    found = scheduler("headwater.adapters.warm_executor.WarmExecutor", PROJECT / "dags", tmp_path)
    assert found["lost"] == [[]]
    assert HEAVY - {*found["held"]} == set()
    assert found["anew"] == []


def test_airflows_own_executor_would_import_anew_and_lose_threads(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "land.py").write_text("def task():\n    from headwater.steps.land import land\n", encoding="utf-8")
    found = scheduler("airflow.executors.local_executor.LocalExecutor", dags, tmp_path)
    assert found["lost"] != [[]]
    assert "headwater.steps.land" in found["anew"]


def test_only_the_engine_is_wanted_of_dag_files(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "import os\nimport headwater.types\nfrom airflow.sdk import dag\nfrom headwater_console import app\n"
        "def task():\n    from headwater.steps.land import land\n    from . import beside\n",
        encoding="utf-8",
    )
    (tmp_path / "two.py").write_text("def (\n", encoding="utf-8")
    assert sorted(wanted(tmp_path)) == ["headwater.steps.land", "headwater.types"]


FAILS = {
    "absent": None,
    "half": "def (",
    "older": "raise ValueError('numpy.dtype size changed')",
    "unlinked": "raise OSError('libgomp.so.1')",
    "leaves": "raise SystemExit(1)",
}


@pytest.mark.parametrize("name", FAILS)
def test_a_module_that_cannot_be_imported_is_told_and_the_others_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    modules = {f"{name}_for_preload": FAILS[name], "made_for_preload": ""}
    for module, code in modules.items():
        if code is not None:
            (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(warm_executor, "LATER", tuple(modules))
    preload(tmp_path / "dags")
    assert sys.modules.pop("made_for_preload", None) is not None
    assert f"{name}_for_preload could not be imported" in caplog.text


def test_what_is_no_readable_file_is_left_to_airflow(tmp_path: Path) -> None:
    """An editor's lock is a link to nowhere, while a DAG is edited."""
    (tmp_path / ".#chain.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "one.py").write_text("import headwater.types\n", encoding="utf-8")
    assert [*wanted(tmp_path)] == ["headwater.types"]
