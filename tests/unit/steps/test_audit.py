"""Whatever a superuser of the database rewrites in the audit log is found, and where it begins is told."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from headwater.adapters import audit, postgres
from headwater.adapters.home import Home
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.security.audit import Head, Peaks, Proof, leaf, sign
from headwater.steps.audit import checked, head, prove, read_head, verify, write_head

SIZE = 11


@pytest.fixture
def log(home: Home) -> Iterator[psycopg.Connection]:
    """Give a log of some entries, with the triggers that protect it out of the way, as for a superuser."""
    postgres.prepare(home)
    with postgres.connect(home, autocommit=True) as connection:
        for number in range(1, SIZE + 1):
            with connection.transaction():
                audit.add(home, connection, "policy", {"name": f"p{number}", "理由": "试行"})
        connection.execute("set session_replication_role = replica")
        yield connection


def test_what_nobody_touched_holds(home: Home, log: psycopg.Connection) -> None:
    report = verify(home, kept=head(home))
    assert (report.size, report.first, report.fault) == (SIZE, None, None)
    assert report.root == head(home).root.hex()


@pytest.mark.parametrize("number", [1, 6, SIZE])
@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, '试行', '执行')",
        "body = body || ' '",
        "at = at + interval '1 microsecond'",
        "kind = 'ledger'",
        "signature = set_byte(signature, 63, get_byte(signature, 63) # 1)",
    ],
)
def test_the_first_changed_entry_is_named(home: Home, log: psycopg.Connection, number: int, change: str) -> None:
    log.execute(f"update ops.audit set {change} where number >= {number} and number <> 4")
    assert verify(home).first == number


def test_a_change_of_two_entries_in_each_others_place_is_found(home: Home, log: psycopg.Connection) -> None:
    log.execute(
        "update ops.audit as mine set body = other.body from ops.audit as other "
        "where (mine.number, other.number) in ((5, 7), (7, 5))"
    )
    assert verify(home).first == 5


def test_an_entry_that_is_missing_is_found(home: Home, log: psycopg.Connection) -> None:
    log.execute("delete from ops.audit where number = 7")
    assert verify(home).first == 7


def test_entries_moved_over_a_missing_one_are_found(home: Home, log: psycopg.Connection) -> None:
    log.execute("delete from ops.audit where number = 7")
    log.execute("update ops.audit set number = 7 where number = 8")
    log.execute("delete from ops.audit where number > 8")
    assert verify(home).first == 7


def test_a_cut_end_is_found_by_whoever_kept_a_head(home: Home, log: psycopg.Connection) -> None:
    kept = head(home)
    log.execute("delete from ops.audit where number > 9")
    assert verify(home).fault is None, "the log alone cannot tell"
    assert verify(home, kept=kept).first == 10


def test_a_log_written_anew_is_found_by_whoever_kept_a_head(home: Home, log: psycopg.Connection) -> None:
    kept = head(home)
    log.execute("delete from ops.audit")
    log.execute("update ops.audit_peaks set size = 0, hashes = '', signature = decode(repeat('00', 64), 'hex')")
    for number in range(1, SIZE + 1):
        with log.transaction():
            audit.add(home, log, "policy", {"name": f"q{number}"})
    assert verify(home).fault is None, "signed by the right key"
    assert verify(home, kept=kept).fault is not None


def test_a_log_that_another_key_vouches_for_is_found(home: Home, log: psycopg.Connection) -> None:
    kept = head(home)
    (home.vault / "audit.key").unlink()
    assert verify(home).first == 1, "none of its signatures is of the new key"
    log.execute("delete from ops.audit")
    log.execute("update ops.audit_peaks set size = 0, hashes = '', signature = %s", (sign_nothing(home),))
    assert verify(home).fault is None
    assert "another key" in str(verify(home, kept=kept).fault)


def sign_nothing(home: Home) -> bytes:
    """Return the new key's signature of an empty log."""
    return sign(Peaks(), audit.key(home)).signature


def rewritten(log: psycopg.Connection) -> None:
    """Change an entry and all that stands on it, as far as that takes no key: hashes, and what is gone on from."""
    log.execute("update ops.audit set body = '{}' where number = 3")
    peaks, before = Peaks(), audit.NONE
    for entry in audit.newest(log, SIZE)[::-1]:
        peaks, before = peaks.add(leaf(entry.content(before))), entry.signature
    log.execute("update ops.audit_peaks set hashes = %s", (b"".join(peaks.hashes),))


