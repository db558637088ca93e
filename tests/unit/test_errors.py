"""Refusals speak both languages and carry a code."""

import pytest

import headwater.errors
from headwater.errors import HeadwaterError, Message, Refusal


def test_message_fills_both_languages():
    message = Message("第 {row} 行有误。", "Row {row} is wrong.").format(row=7)
    assert message == Message("第 7 行有误。", "Row 7 is wrong.")
    assert str(message) == "Row 7 is wrong. / 第 7 行有误。"


def test_message_without_its_value_is_an_error():
    with pytest.raises(KeyError):
        Message("{row}", "{row}").format(column=1)


def test_refusal_tells_code_reason_and_remedy():
    refusal = Refusal("E-X", Message("坏了。", "It broke."), Message("修好它。", "Mend it."))
    assert isinstance(refusal, HeadwaterError)
    assert (refusal.code, refusal.reason.zh, refusal.remedy.en) == ("E-X", "坏了。", "Mend it.")
    assert str(refusal) == "E-X: It broke. Mend it. / 坏了。修好它。"


def test_public_names_exist_and_are_sorted():
    assert headwater.errors.__all__ == sorted(headwater.errors.__all__)
    assert all(hasattr(headwater.errors, name) for name in headwater.errors.__all__)
