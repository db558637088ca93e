"""Values under privacy through the ledger of an installation; what is shown, foreseen and proven of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from headwater.adapters import audit, ledger, postgres
from headwater.adapters.knowledge import Run
from headwater.aggregation.exposure import Exposure
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.federation import GramQuestion, TableSource
from headwater.federation.private import NoisyScore, NoisySquares
from headwater.security.events import DiscreteGaussian, Gaussian, NonPrivate, Skellam, to_json
from headwater.statistics.gaussian import noise_for
from headwater.steps.audit import verify
from headwater.steps.choose import PRIVATE
from headwater.steps.forecast import forecast
from headwater.steps.ledger import Books, prove, requirements, show
from headwater.steps.value import value
from headwater.valuation import Budget

SOURCES = [f"H{place:02d}" for place in range(1, 11)]
NOISE = noise_for(1.0, 1e-6)


def occasion(name: str) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, "值")


def reserve(books: Books, sources: list[str], noise: float) -> None:
    books.reserve(books.seen(sources, Gaussian(noise)))


@pytest.fixture(scope="module")
def home(region_home):
    return region_home


@pytest.fixture(scope="module")
def asked():
    return set()


@pytest.fixture(scope="module")
def report(home, asked):
    answer = TableSource.answer

    def watched(source, question):
        asked.add(type(getattr(question, "question", question)))
        return answer(source, question)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableSource, "answer", watched)
        return value(home, run=occasion("private"), method=PRIVATE, min_stays=50)


def test_every_source_is_debited_what_its_requirement_allows_one_release(home, report):
    assert report.exchange.epsilon == 1.0
    assert report.method == "privatesums/mean_field"
    with postgres.connect(home) as connection:
        found = list(ledger.entries(connection))
    assert sorted(entry.source_id for entry in found) == SOURCES
    assert {entry.event for entry in found} == {f'{{"kind":"gaussian","noise":{NOISE!r}}}'}
    assert {entry.purpose for entry in found} == {"valuation"}


def test_the_set_is_chosen_by_values_alone_and_no_exact_statistic_was_asked_for(report, asked):
    # GramQuestion is what ``Ready`` asks whether and how many; its answer holds no statistic.
    assert asked == {GramQuestion, NoisySquares, NoisyScore}
    assert set(report.r2) == {"target_only"}
    assert len(report.selected) <= 8


def test_the_lake_says_what_was_found(home, report):
    assert {line.source for line in report.sources} == set(SOURCES)
    assert report.to_dict()["epsilon"] == 1.0


def test_what_is_shown_foreseen_and_proven_agrees(home, report):
    mine = [one for one in show(home, source="H01").balances if one.account.period == "lifetime"]
    assert {(one.account.purpose, one.account.tier) for one in mine} == {
        ("", ""),
        ("valuation", ""),
        ("valuation", "region"),
    }
    assert all(one.spent == pytest.approx(1.0) for one in mine)
    (line,) = forecast(home, source="H01").lines
    assert (line.month, line.purpose) == (2, "valuation")
    assert line.lifetime > 50
    proof = prove(home)
    assert proof.holds
    assert (proof.entries, proof.balances) == (10, 60)


def test_the_run_that_would_overspend_is_refused_before_anything_is_asked_and_forecast_knew(home, report):
    (line,) = forecast(home, source="H01").lines
    for _ in range(line.month):
        reserve(Books(home, "valuation"), SOURCES, NOISE)
    before = prove(home).entries
    with pytest.raises(Refusal) as refusal:
        value(home, run=occasion("too much"), method=PRIVATE, min_stays=50)
    assert refusal.value.code == "E-LEDGER-RUN"
    assert "above the cap 2" in refusal.value.reason.en
    assert "上限 2" in refusal.value.reason.zh
    assert prove(home).entries == before
    assert forecast(home, source="H01").lines[0].month == 0


def test_every_debit_is_told_to_the_audit_log(home, report):
    with postgres.connect(home) as connection:
        told = [one for entry in audit.entries(connection, kind="ledger") for one in json.loads(entry.body)["debits"]]
        kept = list(ledger.entries(connection))
    assert {(one["release"], one["source"], one["sha256"]) for one in told} == {
        (entry.release_id, entry.source_id, entry.digest) for entry in kept
    }
    assert verify(home).fault is None


def test_what_was_reserved_is_used_up_once_and_then_debited_anew(home, report):
    books = Books(home, "aggregation")
    reserve(books, ["H01"], 20.0)
    before = prove(home).entries
    books.debit("H01", noise=20.0, purpose="a sum")
    assert prove(home).entries == before
    books.debit("H01", noise=20.0, purpose="another sum")
    assert prove(home).entries == before + 1


def test_any_event_of_any_source_is_reserved_and_what_has_no_noise_costs_nothing(home, report):
    books, skellam = Books(home, "aggregation"), Skellam(900.0, 1.0, 1.0)
    seen = {
        "H05": [
            Exposure("city", "tier", "sum", "masked", DiscreteGaussian(30.0)),
            Exposure("region", "region", "sum", "clear", skellam),
        ],
        "H06": [Exposure("region", "region", "statistic", "clear", NonPrivate())],
    }
    before = prove(home).entries
    books.afford(seen)
    assert prove(home).entries == before
    books.reserve(seen)
    books.reserve(seen)
    assert prove(home).holds
    with postgres.connect(home) as connection:
        added = [one for one in ledger.entries(connection) if one.purpose == "aggregation" and one.source_id == "H05"]
        assert not [one for one in ledger.entries(connection, source="H06") if one.purpose == "aggregation"]
    assert [(one.tier, one.protection, one.event) for one in added] == [("region", "clear", to_json(skellam))] * 2


def test_what_cannot_be_afforded_is_told_with_the_numbers_before_anything_is_debited(home, report):
    books = Books(home, "aggregation")
    before = prove(home).entries
    for ask in (books.afford, books.reserve):
        with pytest.raises(Refusal) as refusal:
            ask(books.seen(["H07", "H08"], Gaussian(NOISE / 4)))
        assert refusal.value.code == "E-LEDGER-RUN"
        assert "above the cap 1" in refusal.value.reason.en
    assert prove(home).entries == before


def test_a_source_answers_only_if_all_that_will_be_seen_of_it_is_permitted(home, monkeypatch):
    rules = tuple(
        replace(one, sees={"statistic": "nobody", "sum": "tier", "noisy": "region"}) for one in requirements(home)
    )
    monkeypatch.setattr("headwater.steps.ledger.requirements", lambda _: rules)
    monkeypatch.setattr(TableSource, "answer", lambda self, asked: asked(self.table))
    source, question = TableSource("H01", pa.table({"a": [1.0, 2.0]})), lambda table: table.num_rows
    books = Books(home, "aggregation")
    below = Exposure("city", "tier", "sum", "masked", NonPrivate())
    noisy = Exposure("region", "region", "sum", "clear", DiscreteGaussian(30.0))
    (fine,) = books.guarded([source], {"H01": [below, noisy]})
    assert fine.answer(question) == 2
    for seen in ([replace(below, shown="statistic"), noisy], [below, replace(noisy, event=NonPrivate())]):
        (shut,) = books.guarded([source], {"H01": seen})
        with pytest.raises(Refusal) as refusal:
            shut.answer(question)
        assert refusal.value.code == "E-REQUIRE-VIEWER"
        with pytest.raises(Refusal):
            books.permit({"H01": seen})


def test_an_execution_that_is_repeated_pays_again(home, report):
    before = prove(home).entries
    for _ in range(2):
        Books(home, "aggregation").debit("H02", noise=20.0, purpose="a sum")
    assert prove(home).entries == before + 2


def test_a_changed_balance_and_a_lost_entry_are_found(home, report):
    with postgres.connect(home, autocommit=True) as connection:
        connection.execute("update ops.privacy_balance set spent = spent / 2 where source_id = 'H03'")
        faults = [fault.en for fault in prove(home).faults]
        connection.execute("update ops.privacy_balance set spent = spent * 2 where source_id = 'H03'")
        assert len(faults) == 6
        assert all("H03" in fault for fault in faults)
        connection.execute("alter table ops.privacy_entry disable trigger all")
        connection.execute("update ops.privacy_entry set event = replace(event, '4', '9') where source_id = 'H04'")
        assert any("digest" in fault.en for fault in prove(home).faults)
        connection.execute("update ops.privacy_entry set event = replace(event, '9', '4') where source_id = 'H04'")
        connection.execute("alter table ops.privacy_entry enable trigger all")


def test_commands_tell_it_in_eighty_columns_and_as_json(home, report, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HEADWATER_HOME", str(home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(home.project))
    run = CliRunner().invoke
    shown = run(app, ["ledger", "show", "--source", "H01"])
    assert shown.exit_code == 0
    assert "valuation" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert json.loads(run(app, ["ledger", "show", "--json"]).output)["balances"]
    assert json.loads(run(app, ["ledger", "forecast", "--json"]).output)["forecast"]
    assert "more ever" in run(app, ["ledger", "forecast"]).output
    assert run(app, ["ledger", "prove"]).exit_code in (0, 1)


def test_a_source_answers_only_what_its_requirement_permits(home):
    assert Gaussian(NOISE) == Gaussian(NOISE)
    with pytest.raises(Refusal) as refusal:
        reserve(Books(home, "advertising"), ["H01"], NOISE)
    assert refusal.value.code == "E-REQUIREMENT-NONE"


@pytest.mark.parametrize(
    ("budget", "region", "code"),
    [
        (Budget(0), "值", "E-SELECT-BUDGET"),
        (Budget(8, unit="euro"), "值", "E-VALUE-COST"),
        (Budget(1, unit="bytes"), "值", "E-SELECT-BUDGET"),
        # Nine of ten hospitals can answer: too few for two cohorts of five.
        (Budget(8), "缺", "E-COHORT-FEW"),
    ],
)
def test_what_is_mistyped_or_cannot_be_hidden_spends_nothing(home, report, budget, region, code):
    with postgres.connect(home) as connection:
        before = list(ledger.entries(connection))
    with pytest.raises(Refusal) as refusal:
        value(home, run=replace(occasion("mistyped"), region=region), budget=budget, method=PRIVATE, min_stays=50)
    assert refusal.value.code == code
    with postgres.connect(home) as connection:
        assert list(ledger.entries(connection)) == before


def only_in_sums(home):
    return tuple(
        replace(rule, sees={**rule.sees, "statistic": "nobody", "sum": "region"})
        for rule in requirements(home)
        if "valuation" in rule.purposes
    )


def test_who_lets_sums_go_and_no_statistic_answers_where_only_sums_leave(home, monkeypatch):
    rules = only_in_sums(home)
    monkeypatch.setattr("headwater.steps.ledger.requirements", lambda _: rules)
    source, question = TableSource("H01", pa.table({"a": [1.0, 2.0]})), lambda table: table.num_rows
    monkeypatch.setattr(TableSource, "answer", lambda self, asked: asked(self.table))
    hidden, open_ = (
        books.guarded([source], books.seen(["H01"], NonPrivate()))[0]
        for books in (Books(home, "valuation", "masked"), Books(home, "valuation", "clear"))
    )
    assert hidden.answer(question) == 2
    with pytest.raises(Refusal) as refusal:
        open_.answer(question)
    assert refusal.value.code == "E-REQUIRE-VIEWER"
