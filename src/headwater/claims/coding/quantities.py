"""Strengths, packs and sizes: what they say in base units, and whether two of them can be of one thing.

A strength is kept as text in base units, e.g. ``mg=500;ml=100``: mass in mg, volume in ml, activity in IU,
concentration in percent (g in 100 ml), length in mm. ``0.9%:100ml`` says the same as ``0.9g:100ml``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import prod

from headwater.claims.coding.states import State
from headwater.claims.coding.tables import rows

__all__ = ["Measures", "amounts", "compare_numbers", "compare_strengths", "measures", "numbers"]

_UNITS = {row["word"]: (row["dimension"], float(row["factor"])) for row in rows("units")}
_PIECES = tuple(row["word"] for row in rows("pieces") if "counted" in row["roles"].split("|"))
_PACKS = tuple(row["word"] for row in rows("pieces") if "each" in row["roles"].split("|"))


def _either(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


# A number after a letter belongs to a word ("B12片") unless the letter ends a unit ("5ml10支").
_START = r"(?:(?<=[mμ]g)|(?<=\dg)|(?<=ml)|(?<=iu)|(?<=\du)|(?<![a-z\d.]))"
_MEASURE = re.compile(
    rf"{_START}(?P<number>\d+(?:\.\d+)?) ?(?:(?P<unit>{_either(_UNITS)})(?![a-z])(?P<per>/(?:1?ml|毫升))?"
    rf"|(?P<piece>{_either(_PIECES)})(?![a-z])(?:装)?)(?:/(?:{_either(_PACKS)})(?![a-z]))?"
    r"|(?<=\*)(?P<bare>\d+)(?![\d.a-z%*:])[\u4e00-\u9fff]{0,2}(?:/[\u4e00-\u9fff])?"
)
_LENGTHS = re.compile(r"(?<![a-z\d.])(\d+(?:\.\d+)?)\*(?=\d+(?:\.\d+)?(?:\*\d+(?:\.\d+)?)? ?(cm|mm))")
NO_NUMBER = "-"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Measures:
    """What a text says about strength and pack.

    Parameters
    ----------
    strength : in base units, or empty
    pack : how many pieces, or empty
    piece : the word for one piece, or empty
    rest : the text without all this
    """

    strength: str
    pack: str
    piece: str
    rest: str


@lru_cache(maxsize=1 << 16)
def measures(text: str) -> Measures:
    """Read strength and pack out of a normal text.

    Examples
    --------
    >>> measures("0.25g*24粒/盒")
    Measures(strength='mg=250', pack='24', piece='粒', rest='')
    >>> measures("0.9%:100ml").strength
    'mg=900;ml=100'
    """
    if not any(sign.isdigit() for sign in text):
        return Measures("", "", "", text)
    found: dict[str, list[float]] = {}
    counts: dict[str, float] = {}
    piece = ""
    if "*" in text and ("cm" in text or "mm" in text):
        text = _LENGTHS.sub(r"\1\2*", text)
    for match in _MEASURE.finditer(text):
        number = float(match["number"] or match["bare"])
        if match["unit"]:
            dimension, factor = _UNITS[match["unit"]]
            if match["per"] and dimension == "mg":
                dimension, factor = "pct", factor / 10
            elif match["per"]:
                dimension += "/ml"
            found.setdefault(dimension, []).append(number * factor)
        else:
            # The same count told twice is one count; a count of another piece multiplies ("12片*2板").
            word = match["piece"] or ""
            counts[word] = counts[word] * number if counts.get(word, number) != number else number
            piece = piece or word
    rest = _MEASURE.sub(" ", text).replace("*", " ").strip(" :/-+")
    pack = f"{prod(counts.values()):g}" if counts and 0 < prod(counts.values()) < 1e9 else ""
    return Measures(_written(found), pack, piece, rest)


def _written(found: Mapping[str, list[float]]) -> str:
    values = {name: sorted(set(listed)) for name, listed in found.items()}
    if "pct" in values and "mg" not in values and len(values.get("ml", ())) == 1 and len(values["pct"]) == 1:
        values["mg"] = [values["pct"][0] * values["ml"][0] * 10]
        del values["pct"]
    return ";".join(f"{name}={'+'.join(map(_figure, values[name]))}" for name in sorted(values))


def _figure(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=1 << 16)
def amounts(strength: str) -> Mapping[str, tuple[float, ...]]:
    """Return the amounts of a strength by dimension."""
    parts = (part.partition("=") for part in strength.split(";") if part)
    return {name: tuple(map(float, values.split("+"))) for name, _, values in parts}


def compare_strengths(left: str, right: str) -> State:
    """Compare two strengths: a conflict where they differ in a dimension that both name, or name none in common."""
    if left == right:
        return State.EQUAL
    one, two = _full(left), _full(right)
    shared = one.keys() & two.keys()
    if not shared or any(not (_within(one[name], two[name]) and _within(two[name], one[name])) for name in shared):
        return State.CONFLICT
    return State.NEAR


@cache
def _full(strength: str) -> Mapping[str, tuple[float, ...]]:
    known = dict(amounts(strength))
    if "pct" not in known and len(known.get("mg", ())) == 1 and len(known.get("ml", ())) == 1 and known["ml"][0]:
        known["pct"] = (known["mg"][0] / known["ml"][0] / 10,)
    return known


def _within(some: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return all(any(abs(a - b) <= 1e-6 * max(a, b) for b in others) for a in some)


def numbers(text: str) -> str:
    """Return the numbers of a text, sorted, each once; that there is none is known as well as any."""
    return " ".join(sorted({f"{float(found):g}" for found in _NUMBER.findall(text)})) or NO_NUMBER


def compare_numbers(left: str, right: str) -> State:
    """Compare a name's numbers with a reference's: fewer are near, one that the reference lacks is a conflict."""
    if left == right:
        return State.EQUAL
    return State.NEAR if left == NO_NUMBER or set(left.split()) <= set(right.split()) else State.CONFLICT
