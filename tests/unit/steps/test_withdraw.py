"""Hospitals and patients withdraw from a model that grew month by month, and from one that was joined."""

import json
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.occasions import AT, SIGNED, entries, said

from headwater.adapters import features, lake, mlflow, postgres, versions
from headwater.adapters.knowledge import Run
from headwater.errors import Refusal
from headwater.statistics import Statistic
from headwater.steps import champion, shrinking
from headwater.steps.audit import verify
from headwater.steps.evolve import evolve
from headwater.steps.foresee import foresee
from headwater.steps.leaving import Leaving
from headwater.steps.register import digest_of, registered_name
from headwater.steps.revoke import revoke
from headwater.steps.rollback import rollback
from headwater.steps.value import ridge_of
from headwater.steps.withdraw import withdraw

REGION = "退"
NAME = registered_name("stay_cost", REGION)


def occasion(name: str, *, days: int = 0) -> Run:
    return Run(name, AT + timedelta(days=days), 3, REGION)


@pytest.fixture(scope="module")
def stays(make_region):
    """Give a region's stays; every seventh person has several, at several hospitals."""
    table = make_region(region=REGION, hospitals=8, months=8, stays_a_month=70)
    persons = [f"p{(7 * k) % 501:04d}" for k in range(table.num_rows)]
    return table.append_column("psn_no", pa.array(persons))


@pytest.fixture(scope="module")
def home(own, put_mart, stays):
    put_mart(own, stays)
    evolve(own, run=occasion("first"), min_stays=20)
    return own


def serving(home):
    return mlflow.champion(home, NAME)


def state(home):
    """Return all by which it can be told whether something was done: lake, log, what serves and what is held."""
    with lake.connect(home, threads=1) as connection, postgres.connect(home) as ops:
        counts = [
            ops.execute(f"select count(*) from ops.{table}").fetchone() for table in ("audit", "member_statistic")
        ]
        return lake.snapshot(connection), counts, serving(home), said(home, serving(home)).growth.total


@pytest.fixture(scope="module")
def foreseen(home):
    """Give what a withdrawal would do, by source, and the state of everything before and after asking."""
    before, members = state(home), sorted(said(home, serving(home)).growth.members)
    outsider = min({f"H{k:02d}" for k in range(1, 9)} - set(members))
    told = {source: foresee(home, leaving=Leaving(source=source)) for source in (members[0], outsider)}
    return before, told, state(home)


@pytest.fixture(scope="module")
def hospital(home, foreseen):
    """Let a hospital withdraw, the first of all."""
    before = serving(home)
    leaver = sorted(said(home, before).growth.members)[0]
    return (
        before,
        leaver,
        withdraw(home, run=occasion("hospital", days=1), leaving=Leaving(source=leaver), signed=SIGNED),
    )


def test_a_hospitals_part_is_subtracted_and_the_version_without_it_serves(home, hospital):
    before, leaver, report = hospital
    (taken,) = report.taken
    assert (taken.outcome, taken.before) == ("subtracted", before.label)
    assert serving(home).label == taken.after
    assert serving(home).parent == before.label
    assert report.is_complete
    assert leaver not in said(home, serving(home)).growth.members
    proof = taken.certificate
    assert proof["equals_retraining"]
    assert proof["retrained_from_records"] == proof["rebuilt_from_members"] == proof["total_after"]
    assert [step["action"] for step in proof["steps"]] == ["remove"]
    assert proof["bytes_from_others"] == 0
    assert (proof["exact_parameters"], proof["parameters"], proof["scheduled_body"]) == (68, 68, None)


def test_it_was_foreseen_and_nothing_done(home, foreseen, hospital):
    before, told, after = foreseen
    assert after == before
    version, leaver, report = hospital
    (mine,), (taken,) = told[leaver], report.taken
    assert (mine.outlook, mine.serves, mine.entered) == (taken.outcome, taken.before, None)
    assert mine.closed == taken.closed == (version.label,)
    assert mine.places == taken.places
    ((other,),) = (found for source, found in told.items() if source != leaver)
    assert (other.outlook, other.closed) == ("absent", ())
    (again,) = foresee(home, leaving=Leaving(source=leaver))
    assert (again.entered, again.outlook) == (taken.entry, "absent")
    assert json.loads(json.dumps(mine.to_dict()))["members"] == [leaver]
    with pytest.raises(Refusal, match="E-WITHDRAW-UNKNOWN"):
        foresee(home, leaving=Leaving(person="nobody"))


