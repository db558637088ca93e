"""Units of amounts: what may be added and compared, and what comes of multiplying and dividing.

A unit is a product of powers of bases. Every amount of money is in ``currency``, that of the row; a formula that names
a currency (``10000 CNY``) speaks of rows in that currency only. ``%`` is the number 0.01.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from headwater.errors import Message

__all__ = ["BASES", "CURRENCIES", "NONE", "Unit", "parse_unit", "symbol"]

BASES: Mapping[str, Message] = {
    "currency": Message("元（本币）", "currency units"),
    "day": Message("天", "days"),
    "year": Message("岁", "years"),
    "stay": Message("人次", "stays"),
    "person": Message("人", "persons"),
    "hospital": Message("家医院", "hospitals"),
    "line": Message("条明细", "fee lines"),
    "settlement": Message("笔结算", "settlements"),
    "item": Message("个项目", "items"),
    "DDD": Message("限定日剂量", "defined daily doses"),
    "unit": Message("计价单位", "price units"),
    "weight": Message("权重", "relative weights"),
}
"""What amounts are counted in."""

CURRENCIES = frozenset({"CNY", "HKD", "MOP", "TWD", "USD", "EUR", "BRL", "GBP", "JPY"})
"""ISO 4217 codes by which a formula may name a currency."""

_PLAIN = {"1": Decimal(1), "ratio": Decimal(1), "%": Decimal("0.01")}


@dataclass(frozen=True)
class Unit:
    """A product of powers, e.g. ``currency / stay``; without any it is a plain number.

    >>> Unit((("currency", 1),)) / Unit((("stay", 1),))
    Unit(powers=(('currency', 1), ('stay', -1)))
    """

    powers: tuple[tuple[str, int], ...] = ()

    def __mul__(self, other: "Unit") -> "Unit":
        return _unit(self, other, 1)

    def __truediv__(self, other: "Unit") -> "Unit":
        return _unit(self, other, -1)

    def __str__(self) -> str:
        up = [_power(base, power) for base, power in self.powers if power > 0]
        down = [_power(base, -power) for base, power in self.powers if power < 0]
        return "*".join(up or ["1"]) + "".join(f"/{base}" for base in down)


NONE = Unit()
"""The unit of plain numbers and ratios."""


def symbol(name: str) -> tuple[Unit, str | None, Decimal] | None:
    """Return the unit of a symbol, the currency it names, and its size; None where there is no such symbol.

    >>> symbol("CNY")
    (Unit(powers=(('currency', 1),)), 'CNY', Decimal('1'))
    """
    if name in _PLAIN:
        return NONE, None, _PLAIN[name]
    if name in CURRENCIES:
        return Unit((("currency", 1),)), name, Decimal(1)
    return (Unit(((name, 1),)), None, Decimal(1)) if name in BASES else None


def parse_unit(text: str) -> tuple[Unit, str | None, Decimal]:
    """Return the unit of a declaration such as ``CNY/stay``, the currency it names, and its size.

    Raises
    ------
    ValueError
        with the symbol that is unknown

    >>> parse_unit("DDD/day")
    (Unit(powers=(('DDD', 1), ('day', -1))), None, Decimal('1'))
    """
    unit, size, currencies = NONE, Decimal(1), set[str]()
    for place, group in enumerate(text.split("/")):
        for name in group.split("*"):
            found = symbol(name.strip())
            if found is None:
                raise ValueError(name.strip())
            unit = unit * found[0] if place == 0 else unit / found[0]
            size = size * found[2] if place == 0 else size / found[2]
            currencies |= {found[1]} if found[1] else set()
    if len(currencies) > 1:
        raise ValueError(" ≠ ".join(sorted(currencies)))
    return unit, next(iter(currencies), None), size


def _unit(left: Unit, right: Unit, sign: int) -> Unit:
    powers = dict(left.powers)
    for base, power in right.powers:
        powers[base] = powers.get(base, 0) + sign * power
    return Unit(tuple(sorted((base, power) for base, power in powers.items() if power)))


def _power(base: str, power: int) -> str:
    return base if power == 1 else f"{base}^{power}"
