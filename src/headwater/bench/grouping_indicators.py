"""D5: two hundred indicators defined without code over a million stays, and formulas that are refused."""

import math
import random
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import duckdb

from headwater.adapters import indicator_values
from headwater.adapters.home import Home
from headwater.adapters.indicator_values import During
from headwater.bench.figures import Figure, Size
from headwater.bench.indicator_faults import FAULTY, is_refused_in_place
from headwater.claims.indicators import Catalogue, Checked, Indicator, check
from headwater.content.fields import read_fields

__all__ = ["figures", "made_up", "varied"]

_SEED = 20260705
_STAYS = 1_000_000
_INDICATORS = 200
_SINGLY: Mapping[Size, int] = {"ci": 20, "full": _INDICATORS}
_GOAL_S = 60
_CLOSE = 1e-9

_GRAINS = (
    ("hospital_id", "discharge_month"),
    ("hospital_id", "discharge_month"),
    ("hospital_id", "discharge_month", "insutype"),
    ("region", "diagnosis_category"),
    ("hosp_lv", "discharge_month"),
)
_SCOPES = (
    *("", "hosp_lv = '3'", "insutype in ('310', '390')", "age_years >= 65 year", "is_emergency"),
    *("dscg_dept_name starts 'D1'", "stay_days <= 60 day and medfee_sumamt > 100 CNY", "not is_dead"),
)
_CONDITIONS = (
    *("is_dead", "is_emergency", "stay_days > 30 day", "age_years < 15 year", "operation_count > 0"),
    *("diagnosis_category in ('J18', 'I21', 'C34')", "fund_pay_sumamt is missing", "medfee_sumamt > 50000 CNY"),
)
_AMOUNTS = (
    *("medfee_sumamt", "drug_amount", "consumable_amount", "service_amount", "fund_pay_sumamt", "psn_selfpay"),
    *("special_use.amount", "settlement.fund_pay_sumamt", "medfee_sumamt - drug_amount"),
)
_SHAPES: tuple[tuple[str, str], ...] = (
    ("sum({a}) / sum(medfee_sumamt)", "%"),
    ("sum({a} where {c}) / count(where {c})", "CNY/stay"),
    ("avg({a} where {c})", "CNY"),
    ("median({a})", "CNY"),
    ("quantile({a}, 0.9 where {c})", "CNY"),
    ("100 * count(where {c}) / sum(stay_days)", "stay/day"),
    ("share_of({a} where {c})", "1"),
    ("if(count(where {c}) >= 30 stay, sum({a} where {c}) / count(where {c}), 0)", "CNY/stay"),
    ("100 * sum(special_use.ddd where category = 'antibiotic' and {c}) / sum(stay_days)", "DDD/day"),
    ("(max({a}) - min({a})) / avg({a})", "1"),
    ("count(distinct psn_no where {c}) / count()", "person/stay"),
    ("sum({a}) / count() - sum({a} where {c}) / count(where {c})", "CNY/stay"),
)


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return D5; everything in it is made up, so that ``data`` is not needed."""
    catalogue = read_fields(Home.from_environment().project)
    checked = varied(catalogue, _INDICATORS)
    with duckdb.connect(":memory:") as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.marts")
        made_up(connection, _STAYS)
        started, worked = time.perf_counter(), time.process_time()
        values, failed = indicator_values.compute(connection, [During(checked)], catalogue)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
        together = _values(connection)
        singly = _singly(connection, checked[: _SINGLY[size]], catalogue)
    unequal = sum(not _same(together[key], value) for key, value in singly[1].items())
    refused = sum(is_refused_in_place(one, catalogue) for one in FAULTY)
    return {
        "D5": Figure(
            value=seconds,
            unit="s",
            goal=f"<= {_GOAL_S} for {_INDICATORS} over {_STAYS:,} stays; every faulty formula refused in place",
            holds=seconds <= _GOAL_S and not failed and not unequal and refused == len(FAULTY),
            baseline={"one_query_an_indicator_s": singly[0] * _INDICATORS / _SINGLY[size]},
            n=_INDICATORS,
            note=f"made-up stays; the baseline ran {_SINGLY[size]} of the indicators in the same run, scaled to all",
            also={
                "cpu_seconds": cpu_seconds,
                "values": values,
                "failed": len(failed),
                "unequal_to_baseline": unequal,
                "faulty_formulas": len(FAULTY),
                "refused_in_place": refused,
                "faulty_by_kind": {kind: sum(one.kind == kind for one in FAULTY) for kind in _kinds()},
            },
        )
    }


def varied(catalogue: Catalogue, number: int) -> list[Checked]:
    """Return indicators of many shapes, amounts, conditions, scopes and grains; the tenth of each ten refers to two."""
    rng = random.Random(_SEED)
    shapes = list(product(_SHAPES, _AMOUNTS, _CONDITIONS))
    rng.shuffle(shapes)
    known: dict[str, Indicator] = {}
    for place, ((formula, unit), amount, condition) in enumerate(shapes[:number]):
        if place % 10 == 9:
            formula, unit = f"@made_{place - 9} / @made_{place - 9} + 2 * @made_{place - 1} / @made_{place - 1}", "1"
        name = f"made_{place}"
        known[name] = Indicator(
            name=name,
            zh=f"编造指标{place}",
            en=f"made-up indicator {place}",
            formula=formula.format(a=amount, c=condition),
            scope=rng.choice(_SCOPES),
            grain=rng.choice(_GRAINS),
            unit=unit,
            owner="bench",
            version=1,
        )
    return [check(one, catalogue, known) for one in known.values()]


def made_up(connection: duckdb.DuckDBPyConnection, stays: int) -> None:
    """Fill ``lake.marts`` with this many stays, a settlement of each, and special use of half of them."""
    connection.execute("CREATE TEMP MACRO die(i, n) AS (hash(i, n) >> 1)::BIGINT")
    connection.execute(_STAY, [stays])
    connection.execute(_SETTLEMENT)
    connection.execute(_SPECIAL_USE)


def _singly(
    connection: duckdb.DuckDBPyConnection, checked: Sequence[Checked], catalogue: Catalogue
) -> tuple[float, dict[tuple[object, ...], float | None]]:
    seconds, values = 0.0, dict[tuple[object, ...], float | None]()
    for one in checked:
        started = time.perf_counter()
        indicator_values.compute(connection, [During([one])], catalogue)
        seconds += time.perf_counter() - started
        values |= _values(connection)
    return seconds, values


def _values(connection: duckdb.DuckDBPyConnection) -> dict[tuple[object, ...], float | None]:
    rows = connection.execute(
        "SELECT indicator, hospital_id, discharge_month, insutype, region, diagnosis_category, hosp_lv, value "
        "FROM staged_indicator_value"
    ).fetchall()
    return {tuple(row[:-1]): row[-1] for row in rows}


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)


def _kinds() -> list[str]:
    return list(dict.fromkeys(one.kind for one in FAULTY))


# Hashes of the number of the stay are the dice: the same on every machine.
_STAY = """
CREATE TABLE lake.marts.fct_stay AS
SELECT
    'h:' || i AS stay_id,
    'h' || die(i, 0) % 60 AS source_id,
    'h' || die(i, 0) % 60 || ':A' AS hospital_id,
    'p' || die(i, 1) % 700000 AS psn_no,
    (die(i, 0) % 60 % 3 + 1)::VARCHAR AS hosp_lv,
    'R' || die(i, 0) % 60 % 4 AS region,
    'CNY' AS currency,
    'synthetic' AS origin,
    (DATE '2024-01-01' + to_months((die(i, 2) % 24)::INTEGER))::DATE AS discharge_month,
    ['310', '390', NULL][die(i, 3) % 3 + 1] AS insutype,
    'D' || die(i, 4) % 25 AS dscg_dept_name,
    ['J18', 'I21', 'C34', 'I10', 'E11', 'S72', 'K29', 'I63'][die(i, 5) % 8 + 1] AS diagnosis_category,
    (die(i, 6) % 95)::BIGINT AS age_years,
    (1 + die(i, 7) % 14 + CASE WHEN die(i, 8) % 30 = 0 THEN 40 ELSE 0 END)::BIGINT AS stay_days,
    (die(i, 9) % 3)::BIGINT AS operation_count,
    die(i, 10) % 50 = 0 AS is_dead,
    die(i, 11) % 3 = 0 AS is_emergency,
    (1000 + die(i, 12) % 10000000 / 100)::DECIMAL(18, 2) AS medfee_sumamt,
    (medfee_sumamt * 0.3)::DECIMAL(38, 2) AS drug_amount,
    (medfee_sumamt * 0.2)::DECIMAL(38, 2) AS consumable_amount,
    (medfee_sumamt - drug_amount - consumable_amount)::DECIMAL(38, 2) AS service_amount,
    CASE WHEN die(i, 13) % 10 > 0 THEN (medfee_sumamt * 0.6)::DECIMAL(18, 2) END AS fund_pay_sumamt,
    CASE WHEN die(i, 13) % 10 > 0 THEN (medfee_sumamt * 0.25)::DECIMAL(18, 2) END AS psn_selfpay,
    die(i, 14) % 100 > 0 AS is_valid
FROM range($1) AS numbered (i)
"""
_SETTLEMENT = """
CREATE TABLE lake.marts.fct_settlement AS
SELECT stay_id, 's' || stay_id AS setl_id, 'live' AS status, medfee_sumamt, fund_pay_sumamt, psn_selfpay
FROM lake.marts.fct_stay
"""
_SPECIAL_USE = """
CREATE TABLE lake.marts.fct_special_use AS
SELECT
    stay_id, category, 2::BIGINT AS item_count, (medfee_sumamt * 0.05)::DECIMAL(38, 2) AS amount,
    (stay_days * 0.7)::DECIMAL(38, 4) AS ddd, 0::DECIMAL(38, 2) AS undosed_amount
FROM lake.marts.fct_stay, (VALUES ('antibiotic'), ('antibiotic_restricted')) AS watched (category)
WHERE hash(stay_id, category) % 2 = 0
"""
