"""What whoever administers the database changes behind a joint run's back is refused, or told by a proof."""

import hashlib
import json
from dataclasses import replace

import pytest
from tests.unit.steps import test_joint
from tests.unit.steps.test_joint import CAPS, CHOSEN, NOISY, REGION, debits, entries, occasion, rule

from headwater.adapters import lake, ledger, postgres
from headwater.errors import Refusal
from headwater.security.events import Gaussian
from headwater.security.guarded import Guarded
from headwater.security.requirement import Release
from headwater.steps import joint as steps
from headwater.steps.aggregate import aggregate, conclude
from headwater.steps.audit import verify
from headwater.steps.join import join, joined
from headwater.steps.joint import plan_join, recall
from headwater.steps.ledger import Books, prove
from headwater.steps.revealed import Revealed
from headwater.steps.wish import Wish

home, require, asked, unrevealed = test_joint.home, test_joint.require, test_joint.asked, test_joint.unrevealed


@pytest.fixture
def superuser(home):
    """Give a connection for which the triggers that protect what is kept are out of the way."""
    with postgres.connect(home, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection


def test_a_plan_that_was_changed_in_the_database_is_not_played(home, require, asked, superuser):
    require(rule("rewritten", NOISY))
    planned = plan_join(home, run=occasion("rewritten"), task="stay_cost", model="stay_cost_ridge")
    less = replace(planned, job=replace(planned.job, l2=planned.job.l2 / 100))
    ((written,),) = superuser.execute("select body from ops.audit where number = %s", (planned.entry,)).fetchall()
    body = json.loads(written)
    body["job"]["l2"], body["digest"] = less.job.l2, steps._plan(home, less).digest
    put = "update ops.audit set body = %s where number = %s"
    superuser.execute(put, (json.dumps(body), planned.entry))
    try:
        for act in (recall, lambda home, entry: join(home, run=occasion("rewritten"), entry=entry)):
            with pytest.raises(Refusal, match="E-AUDIT-CHANGED"):
                act(home, planned.entry)
    finally:
        superuser.execute(put, (written, planned.entry))
    assert not asked
    assert recall(home, planned.entry).job == planned.job


def test_noise_for_less_than_a_record_can_do_is_not_played_whoever_signed_it(home, require, monkeypatch):
    require(rule("mismeasured", NOISY))
    real = steps._noised

    def less(*given):
        joint = real(*given)
        return replace(joint, job=replace(joint.job, l2=joint.job.l2 / 100))

    monkeypatch.setattr(steps, "_noised", less)
    planned = plan_join(home, run=occasion("mismeasured"), task="stay_cost", model="stay_cost_ridge")
    with pytest.raises(Refusal, match="E-JOIN-MOVED"):
        recall(home, planned.entry)


def test_an_entry_that_is_no_plan_is_refused_with_its_number(home, require):
    for number in (999_999, 0, len(entries(home)) + 1):
        with pytest.raises(Refusal, match="E-JOIN-ENTRY") as refusal:
            recall(home, number)
        assert str(number) in refusal.value.reason.en
    require(rule("entered", NOISY))
    plan_join(home, run=occasion("entered"), task="stay_cost", model="stay_cost_ridge")
    steps.books_of(home).reserve(
        plan_join(home, run=occasion("debited"), task="stay_cost", model="stay_cost_ridge").plan.exposures
    )
    debited = 1 + [kind for kind, _ in entries(home)].index("ledger")
    with pytest.raises(Refusal, match="E-JOIN-ENTRY"):
        recall(home, debited)


@pytest.mark.parametrize("change", ["parameters = list_transform(parameters, x -> -x)", "rounds = '[]'", "entry = 1"])
def test_what_was_joined_is_registered_only_as_it_was_bound(home, require, unrevealed, change):
    require(rule(f"bound{len(change)}", NOISY))
    run = occasion(f"bound {len(change)}")
    planned = plan_join(home, run=run, task="stay_cost", model="stay_cost_ridge")
    found = join(home, run=run, entry=planned.entry)
    again = joined(home, run=run, task="stay_cost", model="stay_cost_ridge")
    assert again.parameters.tolist() == found.parameters.tolist()
    with lake.connect(home) as connection:
        connection.execute(f"UPDATE lake.knowledge.joined SET {change} WHERE run = ?", [run.name])
    with pytest.raises(Refusal, match="E-JOIN-OUTCOME"):
        conclude(home, run=run, task="stay_cost", model="stay_cost_ridge")


def test_the_version_is_of_the_parameters_that_were_bound(home, require):
    require(rule("same", NOISY))
    aggregate(home, run=occasion("same"))
    (_, bound), (_, version) = entries(home, "joined")[-1], entries(home, "model_version")[-1]
    assert bound["parameters"] == version["parameters"]


def test_a_ledger_that_was_emptied_is_found_by_its_proof(home, require, superuser):
    require(rule("emptied", NOISY))
    planned = plan_join(home, run=occasion("emptied"), task="stay_cost", model="stay_cost_ridge")
    steps.books_of(home).reserve(planned.plan.exposures)
    assert prove(home).holds
    for table in ("entry", "balance"):
        superuser.execute(f"create temp table kept_{table} as select * from ops.privacy_{table}")
        superuser.execute(f"delete from ops.privacy_{table} where patients = 'emptied'")
    try:
        found = prove(home)
        (fault,) = found.faults
        assert f"{len(planned.sources)} entries that the audit log tells of are not in the ledger" in fault.en
    finally:
        for table in ("entry", "balance"):
            superuser.execute(
                f"insert into ops.privacy_{table} overriding system value "
                f"select * from kept_{table} where patients = 'emptied'"
            )
    assert prove(home).holds


def test_an_entry_of_the_ledger_that_nobody_audited_is_found(home, superuser):
    release = Release("x/1", CHOSEN[0], "aggregation", Gaussian(30.0))
    needs = replace(rule("unaudited", NOISY), mechanisms=frozenset({"clear", "gaussian"}))
    with postgres.connect(home) as connection:
        ledger.debit(connection, [ledger.Debit(release, needs)], at=ledger.clock(connection))
    (fault,) = prove(home).faults
    for table in ("entry", "balance"):
        superuser.execute(f"delete from ops.privacy_{table} where patients = 'unaudited'")
    assert prove(home).holds
    assert fault.en == "1 entries of the ledger are unknown to the audit log."


def test_a_revealed_sum_that_was_forgotten_is_found(home, superuser):
    Revealed(home, REGION).record((("u1", "u2", "u3", "u4"), ("u8", "u7", "u6", "u5")))
    Revealed(home, REGION).record((("u5", "u6", "u7", "u8"),))
    assert [len(body["cohorts"]) for _, body in entries(home, "revealed")][-1:] == [2], "nothing new is entered twice"
    assert verify(home).fault is None
    superuser.execute("create temp table forgotten as select * from ops.revealed_sum where 'u5' = any (sources)")
    superuser.execute("delete from ops.revealed_sum where 'u5' = any (sources)")
    try:
        assert "u5, u6, u7, u8" in verify(home).fault.en
    finally:
        superuser.execute("insert into ops.revealed_sum select * from forgotten")
    assert verify(home).fault is None


def test_the_text_of_a_requirement_is_entered_when_it_is_used_first_and_when_it_changes(home, require):
    def plan_under(needs):
        require(needs)
        before = len(entries(home, "requirement"))
        plan_join(home, run=occasion("text"), task="stay_cost", model="stay_cost_ridge")
        return [body for _, body in entries(home, "requirement")[before:]]

    first, wider = rule("text", NOISY), replace(rule("text", NOISY), caps=replace(CAPS, lifetime=17.0))
    for needs in (first, wider, first):
        (told,) = plan_under(needs)
        assert told["version"] == needs.version == hashlib.sha256(told["text"].encode()).hexdigest()[:16]
        assert json.loads(told["text"])["caps"]["lifetime"] == needs.caps.lifetime
        assert plan_under(needs) == []


def test_other_patients_are_no_new_budget(home, monkeypatch):
    books, noise = Books(home, "diagnosis", "clear"), Gaussian(30.0)
    needs = replace(rule("moving", NOISY), purposes={"diagnosis": CAPS}, mechanisms=frozenset({"clear", "gaussian"}))
    monkeypatch.setattr("headwater.steps.ledger.requirements", lambda _: (needs,))
    books.reserve(books.seen(["H02"], noise))
    others = replace(needs, patients="others")
    monkeypatch.setattr("headwater.steps.ledger.requirements", lambda _: (others,))
    for act in (books.reserve, books.afford):
        with pytest.raises(Refusal, match="E-REQUIREMENT-PATIENTS") as refusal:
            act(books.seen(["H02"], noise))
    assert refusal.value.remedy.en == "Write patients: moving again."
    assert len([one for one in debits(home, "moving") if one.source_id == "H02"]) == 1
    assert not debits(home, "others")
    # Another source has its own patients.
    books.reserve(books.seen(["H03"], noise))
    assert len(debits(home, "others")) == 1


def test_a_wish_leaves_every_requirement_its_version(home, require):
    require(rule("wished", {"statistic": "region", "sum": "region", "noisy": "region"}))
    plan_join(home, run=occasion("wished"), task="stay_cost", model="stay_cost_ridge", wish=Wish("masked", "masked"))
    (_, told) = entries(home, "plan")[-1]
    assert told["plan"]["requirements"] == {source: one["version"] for source, one in told["requirements"].items()}


OPEN = {"statistic": "region", "sum": "region", "noisy": "region"}


@pytest.mark.parametrize("wish", [Wish("masked"), Wish("masked", "masked")])
def test_references_ask_nobody_where_masks_were_wished(home, require, asked, unrevealed, wish):
    require(rule("veiled", OPEN))
    report = aggregate(home, run=occasion(f"veiled {wish.region}"), wish=wish)
    assert set(report.scores) == {"ours", "target_only"}
    assert "Sums alone were wished" in report.notes[0].en
    assert set(asked) == {"target", *CHOSEN}
    assert sum(name != "target" for name in asked) == len(CHOSEN), "each was asked once, by the round"


def test_references_stand_in_the_audit_log_and_are_asked_under_requirements(home, require, monkeypatch):
    require(rule("bare", OPEN))
    guarded = []
    real = Guarded.answer
    monkeypatch.setattr(Guarded, "answer", lambda self, question: guarded.append(self.release) or real(self, question))
    before = len(entries(home, "release"))
    report = aggregate(home, run=occasion("bare"))
    assert set(report.scores) == {"ours", "target_only", "all_equal", "pooled"}
    played, beside = [body for _, body in entries(home, "release")[before:]]
    valued = [f"H{place:02d}" for place in range(2, 11)]
    assert (played["plan"], beside["plan"]) == (report.joint.entry, report.joint.entry)
    assert (played["sources"], beside["sources"]) == (list(CHOSEN), valued)
    assert beside["round"].endswith("/references")
    # For each of two references, after the round.
    last = guarded[-2 * len(valued) :]
    assert [one.source for one in last] == 2 * valued
    assert {(one.tier, one.shown, one.protection) for one in last} == {("region", "statistic", "clear")}
    assert {one.release_id for one in last} == {beside["round"].removesuffix("/references")}
