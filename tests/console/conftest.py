"""A furnished installation: real stores with what every stage leaves behind, written by the stages' own adapters."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from headwater.adapters import batches, knowledge, lake, postgres, quality, report, returns, xlsx
from headwater.adapters.home import Home
from headwater.claims.landing import Landed
from headwater.claims.loading import Counts
from headwater.content.accounts import NO_ACCOUNTS
from headwater.content.quality import Outcome, QualityReport, SuiteResult
from headwater.errors import Message, Refusal

PROJECT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 1, 5, 0, 30, tzinfo=UTC)
KEY = {"run": "r1", "task": "stay_cost", "region": "楚源省"}
SEEN = {"as_of": AT.replace(tzinfo=None), "snapshot": 7}


@pytest.fixture(scope="session")
def furnished() -> Iterator[Home]:
    """Give an installation with a server of its own, as it is after every stage has run once."""
    # The server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-console-"))
    home = Home(root=root, project=PROJECT).create()
    postgres.prepare(home)
    furnish(home)
    yield home
    # Another fixture's stop may have made this process forget that it holds this server too.
    postgres.start(home)
    postgres.stop(home)
    shutil.rmtree(root)


def furnish(home: Home) -> None:
    _batches(home)
    _returns(home)
    with lake.connect(home) as connection:
        _hospitals(connection)
        _knowledge(connection)
        _quality(home, connection)


def _returns(home: Home) -> None:
    column = xlsx.Column(Message("文件", "File"), 20)
    for day in ("2026-01-04", "2026-01-05"):
        sheet = xlsx.Sheet("待改", (column,), [("=1+1",)])
        xlsx.write(returns.folder(home, "h0101") / f"h0101_{day}.xlsx", [sheet], title="h0101", at=AT)


def _batches(home: Home) -> None:
    loaded = Counts(
        rows_in=1000,
        rows_loaded=950,
        rows_quarantined=30,
        rows_duplicate=20,
        columns_ignored=0,
        money_in=Decimal("1234567.89"),
        money_loaded=Decimal("1200000.00"),
        money_quarantined=Decimal("30000.00"),
        money_duplicate=Decimal("4567.89"),
    )
    with postgres.connect(home, autocommit=True) as register:
        for number, source in enumerate(("h0101", "h0102", "h0103")):
            for month in range(1, 25):
                name = f"{source}/front_page_{2024 + month // 13}{(month - 1) % 12 + 1:02d}.csv"
                file = Landed(sha256=f"{number:04x}{month:04x}".ljust(64, "0"), path=Path("x"), size=10, name=name)
                batches.receive(register, source_id=source, entity="front_page", landed=[file], contract="c")
                batch = batches.batch_id(source, "front_page", file.sha256)
                batches.settle(register, batch=batch, counts=loaded, snapshot=5)
        odd = Landed(sha256="f" * 64, path=Path("x"), size=10, name="h0103/<script>alert(1)</script>.csv")
        batches.receive(register, source_id="h0103", entity="fee_line", landed=[odd], contract="c")
        refusal = Refusal(
            "E-FILE-ENCODING", Message("编码无法识别。", "Encoding unknown."), Message("请转存。", "Save again.")
        )
        batches.refuse(register, batch=batches.batch_id("h0103", "fee_line", odd.sha256), error=refusal)
        short = Landed(sha256="e" * 64, path=Path("x"), size=10, name="h0103/front_page_202601.csv")
        batches.receive(register, source_id="h0103", entity="front_page", landed=[short], contract="c")
        batches.hold(register, batch=batches.batch_id("h0103", "front_page", short.sha256), error=refusal, rows_in=500)


def _hospitals(connection: lake.duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE TABLE lake.raw.hospital (source_id VARCHAR, fixmedins_code VARCHAR, hospital_name VARCHAR,"
        " hospital_name_en VARCHAR, hosp_lv VARCHAR, city VARCHAR, region VARCHAR, currency VARCHAR, origin VARCHAR)"
    )
    for number in (1, 2, 3):
        connection.execute(
            "INSERT INTO lake.raw.hospital VALUES (?, ?, ?, ?, '3', '江城市', '楚源省', 'CNY', 'synthetic')",
            [
                f"h010{number}",
                f"H010{number}",
                f"江城市第{'一二三'[number - 1]}人民医院",
                f"Jiangcheng People's Hospital {number}",
            ],
        )
    connection.execute("CREATE TABLE lake.marts.fct_stay AS SELECT 'h:' || range AS stay_id FROM range(2850)")
    connection.execute("CREATE TABLE lake.marts.fct_fee_line AS SELECT range AS line_no FROM range(70123)")


def _knowledge(connection: lake.duckdb.DuckDBPyConnection) -> None:
    knowledge.prepare(connection)
    values = {"H0101": 0.214, "H0102": 0.132, "H0103": -0.012}
    rows = [
        {
            **SEEN,
            **{
                "source": source,
                "city": "江城市",
                "stays": 950,
                "selected": value > 0,
                "bytes": 4096,
                "method": "exact",
            },
            **{"value": value, "low": value - 0.01, "high": value + 0.01},
        }
        for source, value in values.items()
    ]
    knowledge.replace(connection, "valuation", key=KEY, rows=rows)
    versions = [
        {
            **SEEN,
            **{"digest": "d", "name": "stay_cost 楚源省", "version": number, "model": "stay_cost_ridge", "step": step},
            **{"month": None, "sources": ["H0101", "H0102"], "protection": "masked", "parent": parent},
            **{"is_champion": number != 2, "currency": "CNY", "mlflow_run": "abc", "mlflow_model": "m-1"},
            **{"r2_log": r2, "r2_log_target_only": 0.31, "r2_log_all_equal": 0.47, "r2_log_pooled": 0.55},
            **{"mae": 1520.4, "mae_target_only": 2100.0, "mae_all_equal": 1700.0, "mae_pooled": 1490.0},
        }
        for number, step, parent, r2 in ((1, "aggregate", None, 0.52), (2, "evolve", "stay_cost 楚源省/1", 0.51))
    ]
    knowledge.replace(connection, "model_version", key=KEY, rows=versions)
    changes = [
        {
            **SEEN,
            **{"month": date(2025, 6, 1), "source": source, "value": 0.1, "state": state, "action": action},
            **{"reason_zh": "价值连续三个月低于零。", "reason_en": "Its value was below zero for three months."},
        }
        for source, state, action in (("H0103", "out", "drop"), ("H0101", "in", "keep"))
    ]
    knowledge.replace(connection, "evolution", key=KEY, rows=changes)


def _quality(home: Home, connection: lake.duckdb.DuckDBPyConnection) -> None:
    outcome = Outcome(
        suite="claims__front_page",
        stage="staging",
        relation="staging.stg_claims__front_page",
        expectation="expect_column_values_to_not_be_null",
        column="mdtrt_id",
        arguments="{}",
        unit=None,
        severity="error",
        why=Message("就诊号是键。", "The stay's number is the key."),
        success=True,
        element_count=950,
        unexpected_count=0,
    )
    suite = SuiteResult(
        "claims__front_page", "staging", outcome.relation, Message("首页", "Front page"), 950, (outcome,)
    )
    for day, run_id in ((4, "scheduled__2026-01-04T08:00:00+00:00"), (5, "manual__2026-01-05T08:00:00+00:00")):
        found = QualityReport(
            run_id=run_id,
            at=AT.replace(day=day),
            snapshot=7,
            suites=(suite,),
            landing=(),
            refused=(),
            faults=(),
            accounts=NO_ACCOUNTS,
            histograms=(),
            origins=("synthetic",),
            folder=f"quality/{report.folder_name(run_id)}",
        )
        quality.save(home, connection, found)
        report.write(home, found)


sys.path.insert(0, str(PROJECT / "plugins"))
