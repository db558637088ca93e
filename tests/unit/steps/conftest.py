"""A bureau with references and hospitals with items, for every test that codes."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from headwater.adapters import assigned, coding, grouped, lake, postgres, priced, publication, raw, references
from headwater.adapters.home import Home
from headwater.adapters.publication import Publication
from headwater.claims.references import KINDS, refer
from headwater.steps.code import CodeReport, code
from headwater.steps.group import GroupReport, group
from headwater.steps.price import PriceReport, price

DRUGS = (
    ("X001", "阿莫西林胶囊", "0.25g*24粒"),
    ("X002", "阿莫西林胶囊", "0.5g*24粒"),
    ("X003", "阿奇霉素片", "0.25g*6片"),
    ("X004", "布洛芬缓释胶囊", "0.3g*20粒"),
    ("X005", "头孢呋辛酯片", "0.25g*12片"),
    ("X006", "硝苯地平控释片", "30mg*7片"),
    ("X007", "盐酸二甲双胍片", "0.5g*20片"),
    ("X008", "氯化钠注射液", "0.9%*100ml"),
    ("X009", "葡萄糖注射液", "5%*250ml"),
    ("X010", "奥美拉唑肠溶胶囊", "20mg*14粒"),
    ("X011", "阿司匹林肠溶片", "100mg*30片"),
    ("X012", "左氧氟沙星片", "0.5g*6片"),
)
CONSUMABLES = (
    ("C001", "冠状动脉药物洗脱支架", "3.0mm*18mm"),
    ("C002", "冠状动脉药物洗脱支架", "3.5mm*18mm"),
    ("C003", "一次性使用注射器", "5ml"),
    ("C004", "一次性使用输液器", "0.7mm"),
)
PROJECT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Bureau:
    """One installation, spoken to in the fewest words."""

    home: Home
    lake: duckdb.DuckDBPyConnection
    drugs: Sequence[tuple[str, str, str]] = DRUGS

    def refer(
        self, kind: str, rows: Sequence[tuple[str, str, str]], *, since: str = "2026-01-01", **further: Sequence[str]
    ) -> str:
        """Load a reference and return its version."""
        codes, names, specs = zip(*rows, strict=True)
        columns = {"code": codes, "name": names, **({"spec": specs} if "spec" in KINDS[kind].schema.names else {})}
        read = refer(KINDS[kind], {**columns, **further}, name="test")
        since_day = date.fromisoformat(since)
        references.write(self.home, self.lake, read, valid_from=since_day, file=("test", "0" * 64))
        return read.version

    def deliver(self, entity: str, *rows: dict[str, Any]) -> None:
        """Put rows into a raw table."""
        self.lake.execute("BEGIN")
        for number, row in enumerate(rows):
            filled = {"source_id": "h1", "batch_id": "b1", "row_no": number, **row}
            names, marks = ", ".join(filled), ", ".join("?" * len(filled))
            self.lake.execute(f"INSERT INTO lake.raw.{entity} ({names}) VALUES ({marks})", list(filled.values()))
        self.lake.execute("COMMIT")

    def bill(self, *rows: dict[str, Any]) -> None:
        """Put fee lines of a drug into raw, unless they say otherwise."""
        line = {"mdtrt_id": "M1", "fee_ocur_time": datetime(2026, 1, 5), "med_chrgitm_type": "09", "cnt": 1, "pric": 10}
        filled = [
            {**line, "feedetl_sn": str(number), "det_item_fee_sumamt": 10, **row} for number, row in enumerate(rows)
        ]
        self.deliver("fee_line", *filled)

    def code(self, **options: Any) -> CodeReport:
        """Code what is new."""
        return code(self.home, now=options.pop("now", NOW), **options)

    def items(self, **where: str) -> list[dict[str, Any]]:
        """Return coded items, by source, code and name."""
        condition = " AND ".join(f"{name} = ?" for name in where) or "true"
        self.lake.execute(f"SELECT * FROM lake.coding.item WHERE {condition} ORDER BY ALL", list(where.values()))
        return self.lake.to_arrow_table().to_pylist()

    def answers(self, **where: str) -> list[tuple[str, str, str | None]]:
        """Return local code, decision and national code of items."""
        return [(row["medins_list_codg"], row["decision"], row["code"]) for row in self.items(**where)]


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the content that ``own`` is made with."""
    return PROJECT


