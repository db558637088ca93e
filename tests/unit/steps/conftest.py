"""A bureau with references and hospitals with items, for every test that codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import duckdb
import pytest

from headwater.adapters import lake, raw, references
from headwater.adapters.home import Home
from headwater.claims.references import KINDS, refer
from headwater.steps.code import CodeReport, code

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


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give a store of matchers' versions that all tests share: to make one costs more than a test."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/versions.db"


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of matchers that all tests share: the same reference and pairs make the same one."""
    return tmp_path_factory.mktemp("matchers")


@pytest.fixture
def bureau(home: Home, versions: str, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bureau]:
    """Give a bureau with drugs and consumables in its references, and two hospitals that are registered."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", versions)
    copytree(fitted, home.matchers, dirs_exist_ok=True)
    with lake.connect(home, threads=1) as connection:
        raw.create_tables(home, connection)
        references.create_tables(home, connection)
        made = Bureau(home, connection)
        made.refer("drug", DRUGS)
        made.refer("consumable", CONSUMABLES, is_high_value=["是", "是", "否", "否"])
        hospitals = ({"source_id": name, "fixmedins_code": name, "currency": "CNY"} for name in ("h1", "h2"))
        made.deliver("hospital", *hospitals)
        yield made
    copytree(home.matchers, fitted, dirs_exist_ok=True)
