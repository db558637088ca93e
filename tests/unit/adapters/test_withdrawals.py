"""A withdrawal stands in the signed log and in the lake, or in neither that counts; both say the same."""

import json
from contextlib import nullcontext
from datetime import date, datetime

import pytest

from headwater.adapters import audit, knowledge, lake, postgres, versions, withdrawals
from headwater.errors import Refusal
from headwater.steps.audit import verify
from headwater.steps.minded import require_minded

AT = {"run": "r", "task": "stay_cost", "as_of": datetime(2026, 1, 5), "snapshot": 1}


@pytest.fixture
def connection(home):
    with lake.connect(home, threads=1) as opened:
        knowledge.prepare(home, opened)
        yield opened


def row(source: str, *, region: str | None = "退", **further) -> dict:
    return {**AT, "region": region, "source": source, "stays": [], "members": [source], **further}


def standing(connection) -> list[tuple[int, str]]:
    return [(one.entry, one.digest) for one in withdrawals.standing(connection)]


def begun(home, *rows: dict) -> None:
    """Tell the log that these begin, as whatever broke off later did."""
    with postgres.connect(home) as ops:
        for one in rows:
            audit.add(home, ops, "withdrawal_begun", {"row": withdrawals._digest(one)})


def entries(home) -> list[tuple[int, dict]]:
    with postgres.connect(home) as ops:
        return [(one.number, json.loads(one.body)) for one in audit.entries(ops, kind="withdrawal")]


def test_under_one_name_two_withdraw_and_both_are_minded(home, connection):
    numbers = [withdrawals.enter(home, connection, {"source": one}, row(one)) for one in ("H1", "H2")]
    found = withdrawals.left(connection, region="退", snapshot=1)
    assert (found.sources, found.entry) == ({"H1", "H2"}, numbers[1])
    assert [number for number, _ in entries(home)] == numbers
    assert withdrawals.members_since(connection, region="退", since=numbers[0]) == {"H2"}
    require_minded(home, connection)
    assert verify(home).fault is None


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM lake.knowledge.withdrawal",
        "UPDATE lake.knowledge.withdrawal SET source = 'H9'",
        "UPDATE lake.knowledge.withdrawal SET signed_by = 'somebody'",
        "UPDATE lake.knowledge.withdrawal SET members = ['H9']",
        "UPDATE lake.knowledge.withdrawal SET stays = ['s1']",
        "UPDATE lake.knowledge.withdrawal SET region = 'RS'",
        "UPDATE lake.knowledge.withdrawal SET entry = 0",
        "DROP TABLE lake.knowledge.withdrawal",
        "INSERT INTO lake.knowledge.withdrawal (region, entry, revokes) VALUES ('退', 0, 1)",
    ],
)
def test_a_withdrawal_that_is_taken_out_of_the_lake_or_changed_is_noticed(home, connection, change):
    number = withdrawals.enter(home, connection, {}, row("H1"))
    require_minded(home, connection)
    connection.execute(change)
    with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST") as refusal:
        require_minded(home, connection)
    named = "0" if "INSERT" in change else str(number)
    assert named in refusal.value.reason.en
    assert named in verify(home).fault.en


def test_a_withdrawal_of_before_there_were_digests_is_taken_as_it_stands_and_is_missed_where_it_does_not(
    home, connection
):
    with postgres.connect(home) as ops:
        number = audit.add(home, ops, "withdrawal", {"source": "H1", "region": "退"}).number
    knowledge.insert(connection, "withdrawal", [{**row("H1"), "entry": number}])
    later = withdrawals.enter(home, connection, {}, row("H2"))
    require_minded(home, connection)
    assert verify(home).fault is None
    assert [entry for entry, _ in standing(connection)] == [number, later]
    connection.execute("DELETE FROM lake.knowledge.withdrawal WHERE source = 'H1'")
    with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST") as refusal:
        require_minded(home, connection)
    assert f"entries {number} " in refusal.value.reason.en


def test_what_broke_off_between_lake_and_log_keeps_its_number_to_itself(home, connection, monkeypatch):
    withdrawals.enter(home, connection, {}, row("H1"))

    class Killed(BaseException):
        pass

    insert = knowledge.insert

    def killed(opened, table, rows, **further):
        insert(opened, table, rows, **further)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(knowledge, "insert", killed)
        # What is written is there at once, and stays.
        patch.setattr(lake, "transaction", nullcontext)
        with pytest.raises(Killed):
            withdrawals.enter(home, connection, {}, row("H2"))
    broken = withdrawals.left(connection, region="退", snapshot=1)
    assert (broken.sources, len(entries(home))) == ({"H1", "H2"}, 1)
    assert verify(home).fault is None
    third = withdrawals.enter(home, connection, {}, row("H3"))
    assert third > broken.entry
    assert [(number, told["row"]) for number, told in entries(home)] == standing(connection)
    # Whoever minded H2 when it was not in the log yet does not know of H3.
    assert withdrawals.members_since(connection, region="退", since=broken.entry) == {"H3"}
    require_minded(home, connection)


def test_what_broke_off_is_adopted_under_a_later_number_and_a_revocation_is_not(home, connection):
    first = withdrawals.enter(home, connection, {}, row("H1"))
    broken = [row("H2") | {"entry": first + 1}, row("H1") | {"entry": first + 2, "revokes": first}]
    begun(home, row("H2"), row("H1") | {"revokes": first})
    knowledge.insert(connection, "withdrawal", broken)
    assert withdrawals.left(connection, region="退", snapshot=1).sources == {"H2"}
    withdrawals.adopt(home, connection)
    found = withdrawals.left(connection, region="退", snapshot=1)
    assert (found.sources, found.entry) == ({"H1", "H2"}, first + 3)
    require_minded(home, connection)
    withdrawals.enter(home, connection, {}, row("H1") | {"revokes": first})
    assert withdrawals.left(connection, region="退", snapshot=1).sources == {"H2"}
    require_minded(home, connection)
    assert verify(home).fault is None


