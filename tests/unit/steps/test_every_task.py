"""Whoever withdraws leaves the models of every task, however that was told."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.steps.occasions import AT, SIGNED, Occasions

from headwater.adapters import audit as log
from headwater.adapters import lake, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.inbox import Event
from headwater.errors import Refusal
from headwater.steps.drain import drain, post
from headwater.steps.evolve import evolve
from headwater.steps.leaving import Leaving
from headwater.steps.register import registered_name
from headwater.steps.revoke import revoke
from headwater.steps.withdraw import withdraw

PROJECT = Path(__file__).resolve().parents[3]
REGION, TASKS = "皆", ("stay_bill", "stay_cost")


occasion = Occasions(REGION)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Give a project with a second task: the same model of the same stays, under another name."""
    made = tmp_path_factory.mktemp("project")
    for room in ("models", "dbt_project/requirements"):
        shutil.copytree(PROJECT / room, made / room)
    for ending in ("py", "md"):
        text = (made / "models" / f"stay_cost_ridge.{ending}").read_text("utf-8")
        (made / "models" / f"stay_bill_ridge.{ending}").write_text(text.replace("stay_cost", "stay_bill"), "utf-8")
    return made


@pytest.fixture(scope="module")
def home(own, put_mart, make_region):
    """Give an installation in which both tasks' sources were followed."""
    with pytest.raises(Refusal, match="E-FEATURE-MART"):
        withdraw(own, run=occasion("too early"), leaving=Leaving(source="H05"), signed=SIGNED)
    stays = make_region(region=REGION, hospitals=8, months=4, stays_a_month=60)
    persons = pa.array([f"p{k % 97:02d}" for k in range(stays.num_rows)])
    put_mart(own, stays.append_column("psn_no", persons))
    with lake.connect(own, threads=1) as connection:
        connection.execute("CREATE TABLE lake.marts.feat_stay_bill AS SELECT * FROM lake.marts.feat_stay_cost")
    for task in TASKS:
        evolve(own, run=occasion(f"first {task}"), task=task, min_stays=20)
    return own


def serving(home: Home, task: str) -> versions.Line:
    name = registered_name(task, REGION)
    found = mlflow.champion(home, name)
    assert found is not None
    with lake.connect(home, threads=1) as connection:
        return versions.line(connection, name, found.number)


def entered(home: Home) -> list[tuple[str, str]]:
    with postgres.connect(home) as connection:
        told = [json.loads(one.body) for one in log.entries(connection, kind="withdrawal")]
    return [(one["task"], one["region"]) for one in told]


def test_an_event_of_withdrawal_takes_a_hospital_out_of_the_models_of_every_task(home):
    leaver = max(set.intersection(*(set(serving(home, task).sources) for task in TASKS)))
    before = {task: serving(home, task).label for task in TASKS}
    post(home, Event(leaver, "withdrawal"))
    report = drain(home, run="rung", at=AT, alone=True)
    assert (report.withdrawn, report.aside) == ((leaver,), 0)
    for task in TASKS:
        assert serving(home, task).label != before[task]
        assert leaver not in serving(home, task).sources
    assert entered(home) == [(task, REGION) for task in TASKS]


def test_a_person_leaves_every_task_and_comes_back_to_every_task(home):
    before = entered(home)
    report = withdraw(home, run=occasion("person"), leaving=Leaving(person="p07"), signed=SIGNED)
    assert [(one.places.task, one.outcome) for one in report.taken] == [(task, "subtracted") for task in TASKS]
    assert all(one.certificate["equals_retraining"] for one in report.taken)
    again = withdraw(home, run=occasion("person again"), leaving=Leaving(person="p07"), signed=SIGNED)
    assert [one.outcome for one in again.taken] == ["absent", "absent"]
    assert entered(home) == [*before, *((task, REGION) for task in TASKS)]
    assert [
        one.task for one in revoke(home, run=occasion("mistake"), leaving=Leaving(person="p07"), signed=SIGNED)
    ] == [*TASKS]


def test_where_one_task_fails_the_others_lose_it_all_the_same(home):
    leaver = max(set.intersection(*(set(serving(home, task).sources) for task in TASKS)))
    with postgres.connect(home) as connection:
        connection.execute("delete from ops.version_member where name = %s", (registered_name(TASKS[0], REGION),))
    report = withdraw(home, run=occasion("half"), leaving=Leaving(source=leaver), signed=SIGNED)
    assert [(one.places.task, one.outcome) for one in report.taken] == [(TASKS[0], "sums"), (TASKS[1], "subtracted")]
    assert not report.is_complete
    assert leaver not in serving(home, TASKS[1]).sources
