"""Assigning values: what an item's code and specification say of it, and its price per comparable unit.

Prices compare per defined daily dose, per piece (tablet, vial, bag, device, service), per gram, per millilitre and per
10,000 international units: units large enough that six decimals tell prices apart. Amounts are decimal throughout.
What is not known stays null, and a reason says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa

from headwater.claims.measuring import REASONS as MEASURING
from headwater.claims.measuring import Measure, measure, scaled
from headwater.errors import Message

__all__ = ["BASES", "REASONS", "SCHEMA", "Known", "assign", "class_path", "per_unit"]

BASES: Mapping[str, tuple[str, Decimal]] = {
    "g": ("mg", Decimal(1000)),
    "ml": ("ml", Decimal(1)),
    "10kIU": ("IU", Decimal(10_000)),
}
"""Comparable unit of an amount → what it measures, and how much of that it is. The others are ``ddd`` and ``piece``."""

REASONS: Mapping[str, Message] = {
    **MEASURING,
    "no_price": Message("没有单价", "there is no price"),
    "no_code": Message("尚无国家编码", "there is no national code yet"),
    "no_reference": Message("当时有效的参考表中没有该编码", "no reference that held then has the code"),
    "no_ddd": Message("参考表中没有限定日剂量", "the reference names no defined daily dose"),
    "other_ddd": Message("限定日剂量的单位与含量不符", "the defined daily dose is in another unit than the amount"),
}
"""Why a value is unknown."""

_DECIMAL = pa.decimal128(18, 6)
_LEVEL = pa.struct([("code", pa.string()), ("name", pa.string())])
_MOST = Decimal(10) ** 12
_STEP = Decimal("0.000001")
_FLAGS = ("antibiotic_grade", "control", "is_essential", "is_central")

SCHEMA = pa.schema(
    [
        ("pieces", _DECIMAL),
        ("piece", pa.string()),
        ("amount", _DECIMAL),
        ("amount_unit", pa.string()),
        ("ddd", _DECIMAL),
        ("unit_reason", pa.string()),
        ("amount_reason", pa.string()),
        ("ddd_reason", pa.string()),
        ("price_per_piece", _DECIMAL),
        ("price_per_amount", _DECIMAL),
        ("amount_basis", pa.string()),
        ("price_per_ddd", _DECIMAL),
        ("national_name", pa.string()),
        ("class_path", pa.list_(_LEVEL)),
        ("class_names", pa.string()),
        ("is_high_value", pa.bool_()),
        ("high_value_by", pa.string()),
        ("antibiotic_grade", pa.string()),
        ("control", pa.string()),
        ("is_essential", pa.bool_()),
        ("is_central", pa.bool_()),
    ]
)
"""What an item is assigned.

pieces, amount  how many pieces and how much of ``amount_unit`` (mg, ml, IU) one billed unit holds
ddd             the defined daily dose in ``amount_unit``, so that a billed unit holds ``amount / ddd`` of them
price_per_*     in the currency of the price; ``amount_basis`` is a key of :data:`BASES`
class_path      the classes the code belongs to, the widest first; class_names says their names, ``a > b``
high_value_by   ``reference`` or ``price``, by which it was told
*_reason        key of :data:`REASONS` where pieces, amount or dose are unknown, else null
"""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one kind of item on a day.

    Parameters
    ----------
    kind : drug, consumable or service
    reference : the kind's reference: code, name and value columns
    classes : code and name of the kind's classes
    thresholds : prices from which items are of high value: code is a kind, amount, currency
    """

    kind: str
    reference: pa.Table | None = None
    classes: pa.Table | None = None
    thresholds: pa.Table | None = None


def assign(items: pa.Table, known: Known) -> pa.Table:
    """Assign values to items, one row each, in their order.

    Parameters
    ----------
    items : code (null where none is settled), spec, unit, dosform_name, pric, currency; a column left out is unknown
    known : what held on the day

    Returns
    -------
    pa.Table
        the columns of :data:`SCHEMA`
    """
    rows = _by_code(known.reference)
    classes = {str(row["code"]): str(row["name"]) for row in (known.classes.to_pylist() if known.classes else [])}
    limits = {
        (row["code"].lower(), row["currency"]): row["amount"]
        for row in (known.thresholds.to_pylist() if known.thresholds else [])
    }
    paths: dict[str, list[dict[str, str]]] = {}
    assigned = []
    for item in items.to_pylist():
        row = rows.get(item.get("code") or "", {})
        prefix = str(row.get("class_code") or item.get("code") or "")
        if prefix not in paths:
            paths[prefix] = class_path(prefix, classes)
        values = _measured(item, row, known.kind)
        names = " > ".join(level["name"] for level in paths[prefix])
        values |= {"national_name": row.get("name"), "class_path": paths[prefix] or None, "class_names": names or None}
        limit = limits.get((known.kind, item.get("currency")))
        values |= _high(row.get("is_high_value"), item.get("pric"), limit)
        values |= {flag: row.get(flag) for flag in _FLAGS}
        assigned.append(values)
    return pa.Table.from_pylist(assigned, schema=SCHEMA)


