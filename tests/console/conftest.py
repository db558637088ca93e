"""A furnished installation: real stores with what every stage leaves behind, written by the stages' own adapters."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from headwater.adapters import batches, evolved, knowledge, lake, postgres, quality, report, returns, xlsx
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
        _knowledge(home, connection)
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


def _knowledge(home: Home, connection: lake.duckdb.DuckDBPyConnection) -> None:
    knowledge.prepare(home, connection)
    _valuations(connection)
    versions = [
        {
            **SEEN,
            **{"digest": "d", "name": "stay_cost 楚源省", "version": number, "model": "stay_cost_ridge", "step": step},
            **{"month": None, "sources": ["H0101", "H0102"], "protection": "masked", "parent": parent},
            "opponent": parent,
            **{"is_champion": number != 2, "currency": "CNY", "mlflow_run": "abc", "mlflow_model": "m-1"},
            **{"r2_log": r2, "r2_log_target_only": 0.31, "r2_log_all_equal": 0.47, "r2_log_pooled": None},
            **{"mae": 1520.4, "mae_target_only": 2100.0, "mae_all_equal": 1700.0, "mae_pooled": None},
        }
        for number, step, parent, r2 in ((1, "aggregate", None, 0.52), (2, "evolve", "stay_cost 楚源省/1", 0.51))
    ]
    knowledge.replace(connection, "model_version", key=KEY, rows=versions)
    _lineage(connection)
    changes = [
        {
            **SEEN,
            **{"month": month, "source": source, "value": 0.1, "state": "present", "action": action},
            **{"standing": standing, "unapproved": unapproved},
            **{"reason_zh": "价值连续三个月低于零。", "reason_en": "Its value was below zero for three months."},
        }
        for month, source, action, standing, unapproved in (
            (date(2025, 3, 1), "H0104", "remove", "removed", "demoted"),
            (date(2025, 4, 1), "H0103", "demote", "demoted", None),
            (date(2025, 5, 1), "H0103", "remove", "removed", "demoted"),
            (date(2025, 6, 1), "H0102", "remove", "removed", "demoted"),
            (date(2025, 6, 1), "H0103", "remove", "removed", "demoted"),
            (date(2025, 6, 1), "H0101", "keep", "probation", None),
        )
    ]
    knowledge.replace(connection, "evolution", key=KEY, rows=changes)
    elsewhere = [{**changes[-1], "month": date(2025, 7, 1)}]
    knowledge.replace(connection, "evolution", key={**KEY, "task": "stay_days"}, rows=elsewhere)
    evolved.prepare(home, connection)
    decided = [
        {
            **{name: KEY[name] for name in ("task", "region")},
            **{"month": month, "source": source, "standing": "removed", "approved": approved},
            **{"person": "amy", "why": "as the month proposed", **SEEN},
        }
        for month, source, approved in ((date(2025, 3, 1), "H0104", True), (date(2025, 6, 1), "H0102", False))
    ]
    knowledge.insert(connection, "approval", decided, columns=evolved.TABLES["approval"])


def _lineage(connection: lake.duckdb.DuckDBPyConnection) -> None:
    """Let both versions have predicted the same stays; the first serves, for the second was not better."""
    name = {"name": "stay_cost 楚源省"}
    for version in (1, 2):
        rows = [
            {
                **SEEN,
                **{"source": source, "city": "江城市", "value": value, "low": value - 0.01, "high": value + 0.01},
                **{"valuation": "r1", "protection": "masked", "mechanism": "masked", "epsilon": None, "months": []},
            }
            for source, value in (("H0101", 0.214), ("H0102", 0.132))
        ]
        knowledge.replace(connection, "member", key={**KEY, **name, "version": version}, rows=rows)
        connection.execute(
            "INSERT INTO lake.knowledge.prediction BY NAME "
            "SELECT 'r1' AS run, 'stay_cost' AS task, '楚源省' AS region, "
            "$at AS as_of, 7 AS snapshot, $name AS name, $version AS version, 'd' AS digest, 'H0101' AS source, "
            "'h:' || range AS stay_id, 9.0 + $version AS log_cost, exp(9.0 + $version) AS cost FROM range(500)",
            {"at": SEEN["as_of"], "version": version, **name},
        )
    served = {**SEEN, "before": None, "entry": 3, "why": "better", "opponent": None, "metric": "r2_log", "rows": 640}
    served |= {"difference": 0.21, "low": 0.18, "high": 0.24}
    knowledge.replace(connection, "champion", key={**KEY, **name, "version": 1}, rows=[served])


MONTHS = {
    date(2025, 12, 1): {"H0101": (0.150, True), "H0102": (0.131, False), "H0104": (0.02, False)},
    date(2026, 1, 1): {"H0101": (0.214, True), "H0102": (0.132, True), "H0103": (-0.012, False)},
}
"""Values and choices: H0101 rises beyond its interval, H0102 joins the chosen, H0103 is new, H0104 is gone."""

NOTHING_TRIED = {
    date(2025, 12, 1): {
        **dict.fromkeys(("bound", "share", "utility", "ratio", "ratio_low", "ratio_high", "diminish")),
        **dict.fromkeys(("r2_selected", "r2_all", "judging_records")),
        **{"gains": [], "method": "privatesums/mean_field", "algorithm": "told values", "epsilon": 1.0},
    }
}
"""In the first month only sums with noise left: of no set anything is known."""


def _valuations(connection: lake.duckdb.DuckDBPyConnection) -> None:
    for month, values in MONTHS.items():
        key = {"task": "stay_cost", "region": "楚源省", "month": month}
        rows = [_valued(source, *told, rank) for rank, (source, told) in enumerate(values.items(), start=1)]
        knowledge.replace(connection, "valuation", key=key, rows=rows)
        chosen = [source for source, (_, selected) in values.items() if selected]
        knowledge.replace(connection, "selection", key=key, rows=[_selection(chosen) | NOTHING_TRIED.get(month, {})])
    connection.execute(
        "CREATE TABLE lake.marts.dim_hospital AS SELECT source_id || ':' || fixmedins_code AS hospital_id, * "
        "FROM lake.raw.hospital"
    )
    # The project's own views, its references written out.
    for schema, file in (
        ("staging", "staging/claims/stg_claims__source_value"),
        ("marts", "marts/core/fct_source_value"),
    ):
        text = (PROJECT / "dbt_project" / "models" / f"{file}.sql").read_text(encoding="utf-8")
        text = re.sub(r"\{\{ config\([^}]*\) \}\}", "", text)
        text = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"lake.\1.\2", text)
        text = text.replace("{{ ref('stg_claims__source_value') }}", "lake.staging.stg_claims__source_value")
        text = text.replace("{{ ref('dim_hospital') }}", "lake.marts.dim_hospital")
        connection.execute(f"CREATE VIEW lake.{schema}.{Path(file).name} AS {text}")


def _valued(source: str, value: float, selected: bool, rank: int) -> dict[str, object]:
    return {
        **SEEN,
        **{"run": "r1", "source": source, "city": "江城市", "stays": 950, "selected": selected, "bytes": 4096},
        **{"method": "exact", "unit": "R²", "value": value, "low": value - 0.01, "high": value + 0.01},
        **{"rank": rank, "rank_low": rank, "rank_high": rank, "stability": 1.0},
        **{"judged_low": value - 0.01, "judged_high": value + 0.01, "judged_rank_low": max(1, rank - 1)},
        **{"judged_rank_high": rank, "judged_stability": 0.83, "cost": 1.0, "cost_unit": "sources"},
        **{"reason_zh": "加入后效用提高。", "reason_en": "It adds to those before it."},
        **({"finding_zh": "过于相同。", "finding_en": "Too like another."} if source == "H0103" else {}),
    }


def _selection(chosen: list[str]) -> dict[str, object]:
    refused = {
        **{
            "source": "H0109",
            "code": "E-FEATURE-FINITE",
            "reason_zh": "年龄不是数。",
            "reason_en": "Ages are no numbers.",
        },
        **{"remedy_zh": "请改正。", "remedy_en": "Correct them."},
    }
    return {
        **SEEN,
        **{"run": "r1", "method": "exact", "concept": "shapley", "unit": "R²", "protection": "clear", "version": "0"},
        **{"evaluations": 8, "seconds": 0.2, "judging_records": 640, "chosen": chosen, "gains": [0.1] * len(chosen)},
        **{"utility": 0.2, "spent": float(len(chosen)), "budget": 8.0, "budget_unit": "sources", "bound": 0.21},
        **{"share": 0.952, "proof_zh": "逐一比较了所有可行组合", "proof_en": "every affordable set was compared"},
        **{"is_conditional": False, "algorithm": "exhaustive", "ratio": 1.2, "ratio_low": 1.1, "ratio_high": 1.4},
        **{"diminish": True, "bytes": 12288, "attributable": 8000, "rounds": 1, "epsilon": 0.0, "leverage": 1.0},
        **{"r2_target_only": 0.31, "r2_selected": 0.52, "r2_all": 0.47, "refused": [refused]},
        **{"small": [{"source": "H0111", "stays": 12}], "mlflow_run": "abc"},
    }


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
