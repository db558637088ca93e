"""The pages say what was found, in both languages, from one file, to everyone."""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.home import Home
from headwater.adapters.report import LANGUAGES, Language, folder_name, render, write
from headwater.content.quality import (
    Bar,
    Fault,
    Histogram,
    LandingAccount,
    Outcome,
    QualityReport,
    Refused,
    SourceShare,
    SuiteResult,
)
from headwater.content.suites import Severity
from headwater.errors import Message

VOID = {"meta", "br", "rect", "circle", "path", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Reads a page: its tags, its attributes, its words; a tag that is not closed in order is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def outcome(number: int = 1, *, success: bool = True, severity: Severity = "error", **changes: object) -> Outcome:
    made = Outcome(
        suite="raw__front_page",
        stage="raw",
        relation="raw.front_page",
        expectation="expect_column_values_to_be_between",
        column="age",
        arguments=json.dumps({"column": "age", "min_value": 0, "max_value": 120, "mostly": 0.99}),
        unit="year",
        severity=severity,
        why=Message(f"原因{number}。", f"Reason {number}."),
        success=success,
        element_count=60_000,
        unexpected_count=0 if success else 1_234,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def account(**changes: object) -> LandingAccount:
    made = LandingAccount(
        source_id="h0101",
        entity="front_page",
        title=Message("江城市第一人民医院", "Jiangcheng First People's Hospital"),
        origin="synthetic",
        currency="CNY",
        files=24,
        files_refused=0,
        rows_in=60_130,
        rows_loaded=60_000,
        rows_quarantined=100,
        rows_duplicate=30,
        money_in=Decimal("1234567.89"),
        money_loaded=Decimal("1234000.00"),
        money_quarantined=Decimal("500.00"),
        money_duplicate=Decimal("67.89"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def report(*outcomes: Outcome, **changes: object) -> QualityReport:
    title = Message("病案首页（送达）", "Front pages as delivered")
    made = QualityReport(
        run_id="scheduled__1",
        at=datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
        snapshot=4242,
        suites=(SuiteResult("raw__front_page", "raw", "raw.front_page", title, 60_000, outcomes),),
        landing=(account(),),
        refused=(),
        faults=(),
        histograms=(),
        origins=("synthetic",),
        folder="quality/scheduled__1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


NO_DATE = Message("日期无法识别。", "No date.")
MEN = Bar(Message("男", "male"), 30)
FULL = report(
    outcome(1),
    outcome(2, success=False, severity="warning"),
    outcome(
        3,
        success=False,
        by_source=(SourceShare("h0103", False, 500, 450, None), SourceShare("h0104", True, 500, 0, None)),
    ),
    landing=(account(), account(source_id="h0102", origin="real", entity="fee_line")),
    refused=(Refused("h0102", "drug", "药品清单.xlsx", "E-FILE-ENCODING", Message("请另存。", "Save it anew.")),),
    faults=(
        Fault("E-DATE", "h0101", "front_page", "begntime", 7, NO_DATE, Message("改。", "Mend it.")),
        Fault("E-DATE", "h0102", "fee_line", "fee_ocur_time", 70, NO_DATE, Message("改。", "Mend it.")),
    ),
    histograms=(Histogram("raw.front_page", "gend", Message("性别", "Sex"), "row", (MEN,), 10),),
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_whole_and_alone(language: Language) -> None:
    page = Page(render(FULL, language))
    assert page.tags.count("h1") == 1
    assert "script" not in page.tags
    assert {"img", "link", "iframe", "object", "form"} & set(page.tags) == set()
    references = [value for name, value in page.attributes if name in ("src", "href", "action", "srcset")]
    assert references == [f"{'en' if language == 'zh' else 'zh'}.html"]
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "http" not in render(FULL, language).replace('http-equiv="', "")
    assert "url(" not in page.style
    assert "@import" not in page.style


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_policy_allows_this_style_and_nothing_else(language: Language) -> None:
    page = Page(render(FULL, language))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert ("content", f"default-src 'none'; style-src 'sha256-{digest}'") in page.attributes


@pytest.mark.parametrize(
    ("language", "tag", "phrases"),
    [
        ("zh", "zh-CN", ("数据质量报告", "未通过", "合成数据", "60,000 行中 1,234 行不符（2.06 %）", "改。")),
        ("en", "en", ("Data quality report", "Not passed", "1,234 of 60,000 rows fail (2.06 %)", "Mend it.")),
    ],
)
def test_a_page_speaks_its_language(language: Language, tag: str, phrases: tuple[str, ...]) -> None:
    page = Page(render(FULL, language))
    assert ("lang", tag) in page.attributes
    for phrase in (*phrases, "1,234,567.89", "4242", "2026-01-05 08:30:00 UTC", "scheduled__1"):
        assert phrase in page.text, phrase


def test_the_english_page_has_no_chinese_but_names_of_files_and_the_link() -> None:
    words = Page(render(FULL, "en")).text.replace("中文", "").replace("源汇", "").replace("药品清单.xlsx", "")
    assert re.findall(r"[\u4e00-\u9fff]+", words) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_failures_come_first_and_errors_before_warnings(language: Language) -> None:
    text = Page(render(FULL, language)).text
    first, second, third = (text.index(getattr(outcome(n).why, language)) for n in (3, 2, 1))
    assert first < second < third


def test_a_failure_names_the_sources_that_caused_it() -> None:
    text = Page(render(FULL, "en")).text
    assert "450 / 500" in text
    assert "the other sources (1)" in text


def test_quarantine_is_summed_by_fault_with_its_remedy() -> None:
    text = Page(render(FULL, "en")).text
    assert text.count("E-DATE") == 1
    assert "77" in text.splitlines()
    assert "fee_line.fee_ocur_time, front_page.begntime" in text


def test_a_lake_that_passes_says_so() -> None:
    text = Page(render(report(outcome(1)), "zh")).text
    assert "未通过" not in text
    assert "全部 1 条规则相符。" in text


def test_warnings_alone_do_not_stop() -> None:
    found = report(outcome(1, success=False, severity="warning"))
    assert found.success
    assert "Passed, with warnings" in Page(render(found, "en")).text
    assert not report(outcome(1, success=False)).success
    assert not report(outcome(1, success=False, severity="warning", error="ConversionException")).success


def test_an_account_that_does_not_balance_is_not_a_success() -> None:
    found = report(outcome(1), landing=(account(money_duplicate=Decimal("67.88")),))
    assert not found.success
    assert found.to_dict()["errors"] == 1
    assert "unequal" in Page(render(found, "en")).text


@pytest.mark.parametrize(
    ("origins", "label"),
    [(("real",), None), (("synthetic",), "synthetic data"), (("real", "synthetic"), "contains synthetic data")],
)
def test_what_is_not_real_is_labelled(origins: tuple[str, ...], label: str | None) -> None:
    found = report(outcome(1), origins=origins, landing=(account(origin=origins[-1]),))
    heads = [word for word in Page(render(found, "en")).words if "synthetic data" in word]
    assert heads[:1] == ([label] if label else [])


def test_words_of_the_data_are_never_markup() -> None:
    nasty = '<script>alert("x")</script>&'
    found = report(
        outcome(1, success=False, observed=nasty, element_count=None, unexpected_count=None),
        landing=(account(title=Message(nasty, nasty), source_id=nasty),),
    )
    for language in LANGUAGES:
        page = Page(render(found, language))
        assert "script" not in page.tags
        assert nasty in page.text


def test_an_empty_relation_is_said_to_be_not_delivered() -> None:
    title = Message("药品清单", "Drug lists")
    found = report(outcome(1), suites=(SuiteResult("raw__drug", "raw", "raw.drug", title, 0, ()),), landing=())
    text = Page(render(found, "en")).text
    assert "not delivered" in text
    assert "No file was landed yet." in text


def test_shares_are_percent_and_large_numbers_are_grouped() -> None:
    def found(observed: str, unit: str) -> str:
        aggregate = outcome(1, success=False, observed=observed, unit=unit, element_count=None, unexpected_count=None)
        return Page(render(report(aggregate), "en")).text

    assert "observed 15.5 %" in found("0.154744", "share")
    assert "observed 1,639,650 currency units" in found("1639650", "money")
    assert "observed P5 1,234,567 · P50 2026" in found("P5 1234567 · P50 2026", "day")


@pytest.mark.parametrize("unexpected", [1, 5, 59_999])
def test_a_fault_is_never_rounded_away(unexpected: int) -> None:
    text = Page(render(report(outcome(1, success=False, unexpected_count=unexpected)), "en")).text
    share = re.search(r"rows fail \((.*?)\)", text)
    assert share is not None
    assert share.group(1) not in ("0 %", "0.00 %", "100 %", "100.0 %")


def test_two_hundred_rules_and_hundred_sources_render_within_a_second() -> None:
    shares = tuple(SourceShare(f"h{n:04d}", False, 500, n, None) for n in range(100))
    rules = [outcome(n, success=n % 2 == 0, by_source=() if n % 2 == 0 else shares) for n in range(200)]
    accounts = tuple(account(source_id=f"h{n:04d}") for n in range(100))
    started = time.perf_counter()
    pages = [render(report(*rules, landing=accounts), language) for language in LANGUAGES]
    assert time.perf_counter() - started < 1.0 * len(pages)


def test_the_newest_report_is_also_the_latest(tmp_path: Path) -> None:
    home = Home(root=tmp_path, project=tmp_path)
    first = write(home, report(outcome(1)))
    second = write(home, report(outcome(1, success=False), run_id="b", folder="quality/b"))
    latest = home.reports / "quality" / "latest"
    assert {file.name for file in latest.iterdir()} == {"zh.html", "en.html"}
    for language in LANGUAGES:
        newest = (second / f"{language}.html").read_bytes()
        assert (latest / f"{language}.html").read_bytes() == newest
        assert (first / f"{language}.html").read_bytes() != newest


@given(st.text())
def test_a_folder_is_a_plain_name(run_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,120}", folder_name(run_id))


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "paper"), ("ink", "wash"), ("soft", "paper"), ("soft", "wash"), ("teal", "paper"), ("teal", "wash"),
        ("good", "good-wash"), ("warn", "warn-wash"), ("bad", "bad-wash"), ("mark", "mark-wash"), ("zero", "paper"),
    ],
)  # fmt: skip
def test_text_is_readable_on_its_ground(ink: str, ground: str) -> None:
    """WCAG 2.2 level AA: a contrast of at least 4.5 to 1."""
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", Page(render(FULL, "en")).style))
    light, dark = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
