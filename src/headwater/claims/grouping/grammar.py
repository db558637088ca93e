"""The rules of a plan: a small language, parsed and never evaluated as Python.

::

    rule       = and { "or" and }                        and  = not { "and" not }
    not        = "not" not | atom
    atom       = "(" rule ")" | "ALWAYS" | "MCC" | "CC" | member | comparison
    member     = subject "in" LIST | "'mark'" "in" ( "ss_matched" | "zd_matched" )
    subject    = "PDX" | "SDX" | "ANYDX" | "MAINOP" | "ANYOP"
    comparison = value ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) value { … }
    value      = NUMBER | FACT | "int" "(" FACT ")" | "count" "(" ( "ss_matched" | "zd_matched" ) ")"

It is the language of the published plans, plus ``zd_matched`` and ``count``, in which a multiple trauma can be written:
``count(zd_matched) >= 2`` holds where the diagnoses bear two different marks of the marked list.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from headwater.errors import Message, Refusal

__all__ = [
    "FACTS",
    "SUBJECTS",
    "All",
    "Always",
    "Any",
    "Comparison",
    "Complicated",
    "Count",
    "Fact",
    "Marked",
    "Member",
    "Not",
    "Rule",
    "Value",
    "atoms",
    "excerpt",
    "parse",
]

Kind = Literal["diagnosis", "operation"]
FACTS = ("SEX", "AGE_Y", "AGE_DAYS", "BIRTH_WT_G", "LOS_DAYS", "DSCG_WAY")
"""Numbers of a stay: sex (1 male, 2 female), age in years and days, birth weight in g, days of stay, discharge way."""
SUBJECTS: dict[str, Kind] = {
    **dict.fromkeys(("PDX", "SDX", "ANYDX"), "diagnosis"),
    **dict.fromkeys(("MAINOP", "ANYOP"), "operation"),
}
"""Which codes of a stay a rule can speak of: principal, secondary, any diagnosis; first, any operation."""
_MATCHED: dict[str, Kind] = {"ss_matched": "operation", "zd_matched": "diagnosis"}
_DEEPEST = 100
_AROUND = 35
_BLANKS = re.compile(r"\s*")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_TOKEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>'[^']*')|(?P<sign><=|>=|==|!=|[<>()])")


@dataclass(frozen=True)
class Always:
    """Holds of every stay."""


@dataclass(frozen=True)
class Complicated:
    """Some secondary diagnosis is of this level (``MCC`` or ``CC``) and the principal one does not exclude it."""

    level: Literal["MCC", "CC"]


@dataclass(frozen=True)
class Member:
    """A code of the stay, as ``subject`` says which, is in the list."""

    subject: str
    list: str


@dataclass(frozen=True)
class Marked:
    """Some code of the stay bears this mark in the marked list."""

    kind: Kind
    mark: str


@dataclass(frozen=True)
class Fact:
    """A number of the stay; ``whole`` cuts what follows the point."""

    name: str
    whole: bool = False


@dataclass(frozen=True)
class Count:
    """How many different marks of the marked list the codes of the stay bear."""

    kind: Kind


Value: TypeAlias = "float | Fact | Count"


@dataclass(frozen=True)
class Comparison:
    """Two values in an order; a number that the stay lacks satisfies none."""

    left: Value
    sign: str
    right: Value


@dataclass(frozen=True)
class Not:
    """The rule does not hold."""

    rule: "Rule"


@dataclass(frozen=True)
class All:
    """Every one of the rules holds."""

    rules: "tuple[Rule, ...]"


@dataclass(frozen=True)
class Any:
    """At least one of the rules holds."""

    rules: "tuple[Rule, ...]"


Rule: TypeAlias = "Always | Complicated | Member | Marked | Comparison | Not | All | Any"


def parse(text: str, *, where: str = "") -> Rule:
    """Read one rule.

    Parameters
    ----------
    text : the rule, e.g. ``PDX in adrg_zd and (AGE_DAYS <= 28)``
    where : whose rule it is, for the refusal

    Raises
    ------
    Refusal
        ``E-PLAN-RULE`` with the place of the first character that fits nowhere.

    Examples
    --------
    >>> parse("MCC or CC")
    Any(rules=(Complicated(level='MCC'), Complicated(level='CC')))
    """
    reader = _Reader(text, where)
    rule = reader.either()
    if reader.token:
        raise reader.fault("规则到此应结束", "the rule should end here")
    return rule


def atoms(rule: Rule) -> "tuple[Rule, ...]":
    """Return the parts of a rule that are not made of others, in the order of the text."""
    if isinstance(rule, Not):
        return atoms(rule.rule)
    if isinstance(rule, All | Any):
        return tuple(atom for part in rule.rules for atom in atoms(part))
    return (rule,)


def excerpt(text: str, place: int) -> str:
    """Return what stands around a place of a rule, at most 72 characters, ``…`` where something was left out."""
    start, stop = max(0, place - _AROUND), place + _AROUND
    return "…" * (start > 0) + text[start:stop] + "…" * (stop < len(text))


class _Reader:
    """Reads a rule from left to right; ``token`` is the one in hand, empty at the end."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where
        self.end = self.start = self.depth = 0
        self.token = self.sort = ""
        self.step()

    def step(self) -> str:
        """Take the token in hand and look at the following one."""
        taken = self.token
        blanks = _BLANKS.match(self.text, self.end)
        self.start = blanks.end() if blanks else self.end
        if self.start == len(self.text):
            self.token = self.sort = ""
            return taken
        found = _TOKEN.match(self.text, self.start)
        if not found:
            raise self.fault("无法识别的字符", "no such character in rules")
        self.token, self.sort, self.end = found[found.lastgroup or 0], found.lastgroup or "", found.end()
        return taken

    def fault(self, zh: str, en: str) -> Refusal:
        """Return the refusal of what stands at the token in hand."""
        place = self.start + 1
        shown = self.text[self.start : self.start + 20]
        rule = excerpt(self.text, self.start)
        values = {"where": self.where or "?", "place": place, "shown": shown or "∎", "rule": rule}
        reason = Message(
            "{where} 的规则“{rule}”第 {place} 个字符处（“{shown}”）：" + zh + "。",
            "The rule of {where}, {rule!r}, at character {place} ({shown!r}): " + en + ".",
        )
        remedy = Message("请按 docs/grouping.md 的语法改正。", "Mend it by the grammar in docs/grouping.md.")
        return Refusal("E-PLAN-RULE", reason.format(**values), remedy)

    def take(self, *wanted: str) -> str:
        """Take the token in hand, which must be one of these."""
        if self.token not in wanted:
            listed = " | ".join(wanted)
            raise self.fault(f"此处应为 {listed}", f"expected {listed}")
        return self.step()

    def either(self) -> Rule:
        parts = [self.both()]
        while self.token == "or":
            self.step()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def both(self) -> Rule:
        parts = [self.negated()]
        while self.token == "and":
            self.step()
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def negated(self) -> Rule:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.fault("嵌套过深", "nested too deeply")
        rule = Not(self.negated()) if self.token == "not" and self.step() else self.atom()
        self.depth -= 1
        return rule

    def atom(self) -> Rule:
        if self.token == "(":
            self.step()
            rule = self.either()
            self.take(")")
            return rule
        if self.token == "ALWAYS":
            self.step()
            return Always()
        if self.token in ("MCC", "CC"):
            return Complicated("MCC" if self.step() == "MCC" else "CC")
        if self.sort == "mark":
            mark = self.step().strip("'")
            self.take("in")
            return Marked(_MATCHED[self.take(*_MATCHED)], mark)
        if self.token in SUBJECTS:
            return self.member()
        return self.comparison()

    def member(self) -> Rule:
        subject = self.step()
        self.take("in")
        if self.sort != "name":
            raise self.fault("此处应为清单名", "expected the name of a list")
        return Member(subject, self.step())

    def comparison(self) -> Rule:
        left = self.value()
        parts: list[Rule] = []
        while not parts or self.token in _COMPARISONS:
            sign = self.take(*_COMPARISONS)
            right = self.value()
            parts.append(Comparison(left, sign, right))
            left = right
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def value(self) -> Value:
        if self.sort == "number":
            return float(self.step())
        if self.token in ("int", "count"):
            name = self.step()
            self.take("(")
            inner = self.take(*FACTS) if name == "int" else self.take(*_MATCHED)
            self.take(")")
            return Fact(inner, whole=True) if name == "int" else Count(_MATCHED[inner])
        if self.token in FACTS:
            return Fact(self.step())
        raise self.fault("此处应为条件", "expected a condition")