def test_a_row_that_somebody_put_into_the_lake_is_never_signed(home, connection):
    first = withdrawals.enter(home, connection, {}, row("H1"))
    # One of another, and a copy of one that was entered.
    for number, forged in ((555, row("H7")), (556, row("H1"))):
        knowledge.insert(connection, "withdrawal", [forged | {"entry": number}])
        assert str(number) in verify(home).fault.en
        with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST"):
            require_minded(home, connection)
        last = withdrawals.enter(home, connection, {}, row(f"H{number}"))
        assert [number for number, _ in entries(home)][-1] == last
        assert (number, withdrawals._digest(forged)) in standing(connection)
        connection.execute("DELETE FROM lake.knowledge.withdrawal WHERE entry = ?", [number])
        require_minded(home, connection)
    assert [number for number, told in entries(home) if told["row"] == withdrawals._digest(row("H1"))] == [first]


def test_a_second_row_under_the_number_of_a_true_one_is_noticed(home, connection):
    number = withdrawals.enter(home, connection, {}, row("H1"))
    knowledge.insert(connection, "withdrawal", [row("H1") | {"entry": number, "revokes": number}])
    assert withdrawals.left(connection, region="退", snapshot=1).sources == set()
    with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST"):
        require_minded(home, connection)


def test_what_broke_off_is_adopted_by_whoever_reads_next_and_then_registers(home, connection):
    begun(home, row("H2"))
    knowledge.insert(connection, "withdrawal", [row("H2") | {"entry": 1}])
    require_minded(home, connection)
    ((number, told),) = entries(home)
    assert told["source"] == "H2"
    found = withdrawals.left(connection, region="退", snapshot=1)
    assert found.entry == number
    require_minded(home, connection, until=number)


def test_data_that_were_read_as_of_no_withdrawal_that_the_log_has_are_not_registered(home, connection):
    number = withdrawals.enter(home, connection, {}, row("H1"))
    # It is there while data are read, and gone when they are registered.
    knowledge.insert(connection, "withdrawal", [row("H1") | {"entry": 999_999, "revokes": number}])
    read = withdrawals.left(connection, region="退", snapshot=1)
    connection.execute("DELETE FROM lake.knowledge.withdrawal WHERE entry = 999999")
    assert (read.sources, read.entry) == (set(), 999_999)
    require_minded(home, connection)
    with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST"):
        require_minded(home, connection, until=read.entry)
    require_minded(home, connection, until=number)


def test_single_stays_count_where_a_snapshot_may_have_them_and_those_of_before_everywhere(home, connection):
    record = {"stay": "s1", "source": "H1", "month": date(2024, 3, 1), "snapshots": [4, 5]}
    single = row("H1") | {"source": None, "stays": ["s1"], "records": [record], "looked": [3, 4, 5]}
    number = withdrawals.enter(home, connection, {}, single)
    withdrawals.enter(home, connection, {}, row("H2"))
    one, other = withdrawals.gone_since(connection, region="退", since=0)
    assert (one.entry, one.source, one.month) == (number, "H1", date(2024, 3, 1))
    assert [one.was_in(snapshot) for snapshot in (2, 3, 4, 6)] == [True, False, True, True]
    assert (other.source, other.month, other.was_in(3)) == ("H2", None, True)
    require_minded(home, connection)
    (entered,) = withdrawals.in_force(connection, source=None, person=None, stay="s1")
    assert [(each.stay, each.source, each.snapshots) for each in entered.records] == [("s1", "H1", (4, 5))]


@pytest.mark.parametrize(
    ("source", "month", "is_known"),
    [
        ("H1", date(2024, 3, 1), True),
        ("H1", date(2024, 4, 1), False),  # H1 told of March alone
        ("H2", date(2024, 4, 1), True),  # H2 of all months until the version's
        ("H2", date(2024, 6, 1), False),
        ("target", date(2024, 5, 1), True),
        ("target", date(2024, 6, 1), False),
        ("H3", date(2024, 3, 1), False),  # in no version
    ],
)
def test_a_stay_closes_a_version_whose_member_told_of_its_month(home, connection, source, month, is_known):
    made = {**AT, "region": "退", "name": "n", "version": 1, "month": date(2024, 5, 1)}
    knowledge.insert(connection, "model_version", [made | {"sources": ["H1", "H2"], "step": "evolve"}])
    told = [{"source": "H1", "months": ["2024-03"]}, {"source": "H2", "months": []}]
    knowledge.insert(connection, "member", [{**made, **one} for one in told])
    record = {"stay": "s1", "source": source, "month": month, "snapshots": [1]}
    single = {"source": None, "stays": ["s1"], "records": [record], "looked": [1]}
    withdrawals.enter(home, connection, {}, row(source) | single)
    line = versions.line(connection, "n", 1)
    assert versions.withdrawn_from(connection, line) == ((source,) if is_known else ())
    # One of before records were kept closes whatever has the source.
    withdrawals.enter(home, connection, {}, row(source) | {"source": None, "stays": ["s2"]})
    assert bool(versions.withdrawn_from(connection, line)) == (source != "H3")
