"""Audit: what was put in force, debited and released, in a log in which no earlier word can be changed unnoticed."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from headwater.adapters import audit, lake, postgres, versions, withdrawals
from headwater.adapters import revealed as sums
from headwater.adapters.audit import Entry
from headwater.adapters.home import Home
from headwater.adapters.revealed import Cohort
from headwater.errors import Message, Refusal
from headwater.security.audit import Head, Peaks, Proof, Tree, leaf, sign
from headwater.security.requirement import Viewer

__all__ = [
    "MINDED",
    "AuditReport",
    "checked",
    "enter",
    "head",
    "lost",
    "newest",
    "prove",
    "read_head",
    "still_lost",
    "trusted",
    "verify",
    "write_head",
]

_HEX = {"root": 32, "key": 32, "signature": 64}
MINDED = ("withdrawal_begun", "withdrawal", "model_version")
"""Kinds of entries that decide what may be learned from and may serve."""

_RESTORE = Message("请从备份恢复日志，并查明原因。", "Restore the log from a backup, and find out why.")


_BRING_BACK = Message(
    "在此之前不询问来源、不登记、不改变现役模型：请从备份恢复 lake.knowledge，删去日志没有的行，并查明原因；"
    "若撤销退出时中断，请重新撤销。",
    "Until it is mended no source is asked, nothing registered, and no other version serves: restore lake.knowledge "
    "from a backup, delete rows that the log does not have, and find out why; or revoke again what broke off.",
)


@dataclass(frozen=True)
class AuditReport:
    """What became of the log.

    Parameters
    ----------
    size : entries that are there
    first : number of the first entry that is not as it was signed, None where all are or where it cannot be told
    fault : what is wrong, None where nothing is
    """

    size: int
    root: str
    first: int | None
    fault: Message | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return {**asdict(self), "holds": self.fault is None}


def enter(home: Home, kind: str, told: Mapping[str, Any]) -> int:
    """Enter what is told, in a transaction of its own, and return the number of the entry."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return audit.add(home, connection, kind, told).number


