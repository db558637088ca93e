"""Every suite keeps all its rules, passes a good lake, and every single rule fails on a lake that breaks it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import yaml

from headwater.adapters import gx, lake, postgres, quality, raw
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.content.quality import SuiteResult
from headwater.content.suites import IDENTIFIERS, STAGES, Expectation, Suite, parse_suite, read_suites
from headwater.content.wording import demand
from headwater.errors import Refusal

PROJECT = Path(__file__).resolve().parents[2]
SUITES = {suite.name: suite for suite in read_suites(PROJECT / "expectations")}
RULES = [(name, rule) for name, suite in SUITES.items() for rule in suite.expectations]

COUNTS = {
    "raw__consumable": 5, "raw__diagnosis": 4, "raw__drug": 5, "raw__fee_line": 9, "raw__front_page": 16,
    "raw__operation": 3, "staging__diagnosis": 2, "staging__fee_line": 4, "staging__front_page": 8,
    "staging__service_item": 3, "marts__dim_hospital": 5, "marts__fct_fee_line": 4, "marts__fct_stay": 10,
    "marts__feat_stay_cost": 12, "marts__ind_disease_spectrum": 5, "staging__settlement": 2, "marts__fct_settlement": 2,
    "marts__fct_item_use": 3, "marts__fct_finding": 3, "marts__ind_drug_use": 3, "marts__ind_consumable_use": 3,
    "marts__dim_item": 3, "marts__ind_item_price": 2, "marts__fct_stay_group": 2, "marts__fct_payment": 3,
    "marts__ind_case_mix": 1, "marts__ind_cost_consumption": 1,
    "marts__ind_comparison": 2, "marts__ind_extreme_stay": 2, "marts__ind_budget_use": 1,
    "marts__ind_common_disease": 1, "marts__ind_special_payment": 1, "marts__ind_group_coverage": 1,
    "marts__ind_low_risk_mortality": 1, "marts__ind_outlier_stay": 1, "marts__ind_payment_balance": 1,
    "marts__ind_time_consumption": 1,
}  # fmt: skip

# How a lake breaks each rule.
TWINS = yaml.safe_load((Path(__file__).parent / "bad_twins.yml").read_text(encoding="utf-8"))
CASES = [
    (suite, twin["sql"], twin["rule"], twin.get("columns", ""), twin.get("sign", ""))
    for suite, twins in TWINS.items()
    for twin in twins
]


@pytest.fixture(scope="module")
def good(databases: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to a lake in which every rule holds."""
    home = Home(root=tmp_path_factory.mktemp("home"), project=PROJECT).create()
    postgres.prepare(home)
    with lake.connect(home) as connection:
        raw.create_tables(home, connection)
        connection.execute("USE lake")
        connection.execute("BEGIN")
        for statement in (Path(__file__).parent / "good_lake.sql").read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("COMMIT")
        yield connection


def _judged(connection: duckdb.DuckDBPyConnection, suite: Suite, statement: str) -> SuiteResult:
    """Return the verdicts once ``statement`` has run; nothing of it stays."""
    with quality.frozen(connection) as (cursor, _):
        cursor.execute(statement)
        (result,) = gx.validate(cursor, [suite])
    return result


def test_no_suite_has_shrunk() -> None:
    assert {name: len(suite.expectations) for name, suite in SUITES.items()} == COUNTS


@pytest.mark.parametrize("name", sorted(SUITES))
def test_every_rule_written_is_kept(name: str) -> None:
    assert len(gx.build(SUITES[name]).expectations) == COUNTS[name] > 0


def test_a_good_lake_passes_every_rule(good: duckdb.DuckDBPyConnection) -> None:
    with quality.frozen(good) as (cursor, _):
        results = gx.validate(cursor, list(SUITES.values()))
    assert [outcome for result in results for outcome in result.outcomes if not outcome.success] == []
    assert sum(len(result.outcomes) for result in results) == sum(COUNTS.values())


