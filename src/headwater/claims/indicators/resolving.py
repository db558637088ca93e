"""Indicators among indicators: what refers to what, without circles, each checked under its own scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from headwater.claims.indicators.checking import Checker
from headwater.claims.indicators.definition import Indicator
from headwater.claims.indicators.faults import FormulaRefusal, Source, Span
from headwater.claims.indicators.fields import HOME, Catalogue, near
from headwater.claims.indicators.parsing import DEEPEST, parse
from headwater.claims.indicators.syntax import Formula, Name, Node, Number, Ref
from headwater.claims.indicators.terms import AGGREGATES, Term, both, kind_words
from headwater.claims.indicators.units import BASES, CURRENCIES, parse_unit
from headwater.errors import Message, Refusal

__all__ = ["Checked", "check"]


@dataclass(frozen=True)
class Checked:
    """An indicator that can be computed.

    Parameters
    ----------
    term : its formula
    rows : which stays are in its scope; None for all
    currency : the currency it names; None where it holds in each
    size : of its unit: 0.01 of ``%``
    references : indicators it refers to
    """

    indicator: Indicator
    term: Term
    rows: Term | None
    currency: str | None
    size: Decimal
    references: tuple[str, ...]


def check(indicator: Indicator, catalogue: Catalogue, known: Mapping[str, Indicator] | None = None) -> Checked:
    """Parse and check an indicator.

    Parameters
    ----------
    known : the other indicators by name, to which its formula may refer

    Raises
    ------
    FormulaRefusal
        at the place of the fault
    Refusal
        where the grain is no dimension, or names one twice
    """
    others = {**(known or {}), indicator.name: indicator}
    return _Resolver(catalogue, others).checked(indicator, ())


class _Resolver:
    def __init__(self, catalogue: Catalogue, known: Mapping[str, Indicator]) -> None:
        self._catalogue = catalogue
        self._known = known
        self._checked: dict[str, Checked] = {}

    def checked(self, indicator: Indicator, path: tuple[str, ...]) -> Checked:
        """Check an indicator that those of ``path`` refer to, the first one first."""
        if indicator.name in self._checked:
            return self._checked[indicator.name]
        for name in indicator.grain:
            if name not in self._catalogue.dimensions:
                raise _no_dimension(name, self._catalogue)
            if indicator.grain.count(name) > 1:
                raise _twice(name)
        formula = parse(indicator.formula)
        scope = parse(indicator.scope, part="scope") if indicator.scope else None
        currency = _currency(indicator, formula, scope)
        rows = both(self._currency_is(currency), self._scope(scope))
        here = (*path, indicator.name)
        checker = Checker(
            formula.source, self._catalogue, referred=lambda ref: self._referred(ref, formula.source, here), scope=rows
        )
        term = checker.term(formula.root)
        _refuse_wrong_value(term, indicator, formula)
        references = tuple(dict.fromkeys(ref.name for ref in formula.references))
        self._checked[indicator.name] = Checked(
            indicator, term, rows, currency, parse_unit(indicator.unit)[2], references
        )
        return self._checked[indicator.name]

    def _referred(self, ref: Ref, source: Source, path: tuple[str, ...]) -> Term:
        if ref.name in path:
            circle = " → ".join((*path[path.index(ref.name) :], ref.name))
            raise FormulaRefusal("circle", source, ref.span, path=circle)
        if len(path) > DEEPEST:
            raise FormulaRefusal("too_deep", source, ref.span, limit=DEEPEST)
        if ref.name not in self._known:
            raise FormulaRefusal(
                "unknown_indicator", source, ref.span, name=ref.name, near=near(ref.name, set(self._known) - set(path))
            )
        try:
            return self.checked(self._known[ref.name], path).term
        except FormulaRefusal as refusal:
            # A fault further down is, here, the fault of the reference that leads to it.
            raise FormulaRefusal(refusal.fault, source, ref.span, **refusal.values) from refusal

    def _scope(self, scope: Formula | None) -> Term | None:
        if scope is None:
            return None
        for node in scope.root.walk():
            _refuse_in_scope(node, scope.source, self._catalogue)
        checker = Checker(scope.source, self._catalogue, referred=_no_reference)
        term = checker.rows(scope.root, HOME)
        if term.kind != "condition":
            raise checker.fault("type", scope.root, **kind_words(wanted="condition", found=term.kind))
        return term

    def _currency_is(self, currency: str | None) -> Term | None:
        if currency is None:
            return None
        field = self._catalogue.tables[HOME].fields["currency"]
        named = Term("text", "text", value=currency)
        return Term("=", "condition", args=(Term("field", "text", field=field), named)).sized()


def _refuse_in_scope(node: Node, source: Source, catalogue: Catalogue) -> None:
    if isinstance(node, Ref):
        raise FormulaRefusal("nested", source, node.span)
    if isinstance(node, Name):
        field = Checker(source, catalogue, referred=_no_reference).field(node, HOME)
        if field.table != HOME:
            raise FormulaRefusal("scope_table", source, node.span, name=f"{field.table}.{field.name}")


def _no_reference(ref: Ref) -> Term:
    raise AssertionError(f"a scope refers to {ref.name}")


def _refuse_wrong_value(term: Term, indicator: Indicator, formula: Formula) -> None:
    root = formula.root
    if term.kind != "number":
        raise FormulaRefusal("type", formula.source, root.span, **kind_words(wanted="number", found=term.kind))
    if not any(part.op in AGGREGATES for part in term.walk()):
        raise FormulaRefusal("constant", formula.source, root.span)
    unit, _, _ = parse_unit(indicator.unit)
    if term.unit is not None and term.unit != unit:
        raise FormulaRefusal(
            "declared_unit", formula.source, root.span, left=term.shown, right=f"{indicator.unit} ({unit})"
        )


def _currency(indicator: Indicator, formula: Formula, scope: Formula | None) -> str | None:
    """Return the one currency that an indicator names, in its unit or beside a number."""
    source = Source(indicator.unit, "unit")
    try:
        _, named, _ = parse_unit(indicator.unit)
    except ValueError as error:
        known = ", ".join(("1", "%", *BASES, *sorted(CURRENCIES)))
        raise FormulaRefusal(
            "unknown_unit", source, Span(0, len(indicator.unit)), name=str(error), known=known
        ) from error
    for text in (formula, *([scope] if scope else [])):
        for node in text.root.walk():
            other = node.currency if isinstance(node, Number) else None
            if other and named and other != named:
                raise FormulaRefusal("two_currencies", text.source, node.span, left=named, right=other)
            named = named or other
    return named


def _twice(name: str) -> Refusal:
    return Refusal(
        "E-INDICATOR",
        Message(f"分组维度“{name}”写了两次。", f"The grain names the dimension {name} twice."),
        Message("每个维度只写一次。", "Name each dimension once."),
    )


def _no_dimension(name: str, catalogue: Catalogue) -> Refusal:
    return Refusal(
        "E-INDICATOR",
        Message(f"“{name}”不是可用的分组维度。", f"{name} is no dimension to break indicators down by."),
        Message(f"可用：{', '.join(catalogue.dimensions)}。", f"There are {', '.join(catalogue.dimensions)}."),
    )
