"""Withdrawals that break off or fail, by mistake, of the last member, and of who is delivered no more."""

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.occasions import AT, SIGNED, Occasions, entries, said

from headwater.adapters import evolved, features, held, knowledge, lake, mlflow, postgres
from headwater.adapters.held import Held
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.evolution import BASE, Growth
from headwater.security.requirement import Caps, Requirement
from headwater.steps import shrinking
from headwater.steps.aggregate import aggregate
from headwater.steps.evolve import evolve
from headwater.steps.leaving import Leaving
from headwater.steps.register import registered_name
from headwater.steps.reproduce import reproduce
from headwater.steps.revoke import revoke
from headwater.steps.value import ridge_of, value
from headwater.steps.withdraw import withdraw

REGIONS = ("离", "散")
ALONE = date(2024, 3, 1)


occasion = Occasions()


@pytest.fixture(scope="module")
def stays(make_region):
    """Give two regions; in one month the bureau alone has records, and one person is everywhere."""
    tables = [make_region(region=one, hospitals=8, months=8, stays_a_month=90) for one in REGIONS]
    table = pa.concat_tables(tables)
    theirs = pc.and_(pc.equal(table["month"], pa.scalar(ALONE)), pc.equal(table["split"], "source"))
    table = table.filter(pc.invert(theirs))
    table = table.set_column(0, "stay_id", pa.array([f"s{k:06d}" for k in range(table.num_rows)]))
    return table.append_column("psn_no", pa.array([f"p{k % 97:02d}" for k in range(table.num_rows)]))


@pytest.fixture(scope="module")
def home(own, put_mart, stays):
    put_mart(own, stays)
    for region in REGIONS:
        evolve(own, run=occasion("first", region=region), min_stays=20)
    return own


def name(region):
    return registered_name("stay_cost", region)


def serving(home, region="离"):
    return mlflow.champion(home, name(region))


def members(home, region="离"):
    return sorted(said(home, serving(home, region)).growth.members)


def test_of_who_is_in_an_older_version_alone_statistics_and_answers_go_too(home):
    region, key = "散", {"task": "stay_cost", "region": "散"}
    kept = said(home, serving(home, region))
    with lake.connect(home, threads=1) as connection:
        heard = {row["source"] for row in evolved.rows(connection, "heard", key=key)}
        outsider = min(heard - set(kept.growth.members))
        # It was in a version once.
        made = {**key, "run": "long ago", "name": name(region), "version": 99, "as_of": AT, "snapshot": 1}
        knowledge.insert(connection, "model_version", [made | {"step": "evolve", "sources": [outsider]}])
    older = Held(Growth.start(kept.growth.base, {outsider: min(kept.growth.members.items())[1]}))
    with postgres.connect(home) as connection:
        held.keep(connection, name(region), 99, older)
    report = withdraw(home, run=occasion("outsider"), leaving=Leaving(source=outsider), signed=SIGNED)
    assert {one.places.region: one.outcome for one in report.taken}[region] == "absent"
    with postgres.connect(home) as connection:
        assert held.load(connection, name(region), 99) is None
    assert said(home, serving(home, region)).growth.total == kept.growth.total
    with lake.connect(home, threads=1) as connection:
        assert {row["source"] for row in evolved.rows(connection, "heard", key=key)} == heard - {outsider}


def test_the_bureaus_own_months_that_count_are_held_and_carried_on(home):
    region = "离"
    kept = said(home, serving(home, region))
    own = (min(kept.months[min(kept.growth.members)]), kept.until)
    some = replace(kept, months={**kept.months, BASE: own}, weight=2)
    with postgres.connect(home) as connection:
        held.keep(connection, name(region), 98, some)
        found = held.load(connection, name(region), 98)
        held.purge(connection, name(region), [98])
    assert found == some
    assert (found.months[BASE], found.until) == (own, kept.until)


def test_a_person_of_two_regions_is_entered_in_both_before_one_fails(home, stays, monkeypatch):
    exact, before = shrinking.shrunk, [serving(home, region) for region in REGIONS]
    turns = iter((True, False))

    def failing(*told, **options):
        if next(turns):
            raise HeadwaterError("E-TEST", Message("坏", "broken"), Message("等", "wait"))
        return exact(*told, **options)

    monkeypatch.setattr(shrinking, "shrunk", failing)
    report = withdraw(home, run=occasion("person"), leaving=Leaving(person="p07"), signed=SIGNED)
    assert [(one.outcome, one.code) for one in report.taken] == [("failed", "E-TEST"), ("subtracted", None)]
    assert report.taken[1].certificate["equals_retraining"]
    monkeypatch.undo()
    again = withdraw(home, run=occasion("person again"), leaving=Leaving(person="p07"), signed=SIGNED)
    assert [one.outcome for one in again.taken] == ["subtracted", "absent"]
    assert [one.entry for one in again.taken] == [one.entry for one in report.taken]
    assert all(serving(home, region) != old for region, old in zip(REGIONS, before, strict=True))


def test_broken_off_after_registering_it_certifies_and_forgets_when_repeated(home, monkeypatch):
    before, leaver, region = serving(home), members(home)[0], "离"
    purge = held.purge

    def killed(connection, name, versions):
        if serving(home) != before:
            raise KeyboardInterrupt
        return purge(connection, name, versions)

    monkeypatch.setattr(held, "purge", killed)
    with pytest.raises(KeyboardInterrupt):
        withdraw(home, run=occasion("killed"), leaving=Leaving(source=leaver), signed=SIGNED)
    after = serving(home)
    assert after != before
    assert said(home, before) is not None
    monkeypatch.undo()
    count = len(entries(home, "certificate"))
    taken = next(
        one
        for one in withdraw(home, run=occasion("repeated"), leaving=Leaving(source=leaver), signed=SIGNED).taken
        if one.places.region == region
    )
    assert (taken.outcome, taken.before, taken.after) == ("subtracted", before.label, after.label)
    assert taken.certificate["version_after"] == after.label
    assert any(one.items() >= taken.certificate.items() for one in entries(home, "certificate")[count:])
    assert said(home, before) is None
    assert serving(home) == after


