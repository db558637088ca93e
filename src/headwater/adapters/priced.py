"""The lake's tables of payments: what each stay is paid under the policy that held for it, and line by line why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa

from headwater.adapters import grouped, lake, reviewed
from headwater.adapters.following import SEEN
from headwater.adapters.home import Home
from headwater.claims.payment import Holder, Policy

__all__ = [
    "AMOUNTS", "BUDGETS", "FOLLOWED", "LINES", "RESULTS", "SCHEMA", "STAYS", "TABLES", "Facts", "append",
    "budgets", "create_tables", "facts", "flags", "last_day", "other_plan", "read", "read_funds", "read_paid",
    "whole_persons",
]  # fmt: skip

SCHEMA, STAYS, LINES = "payment", "payment.stay", "payment.line"
FOLLOWED = grouped.STAYS
"""What is priced: every stay whose page, lines, group or plan changed was grouped again."""

AMOUNTS = ("jia_amount", "yi_amount", "bing_amount", "consumable_amount", "high_value_amount")
"""Parts of the bill that policies ask for: by class 甲, 乙 and 丙, consumables, and those of high value among them."""
RESULTS = ("cost", "package", "payable", "fund", "self_pay", "settlement", "balance")
"""Results in the currency: ``settlement`` is the fund's part less what was settled already, ``balance`` payable less
cost."""

_MONEY = "DECIMAL(18,2)"
BUDGETS: Mapping[str, Holder] = {"budget": "hospital_id", "pool": "insutype"}
"""Table of budgets to the column that names whose they are."""
_STANDS = ("amount", "to_date", "prepaid", "used", "settled", "difference")
_FORECASTS = ("forecast", "forecast_low", "forecast_high")
TABLES = {
    "stay": (
        *(("source_id", "VARCHAR"), ("stay_id", "VARCHAR"), ("psn_no", "VARCHAR"), ("policy", "VARCHAR")),
        *(("policy_version", "VARCHAR"), ("plan", "VARCHAR"), ("plan_version", "VARCHAR"), ("mdc", "VARCHAR")),
        *(("adrg", "VARCHAR"), ("drg", "VARCHAR"), ("weight", "DECIMAL(18,6)"), ("paid_as", "VARCHAR")),
        *((name, _MONEY) for name in (*AMOUNTS, *RESULTS)),
        *(("priced_at", "TIMESTAMP"), ("snapshot_id", "BIGINT")),
    ),
    "line": (
        *(("source_id", "VARCHAR"), ("stay_id", "VARCHAR"), ("line_no", "INTEGER"), ("account", "VARCHAR")),
        *(("step", "VARCHAR"), ("reason", "VARCHAR"), ("amount", _MONEY), ("operands", "VARCHAR")),
    ),
    **{
        name: (
            *(("policy", "VARCHAR"), ("policy_version", "VARCHAR"), ("month", "DATE"), (holder, "VARCHAR")),
            *(("stays", "BIGINT"), ("fund", _MONEY), *((column, _MONEY) for column in _STANDS)),
            *(*((column, _MONEY) for column in _FORECASTS), ("forecast_method", "VARCHAR")),
            ("snapshot_id", "BIGINT"),
        )
        for name, holder in BUDGETS.items()
    },
    "reviewed": reviewed.COLUMNS,
    "seen": SEEN,
}
"""``stay``: one row a valid stay for which a policy held. ``line``: its steps, which sum to its total by account.
``budget`` and ``pool``: where the budget of each hospital and of each insurance type's fund stood at the end of each
month, made anew whenever stays are priced. ``reviewed``: what people decided about stays."""


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that are missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema=SCHEMA, tables=TABLES)


def flags(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what tells whether other consumables have come to be of high value."""
    row = connection.execute(f"SELECT count(*), bit_xor(hash(item)) FROM ({_HIGH_VALUE}) AS item").fetchone()
    return repr(row)


