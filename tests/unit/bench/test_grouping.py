"""The engine against a reading of the rules that shares no line with it."""

import importlib.util
from collections import Counter

import pytest

from headwater.bench.grouping_plans import PLANS, agreement, labelled
from headwater.bench.grouping_sources import Converter, from_simulation
from headwater.claims.grouping import load_plan

_SOME = {"count": 1_500}


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Give the small plan of the unit tests of grouping."""
    from pathlib import Path

    file = Path(__file__).parents[1] / "claims" / "grouping" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_plan", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.published.__wrapped__(tmp_path_factory)


def test_a_small_plan_is_grouped_alike_and_reached_whole(published):
    found = agreement(published, 4_000, seed=5)
    assert found["differing"] == []
    assert found["reached"] == found["drgs"]


@pytest.mark.parametrize("name", PLANS)
def test_published_plans_are_grouped_alike(data, name):
    found = agreement(data / "opendrg_chs" / name, **_SOME)
    assert found["differing"] == []
    assert found["reached"] > 0.7 * found["drgs"]


def test_every_labelled_case_is_right_and_the_one_that_the_reference_misses_is_known(data):
    assert labelled(data / "opendrg_chs") == {"labelled": 24, "right": 24, "lost_where_sex_is_text": ["case03"]}


def test_codes_are_converted_by_their_beginning():
    converter = Converter(["I63.900", "I63.901", "J18.900", "A01.000"], ["36.0700x004", "36.0601"])
    assert converter.icd10("I639") == "I63.900"
    assert converter.icd10("J189") == "J18.900"
    assert converter.icd9_operation("3607") == "36.0700x004"
    assert converter.icd9_operation("9999") == "9999"
    assert converter.icd9("4019").startswith("I")
    assert converter.icd9("E8889") == "E8889"


def test_stays_of_the_simulated_region_are_grouped_by_the_plan_of_our_own():
    from headwater.bench.grouping_cases import as_table

    plan = load_plan("dbt_project/plans/headwater_demo")
    cases = from_simulation(3_000, seed=1)
    grouped = plan.group(as_table(cases))
    status = Counter(grouped["status"].to_pylist())
    assert status["grouped"] > 0.95 * len(cases)
    levels = Counter((drg or "?")[3:] for drg in grouped["drg"].to_pylist())
    assert min(levels[level] for level in "135") > 100
