"""What can be wrong with a formula: each refusal names the place, the fault and the remedy in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.errors import Message, Refusal

__all__ = ["FAULTS", "FormulaRefusal", "Source", "Span"]


@dataclass(frozen=True)
class Span:
    """A piece of a formula: offsets in characters, the end excluded."""

    start: int
    end: int

    def to(self, other: "Span") -> "Span":
        """Return the piece from the start of this one to the end of the other."""
        return Span(self.start, other.end)


@dataclass(frozen=True)
class Source:
    """A text that is parsed, and what it is: ``formula`` or ``scope``."""

    text: str
    part: str = "formula"

    def place(self, span: Span) -> tuple[int, int]:
        """Return line and column of a piece, both from 1."""
        before = self.text[: span.start]
        return before.count("\n") + 1, span.start - (before.rfind("\n") + 1) + 1


class FormulaRefusal(Refusal):
    """A formula that is refused at a place.

    Parameters
    ----------
    fault : key of :data:`FAULTS`
    values : what fills the words of the fault
    """

    def __init__(self, fault: str, source: Source, span: Span, **values: object) -> None:
        code, reason, remedy = FAULTS[fault]
        self.fault = fault
        self.values = values
        self.source = source
        self.span = span
        self.line, self.column = source.place(span)
        where = _WHERE[source.part].format(line=self.line, column=self.column)
        told = reason.format(**values)
        super().__init__(code, Message(f"{where.zh}{told.zh}", f"{where.en}{told.en}"), remedy.format(**values))

    @property
    def piece(self) -> str:
        """The refused piece of the text."""
        return self.source.text[self.span.start : self.span.end]


_WHERE = {
    "formula": Message("公式第 {line} 行第 {column} 列：", "Formula, line {line}, column {column}: "),
    "scope": Message("范围第 {line} 行第 {column} 列：", "Scope, line {line}, column {column}: "),
    "unit": Message("单位第 {line} 行第 {column} 列：", "Unit, line {line}, column {column}: "),
}

_Fault = tuple[str, Message, Message]


def _fault(code: str, reason: tuple[str, str], remedy: tuple[str, str]) -> _Fault:
    return f"E-FORMULA-{code}", Message(*reason), Message(*remedy)


FAULTS: Mapping[str, _Fault] = {
    "character": _fault(
        "CHARACTER",
        ("不允许字符 {shown}。", "the character {shown} has no meaning here."),
        (
            "只用半角字母、数字和 {known}；文本放在引号中。",
            "Use letters, digits and {known}; put text in quotes.",
        ),
    ),
    "look_alike": _fault(
        "CHARACTER",
        ("字符 {shown} 只是形似“{meant}”。", "the character {shown} only looks like {meant}."),
        ("改写为“{meant}”。", "Write {meant}."),
    ),
    "comment": _fault(
        "CHARACTER",
        ("公式中没有注释，不允许“{shown}”。", "formulas have no comments, so {shown} is refused."),
        ("删去；说明写在指标名称里。", "Remove it; a description belongs into the indicator's name."),
    ),
    "in_text": _fault(
        "CHARACTER",
        ("引号内不允许 {shown}。", "{shown} may not stand in quotes."),
        ("文本只含文字、数字、空格和 {known}。", "A text holds letters, digits, blanks and {known}."),
    ),
    "open_text": _fault(
        "SYNTAX",
        ("引号没有闭合。", "the quote is not closed."),
        ("在文本末尾补上同样的引号。", "Close the text with the same quote."),
    ),
    "number": _fault(
        "SYNTAX",
        ("“{shown}”不是数字。", "{shown} is no number."),
        ("写作 12 或 0.35，至多 15 位。", "Write 12 or 0.35, of at most 15 digits."),
    ),
    "empty": _fault(
        "SYNTAX",
        ("没有内容。", "there is nothing."),
        (
            "写出公式，例如 sum(drug_amount)。",
            "Write one, such as sum(drug_amount).",
        ),
    ),
    "expected": _fault(
        "SYNTAX",
        ("此处应为{wanted_zh}，却是“{found}”。", "{wanted} belongs here, not {found}."),
        ("补上或删去此处。", "Add what is missing or remove this."),
    ),
    "chained": _fault(
        "SYNTAX",
        ("比较不能连写。", "comparisons do not follow each other."),
        ("用 and 连接两个比较，或加括号。", "Join two comparisons by and, or use brackets."),
    ),
    "unknown_function": _fault(
        "SYNTAX",
        ("没有函数“{name}”。", "there is no function {name}."),
        ("可用：{known}。", "There are {known}."),
    ),
    "arguments": _fault(
        "SYNTAX",
        ("{name} 的写法是 {usage}。", "{name} is written {usage}."),
        ("照此改写。", "Write it so."),
    ),
    "too_long": _fault(
        "LIMIT",
        ("超过 {limit} 个字符。", "it is longer than {limit} characters."),
        ("拆成几个指标，用 @名称 引用。", "Divide it into several indicators and refer to them by @name."),
    ),
    "too_deep": _fault(
        "LIMIT",
        ("层次超过 {limit}。", "it is nested deeper than {limit}."),
        ("拆成几个指标，用 @名称 引用。", "Divide it into several indicators and refer to them by @name."),
    ),
    "too_large": _fault(
        "LIMIT",
        ("连同引用的指标超过 {limit} 个部分。", "with what it refers to it has more than {limit} parts."),
        ("减少引用。", "Refer to fewer indicators."),
    ),
    "unknown_field": _fault(
        "FIELD",
        ("没有公布字段“{name}”。", "no published field is called {name}."),
        ("相近的有：{near}。", "Near to it are {near}."),
    ),
    "unknown_table": _fault(
        "FIELD",
        ("没有公布表“{name}”。", "no published table is called {name}."),
        ("可用：{known}。", "There are {known}."),
    ),
    "ambiguous": _fault(
        "FIELD",
        ("字段“{name}”在几个表中都有。", "several tables have a field {name}."),
        ("写明其一：{known}。", "Name one of them: {known}."),
    ),
    "two_tables": _fault(
        "FIELD",
        ("一个汇总中不能同时用表 {one} 与 {other}。", "one aggregate cannot use both {one} and {other}."),
        ("分成两个汇总再相除或相加。", "Write two aggregates and divide or add them."),
    ),
    "private": _fault(
        "FIELD",
        ("“{name}”是标识，不能读取。", "{name} is an identifier and may not be read."),
        ("只可写 count(distinct {name})。", "Only count(distinct {name}) is allowed."),
    ),
    "scope_table": _fault(
        "FIELD",
        ("范围只能用 stay 的字段，“{name}”不是。", "a scope uses fields of stay only, which {name} is not."),
        ("把该条件写进汇总的 where。", "Put this condition into the where of an aggregate."),
    ),
    "type": _fault(
        "TYPE",
        ("此处应为{wanted_zh}，却是{found_zh}。", "{wanted} belongs here, and this is {found}."),
        ("核对字段的类型。", "Look the type of the field up."),
    ),
    "other_type": _fault(
        "TYPE",
        ("不能把{left_zh}与{right_zh}放在一起。", "{left} and {right} do not go together."),
        ("两边应为同一类型。", "Both sides must be of one type."),
    ),
    "date": _fault(
        "TYPE",
        ("“{shown}”不是日期。", "{shown} is no date."),
        ("写作 '2026-01-31'。", "Write '2026-01-31'."),
    ),
    "share": _fault(
        "TYPE",
        ("分位数应是 0 到 1 之间的数。", "a quantile is a number from 0 to 1."),
        ("例如 quantile(stay_days, 0.9)。", "For example quantile(stay_days, 0.9)."),
    ),
    "unit": _fault(
        "UNIT",
        ("{left} 与 {right} 单位不同，不能{verb_zh}。", "{left} and {right} are different units and cannot be {verb}."),
        (
            "换用同单位的量，或为数字写明单位，例如 {example}。",
            "Use amounts of one unit, or give a number its unit: {example}.",
        ),
    ),
    "declared_unit": _fault(
        "UNIT",
        ("公式的单位是 {left}，指标声明的是 {right}。", "the formula is in {left}, and the indicator says {right}."),
        ("改公式或改声明的单位。", "Change the formula or the unit that is said."),
    ),
    "unknown_unit": _fault(
        "UNIT",
        ("没有单位“{name}”。", "there is no unit {name}."),
        ("可用：{known}。", "There are {known}."),
    ),
    "two_currencies": _fault(
        "UNIT",
        ("一个指标不能用两种货币：{left} 与 {right}。", "one indicator cannot use two currencies, {left} and {right}."),
        ("分成两个指标。", "Write two indicators."),
    ),
    "not_aggregated": _fault(
        "LEVEL",
        ("字段必须先汇总。", "a field must be aggregated first."),
        ("例如 sum(…)、avg(…) 或 count(where …)。", "For example sum(…), avg(…) or count(where …)."),
    ),
    "nested": _fault(
        "LEVEL",
        ("汇总之内不能再有汇总或引用。", "an aggregate cannot hold another one, or a reference."),
        ("把它移到外面。", "Take it out."),
    ),
    "constant": _fault(
        "LEVEL",
        ("公式没有用到任何数据。", "the formula uses no data."),
        ("写出至少一个汇总。", "Write at least one aggregate."),
    ),
    "unknown_indicator": _fault(
        "REFERENCE",
        ("没有指标“{name}”。", "there is no indicator {name}."),
        ("相近的有：{near}。", "Near to it are {near}."),
    ),
    "circle": _fault(
        "CIRCLE",
        ("循环引用：{path}。", "it refers to itself: {path}."),
        ("断开其中一处引用。", "Remove one of these references."),
    ),
}
"""Fault → code of its refusal, what is wrong, how to mend it."""
