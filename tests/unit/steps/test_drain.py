"""What is accepted rings; what rang is held against lake and register, and becomes the sources to look at again."""

import json
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from headwater.adapters import audit as log
from headwater.adapters import inbox, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.inbox import Event
from headwater.adapters.knowledge import Run
from headwater.cli.main import app
from headwater.errors import Message, Refusal
from headwater.steps import drain as step
from headwater.steps import intake
from headwater.steps.drain import DrainReport, again, events, finish, post
from headwater.steps.land import land
from headwater.steps.leaving import Leaving
from headwater.steps.withdraw import WithdrawReport

NOW = datetime(2026, 6, 30, tzinfo=UTC)
CONTRACT = """
version: 2
sources:
  - name: t1
    config:
      meta:
        title: {zh: 测试医院, en: Test hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: t1
    tables:
      - name: drug
        config:
          meta:
            files: "drugs_*.csv"
            columns: {medins_list_codg: code, medins_list_name: name, pric: price}
"""


@pytest.fixture
def delivered(home: Home) -> Home:
    """Give an installation that knows two hospitals of one deliverer, of which a file lies in the inbox."""
    folder = home.deliveries
    (folder / "contracts" / "t1").mkdir(parents=True)
    (folder / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (folder / "t1").mkdir()
    write(home, "drugs_1.csv", "1.00")
    with lake.connect(home) as connection:
        connection.execute(
            "CREATE TABLE lake.marts.dim_hospital AS SELECT 't1' AS source_id, code AS fixmedins_code, region "
            "FROM (VALUES ('H01', '甲'), ('H02', '乙')) AS t (code, region)"
        )
    return home


def write(home: Home, name: str, price: str) -> None:
    (home.deliveries / "t1" / name).write_text(f"code,name,price\nD1,药,{price}\n", encoding="utf-8")


def drain(home: Home, *, run: str, alone: bool = False) -> DrainReport:
    return step.drain(home, run=run, at=NOW, alone=alone)


def landed(home: Home) -> None:
    land(home, deliveries=home.deliveries, now=NOW)


def built(home: Home) -> None:
    """Say that marts stand on all that is in the lake now."""
    with lake.connect(home) as connection:
        snapshot = lake.snapshot(connection)
        connection.execute("CREATE SCHEMA IF NOT EXISTS lake.intermediate")
        connection.execute(
            f"CREATE OR REPLACE TABLE lake.intermediate.int_raw__built AS SELECT {snapshot} AS snapshot_id"
        )


def test_a_delivery_that_is_accepted_rings_and_waits_until_marts_are_built_from_it(delivered: Home) -> None:
    landed(delivered)
    ((one,), counts) = events(delivered)
    assert (one.event.source_id, one.event.kind, one.state, counts["waiting"]) == ("t1", "delivery", "waiting", 1)
    early = drain(delivered, run="a")
    assert (early.events, early.waiting, early.swept, dict(early.changed)) == (0, 1, 0, {})
    built(delivered)
    assert dict(drain(delivered, run="b").changed) == {"H01": None, "H02": None}
    landed(delivered)
    assert drain(delivered, run="c").events == 0, "what was there before does not ring again"
    write(delivered, "drugs_1.csv", "2.00")
    landed(delivered)
    built(delivered)
    assert drain(delivered, run="d").events == 1


def test_a_batch_and_its_event_stand_or_fall_together(delivered: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(intake, "post", lambda *ignored: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            landed(delivered)
    with postgres.connect(delivered) as register:
        assert register.execute("select state from ops.batch").fetchall() == [("received",)]
    assert events(delivered)[0] == []
    landed(delivered)
    assert [one.state for one in events(delivered)[0]] == ["waiting"]


def test_an_event_that_was_lost_is_found(delivered: Home) -> None:
    landed(delivered)
    built(delivered)
    with postgres.connect(delivered) as register:
        register.execute("delete from ops.event")
    report = drain(delivered, run="a")
    assert (report.swept, report.events) == (1, 1)
    assert drain(delivered, run="b").swept == 0


def test_a_task_that_is_repeated_gets_the_same_and_what_a_dead_run_took_comes_again(delivered: Home) -> None:
    post(delivered, Event("H01", "claims", period=date(2026, 3, 1)))
    first = drain(delivered, run="dead")
    assert drain(delivered, run="dead").to_dict() == first.to_dict()
    assert drain(delivered, run="other").events == 0, "another run that may still be at work is left alone"
    found = drain(delivered, run="next", alone=True)
    assert found.to_dict()["changed"] == {"H01": "2026-03"}
    assert finish(delivered, run="next") == 1
    assert drain(delivered, run="last", alone=True).events == 0


def test_what_rang_is_told_by_source_and_month(delivered: Home) -> None:
    for event in (
        Event("H01", "claims", period=date(2026, 3, 1), sha256="a" * 64),
        Event("H01", "claims", period=date(2026, 2, 1), sha256="b" * 64),
        Event("t1", "outage", period=date(2026, 4, 1)),
        Event("H02", "outage", period=date(2026, 5, 1)),
    ):
        assert post(delivered, event)
    found = drain(delivered, run="a").to_dict()
    assert found["changed"] == {"H01": "2026-02"}
    assert found["outages"] == {"H01": ["2026-04"], "H02": ["2026-04", "2026-05"]}


def test_an_event_whose_truth_is_not_there_is_set_aside_until_it_is(delivered: Home) -> None:
    lies = (Event("t1", "delivery", batch_id="nowhere"), Event("nobody", "claims"), Event("H01", "claims"))
    for event in lies:
        post(delivered, event)
    report = drain(delivered, run="a")
    assert (report.events, report.aside) == (1, 2)
    aside, _ = events(delivered, state="aside")
    assert {one.code for one in aside} == {"E-EVENT-BATCH", "E-EVENT-SOURCE"}
    again(delivered, lies[1].event_id)
    with lake.connect(delivered) as connection:
        connection.execute("INSERT INTO lake.marts.dim_hospital VALUES ('t9', 'nobody', '甲')")
    assert dict(drain(delivered, run="b").changed) == {"nobody": None}
    with pytest.raises(Refusal) as refusal:
        again(delivered, lies[1].event_id)
    assert refusal.value.code == "E-EVENT-ASIDE"


def test_where_two_deliverers_use_one_code_each_is_told_by_its_own(delivered: Home) -> None:
    with lake.connect(delivered) as connection:
        connection.execute("INSERT INTO lake.marts.dim_hospital VALUES ('t2', 'H01', '甲'), ('t2', 'H02', '丙')")
    for number, name in enumerate(("H01", "t2:H01", "t2", "H02")):
        post(delivered, Event(name, "claims", batch_id=name))
        found = drain(delivered, run=f"{number}").changed
        assert (
            list(found)
            == {
                "H01": ["t1:H01", "t2:H01"],
                "t2:H01": ["t2:H01"],
                "t2": ["H02", "t2:H01"],
                "H02": ["H02"],
            }[name]
        )


def test_what_concerns_no_month_or_must_concern_one_is_set_aside(delivered: Home) -> None:
    post(delivered, Event("H01", "outage"))
    post(delivered, Event("H01", "withdrawal", period=date(2026, 3, 1)))
    assert drain(delivered, run="a").aside == 2
    assert {one.code for one in events(delivered, state="aside")[0]} == {"E-EVENT-MONTH"}


def test_what_came_of_a_region_that_failed_comes_again_and_nothing_else_does(delivered: Home) -> None:
    told = (Event("H01", "claims"), Event("H02", "claims"), Event("t1", "claims"))
    for event in (*told, Event("H02", "outage", period=date(2026, 4, 1))):
        post(delivered, event)
    with lake.connect(delivered) as connection:
        # Two sources of a hundred stays each make a region that is followed; nobody waits for 丙, which has one.
        connection.execute(
            "CREATE TABLE lake.marts.feat_stay_cost AS "
            "SELECT region, source_id, source_id AS hospital, 'source' AS split FROM "
            "(VALUES ('甲', 'a'), ('甲', 'b'), ('乙', 'a'), ('乙', 'b'), ('丙', 'a')) AS t (region, source_id), "
            "range(100)"
        )
        connection.execute("INSERT INTO lake.marts.dim_hospital VALUES ('t3', 'H03', '丙')")
    post(delivered, Event("H03", "claims"))
    drain(delivered, run="a", alone=True)
    assert finish(delivered, run="a", followed=["甲"]) == 2
    found = drain(delivered, run="b", alone=True)
    assert (found.events, list(found.changed), dict(found.outages)) == (2, ["H01", "H02"], {})
    assert finish(delivered, run="b") == 2
    assert drain(delivered, run="c", alone=True).events == 0


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Take down who withdraws instead of letting them; whoever is called ``down`` finds a server that is down."""
    asked: list[str | None] = []

    def withdraw(_: Home, *, run: Run, leaving: Leaving, signed: tuple[str, str]) -> WithdrawReport:
        asked.append(leaving.source)
        assert signed[0] in ("t1", "t2", "t1:H01", leaving.source), "whoever rang"
        assert signed[1].startswith("event ")
        if leaving.source == "down":
            raise OSError("no answer")
        if leaving.source == "sums":
            raise Refusal("E-WITHDRAW-SUMS", Message("只有和数。", "Only sums."), Message("等。", "Wait."))
        return WithdrawReport(run.name, ())

    monkeypatch.setattr(step, "withdraw", withdraw)
    return asked


def test_a_deliverer_takes_out_its_own_hospitals_and_none_of_the_same_code(
    delivered: Home, leaving: list[str | None]
) -> None:
    with lake.connect(delivered) as connection:
        connection.execute("INSERT INTO lake.marts.dim_hospital VALUES ('t2', 'H01', '丙'), ('t2', 'H09', '丙')")
    for name in ("t2", "t1:H01", "H02"):
        post(delivered, Event(name, "withdrawal"))
    assert drain(delivered, run="a").events == 3
    assert leaving == ["t2:H01", "t2:H09", "t1:H01", "H02"]


@pytest.mark.parametrize("event", [Event("H01", "withdrawal"), Event("H01", "outage", period=date(2026, 4, 1))])
def test_a_code_of_several_regions_speaks_for_none_of_them(
    delivered: Home, leaving: list[str | None], event: Event
) -> None:
    with lake.connect(delivered) as connection:
        connection.execute("INSERT INTO lake.marts.dim_hospital VALUES ('t2', 'H01', '丙')")
    post(delivered, event)
    assert drain(delivered, run="a").aside == 1
    (aside,) = events(delivered, state="aside")[0]
    assert (aside.code, leaving) == ("E-EVENT-SEVERAL", [])
    assert "t1:H01 t2:H01" in str(aside.reason)
    post(delivered, Event("H01", "claims"))
    assert list(drain(delivered, run="b").changed) == ["H01"], "to look at both again does no harm"


def test_whoever_withdraws_again_is_heard_again(delivered: Home, leaving: list[str | None]) -> None:
    rung = Event("H01", "withdrawal")
    assert post(delivered, rung)
    assert not post(delivered, rung), "it waits already"
    drain(delivered, run="a")
    assert post(delivered, rung)
    drain(delivered, run="b")
    assert leaving == ["H01", "H01"]
    for name in ("a", "b"):
        post(delivered, Event("H02", "claims", batch_id=name))
    drain(delivered, run="c")
    assert not post(delivered, Event("H02", "claims", batch_id="a"))


def test_a_server_that_is_down_says_nothing_about_who_withdraws(delivered: Home, leaving: list[str | None]) -> None:
    for name in ("down", "sums", "H01"):
        post(delivered, Event(name, "withdrawal"))
    with pytest.raises(OSError, match="no answer"):
        drain(delivered, run="a")
    assert leaving == ["down", "sums", "H01"], "the others are not kept waiting"
    states = {one.event.source_id: one.state for one in events(delivered)[0]}
    assert states == {"down": "taken", "sums": "aside", "H01": "done"}
    with pytest.raises(OSError, match="no answer"):
        drain(delivered, run="a")
    assert leaving[3:] == ["down"]


def test_what_a_run_left_undone_is_done_by_the_next_that_takes_withdrawals(
    delivered: Home, leaving: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    post(delivered, Event("H02", "claims"))
    post(delivered, Event("H01", "withdrawal"))
    with monkeypatch.context() as dying:
        dying.setattr(step, "withdraw", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            drain(delivered, run="evolve")
    assert step.departures(delivered, run="hourly", at=NOW).withdrawn == ("H01",)
    assert leaving == ["H01"]
    states = {one.event.source_id: (one.state, one.run) for one in events(delivered)[0]}
    assert states == {"H01": ("done", "hourly"), "H02": ("taken", "evolve")}, "nobody else's claims are taken away"


def test_withdrawals_are_taken_in_between_and_one_that_is_not_done_is_told_until_it_is(
    delivered: Home, leaving: list[str | None]
) -> None:
    for event in (Event("H02", "claims"), Event("sums", "withdrawal"), Event("H01", "withdrawal")):
        post(delivered, event)
    assert step.require_none_aside(delivered) == 0
    found = step.departures(delivered, run="hourly", at=NOW)
    assert (found.withdrawn, found.aside, dict(found.changed)) == (("H01",), 1, {})
    with pytest.raises(Refusal, match="Only sums") as refusal:
        step.require_none_aside(delivered)
    assert refusal.value.code == "E-EVENT-WITHDRAWAL"
    assert list(drain(delivered, run="evolve").changed) == ["H02"], "what came waits for whoever follows it"


def test_a_notice_is_entered_in_the_log_and_none_is_taken_of_what_nobody_can_know(delivered: Home) -> None:
    for year in (2027, 2035):
        post(delivered, Event("H01", "outage", period=date(year, 3, 1)))
    assert drain(delivered, run="a").outages == {"H01": (date(2027, 3, 1),)}
    assert [one.code for one in events(delivered, state="aside")[0]] == ["E-EVENT-MONTH"]
    with postgres.connect(delivered) as connection:
        told = [json.loads(one.body) for one in log.entries(connection, kind="outage")]
    assert [(one["source"], one["month"]) for one in told] == [("H01", "2027-03")]


def command(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["events", *words, "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_the_commands_ring_list_and_take(delivered: Home) -> None:
    words = ("post", "H01", "claims", "--month", "2026-03")
    assert [command(*words)["new"], command(*words)["new"]] == [True, False]
    command("post", "nobody", "outage")
    assert command("list")["counts"] == {"waiting": 2}
    taken = command("drain")
    assert (taken["changed"], taken["events"], taken["aside"]) == ({"H01": "2026-03"}, 1, 1)
    (one,) = command("list", "--state", "aside")["events"]
    assert (one["code"], one["source_id"]) == ("E-EVENT-SOURCE", "nobody")
    assert command("again", one["event_id"])["state"] == "waiting"
    with postgres.connect(delivered) as connection:
        assert dict(inbox.counts(connection)) == {"waiting": 1, "done": 1}


def test_the_commands_tell_people_in_both_languages(delivered: Home) -> None:
    def told(*words: str) -> str:
        done = CliRunner().invoke(app, ["events", *words], env={"COLUMNS": "80"})
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "已登记 posted" in told("post", "H01", "outage", "--month", "2026-03")
    assert "此前已登记 posted before" in told("post", "H01", "outage", "--month", "2026-03")
    told("post", "nobody", "claims")
    shown = told("drain")
    assert "中断" in shown
    assert "aside 搁置 1" in shown
    listed = told("list")
    for text in ("没有来源“nobody”", "There is no source nobody", "已处理", "中断通知", "2026-03"):
        assert text in listed
