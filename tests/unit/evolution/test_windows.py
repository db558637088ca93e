"""Windows kept by merging and subtracting are, bit for bit, those summed anew."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.adapters import lake
from headwater.errors import Refusal
from headwater.evolution import Said, Window, Windows
from headwater.statistics import Gram, Statistic

GRAM = Gram(3)
SAID = [GRAM.sample(np.random.default_rng(seed)) for seed in range(6)]
LENGTH = 4
statements = st.lists(
    st.builds(
        lambda source, period, which: Said(f"h{source}", period, None if which is None else SAID[which]),
        st.integers(0, 3),
        st.integers(0, 12),
        st.integers(0, 5) | st.none(),
    ),
    max_size=25,
)


def anew(told: dict[tuple[str, int], Statistic], newest: int) -> dict[str, Statistic]:
    """Sum what was said last about each period of the window."""
    inside = {key: one for key, one in told.items() if key[1] > newest - LENGTH}
    names = sorted({source for source, _ in inside})
    return {name: Statistic.total(one for (source, _), one in inside.items() if source == name) for name in names}


@settings(deadline=None, derandomize=True, max_examples=120)
@given(statements)
def test_any_history_equals_summing_anew(history):
    windows, told, newest = Windows(LENGTH), {}, 0
    for one in history:
        newest = max(newest, one.period)
        if one.period <= newest - LENGTH:
            with pytest.raises(Refusal, match="E-WINDOW-PAST"):
                windows.after([one])
            continue
        before = windows.totals
        windows, changed = windows.after([one])
        told[one.source, one.period] = one.statistic
        told = {key: statistic for key, statistic in told.items() if statistic is not None}
        expected = anew(told, newest)
        assert windows.totals == expected
        assert changed == {name for name in {*before, *expected} if before.get(name) != expected.get(name)}


@settings(deadline=None, derandomize=True, max_examples=40)
@given(statements, st.integers(0, 3))
def test_statements_at_once_are_those_one_by_one(history, cut):
    kept, newest = [], 0
    for one in history:
        newest = max(newest, one.period)
        if one.period > newest - LENGTH:
            kept.append(one)
    whole, changed = Windows(LENGTH).after(kept)
    apart, first = Windows(LENGTH).after(kept[:cut])
    apart, second = apart.after(kept[cut:])
    assert (whole.totals, whole.newest) == (apart.totals, apart.newest)
    assert changed == set(whole.totals)
    assert changed <= first | second


def test_time_alone_takes_out_what_lies_behind_the_window():
    windows, _ = Windows(LENGTH).after([Said("a", 0, SAID[0]), Said("a", 1, SAID[1]), Said("b", 3, SAID[2])])
    later, changed = windows.reach(4)
    assert (changed, later.totals) == ({"a"}, {"a": SAID[1], "b": SAID[2]})
    assert later.reach(100)[0].totals == {}
    assert windows.totals["a"] == SAID[0].merge(SAID[1]), "what was there before stays as it was"
    with pytest.raises(Refusal, match="E-WINDOW-PAST"):
        later.reach(3)


def test_a_correction_takes_the_place_of_what_was_said_before():
    windows, _ = Windows(LENGTH).after([Said("a", 2, SAID[0]), Said("a", 3, SAID[1])])
    mended, changed = windows.after([Said("a", 2, SAID[4])])
    assert (mended.totals, changed) == ({"a": SAID[4].merge(SAID[1])}, {"a"})
    assert mended.after([Said("a", 2, SAID[4])])[1] == frozenset(), "the same again changes nothing"


def test_without_a_source_the_windows_are_those_that_never_had_it():
    others = [Said("b", 1, SAID[0]), Said("b", 3, SAID[1])]
    whole, _ = Windows(LENGTH).after([Said("a", 2, SAID[2]), *others, Said("a", 3, SAID[3])])
    never, _ = Windows(LENGTH).after(others)
    assert whole.without("a").to_table() == never.to_table()
    assert whole.without("nobody").totals == whole.totals


def test_a_ring_puts_out_what_stands_in_the_slot():
    ring = Window.empty(3).put(1, SAID[0]).put(2, SAID[1]).put(4, SAID[2])
    assert (ring.periods, ring.total) == ((2, 4), SAID[1].merge(SAID[2]))
    assert ring.put(2, None).put(4, None).total is None


@settings(deadline=None, derandomize=True, max_examples=30)
@given(statements, st.randoms(use_true_random=False))
def test_windows_come_back_from_a_file_in_any_order(tmp_path_factory, history, random):
    windows = Windows(LENGTH).reach(12)[0].after([one for one in history if one.period > 12 - LENGTH])[0]
    table = windows.to_table()
    file = tmp_path_factory.mktemp("windows") / "windows.parquet"
    order = list(range(table.num_rows))
    random.shuffle(order)
    pq.write_table(table.take(pa.array(order, pa.int64())), file)
    back = Windows.of_table(pq.read_table(file), length=LENGTH, newest=12)
    assert (back.totals, back.newest) == (windows.totals, 12)
    assert back.to_table() == table
    parts = [windows.to_table([name]) for name in ("h0", "h1", "h2", "h3", "nobody")]
    assert pa.concat_tables(parts) == table


def test_windows_come_back_from_the_lake(home):
    windows, _ = Windows(LENGTH).after([Said(f"h{n}", n, SAID[n]) for n in range(4)])
    with lake.connect(home) as connection:
        connection.register("said", windows.to_table())
        connection.execute("CREATE TABLE lake.knowledge.said AS SELECT * FROM said ORDER BY period DESC")
    with lake.connect(home) as connection:
        table = connection.execute("SELECT * FROM lake.knowledge.said").to_arrow_table()
    assert Windows.of_table(table, length=LENGTH).totals == windows.totals


def test_a_window_without_periods_is_none():
    with pytest.raises(ValueError, match="at least 1"):
        Windows(0)
