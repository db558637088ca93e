# ruff: noqa: F811 -- fixtures of another file are named as arguments
"""Joint runs whose sums are judged: poison is named and left out, and whoever asks is told no more than sums."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from tests.unit.cli.test_knowledge import _fits
from tests.unit.steps.test_joint import (  # noqa: F401
    NOISY,
    SUMS,
    asked,
    entries,
    forgotten,
    require,
    rule,
)
from typer.testing import CliRunner

from headwater.adapters import features, knowledge, lake, mlflow, postgres, revealed
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.aggregation import aggregate as climb
from headwater.aggregation import apart as apart_of
from headwater.aggregation.robust import Beliefs, Judgement, Revealed, judged, judging
from headwater.cli.main import app
from headwater.errors import Message, Refusal
from headwater.federation.division import crossed, division, named_cohorts
from headwater.statistics import Statistic
from headwater.steps import revealed as steps_of_sums
from headwater.steps.aggregate import aggregate, conclude
from headwater.steps.join import join
from headwater.steps.joint import plan_join, recall, teacher_of
from headwater.steps.wish import Wish
from headwater.valuation import Target

PROJECT = Path(__file__).resolve().parents[3]
REGION = "评"
POISONED = "H02"
HONEST = tuple(f"H{place:02d}" for place in range(6, 25))
SILENT = "H25"
JUDGED, MASKED = Wish(region="judged"), Wish("masked", "masked")
MINUTES = iter(range(1, 60))
SEED = 3


def occasion(name: str) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), SEED, REGION)


def choose(home: Home, *sources: str) -> None:
    """Write a valuation newer than all before, that chooses ``sources``; H02 stands well in it."""
    rows = [
        {"source": s, "city": "", "stays": 1, "value": 0.1, "low": 0.09, "high": 0.11, "selected": s in sources}
        for s in [f"H{place:02d}" for place in range(1, 26)]
    ]
    at = {"as_of": datetime(2026, 2, 1, 0, next(MINUTES)), "snapshot": 1, "bytes": 1, "method": "by hand", "run": "v"}
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        key = {"task": "stay_cost", "region": REGION, "month": date(2024, 3, 1)}
        knowledge.replace(connection, "valuation", key=key, rows=[row | at for row in rows])


@pytest.fixture(scope="module")
def home(own, make_region, put_mart):
    """Give an installation of 25 hospitals: H02 delivers noise, H25's ages are no numbers."""
    table = make_region(hospitals=25, months=3, stays_a_month=60, region=REGION)
    theirs = pc.and_(pc.equal(table["hospital"], SILENT), pc.equal(table["split"], "source"))
    ages = pc.if_else(theirs, float("nan"), table["age"])
    put_mart(own, table.set_column(table.column_names.index("age"), "age", ages))
    return own


@pytest.fixture
def region(home):
    """Give the sources and the bureau's records as runs read them."""
    with lake.connect(home, threads=1) as connection:
        teacher = teacher_of(home, task="stay_cost", model="stay_cost_ridge")
        return features.read(connection, teacher, snapshot=lake.snapshot(connection), region=REGION)


def run(home: Home, name: str, *sources: str, wish: Wish = JUDGED):
    choose(home, *sources)
    return aggregate(home, run=occasion(name), wish=wish)


def parameters(home: Home, name: str) -> list[float]:
    key = occasion(name).key("stay_cost", REGION) | {"model": "stay_cost_ridge"}
    with lake.connect(home, threads=1) as connection:
        return list(knowledge.joined(connection, key=key).parameters)


