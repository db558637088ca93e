"""The DAG that codes items, really run: on an empty region it announces the coding all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

from headwater.adapters import lake, raw
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[2]


def test_items_without_a_reference_do_not_break_the_chain(home: Home, tmp_path: Path) -> None:
    with lake.connect(home) as connection:
        raw.create_tables(home, connection)
        connection.execute(
            "INSERT INTO lake.raw.drug (source_id, batch_id, row_no, medins_list_codg, medins_list_name) "
            "VALUES ('h1', 'b', 0, '1', '阿莫西林胶囊')"
        )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dag_run.py")), "dags/code_items.py"],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = [line for line in done.stdout.splitlines() if line.startswith('{"state"')]
    assert json.loads(found[-1]) == {"state": "success", "assets": ["lake_coding"]}
    with lake.connect(home) as connection:
        rows = connection.execute("SELECT decision, code, reason FROM lake.coding.item").fetchall()
    assert rows == [("none", None, "no reference")]
    assert "drug" in next(line for line in done.stdout.splitlines() + done.stderr.splitlines() if "notes = " in line)
