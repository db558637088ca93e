"""Withdrawals beside each other, beside a registry or a lake that fails, and beside what is built meanwhile."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.occasions import SIGNED, Occasions, entries, said

from headwater.adapters import certificates, evolved, held, knowledge, lake, mlflow, postgres, versions
from headwater.errors import Refusal
from headwater.steps import champion, shrinking
from headwater.steps import withdraw as step
from headwater.steps.evolve import evolve
from headwater.steps.leaving import Leaving
from headwater.steps.register import registered_name
from headwater.steps.withdraw import withdraw

REGIONS = ("甲", "乙")
LAST = date(2024, 5, 1)


class Killed(BaseException):
    """The process ends here."""


occasion = Occasions()


@pytest.fixture(scope="module")
def stays(make_region):
    """Give two regions of five months; one person in a hundred has stays in both, one in the first alone."""
    table = pa.concat_tables([make_region(region=one, hospitals=8, months=5, stays_a_month=60) for one in REGIONS])
    table = table.set_column(0, "stay_id", pa.array([f"s{k:06d}" for k in range(table.num_rows)]))
    persons = pa.array([f"p{k % 97:02d}" for k in range(table.num_rows)])
    return table.append_column("psn_no", persons)


@pytest.fixture(scope="module")
def first(stays):
    """Give the stays of all months but the last."""
    return stays.filter(pc.less(stays["month"], pa.scalar(LAST)))


@pytest.fixture(scope="module")
def home(own, put_mart, first):
    put_mart(own, first)
    for region in REGIONS:
        evolve(own, run=occasion("first", region=region), min_stays=20)
    return own


def name(region="甲") -> str:
    return registered_name("stay_cost", region)


def serving(home, region="甲"):
    return mlflow.champion(home, name(region))


def line(home, region="甲") -> versions.Line:
    with lake.connect(home, threads=1) as connection:
        return versions.line(connection, name(region), serving(home, region).number)


def of(report, region="甲"):
    (taken,) = [one for one in report.taken if one.places.region == region]
    return taken


def stay_of(stays, member, home, region="甲", *, skip=0) -> str:
    """Return a stay of a member that the version that serves knows, of nobody who withdraws here."""
    stays = stays.filter(pc.invert(pc.is_in(stays["psn_no"], pa.array(["p11", "p23"]))))
    kept = said(home, serving(home, region))
    mine = stays.filter(pc.and_(pc.equal(stays["region"], region), pc.equal(stays["hospital"], member)))
    months = pa.array(kept.months[member], pa.date32())
    mine = mine.filter(pc.and_(pc.equal(mine["split"], "source"), pc.is_in(mine["month"], months)))
    return mine["stay_id"][skip].as_py()


def test_two_who_withdraw_at_once_are_subtracted_together_and_both_have_the_certificate(home, stays, monkeypatch):
    one, other = sorted(line(home).sources)[:2]
    stay, exact = stay_of(stays, other, home), shrinking.shrunk

    def slowly(*told, **options):
        found = exact(*told, **options)
        monkeypatch.setattr(shrinking, "shrunk", exact)
        with lake.connect(home, threads=1) as connection:
            # Another clerk enters it, while the model is the first one's.
            step._entered(home, connection, occasion("other clerk", region="甲"), Leaving(source=one), SIGNED)
        return found

    monkeypatch.setattr(shrinking, "shrunk", slowly)
    taken = of(withdraw(home, run=occasion("a stay"), leaving=Leaving(stay=stay), signed=SIGNED))
    assert (taken.outcome, taken.code) == ("subtracted", None), taken.why.en
    assert taken.certificate["equals_retraining"]
    assert one not in line(home).sources
    told = taken.certificate["entries"]
    mine = [each for each in entries(home, "withdrawal") if each["region"] == "甲"]
    assert [each["entry"] for each in told] == [each["number"] for each in mine[-2:]]
    assert [(each.get("source"), "stay_sha256" in each, each["stays"]) for each in told] == [
        (None, True, 1),
        (one, False, 0),
    ]
    # Whoever comes second finds nothing left to subtract, and the proof that it was.
    for leaving in (Leaving(source=one), Leaving(stay=stay)):
        again = of(withdraw(home, run=occasion("again"), leaving=leaving, signed=SIGNED))
        assert (again.outcome, again.certificate) == ("absent", taken.certificate)


def test_broken_off_between_registry_and_lake_it_is_certified_when_repeated(home, stays, monkeypatch):
    before, tell = serving(home), champion._tell
    stay = stay_of(stays, min(line(home).sources), home, skip=1)

    def killed(home, connection, version):
        if version != before:
            raise Killed
        return tell(home, connection, version)

    with monkeypatch.context() as patch:
        patch.setattr(champion, "_tell", killed)
        with pytest.raises(Killed):
            withdraw(home, run=occasion("killed"), leaving=Leaving(stay=stay), signed=SIGNED)
    after = serving(home)
    assert after != before
    taken = of(withdraw(home, run=occasion("repeated"), leaving=Leaving(stay=stay), signed=SIGNED))
    assert (taken.outcome, taken.after) == ("subtracted", after.label)
    assert entries(home, "certificate")[-1].items() >= taken.certificate.items()
    assert serving(home) == after


def test_whatever_fails_in_one_region_is_told_and_the_others_are_not_kept_waiting(home, monkeypatch):
    found = mlflow.champion

    def gone(home, registered):
        if registered == name("甲"):
            raise ConnectionError("a record")
        return found(home, registered)

    before = serving(home)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "champion", gone)
        report = withdraw(home, run=occasion("person"), leaving=Leaving(person="p11"), signed=SIGNED)
    assert (of(report).outcome, of(report).code) == ("failed", "E-WITHDRAW-FAILED")
    assert "ConnectionError" in of(report).why.en
    assert "a record" not in json.dumps(report.to_dict(), default=str)
    assert of(report, "乙").outcome == "subtracted"
    assert (serving(home), report.is_complete) == (before, False)
    again = withdraw(home, run=occasion("person again"), leaving=Leaving(person="p11"), signed=SIGNED)
    assert (of(again).outcome, again.is_complete) == ("subtracted", True)


def test_a_certificate_that_cannot_be_read_is_named_and_made_up_for(home, stays, monkeypatch):
    stay = stay_of(stays, max(line(home).sources), home, skip=2)

    def unreadable(path):
        raise OSError(path)

    with monkeypatch.context() as patch:
        patch.setattr(certificates, "Path", unreadable)
        taken = of(withdraw(home, run=occasion("unread"), leaving=Leaving(stay=stay), signed=SIGNED))
    assert (taken.outcome, taken.certificate, taken.unread) == ("subtracted", None, (serving(home).label,))
    later = of(withdraw(home, run=occasion("read"), leaving=Leaving(stay=stay), signed=SIGNED))
    assert later.unread == ()
    assert later.certificate["version_after"] == serving(home).label
    assert later.certificate["entries"][0]["entry"] == taken.entry


def test_what_is_built_between_looking_and_entering_is_found(home, first, put_mart, monkeypatch):
    """One of the first region's persons has a stay in the second, once its mart is built anew."""
    look, person = step.found, "p23"
    rows = first.select(["stay_id", "region", "psn_no"]).to_pylist()
    here = pa.array([row["psn_no"] if row["psn_no"] != person or row["region"] == "甲" else "p24" for row in rows])
    place = first.column_names.index("psn_no")
    put_mart(home, first.set_column(place, "psn_no", here))

    def then_built(*told, **further):
        found = look(*told, **further)
        if further["snapshot"] == seen[0]:
            put_mart(home, first)
        return found

    with lake.connect(home, threads=1) as connection:
        seen = [lake.snapshot(connection)]
    before = len(entries(home, "withdrawal"))
    with monkeypatch.context() as patch:
        patch.setattr(step, "found", then_built)
        # The older snapshots, in which the person has stays in both regions, would tell as well.
        patch.setattr(step, "bases_of", lambda *_: [])
        report = withdraw(home, run=occasion("meanwhile"), leaving=Leaving(person=person), signed=SIGNED)
    assert {one.places.region for one in report.taken} == set(REGIONS)
    told = entries(home, "withdrawal")[before:]
    assert [one["region"] for one in told] == ["甲", "乙"]
    # Entered again, nothing is new.
    withdraw(home, run=occasion("meanwhile again"), leaving=Leaving(person=person), signed=SIGNED)
    assert len(entries(home, "withdrawal")) == before + 2