@pytest.mark.parametrize(
    ("suite", "statement", "type_", "columns", "sign"), CASES, ids=[f"{case[0]}-{case[2]}-{case[3]}" for case in CASES]
)
def test_a_bad_twin_fails_the_rule_it_breaks(
    good: duckdb.DuckDBPyConnection, suite: str, statement: str, type_: str, columns: str, sign: str
) -> None:
    (rule,) = _named(suite, type_, columns, sign)
    (outcome,) = _judged(good, replace(SUITES[suite], expectations=(rule,)), statement).outcomes
    assert not outcome.success
    assert outcome.error is None


def _named(suite: str, type_: str, columns: str, sign: str) -> list[Expectation]:
    return [
        rule
        for rule in SUITES[suite].expectations
        if (rule.type, ", ".join(rule.columns)) == (f"expect_{type_}", columns) and sign in rule.arguments
    ]


def test_every_rule_has_a_bad_twin() -> None:
    broken = {(case[0], rule) for case in CASES for rule in _named(case[0], *case[2:])}
    assert broken == set(RULES)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_rule_is_said_in_words(language: str) -> None:
    for _, rule in RULES:
        words = getattr(demand(rule), language)
        assert not words.startswith("expect_")
        assert words == words.strip()


def test_reasons_are_written_in_their_language() -> None:
    for _, rule in RULES:
        assert re.search(r"[\u4e00-\u9fff]", rule.why.zh)
        assert not re.search(r"[\u4e00-\u9fff]", rule.why.en)
        assert rule.why.zh.endswith("。")
        assert rule.why.en.endswith(".")


def test_every_column_of_a_suite_exists() -> None:
    """A rule on a column that no longer exists would only be found at run time."""
    for suite in SUITES.values():
        known = _columns(suite)
        named = {column for rule in suite.expectations for column in rule.columns}
        assert named | {drawn.column for drawn in suite.distributions} <= known, suite.name


def _columns(suite: Suite) -> set[str]:
    entity = suite.name.partition("__")[2]
    if suite.stage == "marts":
        (file,) = (PROJECT / "dbt_project/models/marts").rglob(f"{entity}.yml")
        return {column["name"] for column in yaml.safe_load(file.read_text(encoding="utf-8"))["models"][0]["columns"]}
    return {"source_id", "batch_id", "row_no"} | {field.name for field in ENTITIES[entity].fields}


# What dbt's tests and the library's rules are called when they say the same thing.
SAME = {
    "not_null": {"expect_column_values_to_not_be_null", "expect_column_proportion_of_non_null_values_to_be_between"},
    "unique": {"expect_column_values_to_be_unique", "expect_column_proportion_of_unique_values_to_be_between"},
    "accepted_values": {"expect_column_values_to_be_in_set", "expect_column_distinct_values_to_be_in_set"},
    "unique_grain": {"expect_compound_columns_to_be_unique"},
    "sums_to": {"expect_multicolumn_sum_to_equal"},
}


def test_no_rule_stands_in_dbt_as_well() -> None:
    ours = {
        (suite.relation.partition(".")[2], column, rule.type)
        for suite in SUITES.values()
        for rule in suite.expectations
        for column in rule.columns
    }
    theirs = {(model, column, same) for model, column, test in _dbt_tests() for same in SAME.get(test, ())}
    assert len(theirs) > 20
    assert not ours & theirs


def _dbt_tests() -> Iterator[tuple[str, str, str]]:
    for file in (PROJECT / "dbt_project/models").rglob("*.yml"):
        for model in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("models") or []:
            for test in model.get("data_tests", []):
                yield model["name"], "", test if isinstance(test, str) else next(iter(test))
            for column in model.get("columns", []):
                for test in column.get("data_tests", []):
                    yield model["name"], column["name"], test if isinstance(test, str) else next(iter(test))


def _written(**changes: object) -> dict[str, object]:
    suite = json.loads((PROJECT / "expectations/raw__diagnosis.json").read_text(encoding="utf-8"))
    return {**suite, **changes}


def _with_rule(**changes: object) -> dict[str, object]:
    rule = {
        "type": "expect_column_values_to_be_between", "kwargs": {"column": "diag_srt", "min_value": 1},
        "severity": "critical", "meta": {"why_zh": "因。", "why_en": "Because.", "unit": "count"},
    }  # fmt: skip
    return _written(expectations=[{**rule, **changes}])


