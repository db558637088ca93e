"""Rules are computed in the database, all of them, on one snapshot, and no value of a row leaves it."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.adapters import gx, lake, quality
from headwater.adapters.home import Home
from headwater.content.quality import Outcome, SuiteResult
from headwater.content.suites import Suite, parse_suite
from headwater.errors import Refusal

CANARY = "110101199003078515"


def rule(type_: str, /, *, severity: str = "critical", unit: str | None = None, **kwargs: Any) -> dict[str, Any]:
    meta = {"why_zh": "因。", "why_en": "Because.", **({"unit": unit} if unit else {})}
    return {"type": f"expect_{type_}", "kwargs": kwargs, "severity": severity, "meta": meta}


def suite(*rules: dict[str, Any], **meta: Any) -> Suite:
    titles = {"title_zh": "首页", "title_en": "front pages", **meta}
    return parse_suite({"name": "raw__front_page", "meta": titles, "expectations": list(rules)}, name="raw__front_page")


@pytest.fixture
def lake_of(home: Home) -> Iterator[Any]:
    """Give a maker of a lake whose front pages are the rows given."""
    with lake.connect(home) as connection:

        def make(rows: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
            connection.register("given_rows", pa.Table.from_pylist(rows))
            connection.execute("CREATE OR REPLACE TABLE lake.raw.front_page AS FROM given_rows")
            return connection

        yield make


def check(connection: duckdb.DuckDBPyConnection, *suites: Suite) -> tuple[SuiteResult, ...]:
    with quality.frozen(connection) as (cursor, _):
        return gx.validate(cursor, suites)


def outcomes(connection: duckdb.DuckDBPyConnection, checked: Suite) -> tuple[Outcome, ...]:
    (result,) = check(connection, checked)
    return result.outcomes


def pages(**columns: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_a_type_the_library_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="expect_column_values_to_be_lovely") as refused:
        gx.build(
            suite(rule("column_values_to_be_lovely", column="age"), rule("table_row_count_to_be_between", unit="row"))
        )
    assert refused.value.code == "E-SUITE-DROPPED"


@pytest.mark.parametrize(
    "wrong",
    [
        rule("column_values_to_be_in_set", column="age", value_set=[1], tpyo=1),
        rule("column_values_to_match_pattern", column="age"),
        rule("groups_to_satisfy", groups="source_id", condition="true"),
    ],
)
def test_arguments_the_library_does_not_take_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="raw__front_page") as refused:
        gx.build(suite(wrong))
    assert refused.value.code == "E-SUITE-DROPPED"


def test_an_empty_suite_is_refused() -> None:
    whole = suite(rule("table_row_count_to_be_between", min_value=1, unit="row"))
    empty = Suite(whole.name, "raw", whole.entity, whole.relation, whole.title, False, (), ())
    with pytest.raises(Refusal, match="no rule") as refused:
        gx.build(empty)
    assert refused.value.code == "E-SUITE-EMPTY"


def test_all_suites_are_built_before_the_first_is_run(lake_of: Any) -> None:
    """A misspelt rule in the last suite must not cost the time of all the others."""
    connection = lake_of(pages(source_id=["a"], age=[1]))
    absent = parse_suite(
        {"name": "raw__nothing", "meta": {"title_zh": "无", "title_en": "n"}, "expectations": [rule("nonsense")]},
        name="raw__nothing",
    )
    with pytest.raises(Refusal, match="expect_nonsense"):
        check(connection, absent, suite(rule("table_row_count_to_be_between", min_value=1, unit="row")))


def test_a_relation_that_is_missing_is_refused(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"], age=[1]))
    absent = parse_suite(
        {
            "name": "marts__fct_stay", "meta": {"title_zh": "住院", "title_en": "stays"},
            "expectations": [rule("table_row_count_to_be_between", min_value=1, unit="row")],
        },
        name="marts__fct_stay",
    )  # fmt: skip
    with pytest.raises(Refusal, match=r"marts\.fct_stay") as refused:
        check(connection, absent)
    assert refused.value.code == "E-QUALITY-RELATION"


def test_an_empty_relation_fails_unless_it_may_be_empty(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"], age=[1]))
    connection.execute("DELETE FROM lake.raw.front_page")
    counted = rule("table_row_count_to_be_between", min_value=1, unit="row")
    (must,) = check(connection, suite(counted))
    assert [outcome.success for outcome in must.outcomes] == [False]
    assert must.outcomes[0].stops
    (may,) = check(connection, suite(counted, may_be_empty=True))
    assert may.is_empty
    assert may.rows == 0


def test_counts_leave_out_what_was_not_judged(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"] * 5, age=[1, 200, None, None, 3]))
    (outcome,) = outcomes(
        connection, suite(rule("column_values_to_be_between", column="age", max_value=120, unit="year"))
    )
    assert (outcome.element_count, outcome.unexpected_count) == (3, 1)
    assert outcome.unexpected_percent == pytest.approx(100 / 3)


def test_severity_decides_whether_a_failure_stops(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"], age=[200]))
    within = {"column": "age", "max_value": 120, "unit": "year"}
    warned = outcomes(connection, suite(rule("column_values_to_be_between", severity="warning", **within)))
    failed = outcomes(connection, suite(rule("column_values_to_be_between", severity="critical", **within)))
    assert [(o.severity, o.success, o.stops) for o in warned + failed] == [
        ("warning", False, False), ("error", False, True),
    ]  # fmt: skip


def test_a_failure_is_traced_to_its_sources_worst_first(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=list("aaaabbbbccd"), age=[1, 2, 3, 200, 200, 200, 200, 1, 5, 6, None]))
    (outcome,) = outcomes(
        connection, suite(rule("column_values_to_be_between", column="age", max_value=120, unit="year"))
    )
    assert [(s.source_id, s.unexpected_count, s.element_count, s.success) for s in outcome.by_source] == [
        ("b", 3, 4, False), ("a", 1, 4, False), ("c", 0, 2, True), ("d", 0, 0, True),
    ]  # fmt: skip


def test_an_aggregate_is_observed_in_each_source(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=list("aabb"), age=[10, 20, 300, 500]))
    (outcome,) = outcomes(
        connection, suite(rule("column_mean_to_be_between", column="age", max_value=120, unit="year"))
    )
    assert outcome.observed == "207.5"
    assert [(share.source_id, share.observed, share.success) for share in outcome.by_source] == [
        ("b", "400", False), ("a", "15", True),
    ]  # fmt: skip


def test_quantiles_are_observed(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"] * 101, age=list(range(101))))
    ranges = {"quantiles": [0.05, 0.5], "value_ranges": [[0, 10], [40, 60]]}
    wanted = rule("column_quantile_values_to_be_between", column="age", quantile_ranges=ranges, unit="year")
    (outcome,) = outcomes(connection, suite(wanted))
    assert outcome.success
    assert outcome.observed == "P5 5 · P50 50"


def test_groups_are_judged_and_named(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=list("aaab"), age=[1, 2, 3, 4], mdtrt_id=["1", "2", "3", "4"]))
    named = rule("groups_to_satisfy", groups=["source_id"], condition="count(*) >= 2")
    forgiven = rule("groups_to_satisfy", groups=["source_id"], condition="count(*) >= 2", mostly=0.5)
    counted = rule("groups_to_satisfy", groups=["mdtrt_id"], condition="count(*) >= 2")
    first, second, third = outcomes(connection, suite(named, forgiven, counted))
    assert (first.success, first.observed, first.unexpected_count, first.element_count) == (False, "b", 1, 2)
    assert second.success
    assert (third.success, third.observed, third.unexpected_count) == (False, None, 4)


def test_no_value_of_a_row_is_in_a_result(lake_of: Any) -> None:
    """Not even where a clerk wrote an identity number into the column of sex."""
    connection = lake_of(pages(source_id=["a", "b"], psn_no=[CANARY] * 2, gend=[CANARY, "1"], mdtrt_id=[CANARY, "x"]))
    checked = suite(
        rule("column_values_to_match_pattern", column="psn_no", pattern="p[0-9a-f]{4}_[a-z2-7]{26}"),
        rule("column_values_to_be_in_set", column="gend", value_set=["1"]),
        rule("column_distinct_values_to_be_in_set", column="gend", value_set=["1"]),
        rule("column_unique_value_count_to_be_between", column="gend", max_value=1, unit="count"),
        rule("groups_to_satisfy", groups=["mdtrt_id"], condition="false"),
        rule("groups_to_satisfy", groups=["gend"], condition="false"),
        rule("column_values_to_satisfy", column="psn_no", condition="cast(psn_no AS tinyint) > 0"),
    )
    found = outcomes(connection, checked)
    assert not any(outcome.success for outcome in found)
    assert CANARY not in repr(found)


def test_a_rule_that_cannot_be_computed_stops_and_spoils_no_other(lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"], age=[1], name=[CANARY]))
    broken, absent, sound = outcomes(
        connection,
        suite(
            rule("column_values_to_satisfy", severity="warning", column="age", condition="cast(name AS tinyint) > 0"),
            rule("column_mean_to_be_between", severity="warning", column="height", min_value=1, unit="count"),
            rule("column_mean_to_be_between", column="age", min_value=1, unit="year"),
        ),
    )
    assert broken.error is not None
    assert re.fullmatch(r"[A-Za-z]+", broken.error)
    assert absent.error is not None
    assert broken.stops
    assert absent.stops
    assert sound.success
    assert sound.error is None


def test_all_rules_see_one_snapshot(home: Home, lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a", "a"], age=[1, 2]))
    counted = suite(rule("table_row_count_to_equal", value=2))
    with lake.connect(home) as writer, quality.frozen(connection) as (cursor, snapshot):
        writer.execute("INSERT INTO lake.raw.front_page VALUES ('a', 3)")
        ((before,),) = [result.outcomes for result in gx.validate(cursor, [counted])]
        assert before.success
        assert lake.snapshot(writer) > snapshot
    ((after,),) = [result.outcomes for result in check(connection, counted)]
    assert not after.success


def test_a_lake_that_moves_under_a_broken_rule_is_refused(home: Home, lake_of: Any) -> None:
    connection = lake_of(pages(source_id=["a"], age=[1], name=["x"]))
    broken = suite(rule("column_values_to_satisfy", column="age", condition="cast(name AS tinyint) > 0"))

    def check_while_another_writes() -> None:
        with lake.connect(home) as writer, quality.frozen(connection) as (cursor, _):
            writer.execute("INSERT INTO lake.raw.front_page VALUES ('a', 3, 'y')")
            gx.validate(cursor, [broken])

    with pytest.raises(Refusal) as refused:
        check_while_another_writes()
    assert refused.value.code == "E-LAKE-MOVED"


def test_nothing_is_sent_over_a_network(lake_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = lake_of(pages(source_id=["a"], age=[1]))

    def refuse(*arguments: object, **_: object) -> None:
        raise AssertionError(f"a connection was asked for: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert outcomes(connection, suite(rule("table_row_count_to_be_between", min_value=1, unit="row")))[0].success


VALUES = st.lists(st.one_of(st.none(), st.integers(-5, 130)), min_size=1, max_size=40)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(ages=VALUES, low=st.integers(-5, 60), width=st.integers(0, 80))
def test_counts_agree_with_python(ages: list[int | None], low: int, width: int) -> None:
    """What the database counts is what a loop over the same values counts."""
    judged = [age for age in ages if age is not None]
    expected = [
        sum(not low <= age <= low + width for age in judged),
        sum(age not in (1, 2, 9) for age in judged),
        sum(age in (1, 2, 9) for age in judged),
        sum(not re.fullmatch(r"-?[0-9]{1,2}", str(age)) for age in judged),
        sum(age % 2 == 0 for age in judged),
    ]
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw; USE lake")
        table = pa.table(
            {
                "age": pa.array(ages, pa.int64()),
                "word": pa.array([None if a is None else str(a) for a in ages], pa.string()),
            }
        )
        connection.register("given_rows", table)
        connection.execute("CREATE TABLE lake.raw.front_page AS FROM given_rows")
        checked = suite(
            rule("column_values_to_be_between", column="age", min_value=low, max_value=low + width, unit="year"),
            rule("column_values_to_be_in_set", column="age", value_set=[1, 2, 9]),
            rule("column_values_to_not_be_in_set", column="age", value_set=[1, 2, 9]),
            rule("column_values_to_match_pattern", column="word", pattern="-?[0-9]{1,2}"),
            rule("column_values_to_satisfy", column="age", condition="age % 2 <> 0"),
        )
        ((*found,),) = [result.outcomes for result in gx.validate(connection, [checked])]
    assert [outcome.unexpected_count for outcome in found] == expected
    assert [outcome.element_count for outcome in found] == [len(judged)] * 5
    assert [outcome.success for outcome in found] == [count == 0 for count in expected]
