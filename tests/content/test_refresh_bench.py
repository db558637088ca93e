"""The bench of a month's refresh, small: it measures what it says, on a home of its own."""

import pytest

from headwater.bench.refresh import refresh_figure


@pytest.mark.e2e
def test_a_month_is_refreshed_and_equals_the_full_build() -> None:
    figure = refresh_figure("ci")
    assert figure.value is not None
    assert figure.value > 0
    assert figure.also["marts_unequal"] == 0
    assert figure.also["seconds"]["full"] > 0
    assert figure.n > 10_000
    assert figure.goal == "<= 0.1"
