"""The audit log in PostgreSQL: entries are added in the transaction of what they tell, and read to be verified."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.adapters.home import Home
from headwater.claims.keys import key_at
from headwater.errors import Message, Refusal
from headwater.security.audit import Head, Peaks, leaf, sign

__all__ = ["NONE", "Entry", "add", "at", "entries", "hold", "key", "newest"]

NONE = bytes(64)
"""What stands before the first entry in place of a signature."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FETCHED = 20_000


@dataclass(frozen=True)
class Entry:
    """One entry.

    Parameters
    ----------
    number : from 1
    kind : what is told, e.g. ``policy``
    body : JSON text, as it was written
    signature : over the log up to and with this entry
    """

    number: int
    at: datetime
    kind: str
    body: str
    signature: bytes

    def content(self, before: bytes) -> bytes:
        """Return what is hashed: everything that the entry tells, and the signature of the one before it.

        So a changed signature is noticed like a changed word.
        """
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return before + f"{self.number} {microseconds} {self.kind}\n{self.body}".encode()


def key(home: Home) -> Ed25519PrivateKey:
    """Return the key of this installation's log, made on the first call; it stands in the vault, no database has it."""
    return Ed25519PrivateKey.from_private_bytes(key_at(home.vault / "audit.key"))


def add(home: Home, connection: psycopg.Connection, kind: str, told: Mapping[str, Any]) -> Entry:
    """Add an entry in the transaction of the connection; it is in the log when, and only when, that is committed.

    Whoever else adds waits until then, so add last. ``told`` is kept as JSON; days and money as text.

    Raises
    ------
    Refusal
        ``E-AUDIT-CHANGED`` when what the next entry goes on from is not what was signed: a signature over a log that
        somebody rewrote would vouch for it
    """
    row = connection.execute("select size, hashes, signature, clock_timestamp() from ops.audit_peaks for update")
    size, hashes, before, at = row.fetchone() or (0, b"", NONE, _EPOCH)
    peaks = Peaks(size, tuple(hashes[start : start + 32] for start in range(0, len(hashes), 32)))
    signing = key(home)
    if size and not Head(size, peaks.root, signing.public_key().public_bytes_raw(), before).holds():
        raise _changed(size)
    body = json.dumps(told, ensure_ascii=False, sort_keys=True, default=str)
    unsigned = Entry(size + 1, at, kind, body, b"")
    grown = peaks.add(leaf(unsigned.content(before)))
    entry = Entry(size + 1, at, kind, body, sign(grown, signing).signature)
    connection.execute(
        "insert into ops.audit (number, at, kind, body, signature) values (%s, %s, %s, %s, %s)",
        (entry.number, entry.at, entry.kind, entry.body, entry.signature),
    )
    connection.execute(
        "update ops.audit_peaks set size = %s, hashes = %s, signature = %s",
        (grown.size, b"".join(grown.hashes), entry.signature),
    )
    return entry


def hold(connection: psycopg.Connection) -> int:
    """Let nobody else add until the transaction of the connection ends, and return how many entries there are."""
    row = connection.execute("select size from ops.audit_peaks for update").fetchone()
    return int(row[0]) if row else 0


def entries(connection: psycopg.Connection, *, kind: str | None = None) -> Iterator[Entry]:
    """Yield the entries in their order, a part at a time."""
    condition = "" if kind is None else "where kind = %s"
    with connection.cursor(name="audit", binary=True) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(
            f"select number, at, kind, body, signature from ops.audit {condition} order by number",
            () if kind is None else (kind,),
        )
        for row in cursor:
            yield Entry(*row)


def at(connection: psycopg.Connection, number: int) -> Entry:
    """Return one entry that is there."""
    (row,) = connection.execute(
        "select number, at, kind, body, signature from ops.audit where number = %s", (number,)
    ).fetchall()
    return Entry(*row)


def newest(connection: psycopg.Connection, limit: int) -> list[Entry]:
    """Return the newest entries, the newest first."""
    found = connection.execute(
        "select number, at, kind, body, signature from ops.audit order by number desc limit %s", (limit,)
    )
    return [Entry(*row) for row in found]


def _changed(size: int) -> Refusal:
    return Refusal(
        "E-AUDIT-CHANGED",
        Message(
            f"审计日志的续写状态（{size} 条）与签名不符：日志被改动过，或密钥不是原来的。",
            f"What the audit log of {size} entries goes on from is not what was signed: it, or the key, was changed.",
        ),
        Message(
            "请运行 headwater audit verify 查明，并从备份恢复。", "Run headwater audit verify, and restore a backup."
        ),
    )
