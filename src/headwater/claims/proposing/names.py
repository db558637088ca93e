"""What a column's name says: synonyms in Chinese, English and initials of pinyin, exact or nearly so."""

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from headwater.claims.canonical import ENTITIES

__all__ = ["fold", "initials", "known_names", "name_score", "shown", "table_rows", "targets"]

_EXACT, _INITIALS, _SHORT_INITIALS, _NEAR = 1.0, 0.9, 0.75, 0.75
_LEAST_NEAR = 0.5
# GB 2312 orders its first 3,755 characters by pinyin: the first character of every initial, as its two bytes.
_FIRSTS = (
    *((0xB0A1, "A"), (0xB0C5, "B"), (0xB2C1, "C"), (0xB4EE, "D"), (0xB6EA, "E"), (0xB7A2, "F"), (0xB8C1, "G")),
    *((0xB9FE, "H"), (0xBBF7, "J"), (0xBFA6, "K"), (0xC0AC, "L"), (0xC2E8, "M"), (0xC4C3, "N"), (0xC5B6, "O")),
    *((0xC5BE, "P"), (0xC6DA, "Q"), (0xC8BB, "R"), (0xC8F6, "S"), (0xCBFA, "T"), (0xCDDA, "W"), (0xCEF4, "X")),
    *((0xD1B9, "Y"), (0xD4D1, "Z")),
)
_LAST = 0xD7F9


@dataclass(frozen=True)
class _Word:
    """One spelling of a field: what is compared with a column's name."""

    text: str
    tokens: frozenset[str]
    initials: str


@cache
def table_rows(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one of the word lists beside this module."""
    text = resources.files(__package__).joinpath(f"tables/{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Return text for comparison: half width, lower case, no spaces, signs or bracketed remarks.

    >>> fold(" 金额（元） "), fold("Unit Price ($)"), fold("PATIENT_ID")
    ('金额', 'unitprice', 'patientid')
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    without = re.sub(r"[\(\[【][^\)\]】]*[\)\]】]", "", plain)
    return re.sub(r"[\W_]+", "", without) or re.sub(r"[\W_]+", "", plain)


def shown(text: str) -> str:
    r"""Return text as it may be shown: one line, and nothing in it that looks like a person's number.

    >>> shown("a\nb 11010519491231002X")
    'a b ***'
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"\d{14,17}[\dXx]|1[3-9]\d{9}", "***", " ".join(line.split()))


def initials(text: str) -> str:
    """Return the initials of the pinyin of Chinese text; letters and digits stay, rarer characters are left out.

    >>> initials("就诊流水号"), initials("主诊断ICD编码")
    ('JZLSH', 'ZZDICDBM')
    """
    return "".join(_initial(letter) for letter in text)


@cache
def _initial(letter: str) -> str:
    if letter.isascii():
        return letter.upper() if letter.isalnum() else ""
    try:
        high, low = letter.encode("gb2312")
    except (UnicodeEncodeError, ValueError):
        return ""
    code = high * 256 + low
    if not _FIRSTS[0][0] <= code <= _LAST:
        return ""
    return next(initial for first, initial in reversed(_FIRSTS) if first <= code)


@cache
def targets(entity: str) -> tuple[str, ...]:
    """Return what a column of this entity's files can be: its fields with spellings, then ``+…``, things not read."""
    return tuple(_words(entity))


@lru_cache(maxsize=65_536)
def name_score(name: str, entity: str, target: str) -> float:
    """Return how well a column's name fits a target, from 0 to 1."""
    words = _words(entity).get(target, ())
    folded = fold(name)
    if not folded or not words:
        return 0.0
    if folded in {word.text for word in words}:
        return _EXACT
    if folded.isascii():
        return max(_by_initials(folded, words), _by_tokens(_tokens(name), words))
    return max(_NEAR * _near(folded, word.text) for word in words if not word.text.isascii())


def _by_initials(folded: str, words: tuple[_Word, ...]) -> float:
    letters = re.sub(r"\d+$", "", folded).upper()
    if len(letters) < 2 or letters not in {word.initials for word in words}:
        return 0.0
    return _SHORT_INITIALS if len(letters) == 2 else _INITIALS


