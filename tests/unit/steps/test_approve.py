"""A person decides about what an evolution proposes, once, and only while it is proposed."""

import json
from datetime import UTC, date, datetime

import pytest

from headwater.adapters import evolved, knowledge, lake
from headwater.errors import Refusal
from headwater.steps import audit, stands
from headwater.steps.approve import CHOICES, approve, option, proposals

MONTH, BEFORE = date(2025, 6, 1), date(2025, 5, 1)
AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
KEY = {"task": "stay_cost", "region": "批"}


def line(month: date, source: str, *, standing: str = "removed", unapproved: str | None = "demoted") -> dict:
    reason = {"reason_zh": "连续 8 期<害>。", "reason_en": "Eight `periods` of harm."}
    return {
        "month": month,
        "source": source,
        "standing": standing,
        "unapproved": unapproved,
        "action": "remove",
        **reason,
    }


@pytest.fixture
def home(region_home):
    with lake.connect(region_home) as connection:
        knowledge.prepare(region_home, connection)
        evolved.prepare(region_home, connection)
        rows = [
            line(BEFORE, "H1"),
            line(MONTH, "H2"),
            line(MONTH, "H3"),
            line(MONTH, "H4", standing="member", unapproved=None),
        ]
        evolved.rewrite(connection, {"evolution": (date.min, rows), "approval": (date.min, [])}, key=KEY, newest=None)
    return region_home


def decided(home) -> dict:
    with lake.connect(home) as connection:
        return stands.approvals(connection, key=KEY)


def test_what_the_newest_month_proposes_is_asked_about(home):
    found = proposals(home, region="批")
    assert [(one.source, one.month, one.standing, one.now) for one in found] == [
        ("H2", MONTH, "removed", "demoted"),
        ("H3", MONTH, "removed", "demoted"),
    ]
    question = found[0].question()
    assert {name: question[name] for name in ("task", "region", "month", "source")} == {
        **KEY,
        "month": "2025-06-01",
        "source": "H2",
    }
    assert "`" not in question["body"]
    assert "<" not in question["body"]
    for choice in CHOICES:
        assert option(choice) in question["body"]


def test_an_answer_is_kept_once_in_lake_and_audit_log(home):
    place = proposals(home, region="批")[0].question()
    assert approve(home, place, choice=option("approve"), by="王", why="已停业", at=AT)
    assert decided(home) == {MONTH: {"H2": "removed"}}
    assert [one.source for one in proposals(home, region="批")] == ["H3"]
    assert not approve(home, place, choice="leave", by="李", why="", at=AT)
    assert decided(home) == {MONTH: {"H2": "removed"}}
    (entry,) = audit.newest(home, limit=1)
    assert entry.kind == "evolution_approval"
    told = json.loads(entry.body)
    assert (told["person"], told["approved"], told["source"]) == ("王", True, "H2")


def test_to_leave_it_changes_no_standing_and_is_not_asked_again(home):
    place = proposals(home, region="批")[1].question()
    assert approve(home, place, choice="leave", by="王", why="", at=AT)
    assert decided(home) == {}
    assert [one.source for one in proposals(home, region="批")] == ["H2"]


def test_what_is_no_longer_proposed_is_not_decided(home):
    stale = {**KEY, "month": f"{BEFORE:%Y-%m-%d}", "source": "H1"}
    assert not approve(home, stale, choice="approve", by="王", why="", at=AT)
    assert decided(home) == {}


def test_an_unknown_choice_is_refused(home):
    place = proposals(home, region="批")[0].question()
    with pytest.raises(Refusal) as error:
        approve(home, place, choice="maybe", by="王", why="", at=AT)
    assert error.value.code == "E-UNKNOWN-CHOICE"
