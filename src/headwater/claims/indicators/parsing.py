"""From words to pieces: a parser by precedence, which refuses at the word that does not fit.

expression := operand { operator expression of a higher precedence }; precedences rise from ``or`` over ``and``,
``not``, comparisons, sums and products to the sign of a number.
"""

from decimal import Decimal

from headwater.claims.indicators.faults import FormulaRefusal, Source, Span
from headwater.claims.indicators.syntax import (
    Among,
    Binary,
    Call,
    Formula,
    Missing,
    Name,
    Node,
    Number,
    Ref,
    Text,
    Truth,
    Unary,
)
from headwater.claims.indicators.tokens import Token, tokens
from headwater.claims.indicators.units import NONE, Unit, symbol

__all__ = ["COMPARISONS", "DEEPEST", "parse"]

DEEPEST = 64
"""Levels of the deepest formula."""

COMPARISONS = ("=", "<>", "!=", "<", "<=", ">", ">=", "starts", "in", "is")
_NOT, _COMPARED, _SIGNED = 3, 4, 7
_PRECEDENCE = {
    **{"or": 1, "and": 2},
    **dict.fromkeys((*COMPARISONS, "not"), _COMPARED),
    **{"+": 5, "-": 5, "*": 6, "/": 6},
}


def parse(text: str, *, part: str = "formula") -> Formula:
    """Parse a formula.

    Parameters
    ----------
    part : what the text is, for the words of a refusal: ``formula`` or ``scope``

    Raises
    ------
    FormulaRefusal
        at the first word that does not fit

    >>> parse("sum(drug_amount) / sum(fee_line_amount)").root.op
    '/'
    """
    source = Source(text, part)
    return Formula(source, _Parser(source).whole())


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.words = tokens(source)
        self.at = 0
        self.depth = 0
        # How deep each piece is: a chain of sums is as deep as it is long.
        self.depths: dict[int, int] = {}

    @property
    def word(self) -> Token:
        return self.words[self.at]

    def whole(self) -> Node:
        if self.word.kind == "end":
            raise FormulaRefusal("empty", self.source, self.word.span)
        root = self.expression(0)
        if self.word.kind != "end":
            raise self.unexpected("the end or an operator", "结尾或运算符")
        return root

    def expression(self, least: int) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise FormulaRefusal("too_deep", self.source, self.word.span, limit=DEEPEST)
        left = self.operand()
        while (binding := self.binding()) and binding > least:
            left = self.compared(left) if binding == _COMPARED else self.joined(left, binding)
            self.measure(left)
            if binding == _COMPARED and self.binding() == _COMPARED:
                raise FormulaRefusal("chained", self.source, self.word.span)
        self.depth -= 1
        return left

    def binding(self) -> int:
        word = self.word
        return _PRECEDENCE.get(word.text, 0) if word.kind in ("operator", "keyword") else 0

    def measure(self, node: Node) -> None:
        depth = 1 + max((self.depths.get(id(part), 1) for part in node.parts), default=0)
        if depth > DEEPEST:
            raise FormulaRefusal("too_deep", self.source, node.span, limit=DEEPEST)
        self.depths[id(node)] = depth

    def joined(self, left: Node, binding: int) -> Node:
        op = self.take().text
        right = self.expression(binding)
        return Binary(left.span.to(right.span), op, left, right)

    def compared(self, left: Node) -> Node:
        word = self.take()
        if word.text == "not":
            self.expect("in")
            return self.among(left, negated=True)
        if word.text == "in":
            return self.among(left, negated=False)
        if word.text == "is":
            if not self.word.says("missing", "known"):
                raise self.unexpected("missing or known", "missing 或 known")
            end = self.take()
            return Missing(left.span.to(end.span), left, end.text == "known")
        right = self.expression(_COMPARED)
        return Binary(left.span.to(right.span), "<>" if word.text == "!=" else word.text, left, right)

    def among(self, value: Node, *, negated: bool) -> Node:
        self.expect("(")
        choices = [self.expression(_COMPARED)]
        while self.word.says(","):
            self.take()
            choices.append(self.expression(_COMPARED))
        return Among(value.span.to(self.expect(")").span), value, tuple(choices), negated)

    def operand(self) -> Node:
        word = self.word
        if word.says("-", "not"):
            return self.signed()
        if word.says("("):
            self.take()
            inner = self.expression(0)
            self.expect(")")
            return inner
        if word.kind == "number":
            return self.number()
        if word.kind == "name":
            return self.named()
        if word.says("true", "false"):
            return Truth(self.take().span, word.text == "true")
        if word.kind == "text":
            return Text(self.take().span, word.text)
        if word.kind == "ref":
            return Ref(self.take().span, word.text)
        raise self.unexpected("a field, number, text or function", "字段、数字、文本或函数")

    def signed(self) -> Node:
        word = self.take()
        value = self.expression(_SIGNED if word.text == "-" else _NOT)
        node = Unary(word.span.to(value.span), word.text, value)
        self.measure(node)
        return node

    def number(self) -> Node:
        word = self.take()
        value, unit, currency, end = Decimal(word.text), None, None, word
        if self.word.says("%"):
            end = self.take()
            return Number(word.span.to(end.span), value / 100, NONE, None)
        if self.word.kind == "name":
            end = self.take()
            unit, currency = self.unit(end)
            # `500 CNY/day`: what follows the stroke is a unit too where it can be one.
            while self.word.says("/") and self.ahead.kind == "name" and symbol(self.ahead.text):
                self.take()
                end = self.take()
                unit = unit / self.unit(end)[0]
        return Number(word.span.to(end.span), value, unit, currency)

    def unit(self, word: Token) -> tuple[Unit, str | None]:
        found = symbol(word.text)
        if found is None:
            raise self.unexpected("an operator or a unit", "运算符或单位", word)
        return found[0], found[1]

    @property
    def ahead(self) -> Token:
        return self.words[min(self.at + 1, len(self.words) - 1)]

    def named(self) -> Node:
        word = self.take()
        if self.word.says("("):
            return self.call(word)
        if not self.word.says("."):
            return Name(word.span, None, word.text)
        self.take()
        if self.word.kind != "name":
            raise self.unexpected("the name of a field", "字段名")
        field = self.take()
        return Name(word.span.to(field.span), word.text, field.text)

    def call(self, name: Token) -> Node:
        self.expect("(")
        distinct = bool(self.word.says("distinct") and self.take())
        arguments: list[Node] = []
        if not self.word.says(")", "where"):
            arguments.append(self.expression(0))
            while self.word.says(","):
                self.take()
                arguments.append(self.expression(0))
        where = None
        if self.word.says("where"):
            self.take()
            where = self.expression(0)
        end = self.expect(")")
        node = Call(name.span.to(end.span), name.text.lower(), tuple(arguments), where, distinct)
        self.measure(node)
        return node

    def take(self) -> Token:
        word = self.word
        self.at = min(self.at + 1, len(self.words) - 1)
        return word

    def expect(self, text: str) -> Token:
        if not self.word.says(text):
            raise self.unexpected(text, f"“{text}”")
        return self.take()

    def unexpected(self, wanted: str, wanted_zh: str, word: Token | None = None) -> FormulaRefusal:
        word = word or self.word
        found = self.source.text[word.span.start : word.span.end][:40]
        return FormulaRefusal(
            "expected",
            self.source,
            word.span if word.kind != "end" else Span(word.span.start, word.span.start),
            wanted=wanted,
            wanted_zh=wanted_zh,
            found=found or "the end / 结尾",
        )
