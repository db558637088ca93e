"""What a formula consists of, once it is parsed and before anything is known of its fields."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal

from headwater.claims.indicators.faults import Source, Span
from headwater.claims.indicators.units import Unit

__all__ = ["Among", "Binary", "Call", "Formula", "Missing", "Name", "Node", "Number", "Ref", "Text", "Truth", "Unary"]


@dataclass(frozen=True)
class Node:
    """A piece of a formula with its place."""

    span: Span

    @property
    def parts(self) -> Iterator["Node"]:
        """Every piece directly below."""
        for field in fields(self):
            value = getattr(self, field.name)
            yield from (one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Node))

    def walk(self) -> Iterator["Node"]:
        """Yield this piece and all below, in the order of the text."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class Number(Node):
    """A number, with the unit that stands behind it, None where none does."""

    value: Decimal
    unit: Unit | None
    currency: str | None


@dataclass(frozen=True)
class Text(Node):
    """A text in quotes."""

    value: str


@dataclass(frozen=True)
class Truth(Node):
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True)
class Name(Node):
    """A field, ``table.name`` or ``name``."""

    table: str | None
    name: str


@dataclass(frozen=True)
class Ref(Node):
    """Another indicator, ``@name``."""

    name: str


@dataclass(frozen=True)
class Unary(Node):
    """``-`` or ``not`` before a piece."""

    op: str
    value: Node


@dataclass(frozen=True)
class Binary(Node):
    """Two pieces with an operator between them."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Among(Node):
    """``value in (…)``."""

    value: Node
    choices: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True)
class Missing(Node):
    """``value is missing``; ``is known`` where it is negated."""

    value: Node
    negated: bool


@dataclass(frozen=True)
class Call(Node):
    """A function with its arguments, ``count(distinct x where …)``."""

    name: str
    arguments: tuple[Node, ...]
    where: Node | None
    distinct: bool


@dataclass(frozen=True)
class Formula:
    """A text and what was parsed of it."""

    source: Source
    root: Node

    @property
    def references(self) -> tuple[Ref, ...]:
        """The indicators it refers to, in the order of the text."""
        return tuple(node for node in self.root.walk() if isinstance(node, Ref))