@pytest.fixture(scope="module")
def own(
    databases: str, project: Path, tmp_path_factory: pytest.TempPathFactory, new_versions: Callable[[], str]
) -> Iterator[Home]:
    """Give an installation that a file of tests has to itself, empty, its versions in a file of MLflow's.

    Databases are made anew for every such file, which a client of MLflow's that is open would not notice.
    """
    made = Home(tmp_path_factory.mktemp("home"), project).create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", new_versions())
        postgres.prepare(made)
        yield made


@pytest.fixture(scope="session")
def versions(new_versions: Callable[[], str]) -> str:
    """Give a store of matchers' versions that all tests share."""
    return new_versions()


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of matchers that all tests share: the same reference and pairs make the same one."""
    return tmp_path_factory.mktemp("matchers")


@pytest.fixture
def bureau(home: Home, versions: str, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bureau]:
    """Give a bureau with drugs and consumables in its references, and two hospitals that are registered."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", versions)
    shutil.copytree(fitted, home.matchers, dirs_exist_ok=True)
    with lake.connect(home, threads=1) as connection:
        raw.create_tables(home, connection)
        references.create_tables(home, connection)
        made = Bureau(home, connection)
        made.refer("drug", DRUGS)
        made.refer("consumable", CONSUMABLES, is_high_value=["是", "是", "否", "否"])
        hospitals = ({"source_id": name, "fixmedins_code": name, "currency": "CNY"} for name in ("h1", "h2"))
        made.deliver("hospital", *hospitals)
        yield made
    shutil.copytree(home.matchers, fitted, dirs_exist_ok=True)


STAY = {
    "source_id": "h1", "hospital_id": "h1:A", "fixmedins_code": "A", "region": "楚源省", "currency": "CNY",
    "origin": "synthetic", "hosp_lv": "3", "insutype": "310", "psn_no": None, "gend": "1", "age_years": 60,
    "begntime": datetime(2025, 3, 1), "endtime": datetime(2025, 3, 8), "stay_days": 7, "dscg_way": "1",
    "dscg_dept_name": "内科", "dscg_maindiag_code": "J18.900", "main_oprn_code": None, "is_valid": True,
    "invalid_reason": None, "medfee_sumamt": Decimal("9000.00"), "fund_pay_sumamt": Decimal("6000.00"),
}  # fmt: skip
"""Pneumonia of a man of sixty, and what it cost."""

POLICY = """
policy: {name}
title: {{zh: 试行, en: trial}}
plan: headwater_demo
valid_from: {first}
regions: [楚源省]
weights: {{adrg: {{ES1: {weight}, GK1: 0.5}}}}
rates: [{{hosp_lv: "3", insutype: "310", amount: 10000}}]
by_cost: 1
reimbursement: {{unclassed: jia, negative_fund: kept, as_billed: true}}
repeated_stays: [{{name: readmission, within_days: 15, same: adrg, pay: 0.5}}]
budget: {{hospitals: {{"h1:A": 1000000}}, prepaid_share: 0.9}}
tests:
  - name: a package
    stays:
      - {{drg: ES11, adrg: ES1, hosp_lv: "3", insutype: "310", medfee_sumamt: "9000", pays: {{payable: {paid}}}}}
"""


