import pytest

from headwater.adapters.home import Home
from headwater.bench import grouping_indicators
from headwater.bench.grouping_indicators import figures, varied
from headwater.bench.indicator_faults import FAULTY
from headwater.content.fields import read_fields


def test_the_figure_counts_what_it_did(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"_STAYS": 3_000, "_INDICATORS": 24, "_SINGLY": {"ci": 6}}.items():
        monkeypatch.setattr(grouping_indicators, name, value)
    figure = figures("ci", None)["D5"]
    assert figure.n == 24
    assert figure.also["values"] > 100
    assert (figure.also["failed"], figure.also["unequal_to_baseline"]) == (0, 0)
    assert figure.also["refused_in_place"] == figure.also["faulty_formulas"] == len(FAULTY)


def test_two_hundred_indicators_are_varied():
    checked = varied(read_fields(Home.from_environment().project), 200)
    said = [one.indicator for one in checked]
    assert len({one.name for one in said}) == 200
    assert len({(one.formula, one.scope, one.grain) for one in said}) > 190
    assert len({one.grain for one in said}) == 4
    assert sum(bool(one.references) for one in checked) == 20
