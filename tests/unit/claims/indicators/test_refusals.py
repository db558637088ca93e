"""Whatever is wrong is refused in its place, and nothing else is ever raised."""

import re
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headwater.bench.indicator_faults import FAULTY, KNOWN, Faulty, is_refused_in_place
from headwater.claims.indicators import FAULTS, Catalogue, FormulaRefusal, Indicator, check, compile_sql, parse
from headwater.errors import Refusal

COUNT = Indicator(name="here", zh="x", en="x", formula="count()", unit="stay", owner="x", version=1)


def test_there_are_enough_faulty_formulas() -> None:
    assert len(FAULTY) >= 130
    assert {one.kind for one in FAULTY} == {"malformed", "circular", "unit", "type", "name", "injection", "scope"}
    assert len({(one.part, one.text, one.unit) for one in FAULTY}) == len(FAULTY)


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda one: f"{one.kind}: {one.marked.strip()[:40]!a}")
def test_a_faulty_formula_is_refused_in_its_place(faulty: Faulty, catalogue: Catalogue) -> None:
    assert is_refused_in_place(faulty, catalogue)


def test_what_is_not_faulty_is_not_said_to_be_refused(catalogue: Catalogue) -> None:
    assert not is_refused_in_place(Faulty("malformed", "‹count()›", unit="stay"), catalogue)
    assert not is_refused_in_place(Faulty("malformed", "count() ‹+› )", unit="stay"), catalogue)


def test_every_fault_is_met_and_said_in_both_languages(catalogue: Catalogue) -> None:
    met = set()
    for one in FAULTY:
        with pytest.raises(FormulaRefusal) as refused:
            check(one.indicator, catalogue, KNOWN)
        met.add(refused.value.fault)
        for text in (refused.value.told.zh, refused.value.told.en):
            assert not re.search(r"\{[a-z_]+\}", text.replace("{ drug", "")), text
        assert re.search(r"[\u4e00-\u9fff]", refused.value.told.zh)
    # Three more are limits and words of single tokens, met in the tests below.
    assert set(FAULTS) - met <= {"ambiguous", "two_currencies"} | met
    assert len(met) >= len(FAULTS) - 4


def test_a_refusal_names_line_and_column_of_its_text() -> None:
    with pytest.raises(FormulaRefusal) as refused:
        parse("sum(drug_amount)\n  + ;")
    assert (refused.value.line, refused.value.column, refused.value.piece) == (2, 5, ";")
    assert refused.value.reason.zh.startswith("公式第 2 行第 5 列：")
    assert refused.value.reason.en.startswith("Formula, line 2, column 5: ")


def test_a_circle_is_told_with_its_path(catalogue: Catalogue) -> None:
    with pytest.raises(FormulaRefusal, match="loop_b → loop_c → loop_a → loop_b"):
        check(replace(COUNT, formula="@loop_b", unit="1"), catalogue, KNOWN)
    with pytest.raises(FormulaRefusal, match="here → back → here"):
        check(replace(COUNT, formula="@back", unit="1"), catalogue, KNOWN)


def test_a_number_is_told_how_to_get_its_unit(catalogue: Catalogue) -> None:
    with pytest.raises(FormulaRefusal, match="65 year"):
        check(replace(COUNT, formula="count(where age_years > 65)"), catalogue)


def test_a_grain_is_of_published_dimensions(catalogue: Catalogue) -> None:
    for grain in (("psn_no",), ("hospital_id; drop",), ("medfee_sumamt",), ("hospital_id", "hospital_id")):
        with pytest.raises(Refusal, match="E-INDICATOR"):
            check(replace(COUNT, grain=grain), catalogue)


_WORDS = st.sampled_from(
    [
        *("sum", "count", "avg", "if", "share_of", "(", ")", "(", ")", ",", "+", "-", "*", "/", "where", "and", "or"),
        *("not", "in", "is", "missing", "known", "=", "<", "drug_amount", "stay_days", "is_dead", "hosp_lv", "'3'"),
        *("10", "5 day", "1 CNY", "%", "@fine", "@loop_a", "stay.", "item_use.amount", "distinct", "psn_no", "true"),
        *(";", "--", "'", '"', "\x00", "（", "\u202e", "药", "starts", "0", "quantile", "median"),
    ]
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(text=st.one_of(st.text(max_size=80), st.lists(_WORDS, max_size=25).map(" ".join)))
@example(text="(" * 1900)
@example(text="-" * 1900)
@example(text="not " * 490)
@example(text="-" + " -" * 900 + "1")
@example(text="count()" + "+count()" * 240)
@example(text="count(where " + "is_dead and " * 120 + "is_dead)")
@example(text="sum(" * 300)
@example(text="x" * 5000)
@example(text="if(" * 200 + "1")
def test_garbage_is_refused_or_one_select(text: str, lab: Any) -> None:
    for part in ("formula", "scope"):
        indicator = replace(COUNT, **{part: text})
        refused = _refusal(indicator, lab.catalogue)
        if refused is None:
            assert is_one_select(compile_sql([check(indicator, lab.catalogue, KNOWN)], lab.catalogue))
        else:
            assert 0 <= refused.span.start <= refused.span.end <= len(refused.source.text)
            assert min(refused.line, refused.column) >= 1


def _refusal(indicator: Indicator, catalogue: Catalogue) -> FormulaRefusal | None:
    try:
        check(indicator, catalogue, KNOWN)
    except FormulaRefusal as refusal:
        return refusal
    return None


def is_one_select(sql: str) -> bool:
    """Tell whether DuckDB's own parser reads a text as one SELECT."""
    statements = duckdb.extract_statements(sql)
    return [one.type for one in statements] == [duckdb.StatementType.SELECT]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(text=st.text(max_size=40))
@example(text="'; drop table x; --")
@example(text="3 or 1=1")
def test_a_text_stays_a_text(text: str, lab: Any) -> None:
    # A quote ends the text; what follows is of the formula, and is checked as such.
    indicator = replace(COUNT, formula=f"count(where hosp_lv = '{text}')")
    if "'" not in text and _refusal(indicator, lab.catalogue) is None:
        sql = compile_sql([check(indicator, lab.catalogue)], lab.catalogue)
        assert is_one_select(sql)
        assert f"'{text}'" in sql


def test_a_chain_without_end_is_refused(catalogue: Catalogue) -> None:
    chain = {f"c{at}": replace(COUNT, name=f"c{at}", formula=f"@c{at + 1}") for at in range(500)}
    assert check(chain["c499"], catalogue, {"c500": replace(COUNT, name="c500")}).references == ("c500",)
    with pytest.raises(FormulaRefusal, match="deeper than 64"):
        check(chain["c0"], catalogue, {**chain, "c500": replace(COUNT, name="c500")})