def whole_persons(connection: duckdb.DuckDBPyConnection, *, until: int) -> int:
    """Add to ``behind`` the other stays of the same persons, which count when one is paid; return how many it has."""
    stay, at = f"lake.{grouped.FOLLOWED}", f"AT (VERSION => {int(until)})"
    connection.execute(
        f"INSERT INTO behind SELECT stay_id FROM {stay} AS stay {at} SEMI JOIN ("
        f"SELECT psn_no FROM {stay} AS touched {at} SEMI JOIN behind USING (stay_id) "
        f"UNION SELECT psn_no FROM lake.{STAYS} AS held WHERE stay_id IN ("
        "SELECT stay_id FROM behind UNION ALL SELECT stay_id FROM gone)"
        ") AS person USING (psn_no) ANTI JOIN behind USING (stay_id)"
    )
    row = connection.execute("SELECT count(*) FROM behind").fetchone()
    return int(row[0]) if row else 0


def read(connection: duckdb.DuckDBPyConnection, *, until: int, part: int = 0, parts: int = 1) -> pa.Table:
    """Return stays that are ``behind`` and may be priced, with what a policy asks for; those of one person together.

    Parameters
    ----------
    part, parts : which of how many parts of about one size
    """
    at = f"AT (VERSION => {int(until)})"
    amounts = ", ".join(f"CAST(coalesce(amounts.{name}, 0) AS {_MONEY}) AS {name}" for name in AMOUNTS)
    query = _STAYS.format(
        at=at,
        high_value=_HIGH_VALUE,
        asked=_ASKED,
        held=grouped.HELD,
        reviewed=reviewed.JOIN,
        amounts=amounts,
        part=int(part),
        parts=int(parts),
    )
    return connection.execute(query).to_arrow_table()


_HIGH_VALUE = """
SELECT source_id, medins_list_codg, medins_list_name, valid_from, valid_to
FROM lake.coding.assigned
WHERE kind = 'consumable' AND is_high_value
"""

_ASKED = (
    """
stay.source_id, stay.stay_id, held.mdc, held.adrg, held.drg, held.status, stay.hospital_id, stay.hosp_lv, stay.insutype,
stay.psn_no, stay.medfee_sumamt, stay.fund_pay_sumamt, stay.stay_days, stay.dscg_way, stay.begntime, stay.endtime,
stay.age_years, stay.dscg_maindiag_code,
"""
    + reviewed.SELECTED
)

_STAYS = """
WITH stay AS (
    SELECT fct.* FROM lake.marts.fct_stay AS fct {at} SEMI JOIN behind USING (stay_id)
    WHERE fct.is_valid AND hash(coalesce(fct.psn_no, fct.stay_id)) % {parts} = {part}
),
high_value AS ({high_value}),
amounts AS (
    SELECT line.stay_id,
           sum(line.det_item_fee_sumamt) FILTER (line.chrgitm_lv = '01') AS jia_amount,
           sum(line.det_item_fee_sumamt) FILTER (line.chrgitm_lv = '02') AS yi_amount,
           sum(line.det_item_fee_sumamt) FILTER (line.chrgitm_lv = '03') AS bing_amount,
           sum(line.det_item_fee_sumamt) FILTER (line.charge_group = 'consumable') AS consumable_amount,
           sum(line.det_item_fee_sumamt) FILTER (high_value.source_id IS NOT NULL) AS high_value_amount
    FROM lake.marts.fct_fee_line AS line {at}
    SEMI JOIN stay USING (stay_id)
    LEFT JOIN high_value
        ON line.charge_group = 'consumable' AND line.source_id = high_value.source_id
        AND line.medins_list_codg IS NOT DISTINCT FROM high_value.medins_list_codg
        AND line.medins_list_name IS NOT DISTINCT FROM high_value.medins_list_name
        AND CAST(line.fee_ocur_time AS DATE) >= high_value.valid_from
        AND CAST(line.fee_ocur_time AS DATE) < coalesce(high_value.valid_to, DATE 'infinity')
    GROUP BY line.stay_id
)
SELECT {asked}, holding.policy, holding.policy_version, held.plan, held.plan_version,
       {amounts}
FROM stay
INNER JOIN lake.grouping.stay AS held {at} ON held.stay_id = stay.stay_id
INNER JOIN holding ON {held}
{reviewed}
LEFT JOIN amounts ON amounts.stay_id = stay.stay_id
"""


@dataclass(frozen=True)
class Facts:
    """What the tables hold, beside the stays of the front-page mart.

    Parameters
    ----------
    unpriced : why stays have no payment, and how many
    astray : stays whose lines do not sum to their totals
    """

    stays: int
    priced: int
    unpriced: Mapping[str, int]
    paid_as: Mapping[str, int]
    sums: Mapping[str, Mapping[str, Decimal]]
    astray: int


