"""The environment in which the outside tools run: where their state lies, who may log in, and nothing phones home."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headwater.adapters import postgres
from headwater.adapters.home import Home

__all__ = ["TELEMETRY_OFF", "USERS", "Ports", "environment", "passwords", "quiet"]

TELEMETRY_OFF: Mapping[str, str] = {
    "AIRFLOW__OPENLINEAGE__DISABLED": "True",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Everything that would otherwise send a packet out."""

USERS: Mapping[str, str] = {"admin": "admin", "analyst": "user", "viewer": "viewer"}
"""User name to Airflow role, as created at the first start."""


@dataclass(frozen=True)
class Ports:
    """Where the two web servers listen.

    Parameters
    ----------
    airflow, mlflow : TCP ports; ``HEADWATER_AIRFLOW_PORT`` and ``HEADWATER_MLFLOW_PORT``
    host : address to listen on; ``HEADWATER_HOST``
    airflow_at, mlflow_at : addresses by which other machines reach them, empty when all run on one;
        ``HEADWATER_AIRFLOW_URL`` and ``HEADWATER_MLFLOW_URL``
    """

    airflow: int = 8080
    mlflow: int = 5000
    host: str = "127.0.0.1"
    airflow_at: str = ""
    mlflow_at: str = ""

    @classmethod
    def from_environment(cls) -> "Ports":
        """Read the five variables, with the defaults above."""
        return cls(
            airflow=int(os.environ.get("HEADWATER_AIRFLOW_PORT", cls.airflow)),
            mlflow=int(os.environ.get("HEADWATER_MLFLOW_PORT", cls.mlflow)),
            host=os.environ.get("HEADWATER_HOST", cls.host),
            airflow_at=os.environ.get("HEADWATER_AIRFLOW_URL", cls.airflow_at),
            mlflow_at=os.environ.get("HEADWATER_MLFLOW_URL", cls.mlflow_at),
        )

    @property
    def airflow_url(self) -> str:
        """Address of the Airflow UI, its REST interface and the console."""
        return self.airflow_at or f"http://{self._name}:{self.airflow}"

    @property
    def mlflow_url(self) -> str:
        """Address of MLflow."""
        return self.mlflow_at or f"http://{self._name}:{self.mlflow}"

    @property
    def _name(self) -> str:
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host


def quiet() -> None:
    """Switch the telemetry of every tool off in this process."""
    os.environ.update(TELEMETRY_OFF)


def passwords(home: Home) -> dict[str, str]:
    """Return user name to password; random ones are drawn at the first call and kept under the vault."""
    path = home.vault / "airflow_passwords.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = {user: secrets.token_urlsafe(9) for user in USERS if user not in known}
    if missing:
        _write_private(path, known | missing)
    return known | missing


def environment(home: Home, ports: Ports) -> dict[str, str]:
    """Return the whole environment of a component or task: this process's, and what the stack adds to it.

    An option of Airflow that is set already (another login, another executor) stays as it is.
    """
    home.create()
    passwords(home)
    return {
        **_airflow(home, ports),
        **_keys(home),
        **os.environ,
        **TELEMETRY_OFF,
        "AIRFLOW_HOME": str(home.airflow),
        "HEADWATER_HOME": str(home.root),
        "HEADWATER_PROJECT": str(home.project),
        "HEADWATER_AIRFLOW_URL": ports.airflow_url,
        "HEADWATER_MLFLOW_URL": ports.mlflow_url,
        postgres.DSN_VARIABLE: os.environ.get(postgres.DSN_VARIABLE) or postgres.start(home),
        # What a browser uses, where that is not what a container uses.
        "HEADWATER_MLFLOW_PUBLIC_URL": os.environ.get("HEADWATER_MLFLOW_PUBLIC_URL") or ports.mlflow_url,
        "MLFLOW_TRACKING_URI": ports.mlflow_url,
        # In the environment and not in the command line, where every user of the machine could read a password.
        "MLFLOW_BACKEND_STORE_URI": postgres.url(home, "mlflow", driver="psycopg2"),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": home.mlflow_artifacts.as_uri(),
        "MLFLOW_ARTIFACTS_DESTINATION": home.mlflow_artifacts.as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # One thread of native work a task: four tasks share the machine.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PYTHONUNBUFFERED": "1",
    }


def _airflow(home: Home, ports: Ports) -> dict[str, str]:
    options: dict[str, dict[str, object]] = {
        "core": {
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_users": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "simple_auth_manager_passwords_file": home.vault / "airflow_passwords.json",
            "dags_folder": home.project / "dags",
            "plugins_folder": home.project / "plugins",
            "execution_api_server_url": f"{ports.airflow_url}/execution/",
            "executor": "headwater.adapters.warm_executor.WarmExecutor",
            "parallelism": 4,
            "max_active_runs_per_dag": 1,
            "dags_are_paused_at_creation": False,
            "lazy_load_plugins": False,
            "load_examples": False,
            "default_timezone": "Asia/Shanghai",
        },
        "database": {
            "sql_alchemy_conn": postgres.url(home, "airflow", driver="psycopg2"),
            "sql_alchemy_conn_async": postgres.url(home, "airflow", driver="asyncpg"),
            "sql_alchemy_pool_size": 3,
        },
        "api": {"base_url": ports.airflow_url, "host": ports.host, "port": ports.airflow, "workers": 1},
        "scheduler": {"scheduler_idle_sleep_time": 0.1},
        "dag_processor": {"min_file_process_interval": 30, "refresh_interval": 30, "parsing_processes": 1},
        "logging": {
            "base_log_folder": home.logs / "airflow",
            "dag_processor_child_process_log_directory": home.logs / "dag_processor",
        },
    }
    return {f"AIRFLOW__{s.upper()}__{k.upper()}": str(v) for s, values in options.items() for k, v in values.items()}


def _keys(home: Home) -> dict[str, str]:
    path = home.vault / "airflow_keys.json"
    if not path.exists():
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        _write_private(
            path,
            {
                "AIRFLOW__CORE__FERNET_KEY": fernet,
                "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            },
        )
    keys: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return keys


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
