"""What the page of protections shows runs, and its numbers are those of the code."""

import re
from pathlib import Path

import numpy as np
import pytest

from headwater.checks.protections import seeded_entropy
from headwater.security import MASKED, Span, play
from headwater.security.masking.graph import thresholds

PAGE = (Path(__file__).parents[2] / "docs" / "protections.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys):
    plain, noisy = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(plain, "docs/protections.md", "exec"), {})
    assert capsys.readouterr().out == "[12 16] ('east', 'north', 'south', 'west')\n"
    exec(compile(noisy, "docs/protections.md", "exec"), {})
    assert re.search(r"Skellam\(variance=1\d{4}\.\d+, l2=20.0, l1=28.2", capsys.readouterr().out)


def test_the_surplus_of_shares_is_the_code():
    told = re.search(r"collude\)\): (1.00 for 3 members[^.]*(?:\.\d[^.]*)*)\. The event", PAGE.replace("\n", " "))
    pairs = re.findall(r"(\d\.\d\d) for ([\d,]+)", told.group(1))
    assert len(pairs) == 5
    for surplus, members in pairs:
        size = int(members.replace(",", ""))
        numbers = thresholds(size)
        assert (size / (numbers.quorum - numbers.colluding)) ** 0.5 == pytest.approx(float(surplus), abs=0.006)


def test_the_table_of_groups_is_the_code():
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+)", PAGE, re.MULTILINE)
    assert len(rows) == 10
    for row in rows:
        members, *told = (int(cell.replace(",", "")) for cell in row)
        numbers = thresholds(members)
        assert told == [numbers.lost, numbers.colluding, numbers.quorum, numbers.degree, numbers.shares]


def test_the_bits_are_the_code():
    span = Span(0, 65_535)
    assert [span.bits(members) for members in (16, 32, 1_024)] == [20, 21, 26]


def test_the_bytes_beside_the_vector_are_counted():
    found = re.findall(r"(\d+) and (\d+) a neighbour; it is told (\d+), (\d+) a neighbour and (\d+) for each", PAGE)
    base, each, own, told, left = map(int, found[0])
    for members in (5, 16):
        names = [f"h{place:02d}" for place in range(members)]
        session = MASKED.open(names, round_id="r", length=32, entropy=seeded_entropy(1), span=Span(0, 1))
        traffic = play(session, dict.fromkeys(names, lambda: np.zeros(32, dtype=np.uint64)))
        beside = max(traffic.sent.values()) - 4 * Span(0, 1).bits(members)
        assert beside == base + each * (members - 1)
        lists = 5 + 4 * -(-members // 8)
        assert max(traffic.told.values()) == lists + own + told * (members - 1) + left * thresholds(members).quorum
