"""The quality report: two single-file pages, Chinese and English, without network or identifier."""

import base64
import hashlib
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from headwater.adapters.home import Home
from headwater.adapters.report_accounts import calendar, cleaned, folds, gap_lines, items
from headwater.claims.canonical import ENTITIES
from headwater.claims.cleaning import RULES
from headwater.content.accounts import Change
from headwater.content.quality import Fault, LandingAccount, Outcome, QualityReport, SourceShare
from headwater.content.suites import STAGES, UNITS
from headwater.content.wording import counted, demand
from headwater.errors import Message

__all__ = ["LANGUAGES", "ORIGINS", "SCRIPT_HASH", "Language", "folder_name", "own_folder_name", "render", "write"]

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_TEMPLATES = Path(__file__).parent / "templates"
_SOURCES_SHOWN = 6
_STAGE_WORDS = {
    "raw": Message("raw · 送达", "raw · as delivered"),
    "staging": Message("staging · 规整", "staging · in order"),
    "marts": Message("marts · 成果", "marts · for use"),
}
ORIGINS = {
    "synthetic": Message("合成数据", "synthetic data"),
    "converted": Message("转换数据", "converted data"),
    "real": Message("真实数据", "real data"),
}
_STATES = (
    ("received", Message("已接收", "received")),
    ("held", Message("待决定", "waiting")),
    ("refused", Message("拒收", "refused")),
    ("superseded", Message("已被替换", "replaced")),
)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def _hash(text: str) -> str:
    """Return the digest by which a page's policy names the one style or script that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_CSS = (_TEMPLATES / "quality.css").read_text(encoding="utf-8")
_SCRIPT = (_TEMPLATES / "quality.js").read_text(encoding="utf-8")
SCRIPT_HASH = _hash(_SCRIPT)
"""Digest of the only script that a report may run: its filter."""


@dataclass(frozen=True)
class _FaultGroup:
    """All quarantined rows of one code."""

    code: str
    reason: Message
    fix: Message
    rows: int
    places: tuple[str, ...]
    sources: tuple[str, ...]


def folder_name(run_id: str) -> str:
    """Return a run's folder: the run's name with every character that a path or an address could mistake replaced.

    >>> folder_name("scheduled__2026-01-05T08:00:00+00:00")
    'scheduled__2026-01-05T08-00-00-00-00'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "-", run_id)[:120] or "run"


def own_folder_name(run_id: str) -> str:
    """Return a run's folder with a digest, which tells runs apart whose names differ in Chinese only."""
    return f"{folder_name(run_id)}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def write(home: Home, report: QualityReport) -> Path:
    """Write ``zh.html`` and ``en.html`` into the run's folder and into ``quality/latest``; return the run's folder."""
    folder = home.reports / report.folder
    latest = home.reports / "quality" / "latest"
    for target in (folder, latest):
        target.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        page = folder / f"{language}.html"
        page.write_text(render(report, language), encoding="utf-8")
        # A reader of the newest report sees the old page or the new one, never half of one.
        part = latest / f".{language}.html.part"
        shutil.copyfile(page, part)
        part.replace(latest / page.name)
    return folder


def render(report: QualityReport, language: Language) -> str:
    """Return one page in one language."""
    return (
        _environment()
        .get_template("quality.html")
        .render(
            language=language,
            report=report,
            css=Markup(_CSS),
            css_hash=Markup(_hash(_CSS)),
            script=Markup(_SCRIPT),
            script_hash=Markup(SCRIPT_HASH),
            stages=[(stage, _STAGE_WORDS[stage]) for stage in STAGES if any(s.stage == stage for s in report.suites)],
            totals=_totals(report.landing),
            fault_groups=_by_code(report.faults),
            origins=[_origin(origin, mixed=len(report.origins) > 1) for origin in report.origins if origin != "real"],
            contents=_contents(report),
            **_deliveries(report),
        )
    )


