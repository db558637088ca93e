"""Minded: all withdrawals that the signed log tells stand in the lake as they were entered, or nothing is learned."""

import json

import duckdb

from headwater.adapters import postgres, withdrawals
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.steps import audit

__all__ = ["require_minded"]


def require_minded(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse to go on where the lake does not tell of every withdrawal what the audit log does.

    Raises
    ------
    Refusal
        ``E-WITHDRAWAL-LOST``, or ``E-AUDIT-CHANGED`` when the log itself is not as it was signed
    """
    with postgres.connect(home) as ops:
        told = audit.trusted(home, ops, lambda one: one.kind == "withdrawal")
    # Read after the log, which an entry comes to only once its row is there.
    kept = withdrawals.digests(connection)
    if lost := [one.number for one in told if kept.get(one.number) != json.loads(one.body)["row"]]:
        raise _lost(lost)


def _lost(entries: list[int]) -> Refusal:
    numbers = ", ".join(map(str, entries))
    return Refusal(
        "E-WITHDRAWAL-LOST",
        Message(
            f"审计日志第 {numbers} 条所记的退出在湖中缺失或被改动；在恢复之前不学习、不改变现役模型。",
            f"What entries {numbers} of the audit log say was withdrawn is missing from the lake or was changed: "
            "nothing is learned, and no other model comes to serve, until it is restored.",
        ),
        Message(
            "请从备份恢复 lake.knowledge.withdrawal，并查明原因。",
            "Restore lake.knowledge.withdrawal from a backup, and find out why.",
        ),
    )
