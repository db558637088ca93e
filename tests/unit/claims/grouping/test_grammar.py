"""Rules are read as written, and refused at the place of their fault."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.claims.grouping.grammar import (
    All,
    Always,
    Any,
    Comparison,
    Complicated,
    Count,
    Fact,
    Marked,
    Member,
    Not,
    parse,
)
from headwater.errors import Refusal

ONE, TWO, FOUR = (Marked("operation", mark) for mark in "124")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ALWAYS", Always()),
        ("(MCC or CC)", Any((Complicated("MCC"), Complicated("CC")))),
        ("(not ANYOP in SS_VALID)", Not(Member("ANYOP", "SS_VALID"))),
        ("PDX in a and (SEX == 1)", All((Member("PDX", "a"), Comparison(Fact("SEX"), "==", 1.0)))),
        ("(int(AGE_Y) == 0)", Comparison(Fact("AGE_Y", whole=True), "==", 0.0)),
        ("6 <= LOS_DAYS < 13", All((Comparison(6.0, "<=", Fact("LOS_DAYS")), Comparison(Fact("LOS_DAYS"), "<", 13.0)))),
        ("count(zd_matched) >= 2", Comparison(Count("diagnosis"), ">=", 2.0)),
        (
            "'1' in ss_matched and '2' in ss_matched or ('1' in ss_matched and ('4' in ss_matched))",
            Any((All((ONE, TWO)), All((ONE, FOUR)))),
        ),
        ("not MCC and CC", All((Not(Complicated("MCC")), Complicated("CC")))),
    ],
)
def test_reads(text, rule):
    assert parse(text) == rule


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1),
        ("PDX", 4),
        ("PDX in", 7),
        ("PDX in 3", 8),
        ("PDX in a PDX in b", 10),
        ("(MCC or CC", 11),
        ("MCC or", 7),
        ("AGE_Y <", 8),
        ("AGE_Y = 3", 7),
        ("AGE_Q < 3", 1),
        ("__import__('os')", 1),
        ("PDX in a; drop", 9),
        ("SEX", 4),
        ("'1' in adrg_ss", 8),
        ("count(adrg_ss) > 1", 7),
        ("MCC\n and ∑", 10),
    ],
)
def test_refuses_at_the_place_of_the_fault(text, place):
    with pytest.raises(Refusal) as refused:
        parse(text, where="BB1")
    assert refused.value.code == "E-PLAN-RULE"
    assert f"character {place} " in refused.value.reason.en
    assert f"第 {place} 个字符" in refused.value.reason.zh
    assert "BB1" in refused.value.reason.en


def test_deep_nesting_is_refused_instead_of_overflowing():
    with pytest.raises(Refusal, match="nested"):
        parse("(" * 5000 + "MCC" + ")" * 5000)
    with pytest.raises(Refusal, match="nested"):
        parse("not " * 5000 + "MCC")
    with pytest.raises(Refusal, match="at character 101 "):
        parse("(" * 200_000)


def test_a_refusal_shows_what_stands_around_the_fault():
    parts = [f"PDX in list{at}" for at in range(2_000)]
    parts[1_000] = "PDX on here"
    text = " or ".join(parts)
    with pytest.raises(Refusal) as refused:
        parse(text, where="BB1")
    for told in (refused.value.reason.en, refused.value.reason.zh):
        assert "PDX in list999 or PDX on here or PDX in list1001" in told
        assert str(text.index("on here") + 1) in told
        assert len(told) <= 200
    with pytest.raises(Refusal) as refused:
        parse("MCC" + " " * 100_000 + "x")
    assert len(refused.value.reason.en) <= 200


def test_a_rule_of_many_parts_is_read_in_linear_time():
    def seconds(size):
        parts = [f"(PDX in {'list' * 75}{at} and AGE_Y < {at})" for at in range(size)]
        started = time.process_time()
        assert len(parse(" or ".join(parts)).rules) == size
        return time.process_time() - started

    # Eight times the rule; sixty-four times where what remains is copied at every word.
    assert min(seconds(8_000) for _ in range(2)) < 24 * min(seconds(1_000) for _ in range(3))


@given(st.text(alphabet="()<>='12 PDXinadorCMSE_Yt", max_size=40))
def test_whatever_is_no_rule_is_refused_and_nothing_else(text):
    with contextlib.suppress(Refusal):
        parse(text)
