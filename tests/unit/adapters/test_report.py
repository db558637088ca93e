"""The pages say what was found, in both languages, from one file, to everyone."""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.home import Home
from headwater.adapters.report import LANGUAGES, SCRIPT_HASH, Language, folder_name, render, write
from headwater.content.accounts import NO_ACCOUNTS, Accounts, Amounts, Change, Cleaning, Delivery, Gap, Item
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
        self.script = ""
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
        elif self._open and self._open[-1] == "script":
            self.script += data
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
        accounts=NO_ACCOUNTS,
        histograms=(),
        origins=("synthetic",),
        folder="quality/scheduled__1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


NO_DATE = Message("日期无法识别。", "No date.")
AMOUNTS = Amounts(1000, 990, 7, 3, 2, Decimal("500.00"), Decimal("490.00"), Decimal("7.00"), Decimal("3.00"))
JUNE = Delivery("h0101", "front_page", "2025-06", "h0101/front_202506.csv", "loaded", date(2025, 7, 5), AMOUNTS)
AGAIN = replace(
    JUNE,
    landed=date(2025, 8, 5),
    change=Change(989, 1, 2, 3, Decimal("480.00"), Decimal("490.00"), date(2025, 7, 5)),
)
ACCOUNTS = Accounts(
    deliveries=(
        replace(JUNE, state="superseded"),
        AGAIN,
        replace(JUNE, month="2025-08", days_late=4),
        replace(JUNE, month="2025-09", state="held", reason=Message("行数减少。", "It shrank.")),
        replace(JUNE, source_id="h0102", entity="drug", month="", file_name="h0102/drugs.csv"),
    ),
    items=(
        Item("h0101", "front_page", "2025-06", "begntime", "E-DATE", 5, 1, NO_DATE, Message("改。", "Mend it.")),
        Item("h0101", "front_page", "2025-08", "begntime", "E-DATE", 2, 0, NO_DATE, Message("改。", "Mend it.")),
        Item("h0102", "fee_line", "", "fee_ocur_time", "E-DATE", 70, 3, NO_DATE, Message("改。", "Mend it.")),
    ),
    cleanings=(Cleaning("C-CURRENCY", "h0101", "front_page", "medfee_sumamt", "2025-06", 12, " ¥3.92", "3.92"),),
    gaps=(Gap("h0101", "front_page", ("2025-07",)),),
)
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
    accounts=ACCOUNTS,
    histograms=(Histogram("raw.front_page", "gend", Message("性别", "Sex"), "row", (MEN,), 10),),
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_whole_and_alone(language: Language) -> None:
    page = Page(render(FULL, language))
    assert page.tags.count("h1") == 1
    assert page.tags.count("script") == 1
    assert {"img", "link", "iframe", "object", "form"} & set(page.tags) == set()
    references = [value for name, value in page.attributes if name in ("src", "href", "action", "srcset")]
    assert [one for one in references if not one.startswith("#")] == [f"{'en' if language == 'zh' else 'zh'}.html"]
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {one[1:] for one in references if one.startswith("#")} <= set(ids)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "http" not in render(FULL, language).replace('http-equiv="', "")
    assert "url(" not in page.style
    assert "@import" not in page.style
    assert not re.search(r"fetch|XMLHttp|import|WebSocket|sendBeacon|\bsrc\b|location|innerHTML|eval", page.script)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_policy_allows_this_style_and_this_script_and_nothing_else(language: Language) -> None:
    page = Page(render(FULL, language))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert (
        "content",
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src '{SCRIPT_HASH}'",
    ) in page.attributes
    assert base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode() == SCRIPT_HASH.removeprefix(
        "sha256-"
    )


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
    text = Page(render(replace(FULL, accounts=NO_ACCOUNTS), "en")).text
    assert text.count("E-DATE") == 1
    assert "77" in text.splitlines()
    assert "fee_line.fee_ocur_time, front_page.begntime" in text


@pytest.mark.parametrize(
    ("language", "phrases"),
    [
        (
            "zh",
            ("替换 2025-07-05 的一份：相同 989 · 改 1 · 增 2 · 删 3；金额 480.00 → 490.00", "行数减少。", "迟 4 天"),
        ),
        ("en", ("replaces that of 2025-07-05: 989 same, 1 changed, 2 added, 3 removed; money 480.00 → 490.00",)),
        ("en", ("It shrank.", "4 days late", "2025-07", "␣¥3.92 → 3.92", "A currency sign or word was removed.")),
        ("en", ("drug list", "drugs.csv", "front_202506.csv", "replaced 1", "waiting 1")),
    ],
)
def test_a_page_tells_what_became_of_every_file(language: Language, phrases: tuple[str, ...]) -> None:
    text = Page(render(replace(FULL, landing=()), language)).text
    for phrase in phrases:
        assert phrase in text, phrase


def test_the_rows_of_a_source_add_up_to_its_fold() -> None:
    """The filter sums what rows carry; over all of them this is what the page says without it."""
    page = render(FULL, "en")
    parts = re.findall(r'data-in="i:E-DATE" data-by="([^"]+)"', page)
    numbers = [[int(number) for number in part.split(":")[1:]] for by in parts for part in by.split()]
    assert [sum(column) for column in zip(*numbers, strict=True)] == [77, 4]
    assert re.findall(r'data-in="a:h0101" data-by="([^"]+)"', page) == [
        f"{month}:1:1000:990:7:3:50000" for month in ("2025-06", "2025-08")
    ]
    assert re.findall(r'data-in="f:h0102" data-by="([^"]+)"', page) == ["-:1"]


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
        assert "script" not in page.tags, "there is nothing to filter"
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


def _crowded(size: int) -> QualityReport:
    """``size`` rules, of which half fail in ``size`` hospitals, and 24 files of each hospital."""
    hospitals = [f"h{n:04d}" for n in range(size)]
    shares = tuple(SourceShare(hospital, False, 500, n, None) for n, hospital in enumerate(hospitals))
    rules = [outcome(n, success=n % 2 == 0, by_source=() if n % 2 == 0 else shares[:50]) for n in range(size)]
    files = tuple(
        replace(JUNE, source_id=hospital, month=f"{2024 + month // 12}-{month % 12 + 1:02d}")
        for hospital in hospitals
        for month in range(24)
    )
    landing = tuple(account(source_id=hospital) for hospital in hospitals)
    return report(*rules, landing=landing, accounts=Accounts(files))


def test_rendering_grows_with_the_report_and_no_faster() -> None:
    def seconds(found: QualityReport) -> float:
        started = time.process_time()
        render(found, "zh")
        return time.process_time() - started

    small, large = _crowded(50), _crowded(200)
    seconds(small)
    assert min(seconds(large) for _ in range(3)) < 8 * min(seconds(small) for _ in range(3))


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
