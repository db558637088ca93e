"""Questions: what coding leaves to people, like items together, with the money that stands at risk."""

import json
from collections.abc import Iterable, Mapping, Set
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import postgres, references, reviews
from headwater.adapters.coding import ATTRIBUTE_COLUMNS, KEY, REPORTED
from headwater.adapters.references import Reference
from headwater.adapters.reviews import Question
from headwater.claims import coding
from headwater.claims.likeness import ATTRIBUTES
from headwater.errors import Message

__all__ = [
    "DROPPED",
    "HIGH_VALUE",
    "NO_REFERENCE",
    "REASONS",
    "is_high_value",
    "proposed",
    "questions",
    "threshold",
    "told",
]

DROPPED, NO_REFERENCE = "dropped", "no reference"

REASONS: Mapping[str, Message] = {
    **coding.REASONS,
    NO_REFERENCE: Message("没有载入参考表。", "No reference is loaded."),
    DROPPED: Message("原有编码已不在参考表中。", "The reference no longer has the code that it had."),
    "reported": Message("医院自报的编码与此不同。", "The hospital itself reports another code."),
    "reopened": Message("曾由人决定，其后参考表有变。", "A person decided, and the reference has changed since."),
    "proposed": Message("已有人提出，待另一人确认。", "Somebody proposed a code; somebody else must confirm it."),
}
"""Reason of an answer to its sentence; that of a decision is the person's own."""

HIGH_VALUE = Decimal(1000)
"""Price of a unit, in the source's currency, from which two people must agree where the bureau names no threshold."""

Row = Mapping[str, Any]
_UNBILLED = Decimal("0.01")
"""Share of its price that an item puts at risk which nobody has billed yet."""


def questions(connection: duckdb.DuckDBPyConnection, *, on: date, like_id: str | None = None) -> list[Question]:
    """Return what waits for a person, or, whether it waits or not, what can be asked about one group of like items.

    Ambiguous items wait in state ``review``. Used ones that nothing in a loaded reference is like are asked about in
    state ``none``: nobody has to answer, and whoever does gives a code or confirms that there is none.

    Parameters
    ----------
    on : the references of this day are used
    like_id : all that wait when None
    """
    rows = (
        connection.execute(_GROUPED, {"like": like_id, "unbilled": _UNBILLED, "bare": NO_REFERENCE})
        .to_arrow_table()
        .to_pylist()
    )
    limit = threshold(connection, on=on)
    known: dict[str, Mapping[str, Row]] = {}
    for kind in {row["kind"] for row in rows}:
        codes = {code for row in rows if row["kind"] == kind for code in _codes(row)}
        known[kind] = _referred(references.in_force(connection, kind, on=on), codes)
    return [_question(row, known[row["kind"]], limit) for row in rows]


def proposed(
    connection: duckdb.DuckDBPyConnection, register: postgres.Connection, *, on: date, asked: Set[str]
) -> list[Question]:
    """Return what waits for a second person alone: the items keep the answer that the proposal is to supersede."""
    further = reviews.proposals(register).keys() - asked
    return [one for like_id in sorted(further) for one in questions(connection, on=on, like_id=like_id)]


def told(reason: str) -> Message:
    """Return a reason in both languages; a person's own words as they are."""
    return REASONS.get(reason, Message(reason, reason))


def threshold(connection: duckdb.DuckDBPyConnection, *, on: date) -> Mapping[tuple[str, str], Decimal]:
    """Return the price from which a unit is of high value, by kind and currency, as the bureau names it."""
    found = references.in_force(connection, "threshold", on=on)
    if found is None:
        return {}
    rows = found.table.to_pylist()
    return {(row["code"].lower(), row["currency"] or "CNY"): row["amount"] for row in rows if row["amount"] is not None}


def is_high_value(reference: Reference | None, codes: list[str | None]) -> bool:
    """Tell whether the reference calls one of these codes high-value."""
    return any(row.get("is_high_value") for row in _referred(reference, codes).values())


def _referred(reference: Reference | None, codes: Iterable[str | None]) -> Mapping[str, Row]:
    """Return code to what the reference says of it, for those of ``codes`` that it has."""
    if reference is None:
        return {}
    wanted = pa.array([code for code in codes if code is not None], pa.string())
    found = reference.table.filter(pc.is_in(reference.table["code"], value_set=wanted))
    return {row["code"]: row for row in found.to_pylist()}