def test_no_later_signature_vouches_for_a_log_that_was_rewritten(home: Home, log: psycopg.Connection) -> None:
    rewritten(log)
    with pytest.raises(Refusal, match="E-AUDIT-CHANGED"), log.transaction():
        audit.add(home, log, "policy", {"name": "next"})
    assert verify(home).first == 3


def test_without_that_guard_the_next_entry_would_hide_the_change(
    home: Home, log: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten(log)
    with monkeypatch.context() as patch, log.transaction():
        patch.setattr(Head, "holds", lambda head: True)
        audit.add(home, log, "policy", {"name": "next"})
    assert verify(home).fault is None


def test_a_log_that_was_changed_gives_no_head_and_no_proof(home: Home, log: psycopg.Connection) -> None:
    log.execute("update ops.audit set body = '{}' where number = 3")
    with pytest.raises(Refusal, match="E-AUDIT-CHANGED"):
        head(home)
    with pytest.raises(Refusal, match="E-AUDIT-CHANGED"):
        prove(home, 3)


def test_an_empty_log_has_a_head_too(home: Home) -> None:
    postgres.prepare(home)
    assert verify(home, kept=head(home)).fault is None


def test_an_old_head_still_holds_when_the_log_grew(home: Home, log: psycopg.Connection) -> None:
    kept = read_head(write_head(head(home)))
    with log.transaction():
        audit.add(home, log, "policy", {"name": "later"})
    assert verify(home, kept=kept).fault is None


def test_what_is_rolled_back_is_not_in_the_log(home: Home, log: psycopg.Connection) -> None:
    with log.transaction(force_rollback=True):
        audit.add(home, log, "policy", {"name": "never"})
    assert verify(home).size == SIZE


def test_the_database_refuses_changes_by_everybody_else(home: Home, log: psycopg.Connection) -> None:
    log.execute("reset session_replication_role")
    for statement in ("update ops.audit set body = ''", "delete from ops.audit", "truncate ops.audit"):
        with pytest.raises(psycopg.DatabaseError):
            log.execute(statement)
    assert verify(home).fault is None


@pytest.mark.parametrize("number", [1, 8, SIZE])
def test_an_entry_is_proved_without_the_log(home: Home, log: psycopg.Connection, number: int) -> None:
    proof, entry = prove(home, number)
    assert f"p{number}".encode() in entry
    assert len(proof.to_bytes()) <= 1024
    assert checked(proof.to_bytes(), entry, kept=head(home))
    assert not checked(proof.to_bytes(), entry + b" ")
    assert not checked(Proof(proof.place, proof.path, proof.head).to_bytes(), prove(home, 2)[1])


@pytest.mark.parametrize("number", [0, SIZE + 1, -1])
def test_an_entry_that_is_not_there_has_no_proof(home: Home, log: psycopg.Connection, number: int) -> None:
    with pytest.raises(Refusal, match="E-AUDIT-NUMBER"):
        prove(home, number)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"size": 1}', '{"size": 1, "root": 5, "key": "", "signature": ""}'])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="E-AUDIT-HEAD"):
        read_head(text)


def test_the_command_verifies_exports_and_proves(
    home: Home, log: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(home.root))
    run = CliRunner().invoke
    kept = tmp_path / "head.json"
    assert run(app, ["audit", "head", "--out", str(kept)]).exit_code == 0
    assert json.loads(kept.read_text())["size"] == SIZE
    assert run(app, ["audit", "verify", "--head", str(kept)]).exit_code == 0
    assert run(app, ["audit", "prove", "3", "--out", str(tmp_path)]).exit_code == 0
    files = [str(tmp_path / name) for name in ("3.entry", "3.proof")]
    assert run(app, ["audit", "check", *files, "--head", str(kept)]).exit_code == 0
    (tmp_path / "3.entry").write_bytes(b"another")
    assert run(app, ["audit", "check", *files]).exit_code == 1
    shown = json.loads(run(app, ["audit", "show", "--json"]).stdout)["entries"]
    assert [one["number"] for one in shown] == list(range(SIZE, 0, -1))
    log.execute("update ops.audit set body = '{}' where number = 3")
    broken = run(app, ["audit", "verify", "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["first"] == 3
