"""Real time: what is measured, on made-up records in the order of months."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headwater.bench import BENCHES, evolution, evolution_time
from headwater.bench.evolution_records import RECORDS, Records, available, region
from headwater.bench.evolution_time import Outcome, figures, measured
from headwater.statistics.features import Numeric

MONTHS = [date(2024, month, 1) for month in range(1, 11)]


def drawn(folder: Path, files: int) -> pd.DataFrame:
    """Return ten months of twelve groups of one law, and of four that follow another from the sixth month on."""
    rng = np.random.default_rng(files)
    n = 16 * 400
    group, month = rng.integers(0, 16, n), rng.integers(0, 10, n)
    x = rng.normal(size=(n, 3))
    turned = (group >= 12) & (month >= 5)
    label = np.where(turned, -1.0, 1.0) * x.sum(axis=1) + rng.normal(0, 0.5, n)
    columns = {f"x{at}": x[:, at] for at in range(3)}
    return pd.DataFrame(
        {
            "group": [f"g{at:02d}" for at in group],
            "unit": [str(at) for at in range(n)],
            "month": [MONTHS[at] for at in month],
            **columns,
            "label": label,
        }
    )


@pytest.fixture(scope="module")
def records() -> Records:
    numeric = tuple(Numeric(f"x{at}", 0, 1) for at in range(3))
    return Records(drawn, "", "made up", 30, 4, (1, 1), numeric, ())


@pytest.fixture(scope="module")
def outcome(records) -> Outcome:
    return measured(records, Path(), "ci")


def test_every_source_and_part_holds_its_own_records_alone(records):
    frame = drawn(Path(), 1)
    found = region(records, frame, seed=3)
    parts = [found.target.train, found.target.valid, found.target.test]
    own = {name for part in parts for name in part["group"].to_pylist()}
    assert len(own) == 4
    assert not own & {source.source_id for source in found.sources}
    assert sum(part.num_rows for part in parts) + sum(s.table.num_rows for s in found.sources) == len(frame)
    for source in found.sources:
        assert set(source.table["group"].to_pylist()) == {source.source_id}
    units = [set(part["unit"].to_pylist()) for part in parts]
    assert not units[0] & units[1] | units[1] & units[2] | units[0] & units[2]


def test_a_draw_is_the_same_whenever_it_is_drawn(records):
    frame = drawn(Path(), 1)
    one, other = (region(records, frame, seed=5) for _ in range(2))
    assert [s.source_id for s in one.sources] == [s.source_id for s in other.sources]
    assert one.target.test.equals(other.target.test)
    assert [s.source_id for s in region(records, frame, seed=6).sources] != [s.source_id for s in one.sources]


def test_costs_and_errors_are_those_of_both_ways(outcome):
    assert outcome.periods == 7
    assert set(outcome.errors) == {"evolving", "static", "target_only", "retraining", "retraining_weighted"}
    # Fewer sources are asked than all of them, and each is asked for less than everything.
    assert 0 < outcome.byte_counts["evolving"] < 0.5 * outcome.byte_counts["retraining"]
    assert outcome.seconds["retraining"] > 0
    assert len(outcome.above) == 2


def test_a_figure_holds_only_with_every_set_at_both_goals():
    def one(error: float, cost: float) -> Outcome:
        errors = {"evolving": error, "retraining": 1.0}
        return Outcome(
            errors, {"evolving": cost, "retraining": 1.0}, {"evolving": 0.01, "retraining": 1.0}, (0.0,), 9, 9, ""
        )

    every = dict.fromkeys(RECORDS, one(0.99, 0.05))
    assert evolution_time._figure(every).holds
    assert not evolution_time._figure(every | {"sih": one(1.001, 0.05)}).holds
    assert not evolution_time._figure(every | {"sih": one(0.99, 0.11)}).holds
    missing = evolution_time._figure({"sih": one(0.99, 0.05)})
    assert not missing.holds
    assert "cms: not at hand" in missing.note


def test_without_data_nothing_is_claimed(tmp_path):
    assert available(tmp_path) == available(None) == ()
    (figure,) = figures("ci", None).values()
    assert (figure.value, figure.holds) == (None, False)


def test_the_bench_joins_its_parts_in_the_order_of_the_goals():
    assert BENCHES["evolution"] is evolution.run
    assert [part.__module__.rpartition("_")[2] for part in evolution._PARTS] == [
        "detectors", "outages", "growth", "years", "tick", "time",
    ]  # fmt: skip
