"""From pieces to terms: names are looked up, types and units checked, and what does not fit is refused in place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from headwater.claims.indicators.aggregates import FUNCTIONS, aggregate
from headwater.claims.indicators.faults import FormulaRefusal, Source
from headwater.claims.indicators.fields import HOME, Catalogue, Field
from headwater.claims.indicators.syntax import (
    Among,
    Binary,
    Call,
    Missing,
    Name,
    Node,
    Number,
    Ref,
    Text,
    Truth,
    Unary,
)
from headwater.claims.indicators.terms import CONSTANTS, Term, kind_words
from headwater.claims.indicators.units import NONE, Unit

__all__ = ["LARGEST", "Checker"]

LARGEST = 5_000
"""Parts of the largest formula, with all it refers to."""
_DEEPEST = 200

_VERBS = {
    "+": ("added", "相加"),
    "-": ("subtracted", "相减"),
    "if": ("alternatives", "作为两个分支"),
}
_COMPARED = ("compared", "比较")
_ORDERED = ("<", "<=", ">", ">=")


class Checker:
    """Checks the pieces of one text.

    Parameters
    ----------
    referred : returns the term of another indicator, or refuses the reference
    scope : condition that every aggregate adds to its own
    """

    def __init__(
        self,
        source: Source,
        catalogue: Catalogue,
        *,
        referred: Callable[[Ref], Term],
        scope: Term | None = None,
    ) -> None:
        self.source = source
        self.catalogue = catalogue
        self.scope = scope
        self._referred = referred
        # Inside an aggregate, the table that its bare names are sought in first; None outside.
        self._inside: str | None = None
        self._of: dict[type[Node], Callable[[Node], Term]] = {
            Number: self._number,
            Text: lambda node: Term("text", "text", value=node.value),  # type: ignore[attr-defined]
            Truth: lambda node: Term("truth", "condition", value=node.value),  # type: ignore[attr-defined]
            Name: self._name,
            Ref: self._ref,
            Unary: self._unary,
            Binary: self._binary,
            Among: self._among,
            Missing: self._missing,
            Call: self._call,
        }

    def term(self, node: Node) -> Term:
        """Return what a piece means."""
        term = self._of[type(node)](node).sized()
        if term.size > LARGEST or term.depth > _DEEPEST:
            raise self.fault("too_large", node, limit=LARGEST)
        return term

    def rows(self, node: Node, table: str) -> Term:
        """Return what a piece inside an aggregate means, where bare names are sought in ``table`` first."""
        outer, self._inside = self._inside, table
        try:
            return self.term(node)
        finally:
            self._inside = outer

    def condition(self, node: Node) -> Term:
        """Return a piece that must be a condition."""
        return self.of_kind(node, "condition")

    def of_kind(self, node: Node, kind: str) -> Term:
        """Return a piece that must be of a kind."""
        term = self.term(node)
        if term.kind != kind:
            raise self.fault("type", node, **kind_words(wanted=kind, found=term.kind))
        return term

    def fault(self, fault: str, node: Node, **values: object) -> FormulaRefusal:
        """Return a refusal at a piece."""
        return FormulaRefusal(fault, self.source, node.span, **values)

    @property
    def is_inside(self) -> bool:
        """Whether pieces are inside an aggregate."""
        return self._inside is not None

    def _number(self, node: Node) -> Term:
        assert isinstance(node, Number)
        unit = None if node.value == 0 and node.unit is None else node.unit or NONE
        return Term("number", "number", unit, value=node.value)

    def _ref(self, node: Node) -> Term:
        assert isinstance(node, Ref)
        if self.is_inside:
            raise self.fault("nested", node)
        return self._referred(node)

    def _name(self, node: Node) -> Term:
        assert isinstance(node, Name)
        field = self.field(node, self._inside)
        if not self.is_inside:
            raise self.fault("not_aggregated", node)
        if field.kind == "identifier":
            raise self.fault("private", node, name=field.name)
        return _field(field)

    def field(self, node: Name, table: str | None) -> Field:
        """Return the published field that a name means: of its aggregate's table, of stays, or of the only table."""
        if node.table is not None and node.table not in self.catalogue.tables:
            raise self.fault("unknown_table", node, name=node.table, known=", ".join(self.catalogue.tables))
        having = self.catalogue.having(node.name)
        for sought in (node.table,) if node.table else (table, HOME):
            if sought is not None and sought in having:
                return self.catalogue.tables[sought].fields[node.name]
        if node.table is None and len(having) == 1:
            return self.catalogue.tables[having[0]].fields[node.name]
        if node.table is None and having:
            raise self.fault("ambiguous", node, name=node.name, known=", ".join(f"{one}.{node.name}" for one in having))
        raise self.fault("unknown_field", node, name=node.name, near=self.catalogue.near(node.name))

    def _unary(self, node: Node) -> Term:
        assert isinstance(node, Unary)
        value = self.of_kind(node.value, "condition" if node.op == "not" else "number")
        op = "not" if node.op == "not" else "neg"
        return replace(_over(op, value.kind, value), unit=value.unit, is_exact=value.is_exact)

    def _binary(self, node: Node) -> Term:
        assert isinstance(node, Binary)
        if node.op in ("and", "or"):
            return _over(node.op, "condition", self.condition(node.left), self.condition(node.right))
        if node.op in ("+", "-"):
            left, right = self.of_kind(node.left, "number"), self.of_kind(node.right, "number")
            unit = self.same_unit(left, right, node.right, _VERBS[node.op])
            return replace(_over(node.op, "number", left, right), unit=unit, is_exact=left.is_exact and right.is_exact)
        if node.op in ("*", "/"):
            return _scaled(node.op, self.of_kind(node.left, "number"), self.of_kind(node.right, "number"))
        return self._compared(node)

    def _compared(self, node: Binary) -> Term:
        left, right = self.term(node.left), self.term(node.right)
        left, right = self._dated(left, right, node.left), self._dated(right, left, node.right)
        if left.kind != right.kind or left.kind == "identifier":
            raise self.fault("other_type", node.right, **kind_words(left=left.kind, right=right.kind))
        if node.op == "starts" and (left.kind != "text" or right.op != "text"):
            raise self.fault("type", node.right, **kind_words(wanted="text", found=right.kind))
        if node.op in _ORDERED and left.kind not in ("number", "date"):
            raise self.fault("type", node.left, **kind_words(wanted="number", found=left.kind))
        if left.kind == "number":
            self.same_unit(left, right, node.right, _COMPARED)
        return _over(node.op, "condition", left, right)

    def _dated(self, term: Term, other: Term, node: Node) -> Term:
        """Return a text beside a date as the date that it says."""
        if term.op != "text" or other.kind != "date":
            return term
        try:
            return Term("date", "date", value=date.fromisoformat(str(term.value)).isoformat())
        except ValueError as error:
            raise self.fault("date", node, shown=term.value) from error

    def _among(self, node: Node) -> Term:
        assert isinstance(node, Among)
        value = self.term(node.value)
        choices = []
        for choice in node.choices:
            term = self._dated(self.term(choice), value, choice)
            if term.kind != value.kind or not _is_constant(term):
                raise self.fault("other_type", choice, **kind_words(left=value.kind, right=term.kind))
            if value.kind == "number":
                self.same_unit(value, term, choice, _COMPARED)
            choices.append(term)
        among = _over("in", "condition", value, *choices)
        return _over("not", "condition", among.sized()) if node.negated else among

    def _missing(self, node: Node) -> Term:
        assert isinstance(node, Missing)
        missing = replace(_over("missing", "condition", self.term(node.value)), is_required=True)
        return _over("not", "condition", missing.sized()) if node.negated else missing

    def _call(self, node: Node) -> Term:
        assert isinstance(node, Call)
        if node.name not in FUNCTIONS:
            raise self.fault("unknown_function", node, name=node.name, known=", ".join(FUNCTIONS))
        if node.name != "if":
            return aggregate(self, node)
        if len(node.arguments) != 3 or node.where or node.distinct:
            raise self.fault("arguments", node, name="if", usage=FUNCTIONS["if"])
        condition, first, second = node.arguments
        yes, no = self.term(first), self.term(second)
        if yes.kind != no.kind:
            raise self.fault("other_type", second, **kind_words(left=yes.kind, right=no.kind))
        unit = self.same_unit(yes, no, second, _VERBS["if"])
        chosen = _over("if", yes.kind, self.condition(condition), yes, no)
        return replace(chosen, unit=unit, is_exact=yes.is_exact and no.is_exact)

    def same_unit(self, left: Term, right: Term, node: Node, verb: tuple[str, str]) -> Unit | None:
        """Return the unit that two terms share; 0 is of any."""
        if left.unit is None or right.unit is None:
            return right.unit if left.unit is None else left.unit
        if left.unit != right.unit:
            example = self._example(left, node)
            raise self.fault(
                "unit", node, left=left.shown, right=right.shown, verb=verb[0], verb_zh=verb[1], example=example
            )
        return left.unit

    def _example(self, left: Term, node: Node) -> str:
        """Return how a number would be written beside a term, in its unit."""
        number = f"{node.value:f}" if isinstance(node, Number) and node.unit is None else "100"
        return f"{number} {left.unit or ''}".replace("currency", "CNY").strip()


def _over(op: str, kind: str, *args: Term) -> Term:
    return Term(op, kind, args=args, is_required=all(arg.is_required for arg in args))


def _scaled(op: str, left: Term, right: Term) -> Term:
    one, other = left.unit or NONE, right.unit or NONE
    unit = one * other if op == "*" else one / other
    required = op == "*" and left.is_required and right.is_required
    return Term(op, "number", unit, args=(left, right), is_exact=False, is_required=required)


def _field(field: Field) -> Term:
    return Term("field", field.kind, field.unit, field=field, is_exact=field.is_exact, is_required=field.is_required)


def _is_constant(term: Term) -> bool:
    return term.op in CONSTANTS or (term.op == "neg" and term.args[0].op == "number")
