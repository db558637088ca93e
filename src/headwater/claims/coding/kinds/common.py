"""What names of several kinds have in common: marks of a list, numerals before counting words, word lists."""

import re
from functools import cache

import cn2an

from headwater.claims.coding.tables import rows

__all__ = ["found_words", "numerals", "unmarked"]

_MARKS = re.compile(
    r"[★☆▲△●◆■]+|^[*#]+"
    r"|\((?:[甲乙丙]类?|国|基|国基|基药|麻|精|精一|精二|毒|放|集采|带量|国谈|谈判|自费|进口|国产|医保|停用)\)"
)
_DOUBLED = re.compile(r"([\u4e00-\u9fff])\1")
_NUMERAL = re.compile(
    "([一二两三四五六七八九十]{1,3})(?=项|分类|导联|人间|孔|腔|级|联|段|对|小时|次|类|件套|通道|维|度|期|型|号)"
)


def unmarked(name: str) -> str:
    """Return a name without the marks of reimbursement, control and purchase that lists put beside it.

    A Chinese character that stands twice is taken once, on both sides: it is nearly always a slip of the hand.
    """
    return _DOUBLED.sub(r"\1", _MARKS.sub("", name)).strip()


def numerals(text: str) -> str:
    """Return a text with Chinese numerals before counting words as digits (``五分类``: ``5分类``)."""
    return _NUMERAL.sub(lambda found: _read(found[1]), text)


@cache
def _read(numeral: str) -> str:
    try:
        return str(cn2an.cn2an(numeral.replace("两", "二"), "strict"))
    except ValueError:
        return numeral


@cache
def _pattern(table: str) -> re.Pattern[str]:
    words = [next(iter(row.values())) for row in rows(table)]
    return re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))


def found_words(text: str, table: str) -> str:
    """Return which words of a one-column table stand in a text, sorted and separated by ``|``."""
    return "|".join(sorted(set(_pattern(table).findall(text))))
