"""What sources ask for taking part: money, and the privacy loss they permit; as the seed ``source_terms`` says."""

from datetime import date

import duckdb

from headwater.errors import Message, Refusal
from headwater.types import SourceId

__all__ = ["UNITS", "costs"]

UNITS = ("money", "epsilon")
"""Columns of the seed that a budget can be counted in."""

_TABLE = "lake.reference.source_terms"


def costs(connection: duckdb.DuckDBPyConnection, unit: str, *, snapshot: int, month: date) -> dict[SourceId, float]:
    """Return what each source asks in ``unit`` in a month, under its code and under its qualified name.

    A source of which the seed says nothing is missing; whoever chooses among sources refuses it by name.

    Parameters
    ----------
    unit : of ``UNITS``
    month : terms hold from their ``valid_from`` until the next ones of the source

    Raises
    ------
    Refusal
        ``E-TERMS-NONE`` where the lake has no terms
    """
    if unit not in UNITS:
        raise ValueError(f"no terms are kept in {unit}")
    try:
        rows = connection.execute(
            f"""
            SELECT source_id, fixmedins_code, CAST({unit} AS DOUBLE) FROM {_TABLE} AT (VERSION => {int(snapshot)})
            WHERE valid_from <= $month AND {unit} IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY source_id, fixmedins_code ORDER BY valid_from DESC) = 1
            """,
            {"month": month},
        ).fetchall()
    except duckdb.CatalogException as error:
        raise Refusal(
            "E-TERMS-NONE",
            Message(
                "仓库中没有各来源的报价 source_terms。", "The warehouse has no terms of its sources (source_terms)."
            ),
            Message(
                "请填写 dbt_project/seeds/source_terms.csv 并运行 headwater build。",
                "Fill in dbt_project/seeds/source_terms.csv and run headwater build.",
            ),
        ) from error
    plain = {str(code): float(cost) for _, code, cost in rows}
    return plain | {f"{source}:{code}": float(cost) for source, code, cost in rows}
