"""What people decided about extreme stays, as payments are to follow it: the lake's copy, with tokens for persons."""

from collections.abc import Sequence
from decimal import Decimal

import duckdb

from headwater.adapters.stay_reviews import Ruling

__all__ = ["COLUMNS", "JOIN", "SELECTED", "mark", "write"]

COLUMNS = (
    *(("stay_id", "VARCHAR"), ("review_id", "BIGINT"), ("decision", "VARCHAR"), ("drg", "VARCHAR")),
    *(("cost", "DECIMAL(18,2)"), ("pay_limit", "DECIMAL(18,2)"), ("decided_on", "DATE"), ("decided_by", "VARCHAR")),
)
"""Of ``payment.reviewed``: a row a stay about which something else than ``accept`` stands, with the group and the bill
that it stands for; ``decided_by`` is a token."""

SELECTED = """
reviewed.decision AS reviewed_as, reviewed.pay_limit AS reviewed_limit, reviewed.review_id AS reviewed_no,
CAST(reviewed.decided_on AS VARCHAR) AS reviewed_on, reviewed.decided_by AS reviewed_by
"""
JOIN = """
LEFT JOIN lake.payment.reviewed AS reviewed
    ON reviewed.stay_id = stay.stay_id AND reviewed.drg IS NOT DISTINCT FROM held.drg
    AND reviewed.cost = stay.medfee_sumamt
"""
"""A decision stands as long as group and bill are those that were seen; ``stay`` and ``held`` are the mart's row and
its group."""

_RULED = "ruled"


def mark(connection: duckdb.DuckDBPyConnection, rulings: Sequence[Ruling]) -> int:
    """Make the table ``ruled`` in memory and add to ``behind`` the stays about which another decision stands now.

    Parameters
    ----------
    rulings : those in force, one a stay, by tokens

    Returns
    -------
    int
        stays about which another decision stands, or none any more
    """
    rows = [_row(one) for one in rulings if one.decision != "accept"]
    names = [name for name, _ in COLUMNS]
    connection.execute(f"CREATE OR REPLACE TABLE {_RULED} ({', '.join(f'{name} {kind}' for name, kind in COLUMNS)})")
    for row in rows:
        connection.execute(f"INSERT INTO {_RULED} VALUES ({', '.join('?' * len(names))})", row)
    changed = connection.execute(
        f"SELECT DISTINCT stay_id FROM ((FROM {_RULED} EXCEPT FROM lake.payment.reviewed) "
        f"UNION ALL (FROM lake.payment.reviewed EXCEPT FROM {_RULED}))"
    ).to_arrow_table()
    connection.register("changed", changed)
    connection.execute("INSERT INTO behind SELECT stay_id FROM changed ANTI JOIN behind USING (stay_id)")
    connection.unregister("changed")
    return len(changed)


def write(connection: duckdb.DuckDBPyConnection) -> None:
    """Put ``ruled`` in the place of what the lake held; in the transaction that writes the payments."""
    connection.execute("DELETE FROM lake.payment.reviewed")
    connection.execute(f"INSERT INTO lake.payment.reviewed FROM {_RULED}")


def _row(one: Ruling) -> list[object]:
    # Beyond the bound lies what is at stake; below the lower one nothing does, and the bill itself is the limit.
    at_stake = Decimal(one.seen["at_stake"]) if one.side == "high" else Decimal(0)
    limit = one.amount - at_stake if one.decision == "reduce" else None
    day = one.decided_at.date()
    return [one.stay_id, one.review_id, one.decision, one.drg, one.amount, limit, day, one.decided_by]