def test_poison_is_named_and_left_out_as_the_library_finds_it(home, region, require, forgotten):
    require(rule("found", SUMS))
    report = run(home, "found", *HONEST, POISONED)
    found = report.judgement
    assert set(found.excluded) == {POISONED}
    assert report.sources == HONEST
    assert report.refused[POISONED] == found.excluded[POISONED].told
    assert POISONED in report.refused[POISONED].zh
    names = sorted([*HONEST, POISONED])
    teacher = teacher_of(home, task="stay_cost", model="stay_cost_ridge")
    spec, question, masks = teacher.model.spec, teacher.asked(), crossed(names)
    answers = {one.source_id: one.answer(question) for one in region.sources if one.source_id in names}
    same = judged(
        Revealed(
            tuple(names),
            masks,
            tuple(Statistic.total(answers[name] for name in cohort) for cohort in named_cohorts(names, masks)),
            np.array([region.stays[name] for name in names]),
            tuple(len(partition) for partition in division(names)),
            question,
        ),
        Target(region.target.train, region.target.valid, spec.target, spec.features, ridge=spec.ridge),
        rng=np.random.default_rng(SEED),
        beliefs=Beliefs(standing=dict.fromkeys(names, (0.09, 0.11))),
    )
    assert found.to_dict() == same.to_dict()
    total = question.of(region.target.train).merge(same.joined)
    assert parameters(home, "found") == teacher.solve(np.empty(0), total).tolist()


def test_all_of_it_is_in_the_log_in_the_lake_and_in_mlflow(home, require, forgotten):
    require(rule("told", SUMS))
    before = len(entries(home))
    report = run(home, "told", *HONEST, POISONED)
    said = entries(home)[before:]
    kinds = ["requirement", "plan", "revealed", "release", "keys", "judgement", "joined", "model_version"]
    assert [kind for kind, _ in said if kind != "revealed"] == [kind for kind in kinds if kind != "revealed"]
    names = sorted([*HONEST, POISONED])
    cohorts = [set(cohort) for cohort in named_cohorts(names, crossed(names))]
    bodies = dict(said)
    assert [set(one["mechanisms"]) for one in bodies["plan"]["plan"]["groups"]] == cohorts
    assert {one["shown"] for seen in bodies["plan"]["plan"]["exposures"].values() for one in seen} == {"sum"}
    assert [set(pact["keys"]) for pact in bodies["keys"]["pacts"]] == cohorts
    judgement = bodies["judgement"]
    assert judgement["plan"] == report.joint.entry
    assert judgement["round"] == bodies["release"]["round"]
    assert Judgement.from_dict(judgement).to_dict() == report.judgement.to_dict()
    assert [set(one["members"]) for one in judgement["cohorts"]] == cohorts
    version, store = report.registered.version, mlflow.client(home)
    kept = json.loads(Path(store.download_artifacts(version.run_id, "judgement.json")).read_text())
    assert kept == report.judgement.to_dict()
    listed = json.loads(Path(store.download_artifacts(version.run_id, "sources.json")).read_text())["sources"]
    assert set(listed) == set(HONEST)
    facts = store.get_run(version.run_id).data
    assert (facts.params["protection_region"], facts.params["excluded"]) == ("judged", "1")
    assert facts.tags["headwater.excluded"] == POISONED
    assert recall(home, report.joint.entry) == report.joint


def test_without_poison_the_model_is_that_of_the_masked_join_to_the_bit(home, require, forgotten):
    require(rule("clean", SUMS))
    judged = run(home, "clean", *HONEST)
    plain = run(home, "plain", *HONEST, wish=MASKED)
    assert judged.judgement.left_out == ()
    assert plain.judgement is None
    assert judged.sources == plain.sources == HONEST
    assert parameters(home, "clean") == parameters(home, "plain")
    assert judged.scores["ours"] == plain.scores["ours"]


def test_without_the_judges_word_poison_is_joined(home, require, forgotten, monkeypatch):
    require(rule("twin", SUMS))
    clean = run(home, "good", *HONEST, POISONED)
    for guard in ("AGREED", "AGAINST"):
        monkeypatch.setattr(judging, guard, np.inf)
    spoiled = run(home, "spoiled", *HONEST, POISONED)
    assert POISONED in spoiled.sources
    assert spoiled.scores["ours"].mae > clean.scores["ours"].mae


@pytest.mark.parametrize("wish", [MASKED, JUDGED], ids=["masked", "judged"])
def test_a_sum_that_would_be_one_source_beside_an_earlier_one_is_refused(home, require, forgotten, asked, wish):
    require(rule("difference", SUMS))
    run(home, "all of them", *HONEST, wish=wish)
    del asked[:]
    with pytest.raises(Refusal, match="E-COHORT-REVEALED") as refusal:
        run(home, "all but one", *HONEST[1:])
    assert HONEST[0] in refusal.value.reason.en
    assert not asked
    again = run(home, "all again", *HONEST)
    assert again.sources == HONEST