@dataclass(frozen=True)
class Payer:
    """One installation with policies of its own and the demonstration plan, spoken to in the fewest words."""

    home: Home
    lake: duckdb.DuckDBPyConnection

    def policy(self, *, first: str = "2025-01-01", weight: str = "0.8", name: str = "trial") -> None:
        """Put a policy down."""
        text = POLICY.format(name=name, first=first, weight=weight, paid=Decimal(weight) * 10000)
        file = self.home.root / "policies" / name / f"{first}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def stays(self, *rows: dict[str, Any], diagnoses: Sequence[tuple[str, str]] = ()) -> None:
        """Build the mart with these stays, as the warehouse would: the rows of a stay are replaced."""
        for row in rows:
            stay = {**STAY, "stay_id": f"h1:{row['mdtrt_id']}", **row}
            names, marks = ", ".join(stay), ", ".join("?" * len(stay))
            self.lake.execute("BEGIN")
            self.lake.execute("DELETE FROM lake.marts.fct_stay WHERE stay_id = ?", [stay["stay_id"]])
            self.lake.execute(f"INSERT INTO lake.marts.fct_stay ({names}) VALUES ({marks})", list(stay.values()))
            self.lake.execute("COMMIT")
        for rank, (mdtrt_id, diagnosis) in enumerate(diagnoses, start=2):
            self.lake.execute(
                "INSERT INTO lake.raw.diagnosis (source_id, batch_id, row_no, mdtrt_id, diag_srt, diag_code) "
                "VALUES ('h1', 'b', ?, ?, ?, ?)",
                [rank, mdtrt_id, rank, diagnosis],
            )

    def bill(self, mdtrt_id: str, amount: str, *, level: str) -> None:
        """Put a fee line down."""
        self.lake.execute(
            "INSERT INTO lake.marts.fct_fee_line VALUES (?, 'h1', 'consumable', ?, '1', 'a', '2025-03-02', ?)",
            [f"h1:{mdtrt_id}", level, Decimal(amount)],
        )

    def group(self, **options: Any) -> GroupReport:
        """Group what is behind."""
        return group(self.home, now=NOW, **options)

    def price(self, **options: Any) -> PriceReport:
        """Group, then price what is behind."""
        self.group()
        return price(self.home, now=NOW, **options)

    def publish(self) -> int:
        """Let readers see the lake as it is now."""
        snapshot = lake.snapshot(self.lake)
        with publication.claim(self.home) as register:
            publication.flip(register, Publication(snapshot, "r", "t", NOW))
        return snapshot

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the lake."""
        return self.lake.execute(query).fetchall()


_STAYS = (
    "stay_id VARCHAR, source_id VARCHAR, hospital_id VARCHAR, mdtrt_id VARCHAR, fixmedins_code VARCHAR, "
    "region VARCHAR, currency VARCHAR, origin VARCHAR, hosp_lv VARCHAR, insutype VARCHAR, psn_no VARCHAR, "
    "gend VARCHAR, "
    "age_years BIGINT, begntime TIMESTAMP, endtime TIMESTAMP, stay_days BIGINT, dscg_way VARCHAR, "
    "dscg_dept_name VARCHAR, dscg_maindiag_code VARCHAR, main_oprn_code VARCHAR, is_valid BOOLEAN, "
    "invalid_reason VARCHAR, medfee_sumamt DECIMAL(18,2), fund_pay_sumamt DECIMAL(18,2)"
)
_FEE_LINES = (
    "stay_id VARCHAR, source_id VARCHAR, charge_group VARCHAR, chrgitm_lv VARCHAR, medins_list_codg VARCHAR, "
    "medins_list_name VARCHAR, fee_ocur_time TIMESTAMP, det_item_fee_sumamt DECIMAL(18,2)"
)


@pytest.fixture(scope="module")
def paying(databases: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Payer]:
    """Give an installation whose project holds plans and no policy, for all tests of a module."""
    project = tmp_path_factory.mktemp("project")
    (project / "dbt_project").mkdir()
    (project / "dbt_project" / "plans").symlink_to(PROJECT / "dbt_project" / "plans")
    made = Home(tmp_path_factory.mktemp("home"), project).create()
    postgres.prepare(made)
    with lake.connect(made, threads=1) as connection:
        yield Payer(made, connection)


@pytest.fixture
def payer(paying: Payer) -> Payer:
    """Give it without policies and stays."""
    shutil.rmtree(paying.home.root / "policies", ignore_errors=True)
    for adapter in (raw, references, coding, assigned, grouped, priced):
        adapter.create_tables(paying.home, paying.lake)
    paying.lake.execute("BEGIN")
    paying.lake.execute(f"CREATE OR REPLACE TABLE lake.marts.fct_stay ({_STAYS})")
    paying.lake.execute(f"CREATE OR REPLACE TABLE lake.marts.fct_fee_line ({_FEE_LINES})")
    for table in ("raw.diagnosis", "coding.item", "coding.assigned", "grouping.stay", "grouping.seen"):
        paying.lake.execute(f"DELETE FROM lake.{table}")
    for table in priced.TABLES:
        paying.lake.execute(f"DELETE FROM lake.payment.{table}")
    paying.lake.execute("COMMIT")
    return paying
