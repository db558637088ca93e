"""The frontier is drawn where it was measured, offline, in both languages."""

import base64
import hashlib
import re

import pytest

from headwater.adapters.frontier import Curve, Frontier, Page, Point, write
from headwater.errors import Message

ONE = Message("一点", "a point")
LINES = [
    Curve(Message("只公开和数", "sums"), [Point(4, 0.98, ONE)], 0),
    Curve(Message("统计量<", "statistics & more"), [Point(10_000, 1.0, ONE), Point(100, 0.9, ONE)], 1),
]


def _frontier(lines, **more):
    return Frontier("bytes", Message("前沿<", "frontier<"), Message("字节", "bytes"), lines, **more)


def _page(*frontiers):
    return Page(Message("题", "Title"), Message("区", "region"), frontiers, [Message("真实数据", "real data")])


def _places(text):
    return [
        (float(x), float(y))
        for x, y in re.findall(r'class="point"[^>]*transform="translate\(([\d.]+) ([\d.]+)\)', text)
    ]


def test_pages_and_picture(tmp_path):
    picture, zh, en = write(tmp_path, _page(_frontier(LINES, ceiling=0.95)))
    assert picture.read_bytes().startswith(b"\x89PNG")
    texts = {file.stem: file.read_text(encoding="utf-8") for file in (zh, en)}
    assert "前沿&lt;" in texts["zh"]
    assert "statistics &amp; more" in texts["en"]
    assert "统计量" not in texts["en"]
    assert "真实数据" in texts["zh"]
    for text in texts.values():
        places = _places(text)
        assert len(places) == 3
        # By rising cost: the mark stands left, the line goes from its cheap point to its dear one.
        assert places[0][0] < places[1][0] < places[2][0]
        assert places[1][1] > places[0][1] > places[2][1]
        ceiling = float(re.findall(r'class="ceiling"[^>]*y1="([\d.]+)"', text)[0])
        assert places[0][1] < ceiling < places[1][1]
        assert "10,000" in text
        assert "0.950" in text


def test_a_page_needs_nothing_from_outside_and_allows_its_own_style_alone(tmp_path):
    for file in write(tmp_path, _page(_frontier(LINES)))[1:]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"src=|https?:|url\(|<script|\sstyle=|\son\w+=", text)
        assert re.findall(r'href="([^"]+)"', text) == [{"zh": "en.html", "en": "zh.html"}[file.stem]]
        (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.S)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"default-src 'none'; style-src 'sha256-{digest}'" in text


def test_every_line_of_a_drawing_differs_in_shape_and_colour(tmp_path):
    lines = [Curve(Message(f"线{k}", f"line {k}"), [Point(10.0**k, 0.9, ONE)], k) for k in range(6)]
    text = write(tmp_path, _page(_frontier(lines)))[-1].read_text(encoding="utf-8")
    drawn = re.findall(r'class="point" d="([^"]+)"[^>]*fill="([^"]+)"', text)
    assert len({shape for shape, _ in drawn}) == len({colour for _, colour in drawn}) == 6


def test_a_line_looks_alike_in_every_drawing(tmp_path):
    both = _frontier(LINES), Frontier("own", ONE, ONE, LINES[1:])
    text = write(tmp_path, _page(*both))[-1].read_text(encoding="utf-8")
    drawn = re.findall(r'class="point" d="([^"]+)"[^>]*fill="([^"]+)"', text)
    assert drawn[1] == drawn[-1] != drawn[0]


def test_no_point_lies_outside_the_axes_and_ticks_are_named(tmp_path):
    line = Curve(Message("低", "low"), [Point(0.5, -0.23, ONE), Point(8.0, 1.0, ONE)], 0)
    frontier = _frontier([line], ticks=(0.5, 1.0, 3.0, 8.0))
    assert frontier.ends()[2] == pytest.approx(-0.3)
    assert frontier.up()[0] == pytest.approx(-0.2)
    text = write(tmp_path, _page(frontier))[-1].read_text(encoding="utf-8")
    (low, high), axis = _places(text), re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)"', text)
    assert low[1] > high[1]
    left, right = min(float(x) for x, _, _ in axis), max(float(x) for _, x, _ in axis)
    assert all(left <= x <= right for x, _ in (low, high))
    for words in (">0.5<", ">1<", ">3<", ">8<"):
        assert words in text


@pytest.mark.parametrize("lines", [[], [Curve(ONE, [Point(0, 1.0, ONE)], 0)]])
def test_nothing_to_draw_is_refused_before_anything_is_written(tmp_path, lines):
    with pytest.raises(ValueError, match="cost is above 0"):
        write(tmp_path / "out", _page(_frontier(lines)))
    assert not (tmp_path / "out").exists()
