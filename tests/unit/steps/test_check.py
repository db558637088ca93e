"""A check judges one snapshot, keeps every verdict, writes both pages, and shows no identifier."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from headwater.adapters import lake, postgres, raw
from headwater.adapters.home import Home
from headwater.content.suites import read_suites
from headwater.errors import Refusal
from headwater.steps.check import check

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
CANARIES = ("110101199003078515", "MDTRT-CANARY-7", "FEEDETL-CANARY-7", "SETL-CANARY-7")
LANDED = """
insert into ops.batch (
    batch_id, source_id, entity, file_name, sha256, bytes, state,
    rows_in, rows_loaded, rows_quarantined, rows_duplicate,
    money_in, money_loaded, money_quarantined, money_duplicate, snapshot_id
) values (
    'b', 's1', 'front_page', 'a.csv', repeat('a', 64), 1, 'loaded', 103, 100, 2, 1, 10.50, 10.25, 0.25, 0, 1
)
"""
REFUSED = """
insert into ops.batch (
    batch_id, source_id, entity, file_name, sha256, bytes, state, refusal_code, refusal_zh, refusal_en
) values ('r', 's2', 'drug', 'd.xlsx', repeat('b', 64), 1, 'refused', 'E-FILE', '打不开。', 'Not read.')
"""
QUARANTINED = f"""
INSERT INTO lake.raw.quarantine BY NAME SELECT
    's1' AS source_id, 'front_page' AS entity, 'b' AS batch_id, 7 AS row_no, 'E-DATE' AS code, 'begntime' AS field,
    '{CANARIES[0]}' AS value, '无法识别。' AS reason_zh, 'No date.' AS reason_en, '改。' AS fix_zh, 'Mend it.' AS fix_en
"""
GOOD = Path(__file__).resolve().parents[2] / "content" / "good_lake.sql"


@pytest.fixture
def connection(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a lake in which every rule holds, and the register of one landed file."""
    with lake.connect(home) as opened:
        raw.create_tables(home, opened)
        opened.execute("USE lake")
        opened.execute("BEGIN")
        for statement in GOOD.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                opened.execute(statement)
        opened.execute("COMMIT")
        with postgres.connect(home) as register:
            register.execute(LANDED)
        yield opened


def pages(home: Home, folder: str) -> str:
    return "".join((home.reports / folder / f"{language}.html").read_text("utf-8") for language in ("zh", "en"))


