"""Invented persons stand where they do not belong, and nothing that is written outside the vault tells of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.bench.canaries import NUMBERS, SOURCE, found, plant, written
from headwater.bench.reporting import outside
from headwater.steps.check import check
from headwater.steps.land import land
from headwater.steps.returns import returns

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@pytest.fixture
def landed(home: Home, tmp_path: Path) -> Home:
    planted = plant(tmp_path / "inbox")
    report = land(home, deliveries=tmp_path / "inbox", now=NOW)
    assert planted > 1_000
    assert report.total("rows_quarantined") > 500
    assert len(report.refused) >= 1
    return home


def test_no_person_is_in_anything_that_the_system_wrote(landed: Home) -> None:
    check(landed, stages=("raw",), now=NOW)
    sent = returns(landed, now=NOW)
    assert [one.source_id for one in sent.found] == [SOURCE]
    assert found(landed) == []
    places = {place for place, _ in written(landed)}
    for part in (
        "reports/quality/latest/zh.html",
        "sheet2.xml",
        "lake.public.ducklake_file_column_stats",
        "headwater.ops.batch",
    ):
        assert any(part in place for place in places), part


@pytest.mark.parametrize("number", NUMBERS[:2])
def test_the_search_finds_a_number_in_every_place(landed: Home, number: str) -> None:
    (landed.logs / "x.log").write_text(f"row {number[:6]} {number[6:]}", encoding="utf-8")
    with postgres.connect(landed) as register:
        register.execute("update ops.batch set refusal_en = %s where state = 'loaded'", (number,))
    with lake.connect(landed) as connection:
        connection.execute("CREATE TABLE lake.raw.leak AS SELECT $1 AS name FROM range(5000)", [number])
        connection.execute("CREATE TABLE lake.raw.small (name VARCHAR)")
        connection.execute("INSERT INTO lake.raw.small VALUES ($1)", [number])
    places = found(landed)
    for part in ("logs/x.log", "lake/raw/leak/", "headwater.ops.batch", "ducklake_file_column_stats"):
        assert any(part in place for place in places), (part, places)


@pytest.mark.parametrize(
    "page",
    [
        '<img src="x.png">',
        '<a href="https://x.y">x</a>',
        "<style>@import 'x.css';</style>",
        "<style>p{background:url(x)}</style>",
        "<script>fetch('x')</script>",
        '<p onclick="x()">x</p>',
        '<link rel="stylesheet" href="x.css">',
    ],
)
def test_whatever_a_page_would_ask_for_elsewhere_is_seen(page: str) -> None:
    assert outside(page)
    assert outside('<a href="en.html">x</a><a href="#files">y</a><style>p{color:red}</style><script>1;</script>') == []
