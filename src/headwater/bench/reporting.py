"""The quality report as a figure: how fast it is rendered, whether it asks the network, whether it tells of persons."""

import re
import shutil
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import cycle, islice
from pathlib import Path

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.adapters.report import LANGUAGES, render
from headwater.bench import canaries
from headwater.bench.figures import Figure, Size
from headwater.content.quality import QualityReport
from headwater.simulation import simulate
from headwater.steps.check import check
from headwater.steps.land import land

__all__ = ["outside", "report_figure"]

_RULES = 100
_GOAL_S = 1.0
_STAYS = {"ci": 60, "full": 3_000}
_HOSPITALS = {"ci": 2, "full": 12}
_MONTHS = {"ci": 2, "full": 24}
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_LOADS = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "ping", "manifest"}
_ASKS = re.compile(r"https?:|//[a-z]|url\(|@import|\bimport\b|fetch|XMLHttp|WebSocket|EventSource|sendBeacon|\.src\b")


def report_figure(size: Size, *, home: Home | None = None) -> Figure:
    """Measure the report of a simulated region (synthetic data) among whose deliveries persons stand where none belong.

    Parameters
    ----------
    home : an empty installation to work in; one of its own, removed afterwards, when None
    """
    if home is not None:
        return _measured(size, home)
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    own = Home(root=root, project=Home.from_environment().project).create()
    try:
        return _measured(size, own)
    finally:
        postgres.stop(own)
        shutil.rmtree(root, ignore_errors=True)


def _measured(size: Size, home: Home) -> Figure:
    simulate(home.deliveries, hospitals=_HOSPITALS[size], months=_MONTHS[size], stays=_STAYS[size], seed=20260601)
    planted = canaries.plant(home.deliveries)
    landed = land(home, deliveries=home.deliveries, now=_NOW)
    checked = check(home, stages=("raw",), now=_NOW)
    report = _of_rules(checked, _RULES)
    started = time.perf_counter()
    pages = [render(report, language) for language in LANGUAGES]
    seconds = time.perf_counter() - started
    requests = [request for page in pages for request in outside(page)]
    leaks = canaries.found(home)
    return Figure(
        value=seconds,
        unit="s",
        goal="<= 1 for 100 rules in both languages, 0 requests, 0 identifiers",
        holds=seconds <= _GOAL_S and not requests and not leaks,
        n=_RULES,
        note=(
            "real verdicts on a synthetic region, repeated to 100; templates compiled by an earlier report; all files "
            "and tables outside the vault searched"
        ),
        also={
            "external_requests": len(requests),
            "identifiers_found": len(leaks),
            "found_in": sorted(set(leaks))[:5],
            "cells_with_persons": planted,
            "rows_landed": int(landed.total("rows_in")),
            "files": len(report.accounts.deliveries),
            "page_bytes": {language: len(page.encode()) for language, page in zip(LANGUAGES, pages, strict=True)},
        },
    )


def _of_rules(report: QualityReport, count: int) -> QualityReport:
    """Return the report with as many rules, its own ones over and over."""
    suite = next(suite for suite in report.suites if suite.outcomes)
    outcomes = tuple(islice(cycle(report.outcomes), count))
    return replace(report, suites=(replace(suite, outcomes=outcomes),))


def outside(page: str) -> list[str]:
    """Return everything in a page that would ask for something elsewhere; the other language lies beside it."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.asks


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.asks: list[str] = []
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        if tag in ("link", "iframe", "object", "embed", "base", "img", "video", "audio", "form"):
            self.asks.append(f"<{tag}>")
        for name, value in attrs:
            beside = re.fullmatch(r"(?:zh|en)\.html|#[a-z-]+", value or "")
            if (name in _LOADS and not beside) or (name == "style" or name.startswith("on")):
                self.asks.append(f'<{tag} {name}="{value}">')

    def handle_data(self, data: str) -> None:
        if self._in in ("style", "script"):
            self.asks += _ASKS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in = ""
