"""A landing that was interrupted, and one that races another, end as an undisturbed one does."""

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.adapters import lake, postgres, raw
from headwater.adapters.home import Home
from headwater.claims.landing import land_bytes
from headwater.steps.intake import TableIntake, retried
from headwater.steps.land import land

NOW = datetime(2026, 6, 30, tzinfo=UTC)
CONTRACT = """
version: 2
sources:
  - name: t1
    config:
      meta:
        title: {zh: 测试医院, en: Test hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: t1
    tables:
      - name: fee_line
        config:
          meta:
            files: "fees_*.csv"
            corrections: "fees_*_fix.csv"
            columns:
              mdtrt_id: stay
              feedetl_sn: line
              fee_ocur_time: time
              medins_list_codg: code
              medins_list_name: name
              cnt: count
              pric: price
              det_item_fee_sumamt: amount
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "contracts" / "t1").mkdir(parents=True)
    (folder / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (folder / "t1").mkdir()
    return folder


def write(inbox: Path, name: str, **amounts: str) -> None:
    """Write a file of one line a stay."""
    lines = [f"{stay},1,2026-01-05,D1,药,1,{amount},{amount}\n" for stay, amount in amounts.items()]
    (inbox / "t1" / name).write_text("stay,line,time,code,name,count,price,amount\n" + "".join(lines), encoding="utf-8")


def amounts(home: Home) -> dict[str, str]:
    with lake.connect(home) as connection:
        rows = connection.execute("SELECT mdtrt_id, det_item_fee_sumamt FROM lake.raw.fee_line ORDER BY ALL").fetchall()
    assert len(rows) == len(dict(rows)), "no line twice"
    return {stay: str(amount) for stay, amount in rows}


def states(home: Home) -> list[str]:
    with postgres.connect(home) as register:
        return [row[0] for row in register.execute("select state from ops.batch order by landed_at, batch_id")]


def interrupt(home: Home) -> None:
    """Leave the register as a process does that dies between the lake's commit and its own."""
    with postgres.connect(home) as register:
        register.execute("update ops.batch set state = 'received'")


def test_a_file_that_left_the_inbox_after_an_interruption_is_finished(home: Home, inbox: Path) -> None:
    write(inbox, "fees_1.csv", A="1.00", B="2.00")
    land(home, deliveries=inbox, now=NOW)
    interrupt(home)
    (inbox / "t1" / "fees_1.csv").unlink()
    report = land(home, deliveries=inbox, now=NOW)
    assert [result.state for result in report.files] == ["loaded"]
    assert (amounts(home), states(home)) == ({"A": "1.00", "B": "2.00"}, ["loaded"])


def test_a_file_sent_again_after_an_interruption_takes_its_place(home: Home, inbox: Path) -> None:
    write(inbox, "fees_1.csv", A="1.00", B="2.00")
    land(home, deliveries=inbox, now=NOW)
    interrupt(home)
    write(inbox, "fees_1.csv", A="1.00", C="3.00")
    report = land(home, deliveries=inbox, now=NOW)
    assert report.unchanged == 0
    assert amounts(home) == {"A": "1.00", "C": "3.00"}
    assert states(home) == ["superseded", "loaded"]


def test_corrections_that_were_taken_back_come_again(home: Home, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(inbox, "fees_1.csv", A="1.00", B="2.00")
    write(inbox, "fees_1_fix.csv", B="5.00")
    land(home, deliveries=inbox, now=NOW)
    kept = shutil.copy(inbox / "t1" / "fees_1_fix.csv", inbox / "kept")
    write(inbox, "fees_1_fix.csv", B="7.00")
    with monkeypatch.context() as dying:
        dying.setattr(TableIntake, "_load", lambda *ignored, **too: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            land(home, deliveries=inbox, now=NOW)
    shutil.copy(kept, inbox / "t1" / "fees_1_fix.csv")
    land(home, deliveries=inbox, now=NOW)
    assert amounts(home) == {"A": "1.00", "B": "5.00"}


def test_a_corrected_row_stays_corrected_when_its_file_comes_again(home: Home, inbox: Path) -> None:
    write(inbox, "fees_1.csv", A="1.00", B="2.00")
    write(inbox, "fees_2.csv", D="4.00")
    write(inbox, "fees_1_fix.csv", B="5.00", D="6.00")
    land(home, deliveries=inbox, now=NOW)
    write(inbox, "fees_1.csv", A="1.00", B="2.00", C="3.00")
    land(home, deliveries=inbox, now=NOW)
    assert amounts(home) == {"A": "1.00", "B": "5.00", "C": "3.00", "D": "6.00"}
    with postgres.connect(home) as register:
        sums = register.execute(
            "select sum(rows_loaded - rows_replaced)::int, sum(rows_quarantined)::int from ops.batch "
            "where state = 'loaded'"
        ).fetchone()
    assert sums == (4, 0)


def test_work_that_lost_a_race_is_done_again_alone(home: Home) -> None:
    added = "INSERT INTO lake.raw.fee_line (source_id, batch_id, row_no) VALUES ('other', 'b', 1)"
    seen = []
    with (
        lake.connect(home) as mine,
        lake.connect(home) as other,
        postgres.connect(home, autocommit=True) as register,
        postgres.connect(home, autocommit=True) as probe,
    ):
        raw.create_tables(home, mine)
        other.execute(added)

        def work() -> int:
            mine.execute("DELETE FROM lake.raw.fee_line")
            free = probe.execute("select pg_try_advisory_lock_shared(hashtext('headwater.write'))").fetchone()
            if free == (True,):
                other.execute(added)
                probe.execute("select pg_advisory_unlock_shared(hashtext('headwater.write'))")
            seen.append(free)
            return len(seen)

        assert retried(mine, register, work) == 2
        assert seen == [(True,), (False,)], "beside others first, then alone"
        assert mine.execute("SELECT count(*) FROM lake.raw.fee_line").fetchone() == (0,)
        with pytest.raises(ZeroDivisionError):
            retried(mine, register, lambda: 1 / 0)
        assert probe.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)


def test_a_file_that_is_still_being_sent_lies_under_the_digest_of_what_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, vault = tmp_path / "drugs.csv", tmp_path / "vault"
    file.write_bytes(b"a,b\n")
    copy = shutil.copyfile

    def copy_what_has_grown(source: Path, target: Path) -> None:
        file.write_bytes(b"a,b\n1,2\n")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copy_what_has_grown)
    landed = land_bytes(file, inbox=tmp_path, vault=vault)
    assert landed.sha256 == landed.path.name == hashlib.sha256(landed.path.read_bytes()).hexdigest()
    assert landed.size == landed.path.stat().st_size


def test_the_same_bytes_may_come_twice_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, vault = tmp_path / "drugs.csv", tmp_path / "vault"
    file.write_bytes(b"a,b\n")
    copy = shutil.copyfile

    def copy_beside_another(source: Path, target: Path) -> None:
        copy(source, target)
        monkeypatch.setattr(shutil, "copyfile", copy)
        land_bytes(file, inbox=tmp_path, vault=vault)

    monkeypatch.setattr(shutil, "copyfile", copy_beside_another)
    landed = land_bytes(file, inbox=tmp_path, vault=vault)
    assert landed.path.read_bytes() == b"a,b\n"
    assert [path.name for path in vault.rglob("*") if path.is_file()] == [landed.sha256]
