"""One spelling for what differs only in typing: width, script, case, brackets, signs, invisible characters."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

import opencc

from headwater.claims.coding.tables import rows

__all__ = ["latin", "normalise", "squeeze"]

_INVISIBLE = re.compile("[\u00ad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff]")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("[{【〔〖「『《〈<", "("),
        **dict.fromkeys("]}】〕〗」』》〉>", ")"),
        **dict.fromkeys("×✕✖╳⨯∗＊", "*"),
        **dict.fromkeys("‐‑‒–—―−－﹣~∼～〜至", "-"),
        **dict.fromkeys("∶：", ":"),
        **dict.fromkeys("µ", "μ"),
        **dict.fromkeys("、，,;；。·•", " "),
    }
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TIMES = re.compile(r"(?<=[\da-z%μ\u4e00-\u9fff)]) *(?:\*|x(?=\d)|x(?= \d)) *")
_POINT = re.compile(r"(?<=\d) (?=\.\d)|(?<=\d\.) (?=\d)")
_FOREIGN = re.compile("[\u0391-\u03a9\u0400-\u052f]")
_RUN = re.compile("[A-Za-z\u0391-\u03a9\u0400-\u052f]+")
# Letters of another alphabet that are drawn like Latin ones; small Greek letters mean themselves.
_DRAWN = dict(
    zip("АВЕКМНОРСТУХаеорсухІіЈјЅѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTYXaeopcyxIiJjSsABEZHIKMNOPTYX", strict=True)
)  # fmt: skip
_ROMAN = re.compile(r"(?<![a-z\d])(viii|vii|vi|iv|ix|i{1,3})(?=[型期级度])")
_ROMANS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_SPACES = re.compile(r"[^\S\n]+")
_EDGES = re.compile(r" (?=[()*:/\n])|(?<=[()*:/\n]) ")
_LOOSE = re.compile(r"[^\w%.+*\-\n]|_")


def normalise(texts: Sequence[str], kind: str) -> list[str]:
    """Return texts in one spelling; the whole column is worked on as one text, a line a name.

    Parameters
    ----------
    texts : (n,) any strings
    kind : whose words are replaced by standard ones
    """
    if not texts:
        return []
    whole = "\n".join(text.replace("\n", " ") for text in texts)
    # Lone surrogates and the like go first: the converter takes UTF-8 only.
    whole = _CONTROL.sub(" ", _INVISIBLE.sub("", whole))
    whole = unicodedata.normalize("NFKC", whole)
    whole = latin(_INVISIBLE.sub("", _THOUSANDS.sub("", whole)))
    whole = _words(kind)(_simplified(whole).lower().translate(_SIGNS))
    whole = _ROMAN.sub(lambda found: _ROMANS[found.group()], whole)
    whole = _SPACES.sub(" ", _TIMES.sub("*", whole))
    return [line.strip() for line in _EDGES.sub("", _POINT.sub("", whole)).split("\n")]


def latin(text: str) -> str:
    """Return a text whose words of Greek or Cyrillic letters that only look Latin, all of them, are Latin.

    >>> latin("СТ平扫 ΜRI IFNα"), latin("Амоксициллин")
    ('CT平扫 MRI IFNα', 'Амоксициллин')
    """
    if not _FOREIGN.search(text):
        return text
    return _RUN.sub(lambda found: _drawn(found.group()), text)


def _drawn(word: str) -> str:
    shown = "".join(_DRAWN.get(sign, sign) for sign in word)
    return shown if shown.isascii() else word


def squeeze(texts: Sequence[str]) -> list[str]:
    """Return texts without spaces and punctuation that carries no meaning."""
    return _LOOSE.sub("", "\n".join(texts)).split("\n") if texts else []


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def _simplified(text: str) -> str:
    return str(_converter().convert(text))


@cache
def _words(kind: str) -> Callable[[str], str]:
    """Return what replaces a kind's words by standard ones; the longest first, Latin words where they stand alone."""
    table = {row["word"]: row["standard"] for row in rows("words") if kind in row["kinds"].split("|")}
    if not table:
        return lambda text: text
    listed = sorted(table, key=len, reverse=True)
    shown = (rf"(?<![a-z]){re.escape(word)}(?![a-z])" if word.isascii() else re.escape(word) for word in listed)
    pattern = re.compile("|".join(shown))
    return lambda text: pattern.sub(lambda found: table[found.group()], text)
