"""What a formula means, once it is checked: typed pieces that can only be written as one SELECT."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from headwater.claims.indicators.fields import Field
from headwater.claims.indicators.units import NONE, Unit

__all__ = ["AGGREGATES", "CONSTANTS", "Term", "both", "kind_words"]

CONSTANTS = ("number", "text", "date", "truth")
"""Operations of pieces that are the same everywhere."""

AGGREGATES = ("sum", "count", "distinct", "avg", "min", "max", "quantile")
"""Operations that make one value a cell of many rows."""

_WORDS = {
    "number": ("数字", "a number"),
    "text": ("文本", "a text"),
    "condition": ("条件", "a condition"),
    "date": ("日期", "a date"),
    "identifier": ("标识", "an identifier"),
}


@dataclass(frozen=True)
class Term:
    """A checked piece.

    Parameters
    ----------
    op : of :data:`CONSTANTS` or :data:`AGGREGATES`; or field, neg, not, and, or, a comparison, in, missing, if, + - * /
    kind : number, text, condition, date or identifier
    unit : of a number; None for the number 0, which is nothing of anything
    args : pieces below
    value : of a constant; the share of a quantile
    field : of a field
    table : of an aggregate, whose rows it counts
    where : of an aggregate, which rows count
    is_exact : whole or decimal throughout, so that sums of it are exact
    is_required : never missing
    size, depth : parts in all, levels
    """

    op: str
    kind: str
    unit: Unit | None = NONE
    args: tuple["Term", ...] = ()
    value: Decimal | str | bool | None = None
    field: Field | None = None
    table: str = ""
    where: "Term | None" = None
    is_exact: bool = True
    is_required: bool = True
    size: int = 1
    depth: int = 1

    @property
    def below(self) -> tuple["Term", ...]:
        """Every piece directly below, the condition of an aggregate included."""
        return self.args if self.where is None else (*self.args, self.where)

    def sized(self) -> "Term":
        """Return this piece with its size and depth counted."""
        return replace(
            self,
            size=1 + sum(part.size for part in self.below),
            depth=1 + max((part.depth for part in self.below), default=0),
        )

    def walk(self) -> Iterator["Term"]:
        """Yield this piece and all below."""
        yield self
        for part in self.below:
            yield from part.walk()

    @property
    def shown(self) -> str:
        """Its unit in words of a refusal."""
        return "0" if self.unit is None else str(self.unit)


def both(left: Term | None, right: Term | None) -> Term | None:
    """Return a condition that holds where both do; None is one that always holds."""
    if left is None or right is None:
        return left or right
    required = left.is_required and right.is_required
    return Term("and", "condition", args=(left, right), is_required=required).sized()


def kind_words(**kinds: str) -> dict[str, str]:
    """Return the kinds in words of a refusal, ``wanted`` and ``wanted_zh``."""
    return {
        name: word
        for key, kind in kinds.items()
        for name, word in ((f"{key}_zh", _WORDS[kind][0]), (key, _WORDS[kind][1]))
    }
