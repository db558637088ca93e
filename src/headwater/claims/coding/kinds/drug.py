"""Drugs: generic name, salt, strength, form, pack, maker, approval number."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from headwater.claims.coding.kinds.common import unmarked
from headwater.claims.coding.kinds.contrasts import compare_contrasts
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed, agreed
from headwater.claims.coding.kinds.telling import compare_telling
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, compare_strengths, measures, numbers
from headwater.claims.coding.states import Compare, compare_exactly, compare_paths, compare_words
from headwater.claims.coding.tables import rows

__all__ = ["DRUG", "maker"]


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_FORMS = {row["word"]: row["form"] for row in rows("forms")}
_SHAPED = re.compile(
    r"(片|胶囊|颗粒)\(?剂?\)?\((缓释|控释|肠溶|分散|咀嚼|泡腾|口崩|软|含|舌下)\)|(针|注射剂)\((粉)\)|(注射剂)\((液)\)"
)
_BRACKETS = re.compile(r"\(([^()]*)\)")
# "羟乙基淀粉针" is an injection of starch, not a powder.
_LONG = re.compile(f"(?:(?<!淀)(?=粉)|(?!粉))(?:{_either(word for word in _FORMS if len(word) > 1)})")
_SHORT = re.compile(f"({'|'.join(word for word in _FORMS if len(word) == 1)})$")
_MAKER_WORDS = [row["word"] for row in rows("makers")]
_MAKER = re.compile(f"(?:{'|'.join(_MAKER_WORDS)})$")
_LIKE_MAKER = 60
_MAKER_AT_END = re.compile(f"[ \\-/]([\u4e00-\u9fff]{{2,20}}?(?:{'|'.join(_MAKER_WORDS)}))$")
_LICENCE = re.compile(r"\S{0,4}准字[a-z]{0,2}\d{6,}|(?<![a-z\d])[hzsjbf][a-z]?\d{8}(?!\d)")
_BEFORE = re.compile(f"^({'|'.join(row['salt'] for row in rows('salts') if row['place'] == 'before')})(?=..)")
_AFTER = re.compile(
    f"(?<=[^酸化氢氧]{{2}})({'|'.join(row['salt'] for row in rows('salts') if row['place'] == 'after')})$"
)
_NO_SALT = ("硝酸甘", "硝酸异", "氯化", "葡萄糖氯化", "硫酸镁", "硫酸亚铁")


class _Name(NamedTuple):
    text: str
    salt: str
    strength: str
    form: str
    pack: str
    piece: str
    maker: str
    licence: str


@lru_cache(maxsize=1 << 16)
def _read(name: str, stated: str) -> _Name:
    licence = _LICENCE.search(name)
    text = _SHAPED.sub(_shaped, unmarked(_LICENCE.sub("", name)))
    text, made = _without_maker(text, stated)
    found = measures(text)
    text, form = _without_form(found.rest)
    text, salt = _without_salt(text)
    return _Name(text, salt, found.strength, form, found.pack, found.piece, made, licence.group() if licence else "")


def _shaped(found: re.Match[str]) -> str:
    word, shape = (part for part in found.groups() if part)
    return {"粉": "粉针", "液": "注射液"}.get(shape, shape + word)


def _without_maker(text: str, stated: str) -> tuple[str, str]:
    """Return a name without its maker, known by its ending or by being much like the maker stated in its column."""
    made = ""
    for content in _BRACKETS.findall(text):
        if _MAKER.search(content) or (stated and fuzz.ratio(content, stated) >= _LIKE_MAKER):
            made = maker(content)
            text = text.replace(f"({content})", " ")
    end = _MAKER_AT_END.search(text)
    if not made and end:
        made, text = maker(end.group(1)), text[: end.start()]
    return text.strip(), made


def _without_form(text: str) -> tuple[str, str]:
    plain = squeeze([_BRACKETS.sub(r" \1 ", text)])[0]
    words = sorted(_LONG.findall(plain), key=len)
    short = _SHORT.search(plain)
    word = words[-1] if words else short.group() if short else ""
    if not word or word == plain:
        return plain, ""
    start = plain.rfind(word)
    rest = plain[:start] + plain[start + len(word) :]
    if word != "注射用" and rest.startswith("注射用") and len(rest) > 3:
        rest = rest.removeprefix("注射用")
    return rest, _FORMS[word]


def _without_salt(text: str) -> tuple[str, str]:
    if text.startswith(_NO_SALT):
        return text, ""
    for pattern in (_BEFORE, _AFTER):
        found = pattern.search(text)
        if found and len(text) - len(found.group()) >= 2:
            return text[: found.start()] + text[found.end() :], found.group()
    return text, ""


@lru_cache(maxsize=1 << 14)
def maker(text: str) -> str:
    """Return a maker's name without the words that every maker has."""
    plain = squeeze([text])[0]
    while True:
        shorter = _MAKER.sub("", plain)
        if not shorter or shorter == plain:
            return plain
        plain = shorter


