"""Minded: withdrawals and versions stand in the lake as the signed log tells them, or nothing is learned."""

from collections.abc import Collection

import duckdb

from headwater.adapters import postgres, withdrawals
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.evolution import BASE
from headwater.steps import audit
from headwater.types import SourceId

__all__ = ["require_minded", "require_remaining"]


def require_minded(home: Home, connection: duckdb.DuckDBPyConnection, *, until: int = 0) -> None:
    """Refuse to go on where the lake does not tell of every withdrawal and version what the audit log does.

    What broke off between both is adopted.

    Parameters
    ----------
    until : the entry that data were read after: what no withdrawal or revocation was entered as, somebody put there

    Raises
    ------
    Refusal
        ``E-WITHDRAWAL-LOST``, ``E-VERSION-CHANGED``, or ``E-AUDIT-CHANGED`` when the log itself is not as it was signed
    """
    with postgres.connect(home) as ops:
        told = audit.trusted(home, ops, lambda one: one.kind in audit.MINDED)
        if audit.lost(told, connection) and (fault := audit.still_lost(home, ops, connection)):
            raise fault
    entered = {one.number for one in told if one.kind == "withdrawal"}
    if {row.entry for row in withdrawals.standing(connection)} - entered:
        withdrawals.adopt(home, connection)
    if until and until not in entered:
        raise Refusal(
            "E-WITHDRAWAL-LOST",
            Message(
                f"数据是按第 {until} 条退出读取的，日志没有这样的退出。",
                f"Data were read as of a withdrawal of entry {until}, which the log does not have.",
            ),
            Message("请从读取数据起重新运行。", "Run it again from where data are read."),
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
                "请从读取数据起重新运行（汇聚须从制定计划起，其噪声重新记账）：此后不再从中学习。",
                "Run it again from where data are read, of a joint run from its plan on (its noise is paid for again): "
                "then nothing is learned from them.",
            ),
        )
