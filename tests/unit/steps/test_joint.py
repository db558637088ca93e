"""Joint runs under requirements: noise that is paid for, sums that are hidden, sources that do not answer."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.unit.steps.occasions import SIGNED

from headwater.adapters import audit, knowledge, lake, ledger, mlflow, postgres
from headwater.adapters.knowledge import Run
from headwater.errors import Message, Refusal
from headwater.federation import TableSource
from headwater.security.requirement import Caps, Requirement
from headwater.steps import joint as steps
from headwater.steps.aggregate import aggregate
from headwater.steps.audit import verify
from headwater.steps.join import join
from headwater.steps.joint import plan_join, recall
from headwater.steps.leaving import Leaving
from headwater.steps.open_tier import open_tiers
from headwater.steps.revealed import Revealed, hidden_cohorts
from headwater.steps.revoke import revoke
from headwater.steps.wish import AS_REQUIRED, Wish
from headwater.steps.withdraw import withdraw

REGION = "缺"
CHOSEN = ("H02", "H03", "H04", "H05", "H06", "H08", "H09", "H10")
NOISY = {"statistic": "nobody", "sum": "tier", "noisy": "region"}
OPEN = {"statistic": "region", "sum": "region", "noisy": "region"}
TIER = {"statistic": "tier", "sum": "region", "noisy": "region"}
SUMS = {"statistic": "nobody", "sum": "region", "noisy": "region"}
CAPS = Caps(1.0, 2.0, 16.0)


def occasion(name: str) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, REGION)


def rule(name: str, sees: dict[str, str], sources: frozenset[str] | None = None) -> Requirement:
    return Requirement(
        name=name,
        title=Message("试", "test"),
        sources=sources,
        patients=name,
        sees=sees,
        delta=1e-6,
        caps=CAPS,
        purposes={"aggregation": CAPS},
        mechanisms=frozenset({"clear", "masked", "discrete_gaussian", "skellam"}),
    )


def choose(home, sources, *, minute: int) -> None:
    """Write a valuation newer than all before, that chooses ``sources``."""
    rows = [
        {"source": s, "city": "", "stays": 1, "value": 0.1, "low": 0.1, "high": 0.1, "selected": s in sources}
        for s in [f"H{k:02d}" for k in range(2, 11)]
    ]
    at = {"as_of": datetime(2026, 2, 1, 0, minute), "snapshot": 1, "bytes": 1, "method": "by hand", "run": "v"}
    key = {"task": "stay_cost", "region": REGION, "month": date(2025, 12, 1)}
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        knowledge.replace(connection, "valuation", key=key, rows=[row | at for row in rows])


@pytest.fixture(scope="module")
def home(region_home):
    choose(region_home, CHOSEN, minute=1)
    return region_home


@pytest.fixture
def require(monkeypatch):
    """Give what makes sources require something else than the project says, each time of patients with a new budget."""
    monkeypatch.setattr("headwater.steps.required.keep_patients", lambda *given, **further: None)

    def use(*rules: Requirement) -> None:
        for place in ("headwater.steps.ledger.requirements", "headwater.steps.joint.requirements"):
            monkeypatch.setattr(place, lambda _: rules)

    return use


@pytest.fixture
def unrevealed(monkeypatch):
    """Let sums be revealed that, with those of other tests, tell a source: what is not looked at here."""
    for name in ("record", "permit"):
        monkeypatch.setattr(Revealed, name, lambda self, *cohorts: None)


@pytest.fixture
def forgotten(home):
    """Forget the sums of other tests until this one is over; then all that the log tells is there."""
    with postgres.connect(home, autocommit=True) as connection:
        connection.execute("create temp table others as select * from ops.revealed_sum")
        connection.execute("set session_replication_role = replica")
        connection.execute("delete from ops.revealed_sum")
        connection.execute("reset session_replication_role")
        yield
        connection.execute("insert into ops.revealed_sum select * from others on conflict do nothing")
    assert verify(home).fault is None


@pytest.fixture
def asked(monkeypatch):
    """Give the names of the sources whose records were asked, in order."""
    names, answer = [], TableSource.answer

    def watched(source, question):
        names.append(source.source_id)
        return answer(source, question)

    monkeypatch.setattr(TableSource, "answer", watched)
    return names


def entries(home, kind: str | None = None) -> list[tuple[str, dict[str, object]]]:
    with postgres.connect(home) as connection:
        return [(entry.kind, json.loads(entry.body)) for entry in audit.entries(connection, kind=kind)]


def debits(home, patients: str) -> list[ledger.Entry]:
    with postgres.connect(home) as connection:
        return [entry for entry in ledger.entries(connection) if entry.patients == patients]


def registered(report) -> list[str]:
    """Return what is entered when a version is registered: that it is there, and then that it serves, if it does."""
    return ["model_version", "champion"] if report.registered.is_champion else ["model_version"]


def test_what_needs_noise_joins_with_noise_that_is_paid_for_and_told_everywhere(home, require, forgotten):
    require(rule("noisy", NOISY))
    before = len(entries(home))
    report = aggregate(home, run=occasion("noisy"))
    assert report.sources == CHOSEN
    assert set(report.epsilon) == set(CHOSEN)
    assert all(0 < epsilon <= 1 + 1e-9 for epsilon in report.epsilon.values())
    assert sorted(entry.source_id for entry in debits(home, "noisy")) == sorted(CHOSEN)
    assert set(report.scores) == {"ours", "target_only"}, "references need what the region may not see"
    assert [one.sources for one in report.rounds] == [0, len(CHOSEN)]
    kinds = [kind for kind, _ in entries(home)[before:]]
    joined = ["requirement", "plan", "ledger", "revealed", "release", "keys", "joined"]
    assert kinds == [*joined, *registered(report)]


def test_the_version_carries_plan_protections_epsilon_and_audit_head(home, require):
    require(rule("tagged", NOISY))
    report = aggregate(home, run=occasion("tagged"))
    version, store = report.registered.version, mlflow.client(home)
    run = store.get_run(version.run_id)
    tags = store.get_model_version(version.name, version.number).tags
    plan = json.loads(Path(store.download_artifacts(version.run_id, "plan.json")).read_text())
    assert tags["headwater.plan"] == report.joint.plan.digest
    assert plan == json.loads(json.dumps(report.joint.plan.to_dict()))
    (told,) = [body for _, body in entries(home, "plan") if body["digest"] == report.joint.plan.digest][-1:]
    assert told["plan"] == plan
    assert {one["version"] for one in told["requirements"].values()} == {rule("tagged", NOISY).version}
    size = int(tags["headwater.audit_size"])
    assert [kind for kind, _ in entries(home)[size:]] == registered(report)
    assert float(run.data.params["epsilon"]) == pytest.approx(max(report.epsilon.values()), rel=1e-5)
    told_rounds = store.get_metric_history(version.run_id, "round_bytes")
    assert [(one.step, one.value) for one in told_rounds] == [(k, one.bytes) for k, one in enumerate(report.rounds)]
    listed = json.loads(Path(store.download_artifacts(version.run_id, "sources.json")).read_text())["sources"]
    assert {source: facts["epsilon"] for source, facts in listed.items()} == report.epsilon


def test_keys_of_a_round_are_those_of_its_members(home, require):
    require(rule("keyed", NOISY))
    report = aggregate(home, run=occasion("keyed"))
    (_, told) = entries(home, "keys")[-1]
    assert told["plan"] == report.joint.entry
    members = [{name for name in group.members} for group in report.joint.plan.groups]
    assert [set(pact["keys"]) for pact in told["pacts"]] == members


def test_a_run_that_would_overspend_is_refused_with_the_number_before_anybody_is_asked(home, require, asked):
    require(rule("spent", NOISY))
    # Each run spends up to an epsilon of 1 of the month's 2; several compose to less than their sum.
    for turn in range(20):
        spent = len(debits(home, "spent"))
        try:
            steps.books_of(home).reserve(
                plan_join(home, run=occasion(f"spent {turn}"), task="stay_cost", model="stay_cost_ridge").plan.exposures
            )
        except Refusal:
            break
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("too much"))
    assert refusal.value.code == "E-LEDGER-RUN"
    assert "above the cap 2" in refusal.value.reason.en
    assert spent > 0
    assert not asked
    assert len(debits(home, "spent")) == spent


def test_exact_and_noisy_sources_join_in_one_model(home, require, unrevealed):
    require(rule("open", SUMS, frozenset({"H02", "H03", "H04"})), rule("shy", NOISY, frozenset(CHOSEN[3:])))
    report = aggregate(home, run=occasion("both"))
    assert [one.sources for one in report.rounds] == [3, len(CHOSEN) - 3]
    assert set(report.epsilon) == set(CHOSEN[3:])


def test_a_source_that_does_not_answer_is_planned_around_and_named(home, require, unrevealed):
    # H07's ages are no numbers: it is there, and cannot answer.
    choose(home, (*CHOSEN, "H07"), minute=2)
    require(rule("silent", SUMS))
    report = aggregate(home, run=occasion("silent"))
    choose(home, CHOSEN, minute=3)
    assert report.sources == CHOSEN
    assert list(report.refused) == ["H07"]
    first, second = [body for _, body in entries(home, "plan")][-2:]
    assert set(first["cities"]) - set(second["cities"]) == {"H07"}
    assert "H07" in second["absent"]


@pytest.mark.parametrize(
    ("sees", "wish"), [(SUMS, AS_REQUIRED), (TIER, Wish("clear"))], ids=["masked", "a tier's sum in clear"]
)
def test_sums_that_would_lay_a_source_open_are_refused_before_anybody_is_asked(
    home, require, asked, forgotten, sees, wish
):
    require(rule("hidden", sees))
    aggregate(home, run=occasion("all"), wish=wish)
    aggregate(home, run=occasion("the same"), wish=wish)
    choose(home, CHOSEN[:-1], minute=4)
    del asked[:]
    with pytest.raises(Refusal) as refusal:
        aggregate(home, run=occasion("one less"), wish=wish)
    choose(home, CHOSEN, minute=5)
    assert refusal.value.code == "E-COHORT-REVEALED"
    assert not asked


def test_who_may_be_seen_alone_need_not_hide_and_who_adds_noise_has_paid(home, require):
    require(rule("free", {"statistic": "region", "sum": "region", "noisy": "region"}))
    planned = plan_join(home, run=occasion("free"), task="stay_cost", model="stay_cost_ridge", wish=Wish("masked"))
    rules = dict.fromkeys(CHOSEN, rule("free", {"statistic": "region", "sum": "region", "noisy": "region"}))
    assert hidden_cohorts(planned.plan.groups, rules) == ((), ())
    hiding = dict.fromkeys(CHOSEN, rule("hidden", SUMS))
    cohorts, _ = hidden_cohorts(planned.plan.groups, hiding)
    assert {source for cohort in cohorts for source in cohort} == set(CHOSEN)
    half = {s: (hiding if s < "H06" else rules)[s] for s in CHOSEN}
    for cohorts in hidden_cohorts(planned.plan.groups, half):
        assert {s for cohort in cohorts for s in cohort} == {s for s in CHOSEN if s < "H06"}


def test_a_requirement_that_changes_after_the_plan_ends_the_run(home, require, asked):
    require(rule("before", NOISY))
    planned = plan_join(home, run=occasion("moved"), task="stay_cost", model="stay_cost_ridge")
    assert recall(home, planned.entry).plan == planned.plan
    require(rule("after", SUMS))
    for act in (
        lambda: open_tiers(home, [{"entry": planned.entry, "tier": REGION}]),
        lambda: join(home, run=occasion("moved"), entry=planned.entry),
    ):
        with pytest.raises(Refusal) as refusal:
            act()
        assert refusal.value.code == "E-JOIN-MOVED"
    assert not asked


def test_a_source_whose_requirement_names_no_such_purpose_is_left_out(home, require, unrevealed):
    require(rule("some", SUMS, frozenset(CHOSEN[1:])))
    planned = plan_join(home, run=occasion("some"), task="stay_cost", model="stay_cost_ridge")
    assert list(planned.refused) == [CHOSEN[0]]
    assert "no requirement that allows" in planned.refused[CHOSEN[0]].en


def test_a_network_learns_without_noise_only(home, require):
    require(rule("net", NOISY))
    with pytest.raises(Refusal) as refusal:
        plan_join(home, run=occasion("net"), task="stay_cost", model="stay_cost_network")
    assert refusal.value.code == "E-PLAN-NOBODY"


def test_a_wish_widens_nothing(home, require):
    require(rule("narrow", NOISY))
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        plan_join(home, run=occasion("wish"), task="stay_cost", model="stay_cost_ridge", wish=Wish("clear"))


def test_a_wish_for_masks_hides_every_hospital_from_its_city(home):
    planned = plan_join(home, run=occasion("masks"), task="stay_cost", model="stay_cost_ridge", wish=Wish("masked"))
    assert {one.shown for seen in planned.plan.exposures.values() for one in seen} == {"sum"}
    leaving = {group.protection for group in planned.plan.groups if set(group.members) & set(CHOSEN)}
    assert leaving == {"masked"}


def test_after_one_stay_withdrew_the_same_sum_is_not_revealed_again(home, require, asked, forgotten):
    require(rule("hidden", SUMS))
    wish = Wish("masked", "masked")
    aggregate(home, run=occasion("with the stay"), wish=wish)
    with lake.connect(home) as connection:
        (stay,) = connection.execute(
            "SELECT min(stay_id) FROM lake.marts.feat_stay_cost "
            "WHERE split = 'source' AND hospital = 'H05' AND region = $region",
            {"region": REGION},
        ).fetchone()
    withdraw(home, run=occasion("leaves"), leaving=Leaving(stay=stay), signed=SIGNED)
    try:
        planned = plan_join(home, run=occasion("less one"), task="stay_cost", model="stay_cost_ridge", wish=wish)
        del asked[:]
        with pytest.raises(Refusal, match="only the records of H05 changed") as refusal:
            join(home, run=occasion("less one"), entry=planned.entry)
        assert (refusal.value.code, asked) == ("E-COHORT-REVEALED", [])
    finally:
        revoke(home, run=occasion("comes back"), leaving=Leaving(stay=stay), signed=SIGNED)
