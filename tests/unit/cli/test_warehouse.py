"""What is built and judged is told in both languages, in a terminal of eighty columns."""

from datetime import UTC, datetime

import pytest

from headwater.cli.warehouse import _tell_build, _tell_check
from headwater.content.accounts import NO_ACCOUNTS
from headwater.content.quality import Outcome, QualityReport, SuiteResult
from headwater.errors import Message
from headwater.steps.build import BuildReport


def report(*outcomes: Outcome) -> QualityReport:
    suite = SuiteResult("claims__front_page", "staging", "r", Message("首页", "Front page"), 950, outcomes)
    return QualityReport(
        run_id="run",
        at=datetime(2026, 1, 5, tzinfo=UTC),
        snapshot=7,
        suites=(suite,),
        landing=(),
        refused=(),
        faults=(),
        accounts=NO_ACCOUNTS,
        histograms=(),
        origins=(),
        folder="quality/run",
    )


def outcome(severity: str, *, success: bool) -> Outcome:
    return Outcome(
        suite="claims__front_page",
        stage="staging",
        relation="r",
        expectation="expect_column_values_to_not_be_null",
        column="mdtrt_id",
        arguments="{}",
        unit=None,
        severity=severity,  # type: ignore[arg-type]
        why=Message("就诊号是键。", "The stay's number is the key."),
        success=success,
        element_count=1950,
        unexpected_count=1234,
    )


def test_a_check_tells_what_is_unmet_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_check(
        report(outcome("error", success=False), outcome("warning", success=False), outcome("error", success=True))
    )
    said = capsys.readouterr().out
    for told in (
        "就诊号是键",
        "mdtrt_id",
        "1,234",
        "not passed 未通过",
        "rules 规则 3",
        "errors 错误 1",
        "warnings 警告 1",
    ):
        assert told in said
    _tell_check(report(outcome("error", success=True)))
    assert "passed 通过" in (said := capsys.readouterr().out)
    assert "not passed" not in said


def test_a_build_tells_rows_and_what_became_of_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    made = (("error", 1), ("pass", 300), ("success", 41))
    _tell_build(BuildReport(nodes=(), statuses=made, rows=(("fct_stay", 60000),), seconds=12.34, snapshot_id=9))
    said = capsys.readouterr().out
    for told in ("fct_stay", "60,000", "built 已建 41", "tests hold 测试成立 300", "failed 失败 1", "快照 9", "12.3 s"):
        assert told in said
    assert "{" not in said
