"""From a charge name to words: glued units come apart, shorthand is spelled out, catalogue numbers go."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

from headwater.claims.coding.normalising import latin
from headwater.claims.coding.tables import rows

__all__ = ["apart", "codes_in", "plain", "said", "standard"]

_UNITS = "mg|mcg|ug|gm|g|kg|ml|l|meq|mmol|unit|units|u|iu|mu|mci|uci|cc|mm|cm|fr|ga|hr|hrs|min|oz|sqcm|ds|dose|kiu"
_KNOWN_UNITS = frozenset((*_UNITS.split("|"), "%"))
# 125MGIJ: a number, its unit and the route, written as one.
_GLUED = re.compile(rf"(?<=\d)({_UNITS})(?=(ij|inj|iv|po|td|ih|or|x|pf|iud|vial|tab|cap|in|wafer)\b)")
_WORD = re.compile(
    r"w/o\b|w/(?=\s|[a-z])|d/c\b|l/r\b|j&k|sq/?cm"
    # An isotope, a vitamin, a factor: letters and number are one word.
    r"|(?:non|re|tc|co|il|in|st|ga|xe|rb|tl|mag|b|i|h|n|k|c)-?\d+[a-z]?\b"
    r"|\d+(?:[.,;]\d+)*|[a-z]+(?:-[a-z]{1,2})?(?![a-z])|[a-z]+|%"
)
_CODE = re.compile(r"\b[a-z]\d{4}\b")


def plain(name: str) -> str:
    """Return a name in one width and case, its spaces single."""
    return " ".join(latin(unicodedata.normalize("NFKC", name)).lower().split())


def apart(name: str) -> str:
    """Return a plain name with numbers, units and routes that were written as one set apart."""
    return _GLUED.sub(r" \1 ", name)


def codes_in(name: str) -> list[str]:
    """Return what looks like a code of one letter and four digits in a plain name."""
    return [code.upper() for code in _CODE.findall(name)]


def standard(name: str) -> list[str]:
    """Return the words of a plain name in order, shorthand spelled out."""
    glossary = _glossary()
    return [word for said in _words(name) for word in glossary.get(said, (said,))]


def said(name: str) -> list[str]:
    """Return the distinct words of a plain name as they are, and what their shorthand may mean."""
    glossary, words = _glossary(), _words(name)
    return list(dict.fromkeys((*words, *(word for short in words for word in glossary.get(short, ())))))


@cache
def _glossary() -> Mapping[str, tuple[str, ...]]:
    return {row["word"]: tuple(row["standard"].split()) for row in rows("english")}


@lru_cache(maxsize=1 << 17)
def _words(name: str) -> tuple[str, ...]:
    found = _WORD.findall(apart(name))
    kept = []
    for word, after in zip(found, (*found[1:], ""), strict=False):
        if not word[0].isdigit():
            kept.append(word)
            continue
        number = word.replace(",", "").replace(";", "")
        if after in _KNOWN_UNITS:
            kept.append(number.rstrip("0").rstrip(".") if "." in number else number)
    return tuple(kept)
