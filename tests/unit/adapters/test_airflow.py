"""What the DAGs share, and what becomes of a failure."""

import logging
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters import incidents
from headwater.adapters.airflow import (
    ASSETS,
    DEFAULTS,
    Balance,
    announce,
    began,
    month_before,
    must_pass,
    occasion,
    open_questions,
    others,
    report_failure,
    step_aside,
)
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

PARTS = st.tuples(*[st.integers(0, 10**6)] * 3, *[st.decimals(0, 10**9, places=2)] * 3)


def landed(loaded: int, quarantined: int, duplicate: int, *money: Decimal) -> dict[str, object]:
    return {
        "files": 1,
        "unchanged": 2,
        "refused": ["h1/x.csv: why"],
        "held": ["h1/y.csv: shrank"],
        "rows_in": loaded + quarantined + duplicate,
        "rows_loaded": loaded,
        "rows_quarantined": quarantined,
        "rows_duplicate": duplicate,
        "money_in": str(sum(money)),
        "money_loaded": str(money[0]),
        "money_quarantined": str(money[1]),
        "money_duplicate": str(money[2]),
    }


@given(st.lists(PARTS, max_size=5))
def test_balances_add_up_to_the_fen(parts: list[tuple[int, int, int, Decimal, Decimal, Decimal]]) -> None:
    balance = Balance.of(landed(*part) for part in parts)
    assert balance.counts["files"] == len(parts)
    assert balance.counts["rows_in"] == sum(sum(part[:3]) for part in parts)
    assert balance.money["money_in"] == sum((sum(part[3:], Decimal(0)) for part in parts), Decimal(0))
    assert len(balance.refused) == len(balance.held) == len(parts)
    assert balance.to_dict()["held"] == list(balance.held)
    assert Decimal(balance.to_dict()["money_loaded"]) == sum((part[3] for part in parts), Decimal(0))


@pytest.mark.parametrize(("name", "value"), [("rows_loaded", 9), ("money_duplicate", "3.01")])
def test_sums_that_do_not_balance_are_refused(name: str, value: object) -> None:
    wrong = landed(10, 1, 1, Decimal("5.00"), Decimal("1.00"), Decimal("3.00")) | {name: value}
    with pytest.raises(Refusal, match="E-BALANCE"):
        Balance.of([wrong])


def test_a_report_is_logged_one_fact_a_line_and_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    values = {"rows": 3, "scores": {"r2": 0.5}, "names": ["a"]}
    with caplog.at_level(logging.INFO, logger="headwater"):
        assert announce(SimpleNamespace(to_dict=lambda: values)) == values
    assert caplog.messages == ["rows = 3", "scores.r2 = 0.5", "names = ['a']"]


def test_a_bad_verdict_stops_the_chain() -> None:
    assert must_pass({"success": True, "errors": 0}) == {"success": True, "errors": 0}
    with pytest.raises(Refusal) as refusal:
        must_pass({"success": False, "errors": 3})
    assert "3" in refusal.value.reason.zh
    assert "3" in refusal.value.reason.en


def test_assets_are_named_once_and_in_both_languages() -> None:
    assert len({asset.name for asset in ASSETS}) == len({asset.uri for asset in ASSETS}) == len(ASSETS) == 10
    assert all(set(asset.extra) == {"zh", "en"} for asset in ASSETS)
    assert DEFAULTS["on_failure_callback"] is report_failure


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Refusal("E-FILE", Message("坏文件。", "Bad file."), Message("重发。", "Send again.")), "E-FILE", "Bad file."),
        (ValueError("patient 420106199001011234"), "E-ValueError", "The task failed with ValueError."),
        (None, "E-NoneType", "The task failed with NoneType."),
    ],
)
def test_a_failure_is_filed_without_the_words_of_a_record(
    home: Home, error: BaseException | None, code: str, words: str
) -> None:
    instance = SimpleNamespace(dag_id="ingest_deliveries", task_id="land_source", run_id="r1")
    report_failure({"task_instance": instance, "exception": error})
    filed = incidents.newest(home)
    assert [(one.dag_id, one.task_id, one.code, one.reason_en) for one in filed] == [
        ("ingest_deliveries", "land_source", code, words)
    ]
    assert filed[0].reason_zh
    assert filed[0].remedy_zh
    assert "420106" not in repr(filed)
    assert incidents.newest(home, days=0) == []


