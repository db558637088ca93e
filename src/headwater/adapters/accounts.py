"""Reads what became of every delivered file: from the register, the quarantine and the cells that were cleaned."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import duckdb
from psycopg.rows import dict_row

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.claims.pseudonyms import without_persons
from headwater.content.accounts import Accounts, Amounts, Change, Cleaning, Delivery, Item, days_late, gaps, month_of
from headwater.content.contracts import contract_files, read_contracts
from headwater.errors import Message

__all__ = ["accounts", "shown"]

_AMOUNTS = tuple(Amounts.__dataclass_fields__)
_IDENTIFIERS = {"mdtrt_id", "setl_id", "init_setl_id", "feedetl_sn"}
_PERSONAL = {"psn_no", "certno"}
_ONE_MONTH = 0.9

_DELIVERIES = """
select
    b.batch_id, b.source_id, b.entity, b.file_name, b.state,
    (b.landed_at at time zone 'Asia/Shanghai')::date as landed,
    b.rows_in, b.rows_loaded, b.rows_quarantined, b.rows_duplicate, b.rows_replaced,
    b.money_in, b.money_loaded, b.money_quarantined, b.money_duplicate,
    b.refusal_zh, coalesce(b.refusal_en, b.refusal_zh) as refusal_en,
    d.rows_same, d.rows_changed, d.rows_added, d.rows_removed, d.money_before, d.money_after,
    d.batch_id is not null as changes,
    (e.landed_at at time zone 'Asia/Shanghai')::date as earlier_landed
from ops.batch b
left join ops.difference d on d.batch_id = b.batch_id
left join ops.batch e on e.batch_id = d.earlier_batch_id
order by b.source_id, b.file_name, b.landed_at, b.batch_id
"""

_ITEMS = """
SELECT batch_id, source_id, entity, coalesce(field, '') AS field, code,
       count(*) FILTER (closed_by IS NULL) AS open, count(*) FILTER (closed_by IS NOT NULL) AS closed,
       min(reason_zh), min(reason_en), min(fix_zh), min(fix_en)
FROM raw.quarantine GROUP BY ALL ORDER BY ALL
"""

# An example that only this rule changed says most; the shortest one is read fastest.
_CLEANED = """
SELECT batch_id, source_id, entity, field, rule, count(*) AS cells,
       min_by(coalesce(raw, ''), (length(rules), length(raw), raw)),
       min_by(coalesce(clean, ''), (length(rules), length(raw), raw))
FROM (SELECT *, unnest(string_split(rules, ' ')) AS rule FROM raw.cleaned) GROUP BY ALL ORDER BY ALL
"""


def accounts(home: Home, cursor: duckdb.DuckDBPyConnection) -> Accounts:
    """Read the accounts of all files.

    Parameters
    ----------
    cursor : on the lake, whose schemas it finds by their bare names
    """
    with postgres.connect(home) as register, register.cursor(row_factory=dict_row) as rows:
        batches = rows.execute(_DELIVERIES).fetchall()
    months = {row["batch_id"]: month_of(row["file_name"]) for row in batches}
    months |= _months_of_rows(cursor, [row for row in batches if not months[row["batch_id"]]])
    known = _present(cursor)
    files = _deliveries(home, batches, months)
    return Accounts(
        deliveries=files,
        items=tuple(_item(row, months) for row in cursor.execute(_ITEMS).fetchall()) if "quarantine" in known else (),
        cleanings=_cleanings(cursor, months) if "cleaned" in known else (),
        gaps=gaps(files),
    )


def _present(cursor: duckdb.DuckDBPyConnection) -> set[str]:
    rows = cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'lake' AND table_schema = 'raw'"
    ).fetchall()
    return {row[0] for row in rows}


def _months_of_rows(cursor: duckdb.DuckDBPyConnection, batches: list[dict[str, Any]]) -> dict[str, str]:
    """Return the month in which nearly all rows of a file lie, for files whose name does not tell."""
    found: dict[str, str] = {}
    for entity in ENTITIES.values():
        mine = [row["batch_id"] for row in batches if row["entity"] == entity.name and row["state"] == "loaded"]
        if not mine or entity.period is None:
            continue
        rows = cursor.execute(
            f"SELECT batch_id, max_by(month, n) FROM (SELECT batch_id, strftime({entity.period}, '%Y-%m') AS month, "
            f"count(*) AS n FROM raw.{entity.name} WHERE list_contains($batches, batch_id) GROUP BY ALL) "
            "GROUP BY batch_id HAVING max(n) >= $share * sum(n)",
            {"batches": mine, "share": _ONE_MONTH},
        ).fetchall()
        found |= {batch: month or "" for batch, month in rows}
    return found


def _deliveries(home: Home, batches: list[dict[str, Any]], months: Mapping[str, str]) -> tuple[Delivery, ...]:
    contracts = read_contracts(contract_files(home.project, home.deliveries))
    cadences = {name: contract.cadence for name, contract in contracts.items()}
    first: dict[str, date] = {}
    for row in batches:
        first[row["source_id"]] = min(first.get(row["source_id"], row["landed"]), row["landed"])
    return tuple(
        _delivery(
            row,
            months[row["batch_id"]],
            first_landed=first[row["source_id"]],
            cadence=cadences.get(row["source_id"], "monthly"),
        )
        for row in batches
    )


def _delivery(row: dict[str, Any], month: str, *, first_landed: date, cadence: str) -> Delivery:
    change = Change(**{name: row[name] for name in Change.__dataclass_fields__}) if row["changes"] else None
    # What takes the place of an earlier file was there in time, or that one is told to be late.
    late = None if change else days_late(month, row["landed"], first_landed=first_landed, cadence=cadence)
    return Delivery(
        source_id=row["source_id"],
        entity=row["entity"],
        month=month,
        file_name=row["file_name"],
        state=row["state"],
        landed=row["landed"],
        amounts=Amounts(**{name: row[name] for name in _AMOUNTS if row[name] is not None}),
        reason=Message(row["refusal_zh"], row["refusal_en"]) if row["refusal_zh"] else None,
        change=change,
        days_late=late,
    )


def _item(row: tuple[Any, ...], months: Mapping[str, str]) -> Item:
    batch, source, entity, field, code, still, closed, *words = row
    return Item(
        *(source, entity, months.get(batch, ""), field, code, still, closed),
        reason=Message(*words[:2]),
        fix=Message(*words[2:]),
    )


def _cleanings(cursor: duckdb.DuckDBPyConnection, months: Mapping[str, str]) -> tuple[Cleaning, ...]:
    return tuple(
        Cleaning(
            *(rule, source, entity, field, months.get(batch, ""), cells),
            raw=shown(field, before),
            clean=shown(field, after),
        )
        for batch, source, entity, field, rule, cells, before, after in cursor.execute(_CLEANED).fetchall()
    )


def shown(field: str, text: str) -> str:
    """Return a cell's text as a report may show it: of what identifies a stay or a bill, the first two characters.

    >>> shown("mdtrt_id", " ＭＤ-100234"), shown("age", "４２岁")
    (' ＭＤ-••••••', '４２岁')
    """
    if field in _PERSONAL:
        return "•••"
    if field not in _IDENTIFIERS:
        return without_persons(text)
    head = re.match(r"\W*\w{0,2}", text)
    kept = head.group() if head else ""
    return kept + re.sub(r"\w", "•", text[len(kept) :])
