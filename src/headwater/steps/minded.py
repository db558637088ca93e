"""Minded: all withdrawals that the signed log tells stand in the lake as they were entered, or nothing is learned."""

from collections.abc import Collection

import duckdb

from headwater.adapters import postgres, withdrawals
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.evolution import BASE
from headwater.steps import audit
from headwater.types import SourceId

__all__ = ["require_minded", "require_remaining"]


def require_minded(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse to go on where the lake does not tell of every withdrawal what the audit log does.

    Raises
    ------
    Refusal
        ``E-WITHDRAWAL-LOST``, or ``E-AUDIT-CHANGED`` when the log itself is not as it was signed
    """
    with postgres.connect(home) as ops:
        told = audit.trusted(home, ops, lambda one: one.kind == "withdrawal")
    fault = audit.unminded(told, connection)
    if fault is not None:
        raise Refusal(
            "E-WITHDRAWAL-LOST",
            Message(
                f"{fault.zh}恢复之前不询问来源、不登记、不改变现役模型。",
                f"{fault.en} Until it is there no source is asked, nothing registered, and no other version serves.",
            ),
            Message(
                "请从备份恢复 lake.knowledge.withdrawal，并查明原因；若撤销退出时中断，请重新撤销。",
                "Restore lake.knowledge.withdrawal from a backup, and find out why; or revoke again what broke off.",
            ),
        )


def require_remaining(
    connection: duckdb.DuckDBPyConnection, region: str, sources: Collection[SourceId], *, since: int
) -> None:
    """Refuse to register what was learned from records that were withdrawn after an entry of the audit log.

    Raises
    ------
    Refusal
        ``E-REGISTER-WITHDRAWN``
    """
    gone = withdrawals.members_since(connection, region=region, since=since) & {*sources, BASE}
    if gone:
        named = sorted(gone)
        raise Refusal(
            "E-REGISTER-WITHDRAWN",
            Message(
                f"学习期间有记录退出（{'、'.join(named)}），不予登记。",
                f"Records were withdrawn while it was learned from them ({', '.join(named)}); it is not registered.",
            ),
            Message(
                "请从读取数据起重新运行：此后不再从中学习。",
                "Run it again from where data are read: then nothing is learned from them.",
            ),
        )