def _by_tokens(tokens: frozenset[str], words: tuple[_Word, ...]) -> float:
    best = 0.0
    for word in words:
        shared = len(tokens & word.tokens)
        if shared:
            share = 2 * shared / (len(tokens) + len(word.tokens))
            best = max(best, 0.95 if share == 1 else _NEAR * share if share >= _LEAST_NEAR else 0.0)
    return best


def _near(one: str, other: str) -> float:
    """Return Dice's coefficient of the pairs of letters, with the letters themselves counted half."""
    pairs = [{text[place : place + 2] for place in range(len(text) - 1)} for text in (one, other)]
    letters = [set(one), set(other)]
    share = (_dice(pairs[0], pairs[1]) * 2 + _dice(letters[0], letters[1])) / 3
    return share if share >= _LEAST_NEAR else 0.0


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


@cache
def _words(entity: str) -> dict[str, tuple[_Word, ...]]:
    fields = {field.name for field in ENTITIES[entity].fields}
    found: dict[str, list[_Word]] = {}
    for row in table_rows("synonyms"):
        if row["entity"] not in ("", entity) or not (row["field"] in fields or row["field"].startswith("+")):
            continue
        spellings = [row["field"].removeprefix("+"), *row["zh"].split("|"), *row["en"].split("|")]
        found.setdefault(row["field"], []).extend(_word(text) for text in spellings)
    for field in ENTITIES[entity].fields:
        found.setdefault(field.name, []).extend(_word(text) for text in (field.name, field.zh))
    return {field: tuple(words) for field, words in found.items()}


def _word(text: str) -> _Word:
    return _Word(fold(text), _split(text) if text.isascii() else frozenset(), "" if text.isascii() else initials(text))


@lru_cache(maxsize=65_536)
def _tokens(name: str) -> frozenset[str]:
    """Return the words of an English name, long forms of usual abbreviations, run-together capitals taken apart."""
    whole = _split(name)
    parts: list[str] = []
    for token in whole:
        parts += [token] if token in _vocabulary() else _taken_apart(token) or [token]
    return frozenset(_long().get(part, part) for part in parts)


@lru_cache(maxsize=65_536)
def _split(name: str) -> frozenset[str]:
    plain = re.sub(r"[\(\[【][^\)\]】]*[\)\]】]", "", unicodedata.normalize("NFKC", name))
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", plain)
    words = [_singular(word) for word in re.findall(r"[a-z]+", plain.casefold())]
    return frozenset(_long().get(word, word) for word in words if word not in ("of", "in", "the", "by", "on"))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _long() -> dict[str, str]:
    return {row["short"]: row["long"] for row in table_rows("abbreviations")}


@cache
def _vocabulary() -> frozenset[str]:
    words = {
        word
        for row in table_rows("synonyms")
        for text in row["en"].split("|")
        for word in (*text.split(), *map(_singular, text.split()))
    }
    return frozenset(words | set(_long()) | set(_long().values()))


@lru_cache(maxsize=65_536)
def _taken_apart(token: str) -> list[str]:
    """Split a word into known words, the fewest there are, or into one and a short rest; empty when neither can be."""
    best: list[list[str] | None] = [[]] + [None] * len(token)
    for end in range(1, len(token) + 1):
        for start in range(end):
            before = best[start]
            if before is not None and token[start:end] in _vocabulary():
                current = best[end]
                if current is None or len(before) + 1 < len(current):
                    best[end] = [*before, token[start:end]]
    for rest in (1, 2, 3):
        if not best[-1] and len(token) - rest >= 4 and token[rest:] in _vocabulary():
            return [token[:rest], token[rest:]]
    return best[-1] or []


@cache
def known_names() -> frozenset[str]:
    """Return every spelling of every field and its initials, folded: what tells a row of names from a title."""
    words = {word for entity in ENTITIES for listed in _words(entity).values() for word in listed}
    return frozenset({word.text for word in words} | {word.initials.lower() for word in words if word.initials})
