"""Every probe finds what is good, and says how to mend what is not."""

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from headwater.adapters import doctor as probes
from headwater.adapters import inbox, lake, postgres
from headwater.adapters.doctor import PROBES, Finding
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.steps.doctor import doctor

NAMES = [
    "python", "lock", "extensions", "postgres", "ports", "disk", "memory", "telemetry", "fonts", "chromium", "dbt",
    "references", "matchers", "events",
]  # fmt: skip


@pytest.fixture(autouse=True)
def ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_AIRFLOW_PORT", "0")
    monkeypatch.setenv("HEADWATER_MLFLOW_PORT", "0")


def bad(finding: Finding) -> Finding:
    assert finding.level in ("warn", "bad")
    for message in (finding.found, finding.remedy):
        assert message.zh
        assert message.en
    return finding


def test_this_installation_is_in_order(home: Home) -> None:
    findings = doctor(home)
    assert [finding.name for finding in findings] == NAMES == list(PROBES)
    assert [finding for finding in findings if finding.level == "bad"] == []
    assert all(finding.to_dict()["remedy_en"] == "" for finding in findings if finding.level == "good")


def test_events_that_were_set_aside_are_told(home: Home) -> None:
    def failing(connection: postgres.Connection, event: inbox.Event) -> None:
        raise ValueError

    with postgres.connect(home) as connection:
        inbox.post(connection, inbox.Event("h1", "claims"))
    assert "1" in PROBES["events"](home).found.en
    with postgres.connect(home) as connection:
        inbox.drain(connection, run="a", work=failing)
    assert "1 events were set aside" in bad(PROBES["events"](home)).found.en


def test_an_old_python_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    assert "3.10.4" in bad(PROBES["python"](home)).found.en


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        ("numpy==0.0.1\npandas==0.0.1\n", "numpy"),
        ("# comment\nno-such-package-anywhere==1.0\n", "no-such-package-anywhere –"),
        ("# nothing is locked\n", "0 packages differ"),
    ],
)
def test_a_package_beside_the_lock_is_named(home: Home, tmp_path: Path, lock: str, told: str) -> None:
    (tmp_path / "requirements.lock").write_text(lock, encoding="utf-8")
    finding = bad(PROBES["lock"](Home(root=home.root, project=tmp_path)))
    assert told in finding.found.en
    assert "make setup" in finding.remedy.en


def test_a_missing_lock_is_told(home: Home, tmp_path: Path) -> None:
    assert "missing" in bad(PROBES["lock"](Home(root=home.root, project=tmp_path))).found.en


def test_a_local_build_agrees_with_its_pin() -> None:
    assert probes._agrees("2.13.0+cpu", "2.13.0")
    assert not probes._agrees("2.13.1", "2.13.0")
    assert not probes._agrees("–", "2.13.0")


def test_an_extension_that_does_not_load_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "EXTENSIONS", ("no_such_extension",))
    assert "no_such_extension" in bad(PROBES["extensions"](home)).found.en


def test_a_database_that_does_not_answer_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres.DSN_VARIABLE, "host=/nowhere user=x")
    finding = bad(PROBES["postgres"](home))
    assert "nowhere" in finding.found.en
    assert postgres.DSN_VARIABLE in finding.remedy.en


def test_a_full_disk_and_little_memory_are_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_DISK_GIB", 10**9)
    monkeypatch.setattr(probes, "_MEMORY_GIB", psutil.virtual_memory().total)
    assert bad(PROBES["disk"](home)).level == "bad"
    assert bad(PROBES["memory"](home)).level == "warn"


def test_a_home_that_is_not_there_yet_is_measured_where_it_will_be(home: Home) -> None:
    assert PROBES["disk"](Home(root=home.root / "a" / "b", project=home.project)).level == "good"


def test_telemetry_switched_on_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    finding = bad(PROBES["telemetry"](home))
    assert finding.remedy.en.endswith("unset DO_NOT_TRACK")


@pytest.mark.parametrize("name", ["fonts", "chromium"])
def test_what_only_pictures_need_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PATH", "")
    finding = bad(PROBES[name](home))
    assert finding.level == "warn"
    assert "apt-get install" in finding.remedy.en


def test_a_broken_dbt_project_is_told(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "dbt_project"
    broken.mkdir()
    (broken / "dbt_project.yml").write_text("name: [", encoding="utf-8")
    assert bad(PROBES["dbt"](Home(root=home.root, project=tmp_path))).level == "bad"


def test_a_probe_that_is_refused_tells_the_refusal(home: Home) -> None:
    def refusing(home: Home) -> Finding:
        raise Refusal("E-X", Message("坏了。", "Broken."), Message("修好。", "Mend it."))

    look: Callable[[Home], Finding] = probes._told(refusing, "x")
    assert look(home) == Finding("x", "bad", Message("坏了。", "Broken."), Message("修好。", "Mend it."))
