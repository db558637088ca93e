"""How clerks write a diagnosis or an operation: seeded variations of a list's own name, each of one kind."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from random import Random

import opencc

__all__ = ["VARIATIONS", "vary"]

# What a front page says in short: the words of the list on the left (a pattern), the same said shorter on the right.
_SHORT = (
    ("冠状动脉粥样硬化性心脏病", "冠心病"),
    ("慢性阻塞性肺疾病", "慢阻肺"),
    ("慢性阻塞性肺病", "慢阻肺"),
    ("人类免疫缺陷病毒", "HIV"),
    (r"人类免疫缺陷病毒\[HIV\]", "HIV"),
    ("急性上呼吸道感染", "上感"),
    ("胃食管反流", "胃反流"),
    ("动脉粥样硬化", "动脉硬化"),
    ("恶性肿瘤", "恶性瘤"),
    ("良性肿瘤", "良性瘤"),
    ("综合征", "综合症"),
    ("并发症", "并发"),
    ("引起的", "所致"),
    ("造成的", "所致"),
    ("不伴有", "不伴"),
    ("伴有", "伴"),
    ("腹腔镜下", "腹腔镜"),
    ("胸腔镜下", "胸腔镜"),
    ("内镜下", "内镜"),
    ("关节镜下", "关节镜"),
    ("宫腔镜下", "宫腔镜"),
    ("切除术", "切除"),
    ("置入术", "置入"),
    ("修补术", "修补"),
    ("成形术", "成形"),
    ("吻合术", "吻合"),
    ("检查术", "检查"),
    ("移植术", "移植"),
    ("引流术", "引流"),
    ("切开术", "切开"),
    ("固定术", "固定"),
    ("置换术", "置换"),
    ("缝合术", "缝合"),
    ("性疾病", "病"),
    ("疾患", "病"),
    ("[，和]?未特指的", ""),
    ("其他的", "其他"),
    ("和(?!未特指)", "、"),
)
_QUALIFIER = re.compile(
    r"^(急性|慢性|亚急性|双侧|单侧|左侧|右侧|先天性|继发性|原发性|复发性|陈旧性|经皮|其他|腹腔镜下|内镜下)(.{3,})$"
)
_PARTS = re.compile(r"[，,、]")
# Characters of one sound or one look that input methods and readers of hand-writing confuse.
_CONFUSED = (
    *(
        "炎严",
        "症证",
        "病并",
        "肿种",
        "瘤流",
        "肺废",
        "肝干",
        "肾贤",
        "胃谓",
        "肠长",
        "骨古",
        "折拆",
        "血雪",
        "管官",
        "性姓",
    ),
    *(
        "伤商",
        "膜模",
        "腺线",
        "部步",
        "切且",
        "除徐",
        "术木",
        "置至",
        "入人",
        "修休",
        "成城",
        "形型",
        "植直",
        "检捡",
        "查察",
    ),
    *(
        "结洁",
        "感敢",
        "染然",
        "综宗",
        "合和",
        "脉麦",
        "动功",
        "静净",
        "脑恼",
        "颅胪",
        "眼眠",
        "耳尔",
        "鼻毕",
        "喉候",
        "咽烟",
    ),
    *(
        "皮披",
        "肤夫",
        "溃馈",
        "疡扬",
        "瘢般",
        "痕恨",
        "囊襄",
        "脓浓",
        "积级",
        "液夜",
        "关官",
        "节接",
        "韧刃",
        "带代",
        "椎锥",
    ),
    *(
        "损捐",
        "缝逢",
        "支枝",
        "架加",
        "导岛",
        "引印",
        "流留",
        "吻刎",
        "扩护",
        "张章",
        "闭必",
        "锁琐",
        "狭侠",
        "窄诈",
        "梗更",
    ),
)
_TWIN = {pair[i]: pair[1 - i] for pair in _CONFUSED for i in (0, 1)}
# A slip in one of these says something else: sides, grades, negations, numbers.
_MEANING = frozenset("左右双单上下前后内外不无未非有高低深浅大小一二三四五六七八九十ⅠⅡⅢⅣⅤⅥⅦ男女早晚远近")
_ROMAN = {"Ⅰ": "I", "Ⅱ": "II", "Ⅲ": "III", "Ⅳ": "IV", "Ⅴ": "V"}
_BRACKETS = str.maketrans("（）[]，", "()【】,")
_traditional = opencc.OpenCC("s2t")


def _plain(name: str, _: Random) -> str:
    return name


def _abbreviated(name: str, rng: Random) -> str:
    found = [(full, short) for full, short in _SHORT if re.search(full, name)]
    for full, short in rng.sample(found, min(2, len(found))):
        name = re.sub(full, short, name)
    return name


def _reordered(name: str, rng: Random) -> str:
    parts = [part for part in _PARTS.split(name) if part]
    if len(parts) > 1 and not re.search(r"[（(\[]", name):
        turn = rng.randrange(1, len(parts))
        return "，".join(parts[turn:] + parts[:turn])
    said = _QUALIFIER.match(name)
    return f"{said[2]}（{said[1]}）" if said else name


def _typos(name: str, rng: Random) -> str:
    for _ in range(1 + (len(name) >= 10)):
        name = _slip(name, rng)
    return name


def _slip(name: str, rng: Random) -> str:
    places = [i for i, char in enumerate(name) if "一" <= char <= "鿿" and char not in _MEANING]
    if len(places) < 4:
        return name
    i = rng.choice(places)
    how = rng.randrange(3)
    if how == 0 and name[i] in _TWIN:
        return name[:i] + _TWIN[name[i]] + name[i + 1 :]
    if how == 1 and i + 1 in places:
        return name[:i] + name[i + 1] + name[i] + name[i + 2 :]
    return name[:i] + name[i + 1 :]


def _brackets(name: str, rng: Random) -> str:
    forms: tuple[Callable[[str], str], ...] = (
        lambda text: text.translate(_BRACKETS),
        lambda text: unicodedata.normalize("NFKC", text),
        lambda text: " ".join((text[: len(text) // 2], text[len(text) // 2 :])),
        lambda text: "".join(_ROMAN.get(char, char) for char in text),
        lambda text: re.sub(r"\[([^\]]*)\]", r"（\1）", text),
        lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    )
    changed: list[str] = [text for form in forms if (text := form(name)) != name]
    return rng.choice(changed)


def _suffix(name: str, rng: Random) -> str:
    return name + rng.choice(("？", "（待查）", "（复诊）", "。", "*", " NOS", "（门诊）", "[本次]"))


def _in_traditional(name: str, _: Random) -> str:
    return str(_traditional.convert(name))


VARIATIONS: Mapping[str, Callable[[str, Random], str]] = {
    "plain": _plain,
    "abbreviated": _abbreviated,
    "reordered": _reordered,
    "typos": _typos,
    "brackets": _brackets,
    "suffix": _suffix,
    "traditional": _in_traditional,
}


def vary(kind: str, name: str, rng: Random) -> str | None:
    """Return ``name`` written in one other way, or None where the kind changes nothing of it."""
    text = VARIATIONS[kind](name, rng)
    return text if text != name or kind == "plain" else None
