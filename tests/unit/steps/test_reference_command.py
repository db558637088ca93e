"""The command: what it shows, what it returns, and how it refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.adapters.home import Home
from headwater.cli.main import app

RUN = CliRunner()


@pytest.fixture
def file(home: Home, tmp_path: Path) -> Path:
    path = tmp_path / "drug_20240101.csv"
    path.write_text("code,name\nA,阿莫西林\nA,阿莫西林\nB,[red]b[/]\n", encoding="utf-8")
    return path


def test_what_was_loaded_is_counted_and_listed(file: Path):
    shown = RUN.invoke(app, ["reference", "load", str(file)])
    assert shown.exit_code == 0
    assert "drug_20240101.csv" in shown.stdout.replace("\n", "")
    loaded = json.loads(RUN.invoke(app, ["reference", "load", str(file), "--json"]).stdout)
    (one,) = loaded["files"]
    assert (one["state"], one["rows_in"], one["rows"], one["rows_repeated"]) == ("unchanged", 3, 2, 1)
    assert one["valid_from"] == "2024-01-01"
    (version,) = json.loads(RUN.invoke(app, ["reference", "list", "--json"]).stdout)["versions"]
    assert (version["version"], version["rows_in"], version["rows"]) == (one["version"], 3, 2)
    assert "2024-01-01" in RUN.invoke(app, ["reference", "list"]).stdout


def test_a_day_given_by_hand_goes_before_that_of_the_name(file: Path):
    done = RUN.invoke(
        app, ["reference", "load", str(file), "--valid-from", "2025-02-03", "--kind", "service", "--json"]
    )
    (one,) = json.loads(done.stdout)["files"]
    assert (one["kind"], one["valid_from"]) == ("service", "2025-02-03")
    assert RUN.invoke(app, ["reference", "load", str(file), "--valid-from", "03.02.2025"]).exit_code == 2


def test_a_refused_file_is_told_in_both_languages(file: Path):
    file.write_text("code,name\nA,a\nA,b\n", encoding="utf-8")
    done = RUN.invoke(app, ["reference", "load", str(file)])
    assert done.exit_code == 1
    told = done.stdout.replace("\n", "").replace(" ", "")
    assert "互相矛盾" in told
    assert "contradicteachother" in told


def test_nothing_to_load_is_refused(home: Home, tmp_path: Path):
    done = RUN.invoke(app, ["reference", "load", str(tmp_path / "missing")])
    assert done.exit_code == 2
    assert "E-REFERENCE-NONE" in done.stderr
    # A long path breaks the line anywhere between words.
    assert "does not exist" in " ".join(done.stderr.split())
