"""The lake's table of groups: which plan held for each stay, and the group it fell into."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.coding import DATED
from headwater.adapters.following import SEEN
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = [
    "FOLLOWED",
    "SCHEMA",
    "STAYS",
    "TABLES",
    "Holding",
    "append",
    "counts",
    "create_tables",
    "hold",
    "settled",
    "stays",
]

SCHEMA, STAYS = "grouping", "grouping.stay"
FOLLOWED = "marts.fct_stay"
"""What is grouped: its rows are replaced exactly when something of their stay has changed."""

TABLES = {
    "stay": (
        *(("source_id", "VARCHAR"), ("stay_id", "VARCHAR"), ("plan", "VARCHAR"), ("plan_version", "VARCHAR")),
        *(("mdc", "VARCHAR"), ("adrg", "VARCHAR"), ("drg", "VARCHAR"), ("status", "VARCHAR"), ("reason", "VARCHAR")),
        ("reasons", "STRUCT(step VARCHAR, code VARCHAR, detail VARCHAR, other VARCHAR)[]"),
        *(("grouped_at", "TIMESTAMP"), ("snapshot_id", "BIGINT")),
    ),
    "seen": SEEN,
}
"""``stay``: one row a stay of the front-page mart, grouped or not; ``reason`` says why it has no group, and
``snapshot_id`` at which snapshot it was read."""

HELD = """
coalesce(holding.region = stay.region, true) AND holding.currency = stay.currency
AND CAST(stay.endtime AS DATE) >= holding.first
AND (holding.last IS NULL OR CAST(stay.endtime AS DATE) < holding.last)
"""
"""Which row of ``holding`` holds for a row of the front-page mart, as SQL: one or none."""

_ROWS = 100_000


@dataclass(frozen=True)
class Holding:
    """The days of discharge on which a policy, and the plan that it names, hold for the stays of a region.

    Parameters
    ----------
    region : None for all regions
    first, last : the last day is excluded, None while it lasts
    """

    region: str | None
    currency: str
    first: date
    last: date | None
    policy: str
    policy_version: str
    plan: str
    plan_version: str


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that are missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema=SCHEMA, tables=TABLES)


def built(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the snapshot to read; before the first build there is nothing to group, which is refused."""
    present = connection.execute(
        "SELECT 1 FROM information_schema.tables "
        "WHERE table_catalog = 'lake' AND table_schema = 'marts' AND table_name = 'fct_stay'"
    ).fetchone()
    if present is None:
        raise Refusal(
            "E-GROUP-MART",
            Message("还没有首页集市 fct_stay。", "There is no front-page mart fct_stay yet."),
            Message("请先运行 headwater build。", "Run headwater build first."),
        )
    return lake.snapshot(connection)


def hold(connection: duckdb.DuckDBPyConnection, holdings: Sequence[Holding]) -> None:
    """Make the table ``holding`` in memory: which policy and plan hold where and when."""
    types = {"first": "DATE", "last": "DATE"}
    columns = ", ".join(f"{field.name} {types.get(field.name, 'VARCHAR')}" for field in fields(Holding))
    connection.execute(f"CREATE OR REPLACE TABLE holding ({columns})")
    for one in holdings:
        connection.execute(
            f"INSERT INTO holding VALUES ({', '.join('?' * len(asdict(one)))})", list(asdict(one).values())
        )


def settled(connection: duckdb.DuckDBPyConnection) -> str:
    """Make the table ``settled`` in memory: codes that are not the delivered ones. Return what tells its content."""
    connection.execute(f"CREATE OR REPLACE TABLE settled AS {_SETTLED}")
    row = connection.execute("SELECT count(*), bit_xor(hash(settled)) FROM settled").fetchone()
    return repr(row)


_SETTLED = f"""
SELECT source_id, kind, medins_list_codg, medins_list_name, code, valid_from, valid_to
FROM ({DATED})
WHERE kind IN ('diagnosis', 'operation') AND code IS NOT NULL AND code IS DISTINCT FROM medins_list_codg
"""


def stays(connection: duckdb.DuckDBPyConnection, *, until: int) -> Iterator[pa.Table]:
    """Yield the stays that are ``behind``, in batches: their keys, what holds for them, and what a plan asks for.

    The tables ``behind``, ``holding`` and ``settled`` must be there in memory. Codes are those settled on the day of
    discharge where coding settled another one than was delivered; the main diagnosis and the main operation come first,
    each code once.
    """
    at = f"AT (VERSION => {int(until)})"
    query = _STAYS.format(
        at=at,
        held=HELD,
        diagnoses=_LISTED.format(at=at, entity="diagnosis", rank="diag_srt", code="diag_code", name="diag_name"),
        operations=_LISTED.format(
            at=at, entity="operation", rank="oprn_srt", code="oprn_oprt_code", name="oprn_oprt_name"
        ),
        diagnoses_once=_ONCE.format(main="stay.dscg_maindiag_code", listed="diagnoses"),
        operations_once=_ONCE.format(main="stay.main_oprn_code", listed="operations"),
    )
    # A cursor, as whoever takes the batches writes them over the connection itself.
    with connection.cursor() as reading:
        for batch in reading.execute(query).to_arrow_reader(_ROWS):
            yield pa.Table.from_batches([batch])