@lru_cache(maxsize=1 << 14)
def _form(text: str) -> str:
    plain = squeeze([_SHAPED.sub(_shaped, text)])[0]
    if not plain or plain in _FORMS:
        return _FORMS.get(plain, "")
    near = {_FORMS[word] for word in _FORMS if len(word) > 2 and Levenshtein.distance(word, plain, score_cutoff=1) <= 1}
    # A word that nobody knows is still a form, and not that of a reference that has another.
    return _without_form("药" + plain)[1] or (near.pop() if len(near) == 1 else plain)


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read drugs; see ``kinds.kind.Parsed``."""
    names = [_read(name, stated) for name, stated in zip(fields["name"], fields["maker"], strict=True)]
    specs = [measures(spec) for spec in fields["spec"]]
    torn = np.zeros(len(names), dtype=np.bool_)
    said: Mapping[str, tuple[list[str], Compare]] = {
        "strength": ([spec.strength for spec in specs], compare_strengths),
        "pack": ([spec.pack for spec in specs], compare_exactly),
        "form": ([_form(form) for form in fields["form"]], compare_paths),
        "maker": ([maker(made) for made in fields["maker"]], compare_words),
        "licence": (squeeze(fields["licence"]), compare_exactly),
    }
    values: dict[str, list[str]] = {}
    for attribute, (column, compare) in said.items():
        values[attribute], contradiction = agreed(column, [getattr(name, attribute) for name in names], compare)
        if attribute != "licence":
            torn |= contradiction
    values["salt"] = [name.salt for name in names]
    values["telling"] = [name.text for name in names]
    values["contrasts"] = [name.text for name in names]
    values["numbers"] = [numbers(name.text) for name in names]
    values["unread"] = [numbers(spec.rest) if text else "" for spec, text in zip(specs, fields["spec"], strict=True)]
    values["piece"] = [spec.piece or name.piece for spec, name in zip(specs, names, strict=True)]
    return Parsed([name.text for name in names], values, torn)


DRUG = Kind(
    name="drug",
    fields=("spec", "form", "maker", "licence"),
    attributes=(
        Attribute("strength", compare_strengths, weight=0.15),
        Attribute("form", compare_paths, weight=0.1),
        Attribute("pack", compare_exactly, weight=0.05),
        Attribute("salt", compare_exactly),
        Attribute("telling", compare_telling("drug")),
        Attribute("contrasts", compare_contrasts("drug")),
        Attribute("maker", compare_words, weight=0.12),
        Attribute("licence", compare_exactly, weight=0.3),
        Attribute("numbers", compare_numbers),
        Attribute("unread", compare_numbers),
    ),
    read=read,
    # One letter is another drug (泼尼松, 泼尼松龙), and a list of a region does not have them all.
    vouching=(("licence",), ("maker", "strength")),
)