def test_who_had_it_entered_and_why_stands_in_log_and_lake(home, hospital):
    assert [(one["by"], one["why"]) for one in entries(home, "withdrawal")[:1]] == [SIGNED]
    with lake.connect(home, threads=1) as connection:
        query = "SELECT signed_by, why FROM lake.knowledge.withdrawal ORDER BY entry LIMIT 1"
        assert connection.execute(query).fetchall() == [SIGNED]


@pytest.mark.parametrize("signed", [("", "as they asked"), ("王", " ")])
@pytest.mark.parametrize("step", [withdraw, revoke])
def test_nobody_withdraws_or_comes_back_without_a_name_and_a_reason(home, hospital, step, signed):
    before = state(home)
    with pytest.raises(Refusal, match="E-WITHDRAW-WHY"):
        step(home, run=occasion("unsigned"), leaving=Leaving(source=hospital[1]), signed=signed)
    assert state(home) == before


def from_records(home, stays, *, without=()):
    """Return the statistic of what the serving version may know, from records in one place, its persons left out."""
    kept, of = said(home, serving(home)), ridge_of(home, "stay_cost").asked().of
    stays = stays.filter(pc.invert(pc.is_in(stays["psn_no"], pa.array(without, pa.string()))))
    own = stays.filter(pc.and_(pc.equal(stays["split"], "target_train"), pc.less_equal(stays["month"], kept.until)))
    theirs = []
    for source, months in kept.months.items():
        mine = pc.and_(pc.equal(stays["hospital"], source), pc.equal(stays["split"], "source"))
        theirs.append(stays.filter(pc.and_(mine, pc.is_in(stays["month"], pa.array(months, pa.date32())))))
    return Statistic.total([of(own)] * kept.weight).merge(of(pa.concat_tables(theirs)))


def test_the_parameters_are_those_of_records_that_never_had_it(home, hospital, stays):
    anew = ridge_of(home, "stay_cost").coefficients(from_records(home, stays))
    assert mlflow.load(home, serving(home)).parameters.tobytes() == anew.tobytes()


def test_certificate_and_audit_log_say_the_same(home, hospital):
    _, leaver, report = hospital
    certificate = report.taken[0].certificate
    written = Path(mlflow.client(home).download_artifacts(serving(home).run_id, "withdrawal.json"))
    assert json.loads(written.read_text()).items() <= json.loads(json.dumps(certificate)).items()
    assert entries(home, "certificate")[0].items() >= json.loads(json.dumps(certificate)).items()
    assert entries(home, "withdrawal")[0]["source"] == leaver
    assert entries(home, "champion")[-1]["why"] == "withdrawal"
    parameters = mlflow.load(home, serving(home)).parameters
    assert certificate["parameters_after"] == digest_of(parameters)


def test_nothing_is_held_of_it_any_more_and_nothing_learned_again(home, hospital):
    before, leaver, _ = hospital
    assert said(home, before) is None
    with postgres.connect(home) as connection:
        (count,) = connection.execute(
            "select count(*) from ops.version_member where source_id = %s", (leaver,)
        ).fetchone()
    assert count == 0
    with lake.connect(home, threads=1) as connection:
        found = features.read(
            connection, ridge_of(home, "stay_cost"), snapshot=lake.snapshot(connection), region=REGION
        )
    assert leaver not in found.cities


@pytest.fixture(scope="module")
def patient(home, hospital, stays):
    """Let a person withdraw whose stays are at a member and in the bureau's own sample."""
    members = set(said(home, serving(home)).growth.members)
    table = stays.select(["psn_no", "hospital", "split"]).to_pylist()
    own = {row["psn_no"] for row in table if row["split"] == "target_train"}
    theirs = {row["psn_no"] for row in table if row["split"] == "source" and row["hospital"] in members}
    person = min(own & theirs)
    return (
        person,
        serving(home),
        withdraw(home, run=occasion("patient", days=2), leaving=Leaving(person=person), signed=SIGNED),
    )