def test_without_that_guard_the_difference_is_the_source(home, region, require, forgotten, monkeypatch):
    told = {}

    def kept(groups, answers, **further):
        summed = climb(groups, answers, **further)
        told[frozenset(groups[0].members)] = next(iter(summed.parts.values())).total
        return summed

    def whole(sources):
        inside = [members for members in told if members <= set(sources)]
        return next(
            Statistic.total([told[one], *(told[other] for other in rest)])
            for one in inside
            for rest in [_completing(one, inside, set(sources))]
            if rest is not None
        )

    require(rule("unguarded", SUMS))
    monkeypatch.setattr(apart_of, "aggregate", kept)
    for name in ("record", "permit"):
        monkeypatch.setattr(steps_of_sums.Revealed, name, lambda self, *cohorts: None)
    run(home, "with", *HONEST)
    everybody = whole(HONEST)
    told.clear()
    run(home, "without", *HONEST[1:])
    (source,) = [one for one in region.sources if one.source_id == HONEST[0]]
    question = teacher_of(home, task="stay_cost", model="stay_cost_ridge").asked()
    assert everybody.subtract(whole(HONEST[1:])) == source.answer(question)


def _completing(one, inside, everybody):
    """Return cohorts that hold, together with one, everybody once; None if there are none."""
    if one == everybody:
        return []
    for other in inside:
        if not one & other and (rest := _completing(one | other, inside, everybody)) is not None:
            return [other, *rest]
    return None


def test_who_was_missing_from_an_earlier_sum_is_left_out_and_the_others_are_judged(home, require, forgotten):
    require(rule("newcomer", SUMS))
    run(home, "before it came", *HONEST[1:], wish=MASKED)
    report = run(home, "it came", *HONEST)
    assert report.sources == HONEST[1:]
    assert "their difference would be its own" in report.refused[HONEST[0]].en


def test_a_source_that_does_not_answer_is_planned_around_before_any_sum_is_told(home, require, forgotten):
    require(rule("silent", SUMS))
    before = len(entries(home))
    report = run(home, "silent", *HONEST, SILENT)
    assert report.sources == HONEST
    assert list(report.refused) == [SILENT]
    first, second = [body for kind, body in entries(home)[before:] if kind == "plan"]
    assert SILENT in second["absent"]
    assert SILENT in first["cities"]
    with postgres.connect(home) as connection:
        kept = {frozenset(cohort) for cohort in revealed.locked(connection)}
    assert kept == {frozenset(cohort) for cohort in named_cohorts(HONEST, crossed(HONEST))}
    assert [set(body["sources"]) for kind, body in entries(home)[before:] if kind == "release"] == [set(HONEST)]


def test_a_source_that_demands_noise_is_left_out_and_told_why(home, require, forgotten):
    require(rule("open enough", SUMS, frozenset(HONEST[2:])), rule("strict", NOISY, frozenset(HONEST[:2])))
    report = run(home, "strict", *HONEST)
    assert report.sources == HONEST[2:]
    assert "a sum with others may not be seen by the region" in report.refused[HONEST[0]].en
    assert report.epsilon == {}


@pytest.mark.parametrize(
    ("sources", "model", "code"),
    [(HONEST[:9], "stay_cost_ridge", "E-COHORT-FEW"), (HONEST, "stay_cost_network", "E-JUDGE-MODEL")],
)
def test_what_cannot_be_judged_is_refused_before_anybody_is_asked(home, require, asked, sources, model, code):
    require(rule("few", SUMS))
    choose(home, *sources)
    with pytest.raises(Refusal, match=code):
        plan_join(home, run=occasion("few"), task="stay_cost", model=model, wish=JUDGED)
    assert not asked


def test_too_few_own_records_judge_nobody(home, require, monkeypatch):
    monkeypatch.setattr("headwater.steps.judge._FEWEST", 10_000)
    require(rule("own", SUMS))
    choose(home, *HONEST)
    with pytest.raises(Refusal, match="E-JUDGE-RECORDS"):
        plan_join(home, run=occasion("own"), task="stay_cost", model="stay_cost_ridge", wish=JUDGED)


