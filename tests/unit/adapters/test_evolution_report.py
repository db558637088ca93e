"""The evolution report's drawings and pages."""

import dataclasses
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.evolution_picture import Seen, bars, panel, strip
from headwater.adapters.evolution_report import Month, SourceMonth, Story, folder, render, write
from headwater.adapters.home import Home
from headwater.errors import Message

MONTHS = (date(2025, 1, 1), date(2025, 2, 1))
KEPT = Message("继续使用。", "Kept.")


def month(at: date, **told: object) -> Month:
    facts = {"errors": {}, "weight": 4, "members": ("H2",), "steps": 3, "asked": 2, "bytes": 3_000} | told
    return Month(month=at, **facts)


@pytest.fixture
def story() -> Story:
    lines = (
        SourceMonth(MONTHS[0], "H<b>1", 0.25, "present", "member", "keep", KEPT),
        SourceMonth(MONTHS[0], "H2", 0.1, "present", "member", "keep", KEPT),
        SourceMonth(MONTHS[1], "H<b>1", -0.5, "present", "demoted", "demote", KEPT, None, MONTHS[1], -0.75, 0.9991),
        SourceMonth(MONTHS[1], "H2", None, "outage", "member", "keep", KEPT),
        SourceMonth(MONTHS[1], "H3", None, "resting", "removed", "remove", KEPT, "demoted"),
    )
    errors = {"evolving": 0.5, "static": 0.6, "target_only": 0.7}
    spent, limits = {"labour": 2.0, "bytes_next": 900.0, "epsilon_next": 0.0}, {"labour": 2.0, "bytes_next": None}
    months = (
        month(MONTHS[0], spent=spent, limits=limits),
        month(MONTHS[1], errors=errors, spent=spent, limits=limits, version="stay_cost-楚源省/3", is_champion=True),
    )
    return Story("r 省", datetime(2026, 1, 5, tzinfo=UTC), "楚源省", ("synthetic",), 7, months, lines)


def test_a_page_tells_every_figure_and_escapes_what_sources_are_called(story):
    page = render(story, "en")
    assert "H&lt;b&gt;1" in page
    assert "H<b>1" not in page
    for words in (
        "-0.5000", "0.2500", "demoted", "absent", "not asked", "0.6000", "stay_cost-楚源省/3", "since about 2025-02",
        "-0.7500", "0.9991", "3,000", "synthetic data", "Waiting for a person", "6.0 kB",
    ):  # fmt: skip
        assert words in page, words
    assert 'lang="zh-CN"' in render(story, "zh")
    for words in ("降级", "缺席", "待人审批", "合成数据"):
        assert words in render(story, "zh"), words


def test_what_waits_for_a_person_is_no_action(story):
    assert [line.source for line in story.actions] == ["H<b>1"]
    assert [line.source for line in story.proposals] == ["H3"]
    assert story.actions_in(MONTHS[:1]) == ()
    assert story.mean_error("static") == 0.6


def test_a_page_without_errors_or_actions_says_so(story):
    quiet = dataclasses.replace(story, months=story.months[:1], lines=story.lines[:2])
    assert quiet.mean_error("static") is None
    page = render(quiet, "en")
    assert "Nothing was done" in page
    assert "Error of the next month" not in page
    assert "Waiting for a person" not in page


def test_with_many_sources_each_stands_in_picture_and_table_and_the_liveliest_have_panels(story):
    def lines(at: date) -> list[SourceMonth]:
        return [dataclasses.replace(story.lines[0], month=at, source=f"S{n:03d}") for n in range(300)]

    many = lines(MONTHS[0]) + lines(MONTHS[1])
    many[307] = dataclasses.replace(many[307], action="probation", standing="probation")
    page = render(dataclasses.replace(story, lines=tuple(many)), "en")
    assert page.count("<title>S") == 300
    assert page.count('<th scope="row">S') >= 300
    assert page.count("<figcaption>S") == 24
    assert "<figcaption>S007" in page
    assert "The 24 of 300 sources" in page


def test_runs_that_differ_in_chinese_only_lie_in_folders_of_their_own(tmp_path, story):
    home = Home(root=tmp_path, project=tmp_path)
    assert folder(home, "r 省") != folder(home, "r 市")
    place = write(home, story)
    assert place == folder(home, "r 省")
    assert sorted(file.name for file in place.iterdir()) == ["en.html", "zh.html"]
    assert place.parent == Path(tmp_path) / "reports" / "evolution"


def test_a_drawing_of_one_value_of_equal_ones_or_of_none_stays_inside():
    assert panel({"a": [0.5]}, zero=False).curves["a"] == ("150.0,45.0",)
    assert panel({"a": [2.0, 2.0]}, zero=True).curves["a"] == ("6.0,6.0 294.0,6.0",)
    assert panel({"a": [None, None]}, zero=True, absent=[True, True]).curves["a"] == ()


def test_absence_is_shaded_where_it_was_and_onsets_stand_between_months():
    drawing = panel(
        {"a": [1.0, None, None, 1.0, 1.0]}, zero=True, absent=[False, True, True, False, False], onsets=[2.5]
    )
    assert drawing.shades == ((42.0, 144.0),)
    assert drawing.onsets == (186.0,)


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


@pytest.mark.parametrize(("sources", "row", "is_named"), [(9, 20.0, True), (100, 11.0, True), (300, 6.0, False)])
def test_the_strip_has_room_for_every_source_and_month(sources, row, is_named):
    seen = Seen(0.1, "present", (), True)
    drawn = strip(MONTHS, {f"S{n}": dict.fromkeys(MONTHS, seen) for n in range(sources)})
    assert (drawn.row, drawn.is_named, len(drawn.rows)) == (row, is_named, sources)
    assert max(cell.x for line in drawn.rows for cell in line.cells) + drawn.column <= drawn.width
    assert drawn.rows[-1].y + drawn.row <= drawn.height
    assert strip([date(2000 + n // 12, n % 12 + 1, 1) for n in range(120)], {}).width <= 1100


def test_colours_tell_sign_and_size_and_one_far_value_leaves_the_others_theirs():
    values = {date(2000 + n, 1, 1): Seen(0.01 * n, "present", (), True) for n in range(-20, 20)}
    values[date(2030, 1, 1)] = Seen(1e6, "present", (), True)
    (line,) = strip(list(values), {"a": values}).rows
    fills = [cell.fill for cell in line.cells]
    assert len(set(fills)) > 20
    assert all(re.fullmatch("#[0-9a-f]{6}", fill) for fill in fills)
    red, green = (int(fills[0][1:3], 16), int(fills[-2][1:3], 16))
    assert red > green
    (nothing,) = strip(MONTHS, {"a": {MONTHS[0]: Seen(None, "outage", (), False)}}).rows
    assert nothing.cells[0].fill is None


def test_a_budget_that_is_used_up_is_marked():
    drawn, line, head = bars([1.0, 2.0, 0.0], 2.0)
    assert [bar.is_full for bar in drawn] == [False, True, False]
    assert drawn[1].y == line
    assert head == 2.0
    assert bars([0.0], None)[1] is None
