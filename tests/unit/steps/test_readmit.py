"""A person brings a removed source back, with a reason that is kept, and nobody else is touched."""

import json
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from headwater.adapters import evolved, knowledge, lake
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps import audit, stands
from headwater.steps.approve import approve, proposals
from headwater.steps.readmit import readmit

MONTH, BEFORE = date(2025, 6, 1), date(2025, 5, 1)
AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
KEY = {"task": "stay_cost", "region": "复"}


def line(source: str, standing: str, *, unapproved: str | None = None) -> dict:
    told = {"source": source, "standing": standing, "unapproved": unapproved, "state": "resting", "asked_next": False}
    return {**told, "month": MONTH, "action": "keep", "reason_zh": "因。", "reason_en": "Why."}


@pytest.fixture
def home(region_home):
    with lake.connect(region_home) as connection:
        knowledge.prepare(region_home, connection)
        evolved.prepare(region_home, connection)
        spent = {"epsilon_next": 0.0, "bytes_next": 0.0, "labour": 0.0, "weight": 1}
        tables = {
            "evolution": [line("H1", "removed"), line("H2", "removed", unapproved="demoted"), line("H3", "member")],
            "evolution_month": [{**spent, "month": month} for month in (BEFORE, MONTH)],
            "approval": [],
        }
        before = [row["month"] for row in evolved.rows(connection, "evolution_month", key=KEY)]
        anew = {name: (date.min, rows) for name, rows in tables.items()}
        evolved.rewrite(connection, anew, key=KEY, newest=max(before, default=None))
    return region_home


def decided(home) -> dict:
    with lake.connect(home) as connection:
        return stands.approvals(connection, key=KEY)


def back(home, source: str, **how):
    place = {**KEY, "source": source, "region": how.pop("region", "复")}
    return readmit(home, place, **{"by": "王", "why": "已整改", "at": AT, **how})


def test_a_removed_source_is_on_trial_after_the_newest_month_and_the_log_says_who_and_why(home):
    assert back(home, "H1").after == MONTH
    assert decided(home) == {MONTH: {"H1": "trial"}}
    (entry,) = audit.newest(home, limit=1)
    told = json.loads(entry.body)
    assert (entry.kind, told["source"], told["standing"]) == ("evolution_approval", "H1", "trial")
    assert (told["person"], told["why"], told["month"]) == ("王", "已整改", "2025-06-01")
    with pytest.raises(Refusal) as refusal:
        back(home, "H1")
    assert refusal.value.code == "E-READMIT-STANDING", "it is on trial now"


def test_the_last_word_counts_of_who_removed_it_and_who_brought_it_back(home):
    (place,) = [one.question() for one in proposals(home, region="复")]
    assert approve(home, place, choice="approve", by="李", why="", at=AT.replace(hour=9))
    assert decided(home) == {MONTH: {"H2": "removed"}}
    back(home, "H2", at=AT.replace(hour=10))
    assert decided(home) == {MONTH: {"H2": "trial"}}


@pytest.mark.parametrize(("source", "region"), [("H2", "复"), ("H3", "复"), ("H9", "复"), ("H1", "无")])
def test_only_what_is_removed_is_brought_back(home, source, region):
    with pytest.raises(Refusal) as refusal:
        back(home, source, region=region)
    assert refusal.value.code == "E-READMIT-STANDING"
    assert decided(home) == {}


@pytest.mark.parametrize("said", [{"by": " "}, {"why": ""}])
def test_who_and_why_must_be_said(home, said):
    with pytest.raises(Refusal) as refusal:
        back(home, "H1", **said)
    assert refusal.value.code == "E-READMIT-WHY"


def test_the_command_brings_it_back(home, monkeypatch):
    monkeypatch.setattr("headwater.cli.readmit.home", lambda: home)
    words = ["readmit", "H1", "--region", "复", "--by", "王", "--why", "已整改"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["after"] == "2025-06"
    assert CliRunner().invoke(app, words).exit_code == 2