def test_a_source_that_is_lost_within_the_round_ends_it(home, require, forgotten, monkeypatch):
    def losing(groups, answers, **told):
        if HONEST[0] not in answers:
            return climb(groups, answers, **told)
        left = [replace(one, mechanisms=tuple(m for m in one.mechanisms if m[0] != HONEST[0])) for one in groups]
        summed = climb(left, {name: answers[name] for name in answers if name != HONEST[0]}, **told)
        return replace(summed, lost={HONEST[0]: Refusal("E-LOST", Message("断线", "cut off"), Message("等", "wait"))})

    require(rule("cut off", SUMS))
    with monkeypatch.context() as patch:
        patch.setattr(apart_of, "aggregate", losing)
        with pytest.raises(Refusal, match="E-COHORT-INCOMPLETE"):
            run(home, "cut off", *HONEST)
    assert entries(home, "keys")[-1][1]["lost"] == [HONEST[0]]
    with postgres.connect(home) as connection:
        kept = {frozenset(cohort) for cohort in revealed.locked(connection)}
    first = next(set(one) for one in named_cohorts(HONEST, crossed(HONEST)) if HONEST[0] in one)
    assert {frozenset(first), frozenset(first - {HONEST[0]})} <= kept, "what was planned and what there was"
    # Whether every sum that was planned was told is not known; if so, each of these would lay H06 open.
    for name, left in (("the same again", HONEST), ("the others", HONEST[1:])):
        with pytest.raises(Refusal, match="E-COHORT-REVEALED"):
            run(home, name, *left)


def test_a_judgement_that_is_changed_afterwards_is_not_registered(home, require, forgotten):
    require(rule("changed", SUMS))
    choose(home, *HONEST, POISONED)
    planned = plan_join(home, run=occasion("changed"), task="stay_cost", model="stay_cost_ridge", wish=JUDGED)
    join(home, run=occasion("changed"), entry=planned.entry)
    with lake.connect(home, threads=1) as connection:
        where = "WHERE run = 'changed'"
        (told,) = connection.execute(f"SELECT judgement FROM lake.knowledge.joined {where}").fetchone()
        for other in (told.replace(POISONED, HONEST[0]), None):
            connection.execute(f"UPDATE lake.knowledge.joined SET judgement = ? {where}", [other])
            with pytest.raises(Refusal, match="E-JOIN-OUTCOME"):
                conclude(home, run=occasion("changed"), task="stay_cost", model="stay_cost_ridge")
        connection.execute(f"UPDATE lake.knowledge.joined SET judgement = ? {where}", [told])
    report = conclude(home, run=occasion("changed"), task="stay_cost", model="stay_cost_ridge")
    assert set(report.judgement.excluded) == {POISONED}


def test_the_command_line_names_who_is_left_out_in_both_languages(home, require, forgotten, monkeypatch):
    require(rule("said", SUMS))
    choose(home, *HONEST, POISONED)
    for name, value in (("HEADWATER_HOME", home.root), ("HEADWATER_PROJECT", home.project), ("COLUMNS", 80)):
        monkeypatch.setenv(name, str(value))
    planned = CliRunner().invoke(app, ["plan", "--region", REGION, "--protect", "required", "judged", "--explain"])
    assert planned.exit_code == 0, planned.output
    assert "cohort 001, under masks" in planned.stdout
    told = CliRunner().invoke(app, ["aggregate", "--region", REGION, "--protect", "required", "judged"])
    assert told.exit_code == 0, told.output
    said = "".join(told.stdout.split())
    for words in (
        "left out 已排除",
        f"refused 未采用 {POISONED}",
        f"来源“{POISONED}”所在各和数",
        f"Sums of source {POISONED}",
    ):
        assert words.replace(" ", "") in said
    assert _fits(told.stdout)
    assert _fits(planned.stdout)


def test_programs_are_told_all_of_it(home, require, forgotten, monkeypatch):
    require(rule("read", SUMS))
    report = run(home, "read", *HONEST, POISONED)
    told = json.loads(json.dumps(report.to_dict() | report.lines(), allow_nan=False, default=str))
    assert told["excluded"] == [POISONED]
    assert Judgement.from_dict(told["judgement"]).to_dict() == report.judgement.to_dict()
    assert told["refused"][POISONED] == str(report.judgement.excluded[POISONED].told)
    assert set(told["protection_by_source"]) == set(HONEST)
