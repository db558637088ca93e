"""The cleaning rules by name: what may change a delivered text, in the words of the clerk who reads what was done.

Every rule keeps the value and changes its writing only; the delivered text stays beside the clean one in
``raw.cleaned``, so each can be undone.
"""

import re
from decimal import Decimal

import cn2an

from headwater.errors import Message

__all__ = ["RULES", "numeral"]

RULES: dict[str, Message] = {
    "C-INVISIBLE": Message("去除不可见字符。", "Invisible characters were removed."),
    "C-SPACE": Message("去除首尾空白。", "Surrounding spaces were removed."),
    "C-WIDTH": Message("全角字符转为半角。", "Full-width characters became half-width."),
    "C-BLANK": Message("表示“空”的词读作空。", "A word for “empty” was read as empty."),
    "C-CASE": Message("编码转为大写。", "The code was put in upper case."),
    "C-ZEROS": Message("按约定位数补回编码的前导零。", "Leading zeros were put back to the agreed width."),
    "C-SEPARATOR": Message("去除千分位分隔符。", "Thousands separators were removed."),
    "C-CURRENCY": Message("去除货币符号或单位。", "A currency sign or word was removed."),
    "C-UNIT": Message("去除约定的计量单位。", "An agreed unit was removed."),
    "C-TEN-THOUSAND": Message("以万元为单位的金额换算为元。", "An amount in ten thousands was written out."),
    "C-NUMERAL": Message("中文大写金额读作数字。", "Chinese numerals were read."),
    "C-DATE": Message("日期统一写法。", "The date was written another way."),
    "C-IDENTITY-18": Message(
        "15 位身份证号升为 18 位。", "An identity number of 15 digits was brought to 18 characters."
    ),
}
"""Every cleaning rule by its name."""

_DIGITS = "零一二三四五六七八九"
_PLAIN = str.maketrans("〇壹贰貳叁參肆伍陆陸柒捌玖拾佰仟萬億兩两圆圓", "零一二二三三四五六六七八九十百千万亿二二元元")
_AMOUNT = re.compile(
    r"(?:人民币)?(?:(?P<yuan>[零一二三四五六七八九十百千万亿]+)元)?(?:(?P<jiao>[一二三四五六七八九])角|零(?=.分))?(?:(?P<fen>[一二三四五六七八九])分)?[整正]?"
)


def numeral(text: str) -> str | None:
    """Return an amount in Chinese numerals as decimal text, or None if it is not exactly one.

    >>> numeral("壹佰贰拾叁元伍角")
    '123.50'
    >>> numeral("一二三") is None
    True
    """
    found = _AMOUNT.fullmatch(text.strip().translate(_PLAIN))
    if found is None or not any(found.groupdict().values()):
        return None
    yuan = _integer(found["yuan"]) if found["yuan"] else 0
    if yuan is None:
        return None
    jiao, fen = (_DIGITS.index(found[part] or "零") for part in ("jiao", "fen"))
    return str(Decimal(yuan) + Decimal(jiao * 10 + fen) / 100 + Decimal("0.00"))


def _integer(digits: str) -> int | None:
    """Read a whole number; one that would not be written so is not read, as a digit may be missing."""
    try:
        value = int(cn2an.cn2an(digits, "strict"))
    except ValueError:
        return None
    written = cn2an.an2cn(value)
    # Both 十五 and 一十五 are usual; capital forms always write the one.
    return value if digits in (written, written.replace("一十", "十", 1), "一" + written) else None