@pytest.fixture(scope="module")
def expired(home, stays, put_mart):
    """Let a member deliver no more, and the lake forget the snapshot that the version which serves was made from."""
    made = line(home)
    gone = max(made.sources)
    put_mart(home, stays.filter(pc.invert(pc.and_(pc.equal(stays["region"], "甲"), pc.equal(stays["hospital"], gone)))))
    with lake.connect(home, threads=1) as connection:
        connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{made.snapshot}])")
        with pytest.raises(Refusal, match="E-LAKE-SNAPSHOT"):
            lake.require_kept(connection, made.snapshot)
    return gone


def test_a_snapshot_that_is_kept_no_more_keeps_nobody_from_leaving(home, stays, expired):
    before, there = serving(home), min(line(home).sources)
    for leaver in (expired, there):
        report = withdraw(home, run=occasion(f"expired {leaver}"), leaving=Leaving(source=leaver), signed=SIGNED)
        assert (of(report).outcome, of(report).code) == ("failed", "E-LAKE-SNAPSHOT")
        assert entries(home, "withdrawal")[-1]["source"] == leaver
    assert serving(home) == before
    with pytest.raises(Refusal, match="E-WITHDRAW-UNKNOWN") as refusal:
        withdraw(home, run=occasion("nobody"), leaving=Leaving(source="H99"), signed=SIGNED)
    assert str(line(home).snapshot) in refusal.value.reason.en


def test_what_could_not_be_subtracted_is_deleted_when_what_was_learned_anew_relieves_it(home, expired):
    before = serving(home)
    with postgres.connect(home) as connection:
        assert expired in held.load(connection, name(), before.number).growth.members
    evolve(home, run=occasion("a month later", region="甲"), min_stays=20)
    assert serving(home) != before
    assert expired not in line(home).sources
    with postgres.connect(home) as connection:
        query = "select count(*) from ops.version_member where name = %s and source_id = %s"
        assert connection.execute(query, (name(), expired)).fetchone() == (0,)
        assert held.load(connection, name(), serving(home).number) is not None
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        heard = evolved.rows(connection, "heard", key={"task": "stay_cost", "region": "甲"})
    assert expired not in {row["source"] for row in heard}