def _codes(row: Row) -> list[str | None]:
    return [*(one["code"] for one in row["alternatives"] or []), *row["reported"], row["code"]]


def _question(row: Row, known: Mapping[str, Row], limit: Mapping[tuple[str, str], Decimal]) -> Question:
    said = {code: {name: one[name] for name in ATTRIBUTES[row["kind"]] if one.get(name)} for code, one in known.items()}
    alternatives = [{**one, "attributes": said.get(one["code"], {})} for one in row["alternatives"] or []]
    price = row["highest_price"]
    dear = price is not None and price >= limit.get((row["kind"], row["currency"] or "CNY"), HIGH_VALUE)
    return Question(
        like_id=row["like_id"],
        state=row["state"],
        kind=row["kind"],
        name=row["name"] or "",
        attributes=json.loads(row["attributes"]),
        items=row["items"],
        sources=row["sources"],
        at_risk=row["at_risk"],
        currency=row["currency"],
        highest_price=price,
        is_high_value=dear or any(known.get(code or "", {}).get("is_high_value") for code in _codes(row)),
        reason=row["reason"] or "",
        reported=row["reported"],
        alternatives=alternatives,
        reference_version=row["reference_version"],
    )


_ATTRIBUTES = ", ".join(f"'{name}', {name}" for name in ATTRIBUTE_COLUMNS)

_SPEAKS = "(decision = 'review', decision = 'none', money)"
"""Which of like items speaks for all: an ambiguous one, the one billed most."""

_GROUPED = f"""
WITH used AS (
    SELECT {", ".join(KEY)}, sum(money) AS money, sum(quantity) AS quantity, sum(line_count) AS line_count
    FROM lake.coding.usage GROUP BY ALL
),
currency AS (
    SELECT source_id, min(currency) AS currency FROM lake.raw.hospital GROUP BY ALL
),
coded AS (
    SELECT i.*, c.currency, coalesce(greatest(u.money, 0), 0) AS money,
           greatest(i.pric, CASE WHEN u.quantity > 0 THEN u.money / u.quantity END) AS price,
           i.decision = 'review'
           OR (i.decision = 'none' AND i.reason <> $bare AND coalesce(u.line_count, 0) > 0) AS is_asked
    FROM (SELECT *, {REPORTED} AS reported FROM lake.coding.item) AS i
    LEFT JOIN used AS u ON {" AND ".join(f"i.{name} IS NOT DISTINCT FROM u.{name}" for name in KEY)}
    LEFT JOIN currency AS c ON i.source_id = c.source_id
),
item AS (
    SELECT * FROM coded
    WHERE like_id = $like OR ($like IS NULL AND like_id IN (SELECT like_id FROM coded WHERE is_asked))
),
-- Amounts in different currencies are not added up: the largest sum speaks for the group.
summed AS (
    SELECT like_id, currency, sum(CASE WHEN money > 0 THEN money ELSE coalesce(pric, 0) * $unbilled END) AS at_risk
    FROM item GROUP BY ALL
)
SELECT item.like_id, kind,
       CASE arg_max(decision, {_SPEAKS}) WHEN 'none' THEN 'none' ELSE 'review' END AS state,
       arg_max(medins_list_name, {_SPEAKS}) AS name,
       CAST(arg_max(json_object({_ATTRIBUTES}), {_SPEAKS}) AS VARCHAR) AS attributes,
       count(*) AS items, count(DISTINCT source_id) AS sources,
       (SELECT CAST(max(at_risk) AS DECIMAL(20,2)) FROM summed WHERE summed.like_id = item.like_id) AS at_risk,
       (SELECT arg_max(summed.currency, at_risk) FROM summed WHERE summed.like_id = item.like_id) AS currency,
       CAST(max(price) AS DECIMAL(18,6)) AS highest_price,
       arg_max(reason, {_SPEAKS}) AS reason, arg_max(code, {_SPEAKS}) AS code,
       arg_max(alternatives, {_SPEAKS}) AS alternatives,
       coalesce(list(DISTINCT reported) FILTER (reported IS NOT NULL AND evidence = 'disagrees'), []) AS reported,
       max(reference_version) AS reference_version
FROM item
GROUP BY item.like_id, kind
ORDER BY at_risk DESC, item.like_id
"""