@pytest.mark.parametrize(
    ("logical", "month"),
    [
        # The fifth at four in Shanghai is still the fourth in UTC.
        (datetime(2026, 2, 4, 20, tzinfo=UTC), "2026-01"),
        (datetime(2026, 1, 4, 20, tzinfo=UTC), "2025-12"),
        # The first of March in Shanghai is still February in UTC.
        (datetime(2026, 2, 28, 17, tzinfo=UTC), "2026-02"),
        (None, None),
    ],
)
def test_a_run_on_schedule_goes_up_to_the_month_before(
    logical: datetime | None, month: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.adapters.airflow.get_current_context", lambda: {"logical_date": logical})
    assert month_before() == month


YEARS_AGO, NOW = datetime(2024, 2, 4, 20, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)


class Instance:
    """A task instance that asks a server which knows three runs of review_evolution at work, and one that waits."""

    def get_dr_count(self, dag_id: str, *, states: list[str]) -> int:
        assert dag_id == "review_evolution"
        return {"running": 3, "queued": 1}[states[0]]

    def get_task_states(self, dag_id: str, *, task_ids: list[str]) -> dict[str, dict[str, str | None]]:
        assert (dag_id, task_ids) == ("review_evolution", ["review.ask"])
        return {
            "mine": {"review.ask_0": "deferred"},
            "done": {"review.ask_0": "success", "review.ask_1": "failed", "review.ask_2": "skipped"},
            "open": {"review.ask_0": "success", "review.ask_1": "deferred", "review.ask_2": "up_for_retry"},
            "begins": {"review.ask_0": None},
            "not expanded": {"review.ask": None},
        }

    def xcom_pull(self, *, task_ids: str, run_id: str) -> list[dict[str, str]]:
        assert (task_ids, run_id) in {("list_proposals", "open"), ("list_proposals", "begins")}
        return [{"source": f"{run_id} {number}"} for number in range(3)]


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    facts = {"dag_id": "review_evolution", "run_id": "mine", "run_type": "backfill"}
    run = SimpleNamespace(run_after=YEARS_AGO, start_date=NOW, **facts)
    found: dict[str, object] = {"dag_run": run, "ti": Instance()}
    monkeypatch.setattr("headwater.adapters.airflow.get_current_context", lambda: found)
    return found


def test_what_a_backfill_does_is_done_when_it_runs(context: dict[str, object]) -> None:
    assert began() == occasion(region="R", seed=1).at == NOW
    context["dag_run"].start_date = None  # type: ignore[attr-defined]
    assert began() == YEARS_AGO


def test_a_run_does_not_count_itself_among_those_at_work(context: dict[str, object]) -> None:
    assert (others("running"), others("queued")) == (2, 1)


def test_a_run_on_schedule_steps_aside_for_others_and_no_other_does(
    context: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    step_aside()
    context["dag_run"].run_type = "scheduled"  # type: ignore[attr-defined]
    with pytest.raises(AirflowSkipException, match="Other runs"):
        step_aside()
    monkeypatch.setattr(Instance, "get_dr_count", lambda self, dag_id, *, states: int(states == ["running"]))
    step_aside()


def test_what_other_runs_wait_for_an_answer_about_is_known(context: dict[str, object]) -> None:
    found = open_questions("review.ask", listed="list_proposals")
    assert [question["source"] for question in found] == ["open 1", "open 2", "begins 0"]