_LISTED = """
SELECT row.source_id, row.mdtrt_id, list(row.{code} ORDER BY row.{rank}) AS delivered,
       list(coalesce(settled.code, row.{code}) ORDER BY row.{rank}) AS codes
FROM lake.raw.{entity} AS row {at}
INNER JOIN stay ON row.source_id = stay.source_id AND row.mdtrt_id = stay.mdtrt_id
LEFT JOIN settled
    ON settled.kind = '{entity}' AND settled.source_id = row.source_id
    AND settled.medins_list_codg IS NOT DISTINCT FROM row.{code}
    AND settled.medins_list_name IS NOT DISTINCT FROM row.{name}
    AND settled.valid_from <= CAST(stay.endtime AS DATE)
    AND CAST(stay.endtime AS DATE) < coalesce(settled.valid_to, DATE 'infinity')
WHERE row.{code} IS NOT NULL
GROUP BY ALL
"""

# The front page names the main code as it was delivered; what the list says of it is its settled code.
_MAIN_FIRST = (
    "list_concat([coalesce({listed}.codes[list_position({listed}.delivered, {main})], {main})], {listed}.codes)"
)
_ONCE = (
    f"list_filter({_MAIN_FIRST}, lambda code, place: code IS NOT NULL AND list_position({_MAIN_FIRST}, code) = place)"
)

_STAYS = """
WITH stay AS (
    SELECT fct.* FROM lake.marts.fct_stay AS fct {at} SEMI JOIN behind USING (stay_id)
),
diagnoses AS ({diagnoses}),
operations AS ({operations}),
birth AS (
    SELECT page.source_id, page.mdtrt_id, any_value(page.brdy) AS brdy
    FROM lake.raw.front_page AS page {at}
    SEMI JOIN stay ON page.source_id = stay.source_id AND page.mdtrt_id = stay.mdtrt_id
    GROUP BY ALL
)
SELECT stay.source_id, stay.stay_id, stay.is_valid, stay.invalid_reason,
       holding.plan, holding.plan_version,
       {diagnoses_once} AS diagnoses, {operations_once} AS operations,
       stay.gend, stay.age_years AS age,
       CASE WHEN stay.age_years < 1 THEN date_diff('day', birth.brdy, CAST(stay.begntime AS DATE)) END AS age_days,
       stay.stay_days AS ipt_days, stay.dscg_way, stay.dscg_dept_name AS dept
FROM stay
LEFT JOIN diagnoses ON diagnoses.source_id = stay.source_id AND diagnoses.mdtrt_id = stay.mdtrt_id
LEFT JOIN operations ON operations.source_id = stay.source_id AND operations.mdtrt_id = stay.mdtrt_id
LEFT JOIN birth ON birth.source_id = stay.source_id AND birth.mdtrt_id = stay.mdtrt_id
LEFT JOIN holding ON {held}
"""


def append(connection: duckdb.DuckDBPyConnection, rows: pa.Table, *, at: datetime, snapshot_id: int) -> None:
    """Write groups of stays whose earlier rows are gone.

    Parameters
    ----------
    rows : what :func:`stays` yields, with ``mdc``, ``adrg``, ``drg``, ``status`` and ``reasons``
    at : UTC, without time zone
    """
    connection.register("grouped", rows)
    listed = ", ".join(name for name, _ in TABLES["stay"][:-2] if name != "reason")
    # What a stay without a group met last is why it has none.
    connection.execute(
        f"INSERT INTO lake.{STAYS} BY NAME SELECT {listed}, "
        "CASE WHEN drg IS NULL THEN coalesce(invalid_reason, reasons[-1].code) END AS reason, "
        "$1 AS grouped_at, $2 AS snapshot_id FROM grouped",
        [at, snapshot_id],
    )
    connection.unregister("grouped")


def counts(connection: duckdb.DuckDBPyConnection, *, until: int) -> tuple[int, dict[str, int]]:
    """Return how many stays there are at a snapshot, and how many of them have each status, by name."""
    row = connection.execute(f"SELECT count(*) FROM lake.{FOLLOWED} AT (VERSION => {int(until)})").fetchone()
    rows = connection.execute("SELECT status, count(*) FROM lake.grouping.stay GROUP BY ALL ORDER BY ALL").fetchall()
    return int(row[0]) if row else 0, {str(status): int(count) for status, count in rows}
