"""What waits is asked about, decided once, and what a file changed can be looked at row by row."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.deliveries import answered, changed, newest, option, questions
from headwater.steps.land import LandReport, land

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
def inbox(home: Home) -> Path:
    folder = home.deliveries
    (folder / "contracts" / "t1").mkdir(parents=True)
    (folder / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (folder / "t1").mkdir()
    return folder


def deliver(home: Home, name: str, prices: dict[str, str]) -> LandReport:
    rows = "".join(f"{code},药{code},{price}\n" for code, price in prices.items())
    (home.deliveries / "t1" / name).write_text(f"code,name,price\n{rows}", encoding="utf-8")
    return land(home, deliveries=home.deliveries, now=NOW)


def hold(home: Home, name: str = "drugs_1.csv") -> LandReport:
    deliver(home, name, {f"{name}{code}": "1.00" for code in range(20)})
    return deliver(home, name, {f"{name}{code}": "1.00" for code in range(5)})


def test_a_question_tells_what_who_and_what_happens_then(home: Home, inbox: Path) -> None:
    report = hold(home)
    (question,) = questions(home)
    assert "20 → 5" in question["subject"]
    for fact in ("t1", "drug", "t1/drugs_1.csv", "**: 20", "**: 5", option("accept"), option("return")):
        assert fact in question["body"], fact
    assert questions(home, held=report.to_dict()["held"]) == [question]  # type: ignore[arg-type]
    assert questions(home, held=["t1/t1/drugs_9.csv: shrank"]) == []


def test_a_file_name_cannot_act_in_the_form(home: Home, inbox: Path) -> None:
    hold(home, "drugs_{{ var }}[x]<b>.csv")
    (question,) = questions(home)
    assert "drugs___ var __" in question["subject"]
    assert not set("{}[]<>") & set(question["subject"] + question["body"])


def test_an_answer_is_put_down_once_with_who_gave_it(home: Home, inbox: Path) -> None:
    hold(home)
    (question,) = questions(home)
    batch = question["batch_id"]
    assert answered(home, batch, chosen=option("accept"), by="admin", why="科室撤并") == "accept"
    assert answered(home, batch, chosen=option("return"), by="analyst", why="") is None
    with postgres.connect(home) as register:
        found = register.execute("select choice, decided_by, why from ops.decision").fetchall()
    assert found == [("accept", "admin", "科室撤并")]
    with pytest.raises(Refusal, match="E-UNKNOWN-CHOICE"):
        answered(home, batch, chosen="maybe", by="admin", why="")


def test_what_waits_is_listed_first(home: Home, inbox: Path) -> None:
    hold(home)
    deliver(home, "drugs_2.csv", {"z": "1.00"})
    found = newest(home)
    assert [(one.file_name, one.state, one.is_waiting) for one in found] == [
        ("t1/drugs_1.csv", "held", True),
        ("t1/drugs_2.csv", "loaded", False),
        ("t1/drugs_1.csv", "loaded", False),
    ]


def test_changed_rows_are_shown_with_old_and_new_values(home: Home, inbox: Path) -> None:
    deliver(home, "drugs_1.csv", {"a": "1.00", "b": "2.00", "c": "3.00"})
    report = deliver(home, "drugs_1.csv", {"a": "1.00", "b": "2.50", "d": "4.00"})
    (batch,) = [one.batch_id for one in newest(home) if one.state == "loaded"]
    found = changed(home, batch)
    assert found.replaced.difference == report.files[0].difference
    kinds = [(row.kind, row.key, dict((name, (old, new)) for name, old, new in row.fields)) for row in found.rows]
    assert kinds[0] == ("changed", "B", {"pric": ("2.000000", "2.500000")})
    assert [(kind, key) for kind, key, _ in kinds[1:]] == [("added", "D"), ("removed", "C")]
    assert kinds[1][2]["pric"] == (None, "4.000000")
    assert len(changed(home, batch, limit=1).rows) == 1
    # A later version leaves what the earlier one changed readable.
    deliver(home, "drugs_1.csv", {"a": "9.00", "b": "2.50", "d": "4.00"})
    assert changed(home, batch).rows == found.rows


def test_a_batch_that_replaced_nothing_has_no_difference(home: Home, inbox: Path) -> None:
    hold(home)
    for one in newest(home):
        with pytest.raises(Refusal, match="E-NO-DIFFERENCE"):
            changed(home, one.batch_id)


def test_landing_tells_what_waits_and_how_to_mend(home: Home, inbox: Path) -> None:
    deliver(home, "drugs_1.csv", {str(code): "1.00" for code in range(20)})
    rows = "".join(f"{code},药,1.00\n" for code in range(5))
    (inbox / "t1" / "drugs_1.csv").write_text(f"code,name,price\n{rows}", encoding="utf-8")
    (inbox / "t1" / "drugs_[red]2.csv").write_text("code,name\n1,x\n", encoding="utf-8")
    (inbox / "t1" / "药品_1.csv").write_text("code,name,price\n7,x,1\n", encoding="utf-8")
    (inbox / "t1" / ".药品_2.csv").write_text("", encoding="utf-8")
    told = CliRunner().invoke(app, ["land"], env={"COLUMNS": "200"})
    assert told.exit_code == 1
    assert "held 待审批 t1/drugs_1.csv · drug" in told.output
    assert "等待批准或退回" in told.output
    assert "refused 拒收 t1/drugs_[red]2.csv · drug" in told.output
    assert told.output.count("unread 未读") == 1
    assert "unread 未读 t1/药品_1.csv" in told.output
    assert "Deliver these columns or mend the source contract." in told.output


def test_the_commands_obey_no_cell_and_cut_no_number(home: Home, inbox: Path) -> None:
    run = CliRunner().invoke
    deliver(home, "drugs_1.csv", {"1": "1.00"})
    (inbox / "t1" / "drugs_1.csv").write_text("code,name,price\n1,a\x1b[31m[red]b,1.00\n", encoding="utf-8")
    land(home, deliveries=home.deliveries, now=NOW)
    batch = json.loads(run(app, ["deliveries", "--json"]).output)["deliveries"][0]["batch_id"]
    found = run(app, ["deliveries", "diff", batch], env={"COLUMNS": "200"}).output
    assert ("\x1b" in found, "a\ufffd[31m[red]b" in found) == (False, True)
    narrow = run(app, ["deliveries"], env={"COLUMNS": "80"}).output
    assert "…" not in "".join(line.split("│")[1] for line in narrow.splitlines() if line.startswith("│"))


def test_the_command_lists_decides_and_compares(home: Home, inbox: Path) -> None:
    run = CliRunner().invoke
    hold(home)
    waiting = json.loads(run(app, ["deliveries", "--json"]).output)["deliveries"][0]
    assert (waiting["is_waiting"], waiting["rows_in"]) == (True, 5)
    assert "待审批" in run(app, ["deliveries"], env={"COLUMNS": "200"}).output
    batch = waiting["batch_id"]
    assert run(app, ["deliveries", "decide", batch, "maybe", "--why", "x"]).exit_code == 2
    done = run(app, ["deliveries", "decide", batch, "accept", "--why", "科室撤并", "--by", "admin"])
    assert done.exit_code == 0, done.output
    again = run(app, ["deliveries", "decide", batch, "return", "--why", "x"])
    assert (again.exit_code, "E-NOT-WAITING" in again.output) == (2, True)
    land(home, deliveries=home.deliveries, now=NOW)
    found = json.loads(run(app, ["deliveries", "diff", batch, "--json", "--limit", "3"]).output)
    assert (found["rows_same"], found["rows_removed"], len(found["rows"])) == (5, 15, 3)
    assert "removed" in run(app, ["deliveries", "diff", batch]).output
