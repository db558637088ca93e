"""The evolution report's drawings and pages."""

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.evolution_report import Line, Story, Told, folder, panel, render, write
from headwater.adapters.home import Home
from headwater.errors import Message

MONTHS = (date(2025, 1, 1), date(2025, 2, 1))
KEPT = Message("继续使用。", "Kept.")


@pytest.fixture
def story() -> Story:
    lines = (
        Line(MONTHS[0], "H<b>1", 0.25, "member", "keep", KEPT),
        Line(MONTHS[1], "H<b>1", -0.5, "member", "demote", KEPT, onset=MONTHS[1], size=-0.75),
        Line(MONTHS[0], "H2", 0.1, "member", "keep", KEPT),
        Line(MONTHS[1], "H2", None, "absent", "keep", KEPT),
    )
    return Story(
        run="r 省", at=datetime(2026, 1, 5, tzinfo=UTC), region="楚源省", origins=("synthetic",), snapshot=7,
        months=MONTHS, lines=lines,
        errors={MONTHS[1]: {"evolving": 0.5, "static": 0.6, "target_only": 0.7}},
        versions=(Told(MONTHS[1], "stay_cost-楚源省/3", ("H2",), is_champion=True),),
        memory=12, span=1, steps=3, bytes_by_source={"H<b>1": 40_000, "H2": 20_000},
    )  # fmt: skip


def test_a_page_tells_every_figure_and_escapes_what_sources_are_called(story):
    page = render(story, "en")
    assert "H&lt;b&gt;1" in page
    assert "H<b>1" not in page
    for words in (
        "-0.5000",
        "0.2500",
        "dropped",
        "absent",
        "0.6000",
        "stay_cost-楚源省/3",
        "40.0 kB",
        "since about 2025-02",
    ):
        assert words in page, words
    assert 'lang="zh-CN"' in render(story, "zh")
    assert "移除" in render(story, "zh")


def test_a_page_without_errors_or_actions_says_so(story):
    quiet = dataclasses.replace(story, errors={}, lines=story.lines[2:])
    page = render(quiet, "en")
    assert "No source was dropped or added." in page
    assert "Error of the next month" not in page


def test_runs_that_differ_in_chinese_only_lie_in_folders_of_their_own(tmp_path, story):
    home = Home(root=tmp_path, project=tmp_path)
    assert folder(home, "r 省") != folder(home, "r 市")
    place = write(home, story)
    assert place == folder(home, "r 省")
    assert sorted(file.name for file in place.iterdir()) == ["en.html", "zh.html"]
    assert place.parent == Path(tmp_path) / "reports" / "evolution"


def test_a_drawing_of_one_value_or_of_equal_values_stays_inside():
    assert panel({"a": [0.5]}, zero=False).curves["a"] == ("150.0,45.0",)
    assert panel({"a": [2.0, 2.0]}, zero=True).curves["a"] == ("6.0,6.0 294.0,6.0",)


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=40).filter(lambda v: any(x is not None for x in v))
)
def test_a_drawing_holds_every_value_once_inside_its_frame_and_breaks_at_gaps(values):
    drawing = panel({"a": values}, zero=True)
    points = [tuple(map(float, point.split(","))) for piece in drawing.curves["a"] for point in piece.split()]
    assert len(points) == sum(value is not None for value in values)
    assert all(0 <= x <= 300 and 0 <= y <= 90 for x, y in points)
    runs = sum(v is not None and (k == 0 or values[k - 1] is None) for k, v in enumerate(values))
    assert len(drawing.curves["a"]) == runs
