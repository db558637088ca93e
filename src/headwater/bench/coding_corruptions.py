"""What happens to an item on its way into a hospital's list, by field and by character; no matcher learns from it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import opencc

from headwater.registry import Registry

__all__ = ["CORRUPTIONS", "Row", "corrupted"]

Row: TypeAlias = Mapping[str, str]
"""One item as delivered: name, spec, dosform_name, material, prodentp_name, aprvno, regno."""
Rng: TypeAlias = np.random.Generator

CORRUPTIONS: Registry[Callable[[Row, Rng], Row]] = Registry("corruption of a name")
"""Every corruption by its name; it changes nothing where it does not apply."""

_ALPHABET = "的一新型用液科大小中上下复方组合医疗性高低术式分钠酸氯素普注"
_LATIN = {"α": "a", "β": "b", "γ": "r", "μ": "u", "Ⅰ": "I", "Ⅱ": "II"}
_FORMS = {
    "注射液": ("针", "针剂", "注射剂", "水针剂"),
    "片": ("片剂", "薄膜衣片"),
    "胶囊": ("胶囊剂", "硬胶囊"),
    "颗粒": ("颗粒剂", "冲剂"),
    "缓释片": ("片(缓释)", "缓释片剂"),
    "乳膏": ("霜", "乳膏剂"),
    "滴眼液": ("眼药水", "滴眼剂"),
}


@dataclass(frozen=True)
class _Script:
    """A script of Chinese, by the configuration of its converter."""

    configuration: str

    def __call__(self, row: Row, rng: Rng) -> Row:
        return {field: str(_converter(self.configuration).convert(text)) for field, text in row.items()}


@cache
def _converter(configuration: str) -> opencc.OpenCC:
    return opencc.OpenCC(configuration)


CORRUPTIONS.register("traditional")(_Script("s2t"))
CORRUPTIONS.register("traditional_taiwan")(_Script("s2tw"))
CORRUPTIONS.register("traditional_hongkong")(_Script("s2hk"))


def _named(row: Row, name: str) -> Row:
    return {**row, "name": name}


def _place(text: str, rng: Rng) -> int | None:
    """Return where a Chinese character stands that may be mistyped: figures and units carry the meaning."""
    places = [place for place, sign in enumerate(text) if "\u4e00" <= sign <= "\u9fff"]
    return int(rng.choice(places)) if len(places) > 3 else None


@CORRUPTIONS.register("full_width")
def _full_width(row: Row, rng: Rng) -> Row:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
    return {field: text.translate(wide) for field, text in row.items()}


@CORRUPTIONS.register("half_the_case")
def _case(row: Row, rng: Rng) -> Row:
    changed = str.upper if rng.random() < 0.5 else str.lower
    return {**row, "name": changed(row["name"]), "spec": changed(row["spec"])}


@CORRUPTIONS.register("dropped")
def _dropped(row: Row, rng: Rng) -> Row:
    name, place = row["name"], _place(row["name"], rng)
    return row if place is None else _named(row, name[:place] + name[place + 1 :])


@CORRUPTIONS.register("added")
def _added(row: Row, rng: Rng) -> Row:
    name, place = row["name"], _place(row["name"], rng)
    return row if place is None else _named(row, name[:place] + str(rng.choice(list(_ALPHABET))) + name[place:])


@CORRUPTIONS.register("replaced")
def _replaced(row: Row, rng: Rng) -> Row:
    name, place = row["name"], _place(row["name"], rng)
    return row if place is None else _named(row, name[:place] + str(rng.choice(list(_ALPHABET))) + name[place + 1 :])


@CORRUPTIONS.register("swapped")
def _swapped(row: Row, rng: Rng) -> Row:
    name, place = row["name"], _place(row["name"], rng)
    if place is None or place + 1 >= len(name):
        return row
    return _named(row, name[:place] + name[place + 1] + name[place] + name[place + 2 :])


@CORRUPTIONS.register("doubled")
def _doubled(row: Row, rng: Rng) -> Row:
    name, place = row["name"], _place(row["name"], rng)
    return row if place is None else _named(row, name[: place + 1] + name[place:])


@CORRUPTIONS.register("maker_mistyped")
def _maker_mistyped(row: Row, rng: Rng) -> Row:
    maker = row["prodentp_name"]
    place = int(rng.integers(2, len(maker))) if len(maker) > 2 else 0
    return {**row, "prodentp_name": maker[:place] + maker[place + 1 :]} if place else row


@CORRUPTIONS.register("maker_in_full")
def _maker_in_full(row: Row, rng: Rng) -> Row:
    maker = row["prodentp_name"]
    return (
        {**row, "prodentp_name": maker + str(rng.choice(["有限公司", "股份有限公司", "(集团)有限公司"]))}
        if maker
        else row
    )


@CORRUPTIONS.register("maker_left_out")
def _maker_left_out(row: Row, rng: Rng) -> Row:
    return {**row, "prodentp_name": ""}


@CORRUPTIONS.register("maker_into_name")
def _maker_into_name(row: Row, rng: Rng) -> Row:
    maker = row["prodentp_name"]
    if not maker or maker in row["name"]:
        return row
    name = f"{row['name']}({maker})" if rng.random() < 0.5 else f"({maker}){row['name']}"
    return {**row, "name": name, "prodentp_name": ""}


@CORRUPTIONS.register("licence_left_out")
def _licence_left_out(row: Row, rng: Rng) -> Row:
    return {**row, "aprvno": "", "regno": ""}


@CORRUPTIONS.register("form_left_out")
def _form_left_out(row: Row, rng: Rng) -> Row:
    return {**row, "dosform_name": "", "material": ""}


@CORRUPTIONS.register("form_word")
def _form_word(row: Row, rng: Rng) -> Row:
    form = row["dosform_name"]
    if form not in _FORMS or not row["name"].endswith(form):
        return row
    word = str(rng.choice(list(_FORMS[form])))
    return {**row, "name": row["name"].removesuffix(form) + word, "dosform_name": word}


@CORRUPTIONS.register("spec_into_name")
def _spec_into_name(row: Row, rng: Rng) -> Row:
    if not row["spec"] or row["spec"] in row["name"]:
        return row
    return {**row, "name": f"{row['name']} {row['spec']}", "spec": ""}


@CORRUPTIONS.register("unit")
def _unit(row: Row, rng: Rng) -> Row:
    """Grams as milligrams, milligrams as grams or micrograms, in specification and name."""

    def changed(found: re.Match[str]) -> str:
        number, unit = float(found[1]), found[2]
        if unit == "mg":
            return f"{number / 1000:g}g" if number >= 1 else f"{number * 1000:g}μg"
        return f"{number * 1000:g}mg"

    pattern = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)(mg|g)(?![a-zA-Z])")
    return {**row, "name": pattern.sub(changed, row["name"]), "spec": pattern.sub(changed, row["spec"])}


@CORRUPTIONS.register("unit_word")
def _unit_word(row: Row, rng: Rng) -> Row:
    words = {"mg": "毫克", "ml": "毫升", "IU": "单位", "μg": "微克", "g": "克"}
    pattern = re.compile(r"(?<=\d)(mg|ml|IU|μg|g)(?![a-zA-Z])")
    return {**row, **{field: pattern.sub(lambda found: words[found[1]], row[field]) for field in ("name", "spec")}}


@CORRUPTIONS.register("times")
def _times(row: Row, rng: Rng) -> Row:
    sign = str(rng.choice(["*", "×", "x", "X", " × ", "✕"]))
    return {**row, **{field: re.sub(r"(?<=[\dlgUm%])[*×x](?=\d)", sign, row[field]) for field in ("name", "spec")}}


@CORRUPTIONS.register("brackets")
def _brackets(row: Row, rng: Rng) -> Row:
    left, right = (("（", "）"), ("[", "]"), ("【", "】"), ("〔", "〕"), ("{", "}"))[int(rng.integers(5))]
    return _named(row, row["name"].replace("(", left).replace(")", right))


@CORRUPTIONS.register("spaces")
def _spaces(row: Row, rng: Rng) -> Row:
    place = int(rng.integers(1, len(row["name"])))
    sign = str(rng.choice([" ", "  ", "\u3000", "\t", "\u200b", "\u00a0"]))
    return _named(row, row["name"][:place] + sign + row["name"][place:])


@CORRUPTIONS.register("order")
def _order(row: Row, rng: Rng) -> Row:
    """Bring what stands in brackets or after a space to the front."""
    name = row["name"]
    for sign in "( -":
        head, found, tail = name.partition(sign)
        if found and len(head) > 1 and tail:
            tail = tail.removesuffix(")") if sign == "(" else tail
            return _named(row, f"({tail}){head}" if sign == "(" else f"{tail} {head}")
    return row


@CORRUPTIONS.register("marked")
def _marked(row: Row, rng: Rng) -> Row:
    mark = str(rng.choice(["★", "▲", "(甲)", "[乙]", "(国基)", "*", "(集采)", "【自费】"]))
    return _named(row, mark + row["name"])


@CORRUPTIONS.register("latin")
def _latin(row: Row, rng: Rng) -> Row:
    table = str.maketrans(_LATIN)
    return {field: text.translate(table) for field, text in row.items()}


def corrupted(row: Row, rng: Rng) -> tuple[Row, tuple[str, ...]]:
    """Return a row after none, one or two corruptions, with their names; one thing that tells makers apart is kept."""
    names = tuple(CORRUPTIONS)
    drawn = tuple(str(name) for name in rng.choice(names, size=int(rng.choice(3, p=(0.1, 0.6, 0.3))), replace=False))
    if {"licence_left_out", "maker_left_out"} <= set(drawn):
        drawn = drawn[:1]
    for name in drawn:
        row = CORRUPTIONS[name](row, rng)
    return row, drawn
