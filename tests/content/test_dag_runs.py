"""The DAGs that code, group, pay and count, really run one after the other on what was worked out by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from headwater.adapters import assigned, lake, postgres, raw
from headwater.adapters.home import Home
from headwater.steps.build import GROUPED_MARTS

PROJECT = Path(__file__).resolve().parents[2]
DAGS = ("code_items", "group_stays", "price_stays", "publish_indicators")

ITEM = """
INSERT INTO lake.raw.drug (source_id, batch_id, row_no, medins_list_codg, medins_list_name)
VALUES ('h0101', 'b', 0, '1', '阿莫西林胶囊')
"""

STAYS = """
INSERT INTO lake.marts.fct_stay BY NAME
SELECT 'h0101:' || n AS stay_id, 'h0101' AS source_id, 'h0101:H0101' AS hospital_id, CAST(n AS VARCHAR) AS mdtrt_id,
       'H0101' AS fixmedins_code, '楚源省' AS region, 'CNY' AS currency, 'synthetic' AS origin, '3' AS hosp_lv,
       '310' AS insutype, '1' AS gend, 60 AS age_years, TIMESTAMP '2025-03-01' AS begntime,
       TIMESTAMP '2025-03-08' AS endtime, DATE '2025-03-01' AS discharge_month, 7 AS stay_days, '1' AS dscg_way,
       '内科' AS dscg_dept_name, CASE n WHEN 3 THEN 'Z99.999X999' ELSE 'J18.900' END AS dscg_maindiag_code,
       false AS is_dead, n <> 4 AS is_valid, CASE n WHEN 4 THEN 'negative_cost' END AS invalid_reason,
       9000 AS medfee_sumamt, 6000 AS fund_pay_sumamt, 4000 AS drug_amount, 1000 AS consumable_amount,
       4000 AS service_amount, 1 AS diagnosis_count, false AS is_emergency
FROM range(1, 5) AS one (n)
"""


def create(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    """Make a mart with the columns of its contract, as the warehouse would."""
    (file,) = (PROJECT / "dbt_project" / "models" / "marts").rglob(f"{mart}.yml")
    (model,) = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    columns = ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])
    connection.execute(f"CREATE TABLE lake.marts.{mart} ({columns})")


@dataclass(frozen=True)
class Ran:
    """What the DAGs printed, what was announced after each, and the lake they left behind."""

    told: str
    assets: list[list[str]]
    lake: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def ran(databases: str, dags_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Run them in one process and on one metadata database: to start Airflow takes longer than all they do."""
    home = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
    postgres.prepare(home)
    with lake.connect(home, threads=1) as connection:
        for adapter in (raw, assigned):
            adapter.create_tables(home, connection)
        for mart in ("fct_stay", "fct_fee_line"):
            create(connection, mart)
        connection.execute(ITEM)
        connection.execute(STAYS)
    dags = dags_of(home)
    runs = [dags.run(name) for name in DAGS]
    assert [run.state for run in runs] == ["success"] * len(DAGS), runs[-1].said[-4000:]
    with lake.connect(home, threads=1) as connection:
        yield Ran("".join(run.said for run in runs), [run.assets for run in runs], connection)


def test_each_announces_its_own_asset(ran: Ran) -> None:
    assets = ["lake_coding", "lake_grouping", "lake_payment", "lake_indicators"]
    assert ran.assets == [assets[: place + 1] for place in range(len(DAGS))]


def test_items_without_a_reference_do_not_break_the_chain(ran: Ran) -> None:
    rows = ran.lake.execute("SELECT decision, code, reason FROM lake.coding.item").fetchall()
    assert rows == [("none", None, "no reference")]
    assert "drug" in next(line for line in ran.told.splitlines() if "notes = " in line)


def test_stays_are_grouped_paid_and_counted_by_the_dags(ran: Ran) -> None:
    groups = ran.lake.execute("SELECT status, count(*) FROM lake.grouping.stay GROUP BY ALL ORDER BY 1").fetchall()
    paid = ran.lake.execute("SELECT count(*), sum(payable = fund + self_pay) FROM lake.payment.stay").fetchone()
    cells = ran.lake.execute(
        "SELECT mix.stay_count, mix.weighted_count, balance.stay_count, time.index_value "
        "FROM lake.marts.ind_case_mix AS mix JOIN lake.marts.ind_payment_balance AS balance USING (hospital_id) "
        "JOIN lake.marts.ind_time_consumption AS time USING (hospital_id)"
    ).fetchall()
    marts = {row[0] for row in ran.lake.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert groups == [("grouped", 2), ("invalid", 1), ("ungroupable", 1)]
    assert paid == (3, 3)
    assert cells == [(3, 2, 3, 1.0)]
    assert set(GROUPED_MARTS) <= marts