def test_a_patients_rows_are_subtracted_from_members_and_from_the_bureaus_own(home, patient, stays):
    person, before, report = patient
    (taken,) = report.taken
    assert taken.outcome == "subtracted"
    assert {step["action"] for step in taken.certificate["steps"]} == {"reduce"}
    assert "target" in {step["source"] for step in taken.certificate["steps"]}
    assert taken.certificate["equals_retraining"]
    assert person not in json.dumps([entries(home, kind) for kind in ("withdrawal", "certificate")])
    left, whole = from_records(home, stays, without=[person]), from_records(home, stays)
    assert said(home, serving(home)).growth.total == left != whole
    assert taken.certificate["retrained_records"] < ridge_of(home, "stay_cost").gram.records(whole)


def test_all_stays_of_the_person_are_left_out_members_or_not(home, patient, stays):
    person, _, _ = patient
    theirs = stays.filter(pc.equal(stays["psn_no"], person)).num_rows
    with lake.connect(home, threads=1) as connection:
        found = features.read(
            connection, ridge_of(home, "stay_cost"), snapshot=lake.snapshot(connection), region=REGION
        )
    assert theirs > 1
    assert found.data.rows == stays.num_rows - theirs


def test_a_stay_and_then_its_person_are_subtracted_once(home, patient, stays):
    members = set(said(home, serving(home)).growth.members)
    gone = patient[0]
    theirs = [
        (row["psn_no"], row["stay_id"])
        for row in stays.select(["psn_no", "stay_id", "hospital", "split"]).to_pylist()
        if row["split"] == "source" and row["hospital"] in members and row["psn_no"] != gone
    ]
    person, stay = next(one for one in theirs if sum(who == one[0] for who, _ in theirs) > 2)
    for number, leaving in enumerate((Leaving(stay=stay), Leaving(person=person))):
        report = withdraw(home, run=occasion(f"in parts {number}", days=3 + number), leaving=leaving, signed=SIGNED)
        assert report.taken[0].certificate["equals_retraining"]
    assert said(home, serving(home)).growth.total == from_records(home, stays, without=[gone, person])


def test_a_stay_that_came_after_the_model_was_made_leaves_it_open(home, patient, stays, put_mart):
    before, known = serving(home), stays.drop_columns(["psn_no"])
    member = min(said(home, before).growth.members)
    mine = known.filter(pc.and_(pc.equal(known["hospital"], member), pc.equal(known["split"], "source"))).slice(0, 1)
    late = mine.set_column(0, "stay_id", pa.array(["late"]))
    put_mart(home, pa.concat_tables([known, late]))
    report = withdraw(home, run=occasion("late", days=6), leaving=Leaving(stay="late"), signed=SIGNED)
    put_mart(home, known)
    assert (report.taken[0].outcome, report.taken[0].places.members) == ("absent", (member,))
    assert report.taken[0].after == serving(home).label == before.label
    with lake.connect(home, threads=1) as connection:
        line = versions.line(connection, NAME, before.number)
        assert versions.withdrawn_from(connection, line) == ()
        champion.require_open(connection, line)


SERVES_AGAIN = {
    "minds what came later": "UPDATE lake.knowledge.model_version SET withdrawn = 999999 WHERE version = {}",
    "has no sources": "UPDATE lake.knowledge.model_version SET sources = [] WHERE version = {}",
    "is older": "UPDATE lake.knowledge.model_version SET month = DATE '2020-01-01' WHERE version = {}",
    "is of another region": "UPDATE lake.knowledge.model_version SET region = '别' WHERE version = {}",
    "is of another snapshot": "UPDATE lake.knowledge.model_version SET snapshot = 1 WHERE version = {}",
    "knows other months": "UPDATE lake.knowledge.member SET months = ['2020-01'] WHERE version = {}",
    "has a second row": "INSERT INTO lake.knowledge.model_version BY NAME SELECT * REPLACE "
    "(TIMESTAMP '2030-01-01' AS as_of, 999999 AS withdrawn) FROM lake.knowledge.model_version WHERE version = {}",
}


@contextmanager
def changed(home, statement, version):
    """Let somebody change what the lake tells of a version, for a while."""
    with lake.connect(home, threads=1) as connection:
        kept = {table: connection.execute(f"SELECT * FROM lake.knowledge.{table}").to_arrow_table() for table in TABLES}
        connection.execute(statement.format(version))
        yield
        for table, rows in kept.items():
            connection.register("kept", rows)
            connection.execute(f"DELETE FROM lake.knowledge.{table}")
            connection.execute(f"INSERT INTO lake.knowledge.{table} BY NAME SELECT * FROM kept")
            connection.unregister("kept")


TABLES = ("model_version", "member")


