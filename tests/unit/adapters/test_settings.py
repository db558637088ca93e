"""The environment of the stack: complete, private, quiet."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import make_url

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.adapters.settings import TELEMETRY_OFF, USERS, Ports, environment, passwords


@pytest.fixture
def elsewhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv(postgres.DSN_VARIABLE, "host=db.example user=u password=p@ss/word")
    return home


def test_nothing_phones_home(elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    found = environment(elsewhere, Ports())
    assert {name: found[name] for name in TELEMETRY_OFF} == dict(TELEMETRY_OFF)


def test_every_component_gets_the_same_addresses(elsewhere: Home) -> None:
    found = environment(elsewhere, Ports(airflow=8123, mlflow=5123))
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5123"
    assert found["AIRFLOW__CORE__DAGS_FOLDER"] == str(elsewhere.project / "dags")
    assert found["AIRFLOW__CORE__PARALLELISM"] == "4"
    assert found["AIRFLOW__CORE__LAZY_LOAD_PLUGINS"] == "False"
    database = make_url(found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert (database.host, database.database, database.password) == ("db.example", "airflow", "p@ss/word")
    assert found["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_what_an_operator_sets_for_airflow_stays(elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "32")
    monkeypatch.setenv("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "True")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    found = environment(elsewhere, Ports())
    assert found["AIRFLOW__CORE__PARALLELISM"] == "32"
    assert found["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert found["AIRFLOW_HOME"] == str(elsewhere.airflow)


def test_addresses_for_other_machines_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_AIRFLOW_PORT", "9000")
    monkeypatch.setenv("HEADWATER_HOST", "0.0.0.0")
    monkeypatch.delenv("HEADWATER_AIRFLOW_URL", raising=False)
    assert Ports.from_environment().airflow_url == "http://127.0.0.1:9000"
    monkeypatch.setenv("HEADWATER_AIRFLOW_URL", "http://api-server:8080")
    assert Ports.from_environment().airflow_url == "http://api-server:8080"


def test_secrets_are_drawn_once_and_kept_for_the_owner(elsewhere: Home) -> None:
    first, second = environment(elsewhere, Ports()), environment(elsewhere, Ports())
    for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert len(first[name]) >= 43
        assert first[name] == second[name]
    assert len({first["AIRFLOW__API__SECRET_KEY"], first["AIRFLOW__API_AUTH__JWT_SECRET"]}) == 2
    for path in elsewhere.vault.glob("airflow_*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.vault.stat().st_mode) == 0o700


def test_passwords_are_random_and_a_changed_one_stays(home: Home) -> None:
    drawn = passwords(home)
    assert set(drawn) == set(USERS)
    assert len(set(drawn.values())) == len(USERS)
    assert all(len(password) >= 12 for password in drawn.values())
    path = home.vault / "airflow_passwords.json"
    path.write_text(json.dumps({"admin": "chosen"}), encoding="utf-8")
    assert passwords(home)["admin"] == "chosen"
    assert json.loads(path.read_text(encoding="utf-8"))["viewer"] == passwords(home)["viewer"]


def test_only_its_owner_looks_into_an_installation(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home", project=tmp_path).create()
    modes = {folder.name: stat.S_IMODE(folder.stat().st_mode) & 0o077 for folder in home.root.iterdir()}
    assert {name for name, others in modes.items() if others} <= {"deliveries"}
    assert {"lake", "reports", "logs", "vault"} <= set(modes)
