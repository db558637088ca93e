"""A plan of a region's chosen sources, as the command shows and draws it."""

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from headwater.adapters.knowledge import Run
from headwater.cli import knowledge
from headwater.cli import plan as command
from headwater.cli.main import app
from headwater.steps.joint import plan_join, recall
from headwater.steps.plan import plan
from headwater.steps.value import value

REGION = "划"


def occasion(name):
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, REGION)


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(region=REGION)


@pytest.fixture(scope="module")
def home(region_home):
    value(region_home, run=occasion("valued"), min_stays=50)
    return region_home


@pytest.fixture
def told(home, monkeypatch):
    monkeypatch.setattr(command, "home", lambda: home)

    def run(*words):
        return CliRunner().invoke(app, ["plan", "--region", REGION, *words])

    return run


def test_the_plan_is_that_which_a_run_would_have(home, told):
    report = plan(home, run=occasion("planned"))
    joint = plan_join(home, run=occasion("joined"), task="stay_cost", model="stay_cost_ridge")
    assert report.plan is not None
    assert joint.plan is not None
    assert report.plan.digest == joint.plan.digest
    assert recall(home, joint.entry).plan == joint.plan
    shown = json.loads(told("--json").stdout)
    assert shown["digest"] == report.plan.digest
    assert shown["plan"]["groups"] == report.plan.to_dict()["groups"]


def test_every_edge_and_reason_is_explained_in_both_languages_within_eighty_columns(home, told):
    text = told("--explain").stdout
    found = plan(home, run=occasion("planned")).plan
    assert found is not None
    assert max(map(_width, text.splitlines())) <= 80
    for group in found.groups:
        assert f"{group.tier}\n" in text
    for reason in found.reasons.values():
        assert "".join(reason.en.split()) in "".join(text.split())
        assert "".join(reason.zh.split()) in "".join(text.split())


def _width(line):
    return sum(2 if "\u2e80" <= mark <= "\uffef" else 1 for mark in line.rstrip())


def test_a_wish_is_planned_for_as_it_is_joined_for(home, told):
    shown = json.loads(told("--protect", "masked", "masked", "--json").stdout)
    assert {mechanism[0] for group in shown["plan"]["groups"] for mechanism in group["mechanisms"].values()} == {
        "masked"
    }


def test_an_unknown_wish_is_refused_before_anything_is_opened(monkeypatch):
    monkeypatch.setattr(command, "home", lambda: pytest.fail("opened"))
    monkeypatch.setattr(knowledge, "home", lambda: pytest.fail("opened"))
    for name in ("plan", "aggregate"):
        refused = CliRunner().invoke(app, [name, "--protect", "required", "clear"])
        assert refused.exit_code == 2
        assert "E-WISH-UNKNOWN" in refused.output
        assert "城市到统筹区" in refused.output
        assert "from city to region" in refused.output


def test_a_picture_is_drawn(told, tmp_path):
    file = tmp_path / "plan.png"
    assert told("--picture", str(file)).exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_purpose_that_nobody_allows_joins_nobody_and_says_why(home, told):
    report = plan(home, run=occasion("planned"), purpose="marketing")
    assert report.plan is None
    assert report.refused
    assert all("marketing" in why.en for why in report.refused.values())
    assert "marketing" in told("--purpose", "marketing").stdout