def newest(home: Home, *, limit: int) -> list[Entry]:
    """Return the newest entries, the newest first."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return audit.newest(connection, limit)


def trusted(home: Home, connection: postgres.Connection, wanted: Callable[[Entry], bool]) -> list[Entry]:
    """Return the wanted entries, after the whole log, as the connection sees it, was held against its signatures.

    Cost: two hashes for every entry of the log, as a signature covers all before it.

    Raises
    ------
    Refusal
        ``E-AUDIT-CHANGED`` when the log is not as it was signed
    """
    found: list[Entry] = []
    _Log.read(home, connection, lambda entry: found.append(entry) if wanted(entry) else None).sound()
    return found


def verify(home: Home, *, kept: Head | None = None) -> AuditReport:
    """Compute every hash again and hold it against the signatures, and against a head that was kept elsewhere.

    Of what the log tells, the sums that were revealed are looked up: if one of them were forgotten, the next might lay
    a source open. So are withdrawals, which would be learned from again, and what decides whether a version may serve.
    Debits are looked up by ``ledger.prove``.

    Parameters
    ----------
    kept : exported before; only it can show that entries were cut off at the end, or all signed anew

    A signature covers all entries before it, so the last one proves all; where it fails, the first changed entry is
    found among n by log n signatures. Cost: two hashes an entry, memory some 150 bytes an entry.
    """
    found: dict[str, list[Entry]] = {kind: [] for kind in ("revealed", *MINDED)}
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        log = _Log.read(home, connection, lambda one: found[one.kind].append(one) if one.kind in found else None)
        # Read after the log: both are written in one transaction, so that what the log tells is there.
        known = set(sums.all_of(connection))
    first, fault = log.fault()
    if fault is None and kept is not None:
        first, fault = _against(kept, log.tree, log.public)
    if fault is None:
        fault = _forgotten(found["revealed"], known)
    if fault is None and (told := [entry for kind in MINDED for entry in found[kind]]):
        fault = _lost(home, told)
    return AuditReport(len(log.tree), log.tree.peaks(len(log.tree)).root.hex(), first, fault)


def _lost(home: Home, told: Sequence[Entry]) -> Message | None:
    with lake.connect(home, threads=1) as opened:
        if lost(told, opened) is None:
            return None
        with postgres.connect(home) as connection:
            found = still_lost(home, connection, opened)
    return found.reason if found else None


@dataclass(frozen=True, eq=False)
class _Log:
    """All entries up to the first number that is missing, hashed.

    Parameters
    ----------
    signatures : of each entry
    gap : the first number that is missing where later ones are there
    """

    tree: Tree
    signatures: list[bytes]
    gap: int | None
    public: bytes

    @staticmethod
    def all(home: Home) -> "_Log":
        postgres.prepare(home)
        with postgres.connect(home) as connection:
            return _Log.read(home, connection)

    @staticmethod
    def read(home: Home, connection: postgres.Connection, told: Callable[[Entry], None] = lambda entry: None) -> "_Log":
        """Hash the entries; ``told`` is given each of them, which proves nothing before the log is ``sound``."""
        leaves: list[bytes] = []
        signatures: list[bytes] = []
        gap, before = None, audit.NONE
        for entry in audit.entries(connection):
            if entry.number != len(leaves) + 1:
                gap = len(leaves) + 1
                break
            leaves.append(leaf(entry.content(before)))
            signatures.append(before := entry.signature)
            told(entry)
        return _Log(Tree(leaves), signatures, gap, audit.key(home).public_key().public_bytes_raw())

    def head(self, size: int) -> Head:
        """Return the head of the first entries as it was signed when the last of them was written."""
        return Head(size, self.tree.peaks(size).root, self.public, self.signatures[size - 1])

    def fault(self) -> tuple[int | None, Message | None]:
        """Return the number of the first entry that is not as it was signed, and what is wrong; nothing if all are."""
        if len(self.tree) and not self.head(len(self.tree)).holds():
            good, bad = 0, len(self.tree)
            while bad - good > 1:
                middle = (good + bad) // 2
                good, bad = (middle, bad) if self.head(middle).holds() else (good, middle)
            return bad, Message(
                f"第 {bad} 条已被改动：它或其签名不再是当时写下的内容。",
                f"Entry {bad} was changed: it, or its signature, is not what was written.",
            )
        if self.gap is not None:
            return self.gap, Message(f"缺少第 {self.gap} 条。", f"Entry {self.gap} is missing.")
        return None, None

    def sound(self) -> None:
        """Refuse a log that is not as it was signed."""
        _, fault = self.fault()
        if fault is not None:
            raise Refusal("E-AUDIT-CHANGED", fault, _RESTORE)

    def newest(self) -> Head:
        """Return the head of all entries; nothing is signed here, as a new signature would vouch for a changed log."""
        self.sound()
        return self.head(len(self.tree))


def _forgotten(revealed: list[Entry], known: set[tuple[Viewer, Cohort]]) -> Message | None:
    """Return which revealed sum is not kept any more, None where all are."""
    for entry in revealed:
        body = json.loads(entry.body)
        for cohort in body["cohorts"]:
            if (body["viewer"], tuple(cohort)) not in known:
                names = ", ".join(cohort)
                return Message(
                    f"第 {entry.number} 条所记的已公开和数不再留存：{names}。",
                    f"A sum that entry {entry.number} tells was revealed is not kept any more: {names}.",
                )
    return None


def lost(told: Sequence[Entry], connection: duckdb.DuckDBPyConnection) -> Refusal | None:
    """Return what the lake tells otherwise than the log of withdrawals and versions; None where nothing is.

    Parameters
    ----------
    told : the entries of ``MINDED`` kinds, read before
    """
    if unminded := _unminded(told, connection):
        return Refusal("E-WITHDRAWAL-LOST", unminded, _BRING_BACK)
    if altered := _altered(told, connection):
        return Refusal("E-VERSION-CHANGED", altered, _BRING_BACK)
    return None


def still_lost(home: Home, ops: postgres.Connection, connection: duckdb.DuckDBPyConnection) -> Refusal | None:
    """Look once more while nobody adds: what was entered between reading log and lake is in both then."""
    audit.hold(ops)
    return lost(trusted(home, ops, lambda one: one.kind in MINDED), connection)


def _unminded(told: Sequence[Entry], connection: duckdb.DuckDBPyConnection) -> Message | None:
    """Return which withdrawals are not in the lake as they were entered, or stand there without ever having begun.

    Of before there were digests of rows, a withdrawal is taken as it stands.
    """
    entered = {one.number: json.loads(one.body).get("row") for one in told if one.kind == "withdrawal"}
    kept: dict[int, list[str]] = {}
    begun, found = withdrawals.pending(told), set[int]()
    for row in withdrawals.standing(connection):
        kept.setdefault(row.entry, []).append(row.digest)
        if row.entry not in entered:
            if row.revokes is not None or not begun[row.digest]:
                found.add(row.entry)
            begun[row.digest] -= 1
    for number, digest in entered.items():
        rows = kept.get(number, [])
        if len(rows) != 1 or digest not in (None, rows[0]):
            found.add(number)
    if not found:
        return None
    numbers = ", ".join(map(str, sorted(found)))
    return Message(
        f"第 {numbers} 条的退出或撤销在湖中缺失、被改动，或日志没有记载。",
        f"What was withdrawn or revoked as entries {numbers} is not in the lake as the log tells it.",
    )


def _altered(told: Sequence[Entry], connection: duckdb.DuckDBPyConnection) -> Message | None:
    """Return which versions are not in the lake as they were entered; None where none is.

    Of before there were digests of rows, a version is taken as it stands.
    """
    signed: dict[str, set[str | None]] = {}
    for one in told:
        if one.kind == "model_version":
            body = json.loads(one.body)
            signed.setdefault(f"{body['name']}/{body['version']}", set()).add(body.get("row"))
    bound = {label: digests for label, digests in signed.items() if None not in digests}
    rows = versions.digests(connection) if bound else []
    names = ", ".join(sorted({label for label, digest in rows if label in bound and digest not in bound[label]}))
    if not names:
        return None
    return Message(
        f"版本 {names} 在湖中的来源、月份或所计退出与日志所记不符。",
        f"Sources, months or minded withdrawals of {names} are not in the lake as the log tells them.",
    )


def _against(kept: Head, tree: Tree, public: bytes) -> tuple[int | None, Message | None]:
    """Hold the log against a head that somebody kept."""
    if not kept.holds():
        return None, Message("所给日志头的签名不成立。", "The signature of the head that was given does not hold.")
    if kept.key != public:
        return None, Message("日志现用另一把密钥签名。", "The log is signed by another key now.")
    if kept.size > len(tree):
        number = len(tree) + 1
        return number, Message(
            f"日志只有 {len(tree)} 条，当时有 {kept.size} 条。",
            f"The log has {len(tree)} entries; it had {kept.size}.",
        )
    if tree.peaks(kept.size).root != kept.root:
        return None, Message(
            f"前 {kept.size} 条中有内容被改写并重新签名。",
            f"Something among the first {kept.size} entries was rewritten and signed again.",
        )
    return None, None


def head(home: Home) -> Head:
    """Return the head of the log as it was signed last, to be kept where nobody who can write the log can write.

    Raises
    ------
    Refusal
        ``E-AUDIT-CHANGED`` when the log is not as it was signed
    """
    log = _Log.all(home)
    return log.newest() if len(log.tree) else sign(Peaks(), audit.key(home))


def write_head(kept: Head) -> str:
    """Return a head as JSON text."""
    return json.dumps({"size": kept.size, **{name: getattr(kept, name).hex() for name in _HEX}}, indent=1) + "\n"


def read_head(text: str) -> Head:
    """Read what ``write_head`` gave; anything else is refused with E-AUDIT-HEAD."""
    try:
        given = json.loads(text)
        fields = {name: given[name] for name in _HEX}
        if any(not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", fields[name]) for name, size in _HEX.items()):
            raise ValueError(text)
        return Head(int(given["size"]), **{name: bytes.fromhex(value) for name, value in fields.items()})
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "E-AUDIT-HEAD",
            Message("这不是审计日志头文件。", "This is no head of an audit log."),
            Message("请给出 headwater audit head 导出的文件。", "Give a file that headwater audit head wrote."),
        ) from error


def prove(home: Home, number: int) -> tuple[Proof, bytes]:
    """Return the proof of one entry against the present head, and the entry's bytes.

    Raises
    ------
    Refusal
        ``E-AUDIT-NUMBER`` when there is no such entry, ``E-AUDIT-CHANGED`` when the log is not as it was signed
    """
    log = _Log.all(home)
    size = len(log.tree)
    if not 0 < number <= size:
        raise _no_entry(number, size)
    proof = Proof(number - 1, log.tree.path(number - 1, size), log.newest())
    before = log.signatures[number - 2] if number > 1 else audit.NONE
    with postgres.connect(home) as connection:
        return proof, audit.at(connection, number).content(before)


def checked(proof: bytes, entry: bytes, *, kept: Head | None = None) -> bool:
    """Return whether an entry's bytes are what a proof says, without the log.

    Parameters
    ----------
    kept : a head of the same log, whose key the proof must be signed by; without it the proof vouches for its own key
    """
    read = Proof.from_bytes(proof)
    return read.holds(entry) and (kept is None or (kept.holds() and kept.key == read.head.key))


def _no_entry(number: int, size: int) -> Refusal:
    return Refusal(
        "E-AUDIT-NUMBER",
        Message(f"没有第 {number} 条，日志共 {size} 条。", f"There is no entry {number}; the log has {size}."),
        Message("用 headwater audit show 查看编号。", "See the numbers with headwater audit show."),
    )