@pytest.mark.parametrize(
    ("written", "where"),
    [
        (_written(expectations=[]), "expectations"),
        (_written(name="raw__other"), "name"),
        (_written(extra=1), "extra"),
        (_written(meta={"title_zh": "诊断"}), "title"),
        (_written(meta={"title_zh": "诊断", "title_en": "d", "colour": "red"}), "colour"),
        (_with_rule(severity="fatal"), "severity"),
        (_with_rule(notes="x"), "notes"),
        (_with_rule(meta={"why_zh": "因。", "why_en": "Because."}), "unit"),
        (_with_rule(meta={"why_zh": "因。", "why_en": "Because.", "unit": "parsec"}), "unit"),
        (_with_rule(meta={"why_zh": "因。", "unit": "count"}), "why"),
        (_with_rule(type="expect_column_max_to_be_between", kwargs={"column": "diag_srt", "min_value": 1}), "type"),
        (_with_rule(type="expect_column_median_to_be_between", kwargs={"column": "mdtrt_id", "min_value": 1}), "type"),
        (_with_rule(type="expect_column_distinct_values_to_be_in_set", kwargs={"column": "psn_no"}), "type"),
    ],
)
def test_a_suite_that_is_wrong_is_refused_at_the_place(written: dict[str, object], where: str) -> None:
    with pytest.raises(Refusal, match=where) as refused:
        parse_suite(written, name="raw__diagnosis")
    assert refused.value.code == "E-SUITE"


@pytest.mark.parametrize(
    "drawn",
    [
        {"column": "mdtrt_id", "breaks": [1, 2]},
        {"column": "age", "breaks": [2, 1]},
        {"column": "age"},
        {"column": "age", "breaks": [1], "labels": {"1": ["一", "one"]}},
        {"column": "gend", "labels": {"1": "male"}},
    ],
)
def test_a_distribution_that_is_wrong_is_refused(drawn: dict[str, object]) -> None:
    drawn = {"title_zh": "图", "title_en": "d", "unit": "row", **drawn}
    meta = {"title_zh": "诊断", "title_en": "d", "distributions": [drawn]}
    with pytest.raises(Refusal, match=str(drawn["column"])):
        parse_suite(_written(meta=meta), name="raw__diagnosis")


@pytest.mark.parametrize("name", ["diagnosis", "lake__diagnosis", "raw__"])
def test_a_suite_is_named_for_its_stage_and_entity(name: str) -> None:
    with pytest.raises(Refusal, match="named"):
        parse_suite(_written(name=name), name=name)


def test_a_rule_is_not_written_twice() -> None:
    rule = _with_rule()["expectations"][0]  # type: ignore[index]
    with pytest.raises(Refusal, match="differ"):
        parse_suite(_written(expectations=[rule, rule]), name="raw__diagnosis")


def test_suites_come_in_the_order_of_the_flow() -> None:
    stages = [suite.stage for suite in read_suites(PROJECT / "expectations")]
    assert stages == sorted(stages, key=STAGES.index)
    assert [suite.entity for suite in read_suites(PROJECT / "expectations", stages=("staging",))] == [
        "front_page", "diagnosis", "settlement", "fee_line", "service_item",
    ]  # fmt: skip


def test_a_folder_without_suites_or_with_broken_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="at least one suite"):
        read_suites(tmp_path)
    drug = (PROJECT / "expectations/raw__drug.json").read_text(encoding="utf-8")
    (tmp_path / "raw__drug.json").write_text(drug, encoding="utf-8")
    assert [suite.name for suite in read_suites(tmp_path, stages=("raw",))] == ["raw__drug"]
    with pytest.raises(Refusal, match="at least one suite"):
        read_suites(tmp_path)
    (tmp_path / "raw__drug.json").write_text("{", encoding="utf-8")
    with pytest.raises(Refusal, match=r"raw__drug\.json"):
        read_suites(tmp_path)


def test_identifiers_are_those_of_persons_stays_and_bills() -> None:
    assert {"psn_no", "mdtrt_id", "setl_id", "feedetl_sn", "stay_id"} == IDENTIFIERS
