"""Regions are listed by the sources they really have."""

import pytest

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.errors import Refusal
from headwater.steps.regions import regions


def write(home: Home, *stays: tuple[str, str, str, str, int]) -> None:
    with lake.connect(home) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE lake.marts.feat_stay_cost"
            " (region VARCHAR, source_id VARCHAR, hospital VARCHAR, split VARCHAR)"
        )
        for region, source, hospital, split, count in stays:
            connection.execute(
                "INSERT INTO lake.marts.feat_stay_cost SELECT ?, ?, ?, ? FROM range(?)",
                [region, source, hospital, split, count],
            )


def test_a_region_needs_sources_and_a_source_needs_stays(home: Home) -> None:
    write(
        home,
        ("楚源省", "h1", "H1", "source", 100),
        ("楚源省", "h2", "H2", "source", 250),
        ("楚源省", "h3", "H3", "source", 99),
        ("小县", "h4", "H4", "source", 500),
        ("小县", "h5", "H5", "source", 60),
        ("小县", "h5", "H5", "target_train", 60),
    )
    found = regions(home)
    assert found.to_dict() == {"usable": ["楚源省"], "small": {"小县": 1}}
    assert regions(home, min_stays=60).usable == ("小县", "楚源省")
    assert regions(home, min_sources=3, min_stays=99).usable == ("楚源省",)


def test_two_deliverers_of_one_code_are_two_sources(home: Home) -> None:
    write(home, ("A", "x", "1", "source", 100), ("A", "y", "1", "source", 100))
    assert regions(home).usable == ("A",)


def test_no_mart_and_no_region_are_refused(home: Home) -> None:
    with pytest.raises(Refusal, match="E-FEATURE-MART"):
        regions(home)
    write(home, ("A", "x", "1", "source", 100))
    with pytest.raises(Refusal, match="E-NO-REGION"):
        regions(home)
