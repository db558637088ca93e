"""What the page of protections shows runs, and its numbers are those of the code."""

import re
from pathlib import Path

import numpy as np

from headwater.checks.protections import seeded_entropy
from headwater.security import MASKED, Span, play
from headwater.security.masking.graph import thresholds

PAGE = (Path(__file__).parents[2] / "docs" / "protections.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/protections.md", "exec"), {})
    assert capsys.readouterr().out == "[12 16] ('east', 'north', 'south', 'west')\n"


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
    base, each, told, left = map(
        int, re.findall(r"(\d+) and (\d+) a neighbour; it is told (\d+) a neighbour and (\d+) for each", PAGE)[0]
    )
    for members in (5, 16):
        names = [f"h{place:02d}" for place in range(members)]
        session = MASKED.open(names, round_id="r", length=32, entropy=seeded_entropy(1), span=Span(0, 1))
        traffic = play(session, dict.fromkeys(names, lambda: np.zeros(32, dtype=np.uint64)))
        beside = max(traffic.sent.values()) - 4 * Span(0, 1).bits(members)
        assert beside == base + each * (members - 1)
        lists = 5 + 4 * -(-members // 8)
        assert max(traffic.told.values()) == lists + told * (members - 1) + left * thresholds(members).quorum