@pytest.mark.parametrize("how", SERVES_AGAIN)
def test_a_version_that_may_not_serve_may_not_either_when_the_lake_is_changed(home, hospital, how):
    before = hospital[0]
    with changed(home, SERVES_AGAIN[how], before.number):
        assert before.label in verify(home).fault.en
        with pytest.raises(Refusal, match="E-VERSION-CHANGED"):
            rollback(home, run=occasion("back"), name=NAME, to=before.number)
    assert verify(home).fault is None
    with pytest.raises(Refusal, match="E-VERSION-WITHDRAWN"):
        rollback(home, run=occasion("back"), name=NAME, to=before.number)


def test_of_a_version_that_was_changed_nobody_is_told_that_it_has_nothing_of_them(home, hospital):
    before = serving(home)
    leaver = sorted(said(home, before).growth.members)[0]
    with changed(home, SERVES_AGAIN["has no sources"], before.number):
        report = withdraw(home, run=occasion("changed"), leaving=Leaving(source=leaver), signed=SIGNED)
        assert [(one.outcome, one.code) for one in report.taken] == [("failed", "E-VERSION-CHANGED")]
    again = withdraw(home, run=occasion("as it was"), leaving=Leaving(source=leaver), signed=SIGNED)
    assert (again.taken[0].outcome, again.taken[0].entry) == ("subtracted", report.taken[0].entry)


def test_what_is_not_in_the_model_is_entered_and_changes_nothing(home, patient):
    before = serving(home)
    outsiders = {f"H{k:02d}" for k in range(1, 9)} - set(said(home, before).growth.members)
    for number, source in enumerate(sorted(outsiders)[:1]):
        report = withdraw(
            home, run=occasion(f"outsider {number}", days=6), leaving=Leaving(source=source), signed=SIGNED
        )
        assert report.taken[0].outcome == "absent"
    assert serving(home) == before


def test_a_model_that_kept_something_is_caught_and_nothing_is_registered(home, patient, monkeypatch):
    before, exact = serving(home), shrinking.shrunk
    leaver = sorted(said(home, before).growth.members)[0]

    def leaky(kept, left, stays, *, learner, parameters):
        found = exact(kept, left, stays, learner=learner, parameters=parameters)
        member = min(found.members)
        return found.refresh(member, found.members[member].merge(kept.growth.members[leaver]))

    monkeypatch.setattr(shrinking, "shrunk", leaky)
    report = withdraw(home, run=occasion("leak", days=7), leaving=Leaving(source=leaver), signed=SIGNED)
    assert [(one.outcome, one.code) for one in report.taken] == [("failed", "E-WITHDRAW-INEXACT")]
    assert not report.is_complete
    assert serving(home) == before
    monkeypatch.undo()
    # Repeated, it goes on from there: what is pending is entered and subtracted once.
    again = withdraw(home, run=occasion("leak", days=7), leaving=Leaving(source=leaver), signed=SIGNED)
    assert again.taken[0].outcome == "subtracted"
    assert again.taken[0].entry == report.taken[0].entry
    assert again.taken[0].certificate["equals_retraining"]


def test_who_is_unknown_or_not_one_is_refused(home):
    for wrong in (Leaving(source="H99"), Leaving(person="nobody"), Leaving(stay="none")):
        with pytest.raises(Refusal) as refusal:
            withdraw(home, run=occasion("wrong"), leaving=wrong, signed=SIGNED)
        assert refusal.value.code == "E-WITHDRAW-UNKNOWN"
    for both in ({}, {"source": "H01", "person": "p"}):
        with pytest.raises(Refusal) as refusal:
            Leaving(**both)
        assert refusal.value.code == "E-WITHDRAW-WHO"


def test_predictions_know_their_version_and_are_of_all_stays(home, patient, stays):
    with lake.connect(home, threads=1) as connection:
        rows = connection.execute(
            "SELECT stay_id, log_cost, cost FROM lake.knowledge.prediction WHERE version = ? ORDER BY stay_id",
            [serving(home).number],
        ).fetchall()
    assert [row[0] for row in rows] == sorted(stays["stay_id"].to_pylist())
    ordered = stays.sort_by("stay_id")
    expected = mlflow.predictor(home, serving(home))(ordered)
    assert np.abs(np.array([row[1] for row in rows]) - expected).max() < 1e-12
    assert rows[0][2] == pytest.approx(np.exp(rows[0][1]))
