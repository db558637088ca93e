"""A withdrawal stands in the signed log and in the lake, or in neither that counts; both say the same."""

import json
from contextlib import nullcontext
from datetime import datetime

import pytest

from headwater.adapters import audit, knowledge, lake, postgres, withdrawals
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
    assert (broken.sources, broken.entry, len(entries(home))) == ({"H1", "H2"}, 2, 1)
    assert withdrawals.enter(home, connection, {}, row("H3")) == 3
    assert [told["row"] for _, told in entries(home)] == list(withdrawals.digests(connection).values())
    # Whoever minded H2 when it was not in the log yet does not know of H3.
    assert withdrawals.members_since(connection, region="退", since=broken.entry) == {"H3"}
    require_minded(home, connection)


def test_what_broke_off_is_adopted_under_a_later_number_and_a_revocation_is_not(home, connection):
    first = withdrawals.enter(home, connection, {}, row("H1"))
    with postgres.connect(home) as ops:
        audit.add(home, ops, "other", {})
    broken = [row("H2") | {"entry": first + 1}, row("H1") | {"entry": first + 2, "revokes": first}]
    knowledge.insert(connection, "withdrawal", broken)
    assert withdrawals.left(connection, region="退", snapshot=1).sources == {"H2"}
    withdrawals.adopt(home, connection)
    found = withdrawals.left(connection, region="退", snapshot=1)
    assert (found.sources, found.entry) == ({"H1", "H2"}, first + 2)
    require_minded(home, connection)
    withdrawals.enter(home, connection, {}, row("H1") | {"revokes": first})
    assert withdrawals.left(connection, region="退", snapshot=1).sources == {"H2"}
    require_minded(home, connection)
    assert verify(home).fault is None