def per_unit(price: Decimal | None, units: Decimal | None) -> Decimal | None:
    """Return the price of one of ``units``, to six decimals, halves upwards; None where either is unknown.

    >>> per_unit(Decimal("8.60"), Decimal(24))
    Decimal('0.358333')
    """
    if price is None or not units:
        return None
    each = (price / units).quantize(_STEP, ROUND_HALF_UP)
    return each if each < _MOST else None


def class_path(code: str, classes: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the classes whose codes begin ``code``, the widest first.

    >>> class_path("XJ01CA00", {"XJ": "anti-infectives", "XJ01": "antibacterials", "XC": "heart"})
    [{'code': 'XJ', 'name': 'anti-infectives'}, {'code': 'XJ01', 'name': 'antibacterials'}]
    """
    prefixes = (code[:length] for length in range(1, len(code) + 1))
    return [{"code": prefix, "name": classes[prefix]} for prefix in prefixes if prefix in classes]


def _by_code(reference: pa.Table | None) -> dict[str, dict[str, object]]:
    return {str(row["code"]): row for row in (reference.to_pylist() if reference else [])}


def _measured(item: Mapping[str, object], row: Mapping[str, object], kind: str) -> dict[str, object]:
    """Return what a billed unit holds and costs; where the hospital gives no specification, that of the code."""
    spec, form = item.get("spec") or row.get("spec"), item.get("dosform_name") or row.get("dosform_name")
    held = measure(_text(spec), _text(item.get("unit")), kind=kind, form=_text(form))
    price = item.get("pric")
    price = price if isinstance(price, Decimal) and price > 0 else None
    ddd, ddd_reason = _dose(held, item, row, kind)
    basis = next((name for name, (unit, _) in BASES.items() if held.amount is not None and unit == held.unit), None)
    amount = held.amount / BASES[basis][1] if held.amount is not None and basis else None
    return {
        "pieces": _kept(held.pieces),
        "piece": held.piece or None,
        "amount": _kept(held.amount),
        "amount_unit": held.unit or None,
        "ddd": ddd,
        "unit_reason": held.reason or (None if price else "no_price"),
        "amount_reason": held.amount_reason or None,
        "ddd_reason": ddd_reason,
        "price_per_piece": per_unit(price, held.pieces),
        "price_per_amount": per_unit(price, amount),
        "amount_basis": basis,
        "price_per_ddd": per_unit(price, held.amount / ddd) if held.amount is not None and ddd else None,
    }


def _dose(
    held: Measure, item: Mapping[str, object], row: Mapping[str, object], kind: str
) -> tuple[Decimal | None, str | None]:
    """Return the defined daily dose in the unit of the amount, or why there is none."""
    if kind != "drug":
        return None, None
    if not item.get("code"):
        return None, "no_code"
    if not row:
        return None, "no_reference"
    ddd, unit = row.get("ddd"), row.get("ddd_unit")
    if not isinstance(ddd, Decimal) or not unit:
        return None, "no_ddd"
    if held.amount is None:
        return None, held.amount_reason
    dose = scaled(ddd, str(unit))
    if dose is None or dose[1] != held.unit:
        return None, "other_ddd"
    return _kept(dose[0]), None


def _high(flag: object, price: object, limit: Decimal | None) -> dict[str, object]:
    """Tell whether an item is of high value: by the reference, else by its price where a limit holds."""
    if flag is not None:
        return {"is_high_value": bool(flag), "high_value_by": "reference"}
    if limit is None or not isinstance(price, Decimal):
        return {"is_high_value": None, "high_value_by": None}
    return {"is_high_value": price >= limit, "high_value_by": "price"}


def _kept(number: Decimal | None) -> Decimal | None:
    """Return what a DECIMAL(18,6) holds of a number; None where it is too large or has further decimals."""
    if number is None or number >= _MOST or number != number.quantize(_STEP):
        return None
    return number.quantize(_STEP)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
