"""The frontier is drawn where it was measured, offline, in both languages."""

import re

import pytest

from headwater.adapters.frontier import Frontier, Point, write
from headwater.errors import Message


def _frontier(lines):
    title, cost, note = Message("前沿<", "frontier<"), Message("字节", "bytes"), Message("真实数据", "real data")
    return Frontier("bytes", title, cost, lines, note)


def test_page_and_picture(tmp_path):
    lines = {"sums": [Point(4, 0.98)], "statistics & more": [Point(100, 0.9), Point(10_000, 1.0)]}
    picture, page = write(tmp_path, [_frontier(lines)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert 'lang="zh"' in text
    assert "前沿&lt;" in text
    assert "statistics &amp; more" in text
    assert not re.search(r"(src|href)=|https?:", text)
    circles = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)]
    assert len(circles) == 6
    assert circles[0][0] < circles[1][0] < circles[2][0]
    assert circles[1][1] > circles[0][1] > circles[2][1]


@pytest.mark.parametrize("lines", [{}, {"free": [Point(0, 1.0)]}])
def test_nothing_to_draw_is_refused(tmp_path, lines):
    with pytest.raises(ValueError, match="cost is above 0"):
        write(tmp_path, [_frontier(lines)])