def test_a_good_lake_passes_and_every_verdict_is_kept(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    before = lake.snapshot(connection)
    found = check(home, now=NOW)
    assert found.success
    assert found.failures == ()
    assert found.snapshot == before
    assert found.run_id == f"20260105T080000Z-s{before}"
    rules = sum(len(suite.expectations) for suite in read_suites(home.project / "expectations"))
    kept = connection.execute(
        "SELECT count(*), bool_and(success), min(snapshot_id), count(DISTINCT run_id), min(checked_at) "
        "FROM lake.quality.result"
    ).fetchone()
    assert kept is not None
    assert kept[:4] == (rules, True, before, 1)
    assert kept[4].astimezone(UTC) == NOW
    assert pages(home, found.folder) == pages(home, "quality/latest")


def test_the_landing_account_and_the_distributions_are_in_the_report(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    found = check(home, now=NOW)
    (account,) = found.landing
    assert (account.source_id, account.rows_in, account.rows_quarantined, str(account.money_in)) == (
        "s1",
        103,
        2,
        "10.50",
    )
    assert account.balances
    assert account.title.en == "Hospital 1"
    assert account.origin == "synthetic"
    bars = {histogram.column: histogram for histogram in found.histograms}
    assert [bar.rows for bar in bars["gend"].bars] == [200, 200, 0]
    assert sum(bar.rows for bar in bars["age"].bars) == 400
    ages = connection.execute("SELECT count(*) FROM lake.raw.front_page WHERE age >= 30 AND age < 45").fetchone()
    assert ages == (bars["age"].bars[3].rows,)
    assert bars["age"].bars[3].label.en == "30 – 45"


def test_a_failed_error_stops_and_a_failed_warning_does_not(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("UPDATE lake.raw.front_page SET insutype = 'X' WHERE row_no < 40")
    warned = check(home, stages=("raw",), now=NOW)
    assert warned.success
    assert [(outcome.column, outcome.severity) for outcome in warned.failures] == [("insutype", "warning")]
    connection.execute("UPDATE lake.raw.front_page SET gend = '男' WHERE row_no < 40")
    failed = check(home, stages=("raw",), now=NOW)
    assert not failed.success
    assert [outcome.column for outcome in failed.failures] == ["gend", "insutype"]
    assert (home.reports / failed.folder / "zh.html").is_file()
    assert failed.to_dict()["errors"] == 1
    assert [share.source_id for share in failed.failures[0].by_source] == ["s1", "s2", "s3", "s4"]


def test_no_identifier_is_in_the_pages_or_in_what_is_kept(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Identity numbers in every column a clerk could have put them into, valid and invalid alike."""
    person, stay, line, settlement = CANARIES
    for column in ("psn_no", "gend", "insutype", "dscg_way", "adm_way", "dscg_maindiag_code", "dscg_maindiag_name"):
        connection.execute(f"UPDATE lake.raw.front_page SET {column} = '{person}' WHERE row_no < 60")
    connection.execute(f"UPDATE lake.raw.front_page SET age = {person}, mdtrt_id = '{stay}' WHERE row_no = 3")
    connection.execute(f"UPDATE lake.raw.front_page SET setl_id = '{settlement}' WHERE row_no < 9")
    connection.execute(
        f"UPDATE lake.raw.fee_line SET feedetl_sn = '{line}', mdtrt_id = '{stay}', medins_list_codg = '{person}', "
        f"medins_list_name = '{person}锟斤拷', chrgitm_lv = '{person}', cnt = 0, pric = -1 WHERE row_no < 60"
    )
    connection.execute(f"UPDATE lake.raw.diagnosis SET mdtrt_id = '{stay}', diag_srt = 77 WHERE row_no < 60")
    connection.execute(f"UPDATE lake.marts.fct_fee_line SET medins_list_codg = '{person}', pric = row_no")
    connection.execute(QUARANTINED)
    found = check(home, now=NOW)
    assert len(found.failures) > 10
    assert [(fault.code, fault.rows) for fault in found.faults] == [("E-DATE", 1)]
    kept = connection.execute("SELECT r::VARCHAR FROM lake.quality.result AS r").fetchall()
    shown = pages(home, found.folder) + repr(kept) + repr(found)
    for canary in CANARIES:
        assert canary not in shown


def test_runs_are_appended_and_a_run_that_is_repeated_replaces_itself(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    def kept() -> list[tuple[str, int]]:
        query = "SELECT run_id, count(*) FROM lake.quality.result GROUP BY 1 ORDER BY 1"
        return connection.execute(query).fetchall()

    rules = len(check(home, stages=("staging",), run_id="manual__a:1", now=NOW).outcomes)
    check(home, stages=("staging",), run_id="manual__b:1", now=NOW)
    found = check(home, stages=("staging",), run_id="manual__a:1", now=NOW)
    assert kept() == [("manual__a:1", rules), ("manual__b:1", rules)]
    assert found.folder == "quality/manual__a-1"


def test_stages_can_be_chosen_and_unknown_ones_are_refused(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DROP TABLE lake.marts.feat_stay_cost")
    assert {suite.stage for suite in check(home, stages=("staging", "raw"), now=NOW).suites} == {"raw", "staging"}
    with pytest.raises(Refusal, match="feat_stay_cost") as absent:
        check(home, stages=("marts",), now=NOW)
    assert absent.value.code == "E-QUALITY-RELATION"
    for stages in (("bronze",), ()):
        with pytest.raises(Refusal) as refused:
            check(home, stages=stages, now=NOW)
        assert refused.value.code == "E-UNKNOWN-STAGE"


def test_a_refused_file_is_told_with_its_reason(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    with postgres.connect(home) as register:
        register.execute(REFUSED)
    found = check(home, stages=("staging",), now=NOW)
    assert [(file.source_id, file.code, file.reason.en) for file in found.refused] == [("s2", "E-FILE", "Not read.")]
    assert [(a.source_id, a.files, a.files_refused) for a in found.landing] == [("s1", 1, 0), ("s2", 0, 1)]
    assert "打不开。" in pages(home, found.folder)