def test_a_withdrawal_by_mistake_is_revoked_and_what_was_made_without_it_still_shrinks_exactly(home, stays):
    member = members(home)[0]
    mine = stays.filter(
        pc.and_(
            pc.and_(pc.equal(stays["region"], "离"), pc.equal(stays["hospital"], member)),
            pc.equal(stays["split"], "source"),
        )
    )
    told = set(said(home, serving(home)).months[member])
    known = [row["stay_id"] for row in mine.to_pylist() if row["month"] in told and row["psn_no"] != "p07"]
    stay, other, third = known[-1], known[0], known[1]
    (taken,) = withdraw(home, run=occasion("mistake"), leaving=Leaving(stay=stay), signed=SIGNED).taken
    assert taken.outcome == "subtracted", taken.why.en
    (back,) = revoke(home, run=occasion("revoked"), leaving=Leaving(stay=stay), signed=("李", "by mistake"))
    (told,) = [one for one in entries(home, "withdrawal") if one["number"] == back.entry]
    assert (told["by"], told["why"], told["revokes"]) == ("李", "by mistake", back.revokes)
    assert (back.revokes, back.region) == (taken.entry, "离")
    with pytest.raises(Refusal) as refusal:
        revoke(home, run=occasion("revoked twice"), leaving=Leaving(stay=stay), signed=SIGNED)
    assert refusal.value.code == "E-WITHDRAW-NONE"
    with lake.connect(home, threads=1) as connection:
        snapshot = lake.snapshot(connection)
        region = features.read(connection, ridge_of(home, "stay_cost"), snapshot=snapshot, region="离")
    assert region.stays[member] == mine.num_rows - sum(one == "p07" for one in mine["psn_no"].to_pylist())
    # What it shrank to lacks the stay still, and so does what that shrinks to; the stay is not subtracted twice.
    (taken,) = withdraw(home, run=occasion("another"), leaving=Leaving(stay=other), signed=SIGNED).taken
    assert taken.outcome == "subtracted", taken.why.en
    (taken,) = withdraw(home, run=occasion("for good"), leaving=Leaving(stay=stay), signed=SIGNED).taken
    assert taken.outcome == "absent", taken.why.en
    (taken,) = withdraw(home, run=occasion("one more"), leaving=Leaving(stay=third), signed=SIGNED).taken
    assert taken.certificate["equals_retraining"]
    revoke(home, run=occasion("not for good"), leaving=Leaving(stay=stay), signed=SIGNED)
    again = reproduce(home, run=occasion("reproduced"), name=name("离"), number=serving(home).number)
    assert again.is_bitwise
    assert again.is_whole


NOISY = Requirement(
    name="noisy",
    title=Message("试", "test"),
    sources=None,
    patients="noisy",
    sees={"statistic": "nobody", "sum": "tier", "noisy": "region"},
    delta=1e-6,
    caps=Caps(8.0, 16.0, 64.0),
    purposes={"aggregation": Caps(8.0, 16.0, 64.0)},
    mechanisms=frozenset({"clear", "masked", "discrete_gaussian", "skellam"}),
)
"""What a source requires that nothing of leaves without noise."""


@pytest.fixture
def noisy(home, monkeypatch):
    """Give a model that sources joined under noise, and that serves."""
    value(home, run=occasion("valued", region="散"), min_stays=20)
    with lake.connect(home, threads=1) as connection:
        connection.execute("UPDATE lake.knowledge.valuation SET selected = true WHERE region = '散'")
    monkeypatch.setattr("headwater.steps.required.keep_patients", lambda *_, **__: None)
    for place in ("ledger", "joint"):
        monkeypatch.setattr(f"headwater.steps.{place}.requirements", lambda _: [NOISY])
    made = aggregate(home, run=occasion("under noise", region="散"))
    mlflow.promote(home, made.registered.version)
    return made


def test_of_sums_released_under_noise_it_is_told_that_they_stay_so(home, noisy):
    leaver = max(source for source, epsilon in noisy.epsilon.items() if epsilon > 0)
    report = withdraw(home, run=occasion("from noise"), leaving=Leaving(source=leaver), signed=SIGNED)
    (taken,) = [one for one in report.taken if one.places.region == "散"]
    assert (taken.outcome, taken.after) == ("sums", noisy.registered.version.label)
    assert all("ε" in text for text in (taken.why.zh, taken.why.en))


def test_who_is_delivered_no_more_can_withdraw_and_so_can_the_last_member(home, stays, put_mart):
    """Nobody is left whose newest month could be asked about, and in one month the bureau alone has records."""
    first = members(home)[0]
    left = stays.filter(pc.invert(pc.and_(pc.equal(stays["region"], "离"), pc.equal(stays["hospital"], first))))
    put_mart(home, left.drop_columns(["psn_no"]))
    for leaver in members(home):
        report = withdraw(home, run=occasion(f"last {leaver}"), leaving=Leaving(source=leaver), signed=SIGNED)
        taken = next(one for one in report.taken if one.places.region == "离")
        assert taken.outcome == "subtracted", taken.why.en
        assert taken.certificate["equals_retraining"]
    assert members(home) == []
    assert reproduce(home, run=occasion("nobody"), name=name("离"), number=serving(home).number).is_whole
