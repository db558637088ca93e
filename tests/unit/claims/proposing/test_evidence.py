"""What values of columns say."""

import pytest

from headwater.claims.canonical import ENTITIES
from headwater.claims.proposing.dates import DateForm, date_form
from headwater.claims.proposing.evidence import code_of, fit, folded, profile
from headwater.claims.proposing.rules import in_fen, rule

FRONT, LINE = ENTITIES["front_page"], ENTITIES["fee_line"]


@pytest.mark.parametrize(
    ("values", "format_"),
    [
        (["2024-01-05", "2024-1-25 10:30"], None),
        (["20240105", "20240125103000"], None),
        (["2024年1月5日"] * 3, None),
        (["05/01/2024", "25/01/2024"], "%d/%m/%Y"),
        (["01/05/2024", "01/25/2024"], "%m/%d/%Y"),
        (["05.01.2024 10:30:00", "25.01.2024 11:30:00"], "%d.%m.%Y %H:%M:%S"),
        (["2024-01-05T10:30:00Z"] * 3, "%Y-%m-%dT%H:%M:%SZ"),
        (["2024年1月5日 10:30"] * 3, "%Y年%m月%d日 %H:%M"),
        (["05-Jan-2024"] * 3, "%d-%b-%Y"),
    ],
)
def test_dates_get_a_format_only_where_the_general_reader_needs_one(values: list[str], format_: str | None):
    form = date_form(values)
    assert form is not None
    assert form.format == format_


def test_dates_that_could_be_read_both_ways_are_called_ambiguous():
    form = date_form(["05/01/2024", "06/02/2024"])
    assert form == DateForm("%d/%m/%Y", 1.0, ambiguous=True)
    told = rule(FRONT.field("begntime"), profile(["05/01/2024", "06/02/2024"]))
    assert len(told.notes) == 1


def test_words_amounts_and_codes_are_no_dates():
    for values in (["男", "女"], ["12.50", "1,200.00"], ["A00.100", "I10.x00"], []):
        assert date_form(values) is None
    serial = date_form(["45292.5", "45300"])
    assert serial is not None
    assert serial.serial


def test_folding_follows_the_general_reader():
    assert folded("　１２３．４５ ") == "123.45"
    assert folded("无") == folded(" null ") == ""


def test_values_tell_fields_apart():
    sex, diagnoses = profile(["男", "女"] * 20), profile(["I10.x00", "J18.900", "Z51.102"] * 10)
    people = profile([f"11010519491231{n:03d}X" for n in range(30)])
    assert fit(FRONT.field("gend"), sex).tells > 0.8
    assert fit(FRONT.field("age"), sex).fits == 0.0
    assert fit(FRONT.field("dscg_maindiag_code"), diagnoses).fits == 1.0
    assert fit(FRONT.field("main_oprn_code"), diagnoses).fits < 0.5
    assert fit(FRONT.field("certno"), people).tells > 0.8
    assert fit(FRONT.field("psn_no"), people).fits < 0.5


def test_words_become_codes_and_codes_stay():
    words = rule(FRONT.field("dscg_way"), profile(["医嘱离院"] * 30 + ["死亡", "自动出院"]))
    assert words.keys["map"] == {"医嘱离院": "1", "死亡": "5", "自动出院": "4"}
    assert rule(FRONT.field("dscg_way"), profile(["1", "5", "4"] * 10)).keys == {}
    assert code_of("med_chrgitm_type", "西药") == "09"


def test_words_by_likeness_are_marked_and_unknown_ones_are_counted():
    told = rule(FRONT.field("dscg_way"), profile(["医嘱离院"] * 30 + ["转社区服务机构"] * 3 + ["甲乙丙"]))
    assert told.keys["map"] == {"医嘱离院": "1", "转社区服务机构": "3"}
    assert len(told.notes) == 2
    assert "1 values in 1 rows" in told.notes[1].en


def test_words_that_are_all_unknown_are_left_to_decide():
    told = rule(FRONT.field("gend"), profile(["K", "L"] * 10))
    assert told.keys == {}
    assert len(told.notes) == 1


def test_units_after_numbers_are_named():
    assert rule(LINE.field("cnt"), profile(["3盒", "1盒", "2", "5支", "2支"])).keys == {"units": ["支", "盒"]}


def _amounts(factor: float) -> dict:
    count, price = [1, 2, 3, 4, 5, 6], [1.5, 2.25, 3.0, 12.75, 9.9, 4.4]
    amount = [f"{factor * one * other:.2f}" for one, other in zip(count, price, strict=True)]
    return {
        "cnt": profile([str(one) for one in count]),
        "pric": profile([str(one) for one in price]),
        "det_item_fee_sumamt": profile(amount),
    }


def test_fen_is_told_by_quantity_times_price():
    assert in_fen(_amounts(100), sibling=False) == (True, ())
    assert in_fen(_amounts(1), sibling=True) == (False, ())


def test_whole_amounts_without_other_evidence_are_asked_about():
    whole = {"medfee_sumamt": profile([str(1_234_567 + 13 * n) for n in range(20)])}
    fen, notes = in_fen(whole, sibling=False)
    assert not fen
    assert len(notes) == 1
    assert in_fen(whole, sibling=True) == (True, ())
    assert in_fen(whole | {"ipt_days": profile(["3", "5"] * 10)}, sibling=False)[0]
