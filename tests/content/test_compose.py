"""The compose file is valid, and every name it uses exists where it points."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import headwater
from headwater.adapters import stack
from headwater.adapters.settings import Ports
from headwater.steps.component import MIGRATE

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "docker-compose.yml"
OURS = {*stack.COMPONENTS, MIGRATE}


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def loose_ends(compose: dict[str, Any]) -> list[str]:
    """Return what names something that is not there."""
    services, volumes = compose["services"], set(compose.get("volumes", {}))
    found = []
    for name, service in services.items():
        found += [f"{name} waits for {other}" for other in service.get("depends_on", {}) if other not in services]
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy" and "healthcheck" not in services.get(other, {}):
                found.append(f"{name} waits for the health of {other}, which has none")
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).partition(":")[0]
            if not source.startswith((".", "/")) and source not in volumes:
                found.append(f"{name} mounts {source}")
        for value in service.get("environment", {}).values():
            for host in re.findall(r"(?:http://|host=)([a-z-]+)", str(value)):
                if host not in services and host != "localhost":
                    found.append(f"{name} calls {host}")
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read(FILE.read_text(encoding="utf-8"))


def test_the_file_follows_the_specification(tmp_path: Path) -> None:
    done = check(FILE)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(
        FILE.read_text(encoding="utf-8").replace("command: [mlflow]", "comand: [mlflow]"), encoding="utf-8"
    )
    assert check(broken).returncode != 0


def test_the_topology_is_that_of_the_launcher(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", *OURS}
    for name in OURS:
        assert compose["services"][name]["command"] == [name]
        assert compose["services"][name]["image"] == f"headwater:{headwater.__version__}"


def test_every_name_exists(compose: dict[str, Any]) -> None:
    assert loose_ends(compose) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("http://mlflow:5000", "http://mlflo:5000"),
        ("host=postgres", "host=database"),
        ("  state:\n", "  other:\n"),
        ("      api-server:\n        condition", "      api:\n        condition"),
        ("    migrate:\n      condition", "    scheduler:\n      condition"),
    ],
)
def test_the_guard_sees_a_name_that_does_not_exist(good: str, bad: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert good in text
    before, _, after = text.rpartition(good)
    twin = read(before + bad + after)
    if bad.startswith("    scheduler"):
        twin["services"]["mlflow"]["depends_on"]["scheduler"]["condition"] = "service_healthy"
    assert loose_ends(twin)


def test_every_variable_is_one_the_product_reads(compose: dict[str, Any]) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "src").rglob("*.py"))
    for name in OURS:
        for variable in compose["services"][name]["environment"]:
            assert variable in code or variable == "MLFLOW_SERVER_ALLOWED_HOSTS", variable


def test_ports_are_the_defaults_and_bound_to_this_machine(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published == [
        f"127.0.0.1:${{HEADWATER_MLFLOW_PORT:-{Ports.mlflow}}}:{Ports.mlflow}",
        f"127.0.0.1:${{HEADWATER_AIRFLOW_PORT:-{Ports.airflow}}}:{Ports.airflow}",
    ]


def test_no_password_stands_in_the_file() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert len(re.findall(r"(?i)password[=:]\s*\S+", text)) == len(re.findall(r"\$\{POSTGRES_PASSWORD:\?", text)) == 2


def test_the_image_copies_what_exists_and_runs_components() -> None:
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE):
        for name in line.split():
            assert (PROJECT / name).exists(), name
    assert 'ENTRYPOINT ["headwater", "component"]' in text
    assert "USER headwater" in text
    assert set(re.findall(r"HEADWATER_\w+", text)) <= {"HEADWATER_PROJECT", "HEADWATER_HOME", "HEADWATER_HOST"}
