"""An event of withdrawal takes a hospital out of the model that serves, and an announced outage is an absence."""

from datetime import date
from pathlib import Path

import pytest
from tests.unit.steps.occasions import AT, entries

from headwater.adapters import evolved, lake, mlflow, versions
from headwater.adapters.home import Home
from headwater.adapters.inbox import Event
from headwater.adapters.knowledge import Run
from headwater.errors import HeadwaterError, Message
from headwater.steps.drain import DrainReport, again, drain, events, finish, post
from headwater.steps.evolve import evolve
from headwater.steps.register import registered_name

PROJECT = Path(__file__).resolve().parents[3]
REGION = "铃"
NAME = registered_name("stay_cost", REGION)
BEFORE, OUTAGE, LAST = (date(2024, month, 1) for month in (5, 6, 7))


def following(home: Home, name: str, month: date) -> None:
    evolve(home, run=Run(name, AT, 3, REGION, month), min_stays=20)


def drained(home: Home, run: str) -> DrainReport:
    return drain(home, run=run, at=AT, alone=True)


def lines(home: Home, month: date) -> dict[str, dict]:
    with lake.connect(home) as connection:
        rows = evolved.rows(connection, "evolution", key={"task": "stay_cost", "region": REGION})
    return {row["source"]: row for row in rows if row["month"] == month}


def serving(home: Home) -> versions.Line:
    found = mlflow.champion(home, NAME)
    assert found is not None
    with lake.connect(home) as connection:
        return versions.line(connection, NAME, found.number)


def withdrawals(home: Home) -> int:
    return len(entries(home, "withdrawal"))


@pytest.fixture(scope="module")
def home(own, put_mart, make_region) -> Home:
    """Give an installation in which a region was followed until a month before the last two."""
    put_mart(own, make_region(region=REGION, hospitals=10, months=7, stays_a_month=60))
    following(own, "first", BEFORE)
    return own


@pytest.fixture(scope="module")
def announced(home: Home) -> Home:
    """Let a deliverer announce an outage, although its hospital's records of the month are there."""
    post(home, Event("h07", "outage", period=OUTAGE))
    assert dict(drained(home, "a").outages) == {"H07": (OUTAGE,)}
    finish(home, run="a")
    following(home, "second", LAST)
    return home


def test_the_month_of_an_announced_outage_is_an_absence_whatever_came(announced: Home) -> None:
    there, other = lines(announced, OUTAGE)["H07"], lines(announced, OUTAGE)["H08"]
    assert (there["value"], there["state"], there["action"]) == (None, "outage", "keep")
    assert "announced" in there["reason_en"]
    assert other["value"] is not None
    assert lines(announced, BEFORE)["H07"]["standing"] == there["standing"]
    after = lines(announced, LAST)["H07"]
    assert after["value"] is not None
    assert after["state"] == "present"


@pytest.fixture(scope="module")
def left(announced: Home) -> DrainReport:
    """Let a hospital's system ring that it withdraws, and one that nobody knows."""
    assert "H08" in serving(announced).sources
    assert withdrawals(announced) == 0
    post(announced, Event("nobody", "withdrawal"))
    post(announced, Event("H08", "withdrawal"))
    return drained(announced, "b")


def test_whoever_rings_that_it_withdraws_leaves_the_model_that_serves(announced: Home, left: DrainReport) -> None:
    assert (left.withdrawn, left.events, left.aside) == (("H08",), 1, 1)
    assert "H08" not in serving(announced).sources
    assert withdrawals(announced) == 1
    (told,) = entries(announced, "withdrawal")
    assert (told["by"], told["why"]) == ("H08", f"event {Event('H08', 'withdrawal').event_id}")
    (unknown,) = events(announced, state="aside")[0]
    assert (unknown.event.source_id, unknown.code) == ("nobody", "E-WITHDRAW-UNKNOWN")


def test_it_withdraws_once_however_often_the_run_is_repeated_or_its_follower_comes(
    announced: Home, left: DrainReport
) -> None:
    version = serving(announced).label
    assert drained(announced, "b").withdrawn == left.withdrawn
    assert drained(announced, "next").withdrawn == ()
    assert (serving(announced).label, withdrawals(announced)) == (version, 1)


def test_without_its_work_the_event_would_be_done_and_nothing_left(
    announced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain that does not act leaves the event taken, so that it is not told as done."""
    monkeypatch.setattr("headwater.adapters.inbox.act", lambda *_, **__: 1 / 0)
    post(announced, Event("H07", "withdrawal"))
    with pytest.raises(ZeroDivisionError):
        drained(announced, "killed")
    assert [one.event.source_id for one in events(announced, state="taken")[0]] == ["H07"]
    monkeypatch.undo()
    assert drained(announced, "after").withdrawn == ("H07",)
    assert "H07" not in serving(announced).sources


def test_what_cannot_be_subtracted_lies_aside_with_its_code_until_it_can(
    announced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise HeadwaterError("E-WITHDRAW-INEXACT", Message("不同。", "Not the same."), Message("保留。", "Keep it."))

    source, entered = max(serving(announced).sources), withdrawals(announced)
    post(announced, Event(source, "withdrawal"))
    monkeypatch.setattr("headwater.steps.shrinking.Shrinking.of", failing)
    report = drained(announced, "inexact")
    assert (report.withdrawn, report.aside, withdrawals(announced)) == ((), 1, entered + 1)
    found = next(one for one in events(announced, state="aside")[0] if one.event.source_id == source)
    assert found.code == "E-WITHDRAW-INEXACT"
    monkeypatch.undo()
    again(announced, found.event.event_id)
    assert drained(announced, "mended").withdrawn == (source,)
    assert source not in serving(announced).sources
    assert withdrawals(announced) == entered + 1, "it is entered once"


def test_what_fails_for_no_fault_of_the_event_leaves_it_taken_until_it_succeeds(
    announced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise ConnectionError

    source, entered = max(serving(announced).sources), withdrawals(announced)
    post(announced, Event(source, "withdrawal"))
    monkeypatch.setattr("headwater.steps.shrinking.Shrinking.of", down)
    with pytest.raises(RuntimeError, match="ConnectionError"):
        drained(announced, "down")
    assert source in [one.event.source_id for one in events(announced, state="taken")[0]]
    assert withdrawals(announced) == entered + 1
    monkeypatch.undo()
    assert drained(announced, "up").withdrawn == (source,)
    assert source not in serving(announced).sources