@pass_context
def _say(context: Context, words: Message) -> str:
    return words.zh if context["language"] == "zh" else words.en


@pass_context
def _told(context: Context, zh: str, en: str) -> str:
    return zh if context["language"] == "zh" else en


@cache
def _environment() -> Environment:
    """Return what renders both languages: templates are compiled once a process."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(n=_number, money=_money, percent=_percent, say=_say)
    environment.globals.update(
        t=_told,
        demand=demand,
        found=_found,
        share_found=_share_found,
        worst=_worst,
        width=_width,
        figure=_figure,
        change=_change,
        visible=_visible,
        field=_field,
        entities=ENTITIES,
        rules=RULES,
        units=UNITS,
        origin_words=ORIGINS,
        state_words=_STATES,
    )
    return environment


def _deliveries(report: QualityReport) -> dict[str, object]:
    """Return what the page shows of deliveries."""
    accounts = report.accounts
    return {
        "folds": folds(accounts, report.landing),
        "calendar": calendar(accounts),
        "years": [(year, list(months)) for year, months in groupby(accounts.months, lambda month: month[:4])],
        "items": items(accounts.items),
        "cleaned": cleaned(accounts.cleanings),
        "gap_lines": gap_lines(accounts.gaps),
        "open_items": sum(item.open for item in accounts.items),
        "closed_items": sum(item.closed for item in accounts.items),
    }


def _contents(report: QualityReport) -> list[tuple[str, Message]]:
    parts = (
        ("failures", Message("未达到的规则", "Rules not met"), True),
        ("calendar", Message("送报日历", "Calendar"), True),
        ("landing", Message("账目", "Accounts"), True),
        ("files", Message("文件", "Files"), True),
        ("faults", Message("隔离", "Quarantine"), True),
        ("cleaned", Message("清洗", "Cleaning"), bool(report.accounts.cleanings)),
        ("stages", Message("各阶段", "Stages"), True),
        ("deviations", Message("不同往常", "Unusual"), bool(getattr(report, "deviations", ()))),
        ("migration", Message("逐步迁移", "Step by step"), bool(getattr(report, "migration", ()))),
        ("verified", Message("原文核验", "Read again"), bool(report.verified)),
        ("shapes", Message("分布", "Distributions"), bool(report.histograms)),
        ("rules", Message("全部规则", "All rules"), True),
    )
    return [(name, words) for name, words, there in parts if there]


def _change(change: Change) -> Message:
    """Say what a file changed that was sent again."""
    rows = (change.rows_same, change.rows_changed, change.rows_added, change.rows_removed)
    same, changed, added, removed = (_number(value) for value in rows)
    before, after = _money(change.money_before), _money(change.money_after)
    zh, en = (f"替换 {change.earlier_landed} 的一份：", f"replaces that of {change.earlier_landed}: ")
    head = Message(zh, en) if change.earlier_landed else Message("更正：", "corrects: ")
    return Message(
        f"{head.zh}相同 {same} · 改 {changed} · 增 {added} · 删 {removed}；金额 {before} → {after}",
        f"{head.en}{same} same, {changed} changed, {added} added, {removed} removed; money {before} → {after}",
    )


def _field(entity: str, name: str) -> Message:
    if entity not in ENTITIES:
        return Message("", "")
    found = next((field for field in ENTITIES[entity].fields if field.name == name), None)
    # What stands after a colon or semicolon lists the values, which a heading does not need.
    return Message(found.zh, re.split("[:;]", found.en)[0]) if found else Message("", "")


def _visible(text: str) -> str:
    """Make visible what is not: spaces at both ends, and characters without a width.

    >>> _visible(" 12\u200b3 ")
    '␣12‹U+200B›3␣'
    """
    shown = _INVISIBLE.sub(lambda found: f"‹U+{ord(found.group()):04X}›", text)
    inner = shown.strip()
    if not inner:
        return "␣" * len(shown)
    start = len(shown) - len(shown.lstrip())
    return "␣" * start + inner + "␣" * (len(shown) - start - len(inner))


def _origin(origin: str, *, mixed: bool) -> Message:
    words = ORIGINS.get(origin, Message(origin, origin))
    return Message(f"含{words.zh}", f"contains {words.en}") if mixed else words


def _totals(accounts: Iterable[LandingAccount]) -> dict[str, int]:
    rows = list(accounts)
    names = ("files", "files_refused", "rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")
    return {name: sum(int(getattr(row, name)) for row in rows) for name in names}


def _by_code(faults: Iterable[Fault]) -> list[_FaultGroup]:
    groups = []
    for code, found in groupby(sorted(faults, key=lambda fault: fault.code), lambda fault: fault.code):
        members = sorted(found, key=lambda fault: -fault.rows)
        places = dict.fromkeys(f"{fault.entity}.{fault.field}" if fault.field else fault.entity for fault in members)
        sources = sorted({fault.source_id for fault in members})
        rows = sum(fault.rows for fault in members)
        groups.append(_FaultGroup(code, members[0].reason, members[0].fix, rows, tuple(places), tuple(sources)))
    return sorted(groups, key=lambda group: -group.rows)


def _found(outcome: Outcome) -> Message:
    """Say what was found: counts of rows, an aggregate with its unit, or that nothing could be computed."""
    if outcome.error is not None:
        return Message(f"无法计算（{outcome.error}）", f"could not be computed ({outcome.error})")
    if outcome.element_count is None or outcome.unexpected_percent is None:
        unit = UNITS[outcome.unit] if outcome.unit and outcome.unit != "share" else Message("", "")
        value = _aggregate(outcome.observed, outcome.unit)
        return Message(f"实测 {value} {unit.zh}".strip(), f"observed {value} {unit.en}".strip())
    what = counted(outcome.expectation)
    bad, all_ = _number(outcome.unexpected_count), _number(outcome.element_count)
    share = _percent(outcome.unexpected_percent)
    named = f": {outcome.observed}" if outcome.observed else ""
    return Message(
        f"{all_} {what.zh}中 {bad} {what.zh}不符（{share}）{named.replace(': ', '：')}",
        f"{bad} of {all_} {what.en} fail ({share}){named}",
    )


def _share_found(share: SourceShare, outcome: Outcome) -> str:
    if share.element_count is None or share.unexpected_count is None:
        return _aggregate(share.observed, outcome.unit)
    return f"{_number(share.unexpected_count)} / {_number(share.element_count)}"


def _worst(outcome: Outcome) -> tuple[SourceShare, ...]:
    """Return the sources to name: those that fail or hold failing rows, the worst first."""
    named = [share for share in outcome.by_source if not share.success or share.unexpected_count]
    return tuple(named[:_SOURCES_SHOWN])


def _aggregate(observed: str | None, unit: str | None) -> str:
    """Write shares in percent, and set thousands apart in numbers of five digits and more, which leaves years alone."""
    if observed is None:
        return "–"
    if unit == "share" and re.fullmatch(r"[0-9.]+(e-[0-9]+)?", observed):
        return _percent(100 * float(observed))
    return re.sub(r"(?<![\d.])\d{5,}", lambda digits: f"{int(digits.group()):,}", observed)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 100_000 else f"{value:,.0f}"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _percent(value: float) -> str:
    """Write a share that never rounds a fault away: what is above zero is not 0 %, what is below all is not 100 %."""
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 0.01 or value > 99.9:
        return "< 0.01 %" if value < 0.01 else "> 99.9 %"
    return f"{value:.1f} %" if value >= 10 else f"{value:.2f} %"


def _width(part: float, whole: float) -> str:
    """Width of a bar in a drawing 100 wide; what is there is seen, were it one row in a million."""
    return "0" if not whole or part <= 0 else f"{max(100 * part / whole, 0.6):.2f}"