def facts(connection: duckdb.DuckDBPyConnection, *, until: int) -> Facts:
    """Count what is priced and what is not, and hold lines against totals, all of them."""
    at = f"AT (VERSION => {int(until)})"
    why = connection.execute(
        "SELECT CASE WHEN NOT stay.is_valid THEN 'invalid' WHEN holding.policy IS NULL THEN 'no_policy' "
        "WHEN paid.stay_id IS NULL THEN 'lost' ELSE 'priced' END AS state, count(*) "
        f"FROM lake.{grouped.FOLLOWED} AS stay {at} LEFT JOIN holding ON {grouped.HELD} "
        f"LEFT JOIN lake.{STAYS} AS paid ON paid.stay_id = stay.stay_id GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    states = {str(state): int(count) for state, count in why}
    paid_as = connection.execute(f"SELECT paid_as, count(*) FROM lake.{STAYS} GROUP BY ALL ORDER BY 2 DESC").fetchall()
    listed = ", ".join(f"sum({name})" for name in RESULTS)
    sums = connection.execute(f"SELECT policy, {listed} FROM lake.{STAYS} GROUP BY ALL ORDER BY ALL").fetchall()
    astray = connection.execute(_ASTRAY).fetchone()
    return Facts(
        stays=sum(states.values()),
        priced=states.pop("priced", 0),
        unpriced=states,
        paid_as={str(name): int(count) for name, count in paid_as},
        sums={str(row[0]): dict(zip(RESULTS, row[1:], strict=True)) for row in sums},
        astray=int(astray[0]) if astray else 0,
    )


_ASTRAY = f"""
WITH summed AS (
    SELECT stay_id,
           sum(amount) FILTER (account = 'payable') AS payable,
           sum(amount) FILTER (account = 'fund') AS fund,
           sum(amount) FILTER (account = 'self_pay') AS self_pay
    FROM lake.{LINES}
    GROUP BY stay_id
)
SELECT count(*)
FROM lake.{STAYS} AS paid
FULL JOIN summed USING (stay_id)
WHERE paid.payable IS DISTINCT FROM coalesce(summed.payable, 0)
    OR paid.fund IS DISTINCT FROM coalesce(summed.fund, 0)
    OR paid.self_pay IS DISTINCT FROM coalesce(summed.self_pay, 0)
    OR paid.fund + paid.self_pay <> paid.payable
"""


def other_plan(connection: duckdb.DuckDBPyConnection, *, until: int) -> int:
    """Return how many stays have no group yet, or one of another plan than the one that holds for them."""
    at = f"AT (VERSION => {int(until)})"
    row = connection.execute(
        f"SELECT count(*) FROM lake.{grouped.FOLLOWED} AS stay {at} LEFT JOIN holding ON {grouped.HELD} "
        f"LEFT JOIN lake.{grouped.STAYS} AS held {at} ON held.stay_id = stay.stay_id "
        "WHERE held.stay_id IS NULL OR held.plan_version IS DISTINCT FROM holding.plan_version"
    ).fetchone()
    return int(row[0]) if row else 0


def budgets(connection: duckdb.DuckDBPyConnection, table: str, months: Sequence[pa.Table], *, snapshot_id: int) -> None:
    """Write where budgets stood in the place of what was known before.

    Parameters
    ----------
    table : one of `BUDGETS`
    months : :func:`headwater.claims.payment.budget_months` with ``policy`` and ``policy_version``
    """
    connection.execute(f"DELETE FROM lake.{SCHEMA}.{table}")
    money = ", ".join(f"{_yuan(name)} AS {name}" for name in ("fund", *_STANDS[1:], *_FORECASTS))
    for found in months:
        connection.register("stood", found)
        connection.execute(
            f"INSERT INTO lake.{SCHEMA}.{table} BY NAME SELECT policy, policy_version, month, {BUDGETS[table]}, "
            f"month_stays AS stays, {_yuan('budget')} AS amount, {money}, forecast_method, $1 AS snapshot_id "
            "FROM stood",
            [snapshot_id],
        )
        connection.unregister("stood")


def read_paid(
    connection: duckdb.DuckDBPyConnection, *days: tuple[date, date], plan_version: str, policy: Policy
) -> pa.Table:
    """Return the stays paid by groups of a plan that a policy pays, with what it asks for and ``is_asked``.

    All other paid stays of the same persons are there too, not asked for: rules over a person's stays need to see them.

    Parameters
    ----------
    days : first and last days of discharge of the periods asked for, both included
    policy : only stays of its regions and in its currency are asked for, whatever days it holds on
    """
    amounts = ", ".join(f"paid.{name}" for name in AMOUNTS)
    within = " OR ".join(["CAST(stay.endtime AS DATE) BETWEEN ? AND ?"] * len(days))
    return connection.execute(
        _PAID.format(asked=_ASKED, amounts=amounts, within=within),
        [*(day for period in days for day in period), plan_version, policy.currency, *[list(policy.regions)] * 2],
    ).to_arrow_table()


_PAID = f"""
WITH stay AS (
    SELECT {{asked}}, {{amounts}},
           ({{within}}) AND paid.plan_version = ? AND stay.currency = ?
           AND (len(?) = 0 OR list_contains(?, stay.region)) AS is_asked
    FROM lake.{STAYS} AS paid
    INNER JOIN lake.{grouped.FOLLOWED} AS stay USING (stay_id)
    INNER JOIN lake.{grouped.STAYS} AS held USING (stay_id)
    {reviewed.JOIN}
)
SELECT * FROM stay
WHERE is_asked OR psn_no IN (SELECT psn_no FROM stay WHERE is_asked AND psn_no IS NOT NULL)
"""


def last_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """Return the last day on which a stay that is paid ended, None where none is."""
    row = connection.execute(
        f"SELECT max(CAST(stay.endtime AS DATE)) FROM lake.{STAYS} "
        f"INNER JOIN lake.{grouped.FOLLOWED} AS stay USING (stay_id)"
    ).fetchone()
    return row[0] if row else None


def read_funds(connection: duckdb.DuckDBPyConnection, *, policy: str, on: date = date.max) -> pa.Table:
    """Return what the fund paid under any version of a policy up to a day of discharge.

    Returns
    -------
    pyarrow.Table
        ``hospital_id, insutype, policy_version, endtime`` (first day of the month), ``stays`` and ``fund_fen``
    """
    return connection.execute(
        "SELECT stay.hospital_id, stay.insutype, paid.policy_version, "
        "CAST(date_trunc('month', stay.endtime) AS DATE) AS endtime, "
        "count(*) AS stays, CAST(sum(paid.fund) * 100 AS BIGINT) AS fund_fen "
        f"FROM lake.{STAYS} AS paid INNER JOIN lake.{grouped.FOLLOWED} AS stay USING (stay_id) "
        "WHERE paid.policy = $1 AND CAST(stay.endtime AS DATE) <= $2 GROUP BY ALL",
        [policy, on],
    ).to_arrow_table()


def append(
    connection: duckdb.DuckDBPyConnection, stays: pa.Table, lines: pa.Table, *, at: datetime, snapshot_id: int
) -> None:
    """Write payments of stays whose earlier rows are gone.

    Parameters
    ----------
    stays : the columns of ``stay`` but the last two, results in fen as ``<name>_fen``
    lines : the columns of ``line`` but the source, amounts in fen as ``amount_fen``
    at : UTC, without time zone
    """
    plain = ", ".join(name for name, _ in TABLES["stay"][:-2] if name not in RESULTS)
    connection.register("priced", stays)
    connection.register("lined", lines)
    connection.execute(
        f"INSERT INTO lake.{STAYS} BY NAME SELECT {plain}, "
        f"{', '.join(f'{_yuan(name)} AS {name}' for name in RESULTS)}, $1 AS priced_at, $2 AS snapshot_id FROM priced",
        [at, snapshot_id],
    )
    connection.execute(
        f"INSERT INTO lake.{LINES} BY NAME SELECT priced.source_id, lined.* EXCLUDE (amount_fen), "
        f"{_yuan('amount')} AS amount FROM lined JOIN priced USING (stay_id)"
    )
    connection.unregister("priced")
    connection.unregister("lined")


def _yuan(name: str) -> str:
    # Exact: a decimal of no places times a hundredth.
    return f"CAST(CAST({name}_fen AS DECIMAL(18,0)) * 0.01 AS {_MONEY})"
