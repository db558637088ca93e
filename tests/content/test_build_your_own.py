"""The tutorial runs as it stands, is as short as it says, and learns what pooled records teach."""

import re
from pathlib import Path

import numpy as np
import pytest

from headwater.federation import Asked
from headwater.statistics import Statistic

PAGE = Path(__file__).resolve().parents[2] / "docs" / "build-your-own.md"
SIZES = {"east": 120, "north": 80, "south": 200}


@pytest.fixture(scope="module")
def page():
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    room = {"__name__": "build_your_own"}
    exec(compile(program, str(PAGE), "exec"), room)
    return program, room


@pytest.fixture(scope="module")
def texts():
    rng, told = np.random.default_rng(5), {}
    for name, rows in SIZES.items():
        age, days = rng.integers(18, 95, rows), rng.integers(1, 40, rows)
        nights = rng.poisson(np.exp(0.02 * (age - 60) + 0.05 * (days - 8) - 0.5))
        lines = [f"{a},{d},{n}" for a, d, n in zip(age, days, nights, strict=True)]
        told[name] = "\n".join(["age,days,nights", *lines]) + "\n"
    return told


def test_the_program_has_at_most_forty_lines(page):
    assert len([line for line in page[0].splitlines() if line.strip()]) <= 40


def test_it_learns_what_pooled_records_teach(page, texts):
    _, room = page
    found = room["nights_in_intensive_care"](texts)
    pooled = "".join(["age,days,nights\n", *(text.split("\n", 1)[1] for text in texts.values())])
    assert found.rounds < 20
    assert found.refused == {}
    assert set(found.bytes_by_source) == set(SIZES)
    table = room["csv"].read_csv(room["BytesIO"](pooled.encode()))
    x, y = room["FEATURES"].transform(table), table["nights"].to_numpy()
    # Where the likelihood is highest its slope is nothing.
    assert np.abs(x.T @ (y - np.exp(x @ found.parameters))).max() < 1e-6
    assert np.abs(found.parameters[1:] - [0.4, 0.3]).max() < 0.1


def test_pads_leave_the_sum_as_it_was(page, texts):
    _, room = page
    question = Asked(room["Nights"](3), room["FEATURES"], "nights", np.empty(0))
    said = {name: room["Ward"](name, text).answer(question) for name, text in texts.items()}
    assert room["padded"](said) == Statistic.total(said.values())
    assert {name: room["Ward"](name, text).describe().records for name, text in texts.items()} == SIZES


def test_counts_that_are_none_are_refused_by_name(page, texts):
    _, room = page
    found = room["nights_in_intensive_care"](texts | {"west": "age,days,nights\n60,8,-1\n"})
    assert found.refused["west"].code == "E-LEARNER-LABELS"
