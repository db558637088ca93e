"""Every expectation here was worked out by hand from the specification, not by the code."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.claims.measuring import REASONS, measure, scaled

# specification, price unit → pieces, amount and its unit in one price unit
KNOWN = [
    ("0.25g*24粒/盒", "盒", "24", "6000 mg"),
    ("0.25g*24粒/盒", "粒", "1", "250 mg"),
    ("0.25g×24粒", "盒", "24", "6000 mg"),
    ("0.25G X 24粒 / 盒", "盒", "24", "6000 mg"),
    ("０．２５ｇ＊２４粒／盒", "盒", "24", "6000 mg"),
    ("0.25g*24", "盒", "24", "6000 mg"),
    ("0.25g*24", "片", "1", "250 mg"),
    ("0.25g*24s", "盒", "24", "6000 mg"),
    ("100ml:0.9g", "瓶", "1", "900 mg"),
    ("100ml：0.9g", "袋", "1", "900 mg"),
    ("0.9g:100ml/袋", "袋", "1", "900 mg"),
    ("0.9%:100ml*1袋", "袋", "1", "900 mg"),
    ("0.9%*100ml", "袋", "1", "900 mg"),
    ("5%*250ml", "瓶", "1", "12500 mg"),
    ("100ml:0.9g(0.9%)", "瓶", None, "unread"),
    ("10mg×7片×2板/盒", "盒", "14", "140 mg"),
    ("10mg*7片/板*2板/盒", "盒", "14", "140 mg"),
    ("10mg×7片×2板/盒", "板", "7", "70 mg"),
    ("10mg×7片×2板/盒", "片", "1", "10 mg"),
    ("0.25g*12片(铝塑板)*2板/盒", "盒", "24", "6000 mg"),
    ("400万单位", "支", "1", "4000000 IU"),
    ("400万IU", "瓶", "1", "4000000 IU"),
    ("80万u", "支", "1", "800000 IU"),
    ("3ml:300单位", "支", "1", "300 IU"),
    ("300IU:3ml*1支", "支", "1", "300 IU"),
    ("100U/ml*3ml", "支", "1", "300 IU"),
    ("5mg/ml*2ml", "支", "1", "10 mg"),
    ("1支", "支", "1", "no_amount"),
    ("5ml*10支/盒", "盒", "10", "50 ml"),
    ("5ml*10支/盒", "支", "1", "5 ml"),
    ("每支5ml", "支", "1", "5 ml"),
    ("2ml/支", "支", "1", "2 ml"),
    ("0.5g:2ml*5支", "盒", "5", "2500 mg"),
    ("0.5g:2ml*5支/盒", "盒", "5", "2500 mg"),
    ("0.5g:2ml*5支", "支", "1", "500 mg"),
    ("50μg*100片/盒", "盒", "100", "5 mg"),
    ("50µg*100片/盒", "盒", "100", "5 mg"),
    ("100μg*200揿/瓶", "瓶", "200", "20 mg"),
    ("0.5g/片*24片/瓶", "瓶", "24", "12000 mg"),
    ("12片/板*2板/盒", "盒", "24", "no_amount"),
    ("8cm×10cm*6贴/盒", "盒", "6", "no_amount"),
    ("200mg:50mg*30片/盒", "盒", "30", "several_amounts"),
]
UNKNOWN = [
    (None, "盒", "no_spec"),
    ("", "盒", "no_spec"),
    ("0.25g*24粒/盒", None, "no_unit"),
    ("0.25g*24粒/盒", " ", "no_unit"),
    ("100ml:0.9g", "盒", "no_pack"),
    ("400万单位", "盒", "no_pack"),
    ("0.25g*24粒/盒", "箱", "other_unit"),
    ("0.25g*24粒/盒", "支", "other_unit"),
    ("0.25g*24", "支", "other_unit"),
    ("100ml:氯化钠0.9g与葡萄糖5g", "瓶", "unread"),
    ("0g*24粒/盒", "盒", "unread"),
    ("0.25g*2.5粒/盒", "盒", "unread"),
    ("1-2片", "盒", "unread"),
    ("薄膜衣", "盒", "unread"),
    ("0.25g*99999999粒/盒", "盒", "unread"),
    ("片" * 10_000, "盒", "unread"),
    ("\x00\n24粒\x07?", "盒", "unread"),
]


@pytest.mark.parametrize(("spec", "unit", "pieces", "amount"), KNOWN)
def test_a_billed_unit_holds_what_was_counted_by_hand(spec: str, unit: str, pieces: str | None, amount: str):
    held = measure(spec, unit)
    assert held.pieces == (None if pieces is None else Decimal(pieces))
    if held.amount is None:
        assert held.amount_reason == amount
    else:
        number, of = amount.split()
        assert (held.amount, held.unit, held.amount_reason) == (Decimal(number), of, "")


@pytest.mark.parametrize(("spec", "unit", "reason"), UNKNOWN)
def test_what_is_not_told_is_not_guessed(spec: str | None, unit: str | None, reason: str):
    held = measure(spec, unit)
    assert (held.pieces, held.amount, held.reason) == (None, None, reason)
    assert held.amount_reason


def test_the_second_mass_of_a_gel_is_its_base():
    assert measure("0.2g:20g*1支", "支", form="凝胶").amount == Decimal(200)
    assert measure("0.05%:15g*1支", "支", form="乳膏").amount == Decimal("7.5")
    assert measure("0.2g:20g*1支", "支", form="片").amount is None


@pytest.mark.parametrize(
    ("spec", "unit", "pieces"),
    [("5ml", "支", 1), ("3.0×24mm", "个", 1), ("15钉", "把", 1), ("5片", "包", 5), ("10支/包", "包", 10),
     ("2-0", "包", None), (None, "套", 1), (None, "包", None), ("7号", "双", 1)],
)  # fmt: skip
def test_a_device_is_billed_by_the_piece(spec: str | None, unit: str, pieces: int | None):
    held = measure(spec, unit, kind="consumable")
    assert held.pieces == pieces
    assert held.amount is None


def test_a_service_is_billed_by_its_own_unit():
    assert measure(None, "次", kind="service").pieces == 1
    assert measure(None, None, kind="service").reason == "no_unit"


@given(st.text(max_size=30), st.text(max_size=3), st.sampled_from(["drug", "consumable", "service"]))
def test_nothing_that_anyone_types_is_an_error(spec: str, unit: str, kind: str):
    held = measure(spec, unit, kind=kind)
    assert (held.pieces is None) == bool(held.reason)
    assert (held.amount is None) == bool(held.amount_reason)
    assert {held.reason, held.amount_reason} <= {*REASONS, ""}
    assert held.pieces is None or held.pieces > 0


@given(st.integers(1, 500), st.integers(1, 30), st.integers(1, 9))
def test_a_box_holds_as_many_as_its_strips(milligrams: int, tablets: int, strips: int):
    box, tablet = (measure(f"{milligrams}mg*{tablets}片*{strips}板/盒", unit) for unit in ("盒", "片"))
    assert box.pieces == tablets * strips
    assert box.amount == tablets * strips * (tablet.amount or 0)


def test_a_dose_is_scaled_to_the_unit_of_amounts():
    assert scaled(Decimal("1.5"), "g") == (Decimal(1500), "mg")
    assert scaled(Decimal(2), "万单位") == (Decimal(20_000), "IU")
    assert scaled(Decimal(2), "DU") is None
    assert scaled(Decimal(2), "%") is None
