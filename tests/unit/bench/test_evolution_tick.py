"""E5 in small: what is spared stays within its bounds, and sums are those made anew."""

from headwater.bench import evolution_tick


def test_ticks_spare_most_and_stay_within_their_bounds():
    figure = evolution_tick.figures("ci", None)["E5"]
    found = figure.also
    assert found["sums_that_differ"] == 0
    assert found["beyond_bound"] <= 0.01
    assert 0 < found["error_rms_of_sampling"] <= 0.1
    assert found["marginals_made_exact"] < 0.25
    assert found["spearman"] > 0.999
    assert found["everybody_moved"] == 1_000
    assert found["tick_seconds_median"] < figure.baseline["a tick, statistics summed anew besides"]
