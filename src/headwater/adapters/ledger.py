"""The privacy ledger in PostgreSQL: debited before release, never overspent, recomputed from entries that never change.

Every debit touches six balances of its group of patients and source: over everything, over its purpose, and over its
tier and purpose, each in the month and ever. Their rows are locked in one order, so that of debits that race each sees
what the others spent; the database refuses a balance above its cap even to a program that forgot all this.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import TypeAlias

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from headwater.adapters.accounting import epsilon
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.security.events import to_json
from headwater.security.requirement import Caps, Release, Requirement
from headwater.security.tally import NOTHING, Tally, tally_of
from headwater.types import SourceId

__all__ = ["Account", "Balance", "Debit", "Entry", "balances", "clock", "debit", "entries", "patients", "reserve"]

Key: TypeAlias = tuple[str, SourceId, str, str, str]


@dataclass(frozen=True)
class Debit:
    """A release and the requirement of its source that it must meet."""

    release: Release
    requirement: Requirement


@dataclass(frozen=True, order=True)
class Account:
    """Whose privacy is spent, by whom, towards whom and for what, and when; ``tier`` or ``purpose`` '' is all."""

    patients: str
    source_id: SourceId
    tier: str
    purpose: str
    period: str


@dataclass(frozen=True)
class Balance:
    """What is spent of an account.

    Parameters
    ----------
    delta, cap : of the requirement under which the last debit was made
    spent : ε that the tally costs at δ
    releases : how many were debited
    requirement : version
    """

    account: Account
    delta: float
    cap: float
    spent: float
    tally: Tally
    releases: int
    requirement: str


@dataclass(frozen=True)
class Entry:
    """One debit, as it stands in the ledger for ever.

    ``body`` is its one text and ``digest`` the SHA-256 of that: what a chain over all entries would hash. Entries are
    numbered when they are written (0 before); numbers may be left out, and a smaller one may be committed later.
    """

    entry_id: int
    release_id: str
    source_id: SourceId
    patients: str
    tier: str
    purpose: str
    event: str
    protection: str
    requirement: str
    debited_at: datetime
    digest: str

    @property
    def body(self) -> str:
        """The content as canonical JSON."""
        said = {name: value for name, value in vars(self).items() if name not in ("entry_id", "digest")}
        said["debited_at"] = self.debited_at.astimezone(UTC).isoformat(timespec="microseconds")
        return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @property
    def content(self) -> tuple[str, ...]:
        """What makes it this release and no other."""
        return (self.patients, self.tier, self.purpose, self.event, self.protection)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The six balances that it counts for."""
        circles = (("", ""), ("", self.purpose), (self.tier, self.purpose))
        periods = (f"{self.debited_at.astimezone(UTC):%Y-%m}", "lifetime")
        return tuple(Account(self.patients, self.source_id, *one, period) for one in circles for period in periods)


_PAGE = 10_000
_KEY = "patients, source_id, tier, purpose, period"
_BALANCE = f"{_KEY}, delta, cap, spent, tally, releases, requirement"
_CONTENT = "release_id, source_id, patients, tier, purpose, event, protection, requirement, debited_at, digest"
_WANTED = "unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[])"

_UPDATE = f"""
update ops.privacy_balance as b
set delta = k.d, cap = k.c, spent = k.s, tally = k.t, releases = k.r, requirement = k.v
from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::float8[], %b::float8[], %b::float8[], %b::text[], %b::int8[], %b::text[], %b::int8[])
as k ({_KEY}, d, c, s, t, r, v, o)
where b.patients = k.patients and b.source_id = k.source_id and b.tier = k.tier and b.purpose = k.purpose
    and b.period = k.period and b.releases = k.o and k.s <= k.c
"""


def clock(connection: psycopg.Connection) -> datetime:
    """Return the ledger's own time: whose month it is must not depend on who asks."""
    row = connection.execute("select clock_timestamp()").fetchone()
    if row is None:
        raise AssertionError("a select of one value has a row")
    found: datetime = row[0]
    return found


def reserve(connection: psycopg.Connection, debits: Sequence[Debit], *, at: datetime) -> tuple[Entry, ...]:
    """Debit all of a run's releases before it starts, or none.

    Raises
    ------
    Refusal
        the refusal of the release if there is one, ``E-LEDGER-RUN`` with the numbers of all if several are refused
    """
    with connection.transaction():
        found = _settle(connection, debits, at)
        refused = [one for one in found if isinstance(one, HeadwaterError)]
        if refused:
            raise refused[0] if len(debits) == 1 else _run_refused(refused, len(debits))
    return tuple(one for one in found if isinstance(one, Entry))


def debit(
    connection: psycopg.Connection, debits: Sequence[Debit], *, at: datetime
) -> tuple[Entry | HeadwaterError, ...]:
    """Debit each release that can be, in their order, and return its entry, or why it must not be released.

    A release that was debited before counts once. Nothing may be released before this has returned and is committed: a
    crash in between counts a release too many, never one too few.
    """
    with connection.transaction():
        return _settle(connection, debits, at)


def entries(connection: psycopg.Connection, *, after: int = 0, source: SourceId | None = None) -> Iterator[Entry]:
    """Yield the entries in their order, a page at a time."""
    query = (
        f"select entry_id, {_CONTENT} from ops.privacy_entry "
        "where entry_id > %s and (%s::text is null or source_id = %s) order by entry_id limit %s"
    )
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        while found := cursor.execute(query, (after, source, source, _PAGE)).fetchall():
            yield from found
            after = found[-1].entry_id


def balances(connection: psycopg.Connection, *, source: SourceId | None = None) -> list[Balance]:
    """Return every balance, by account."""
    rows = connection.execute(
        f"select {_BALANCE} from ops.privacy_balance where %s::text is null or source_id = %s order by {_KEY}",
        (source, source),
    ).fetchall()
    return [_balance(row) for row in rows]


def patients(connection: psycopg.Connection, sources: Iterable[SourceId], *, purpose: str) -> dict[SourceId, str]:
    """Return by source whose privacy its first debit for a purpose spent; one without debits is left out."""
    rows = connection.execute(
        "select distinct on (source_id) source_id, patients from ops.privacy_entry "
        "where source_id = any(%s) and purpose = %s order by source_id, entry_id",
        (list(sources), purpose),
    )
    return {str(source): str(group) for source, group in rows}


def _settle(
    connection: psycopg.Connection, debits: Sequence[Debit], at: datetime
) -> tuple[Entry | HeadwaterError, ...]:
    wanted = [_entry(one, at) for one in debits]
    held = _locked(connection, wanted, debits)
    before = _debited(connection, wanted)
    found: list[Entry | HeadwaterError] = []
    added: list[Entry] = []
    changed: dict[Account, Balance] = {}
    now = dict(held)
    for one, entry in zip(debits, wanted, strict=True):
        try:
            known = before.get((entry.release_id, entry.source_id))
            if known is None:
                one.requirement.permit(one.release)
                after = _spent(now, one, entry)
                now.update(after)
                changed.update(after)
                before[entry.release_id, entry.source_id] = entry
                added.append(entry)
            elif known.content != entry.content:
                raise _conflict(entry)
            found.append(known or entry)
        except Refusal as refusal:
            found.append(refusal)
    _write(connection, held, changed)
    _append(connection, added)
    return tuple(found)


def _entry(one: Debit, at: datetime) -> Entry:
    release = one.release
    entry = Entry(
        entry_id=0,
        release_id=release.release_id,
        source_id=release.source,
        patients=one.requirement.patients,
        tier=release.tier,
        purpose=release.purpose,
        event=to_json(release.event),
        protection=release.protection,
        requirement=one.requirement.version,
        debited_at=at,
        digest="",
    )
    return replace(entry, digest=hashlib.sha256(entry.body.encode()).hexdigest())


def _locked(connection: psycopg.Connection, wanted: Sequence[Entry], debits: Sequence[Debit]) -> dict[Account, Balance]:
    """Return the balances that the entries would change, made where they are missing, until the transaction ends."""
    rules = {account: one.requirement for entry, one in zip(wanted, debits, strict=True) for account in entry.accounts}
    keys = _columns(rules)
    row = connection.execute(
        f"select count(*) from {_WANTED} as k ({_KEY}) join ops.privacy_balance using ({_KEY})", keys
    ).fetchone()
    if row is None or row[0] < len(rules):
        # A new row costs nothing and takes its own cap with its first debit.
        caps = [float(rules[account].caps.lifetime) for account in sorted(rules)]
        deltas, versions = [rules[a].delta for a in sorted(rules)], [rules[a].version for a in sorted(rules)]
        connection.execute(
            f"insert into ops.privacy_balance ({_BALANCE}) "
            f"select {_KEY}, d, c, 0, %s, 0, v from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], "
            f"%b::float8[], %b::float8[], %b::text[]) as k ({_KEY}, d, c, v) order by {_KEY} on conflict do nothing",
            (NOTHING.to_json(), *keys, deltas, caps, versions),
        )
    rows = connection.execute(
        f"select {_BALANCE} from {_WANTED} as k ({_KEY}) join ops.privacy_balance as b using ({_KEY}) "
        f"order by {_KEY} for update of b",
        keys,
    ).fetchall()
    found = [_balance(row) for row in rows]
    return {balance.account: balance for balance in found}


def _debited(connection: psycopg.Connection, wanted: Sequence[Entry]) -> dict[tuple[str, SourceId], Entry]:
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        cursor.execute(
            f"select entry_id, {_CONTENT} from unnest(%b::text[], %b::text[]) as k (release_id, source_id) "
            "join ops.privacy_entry using (release_id, source_id)",
            ([one.release_id for one in wanted], [one.source_id for one in wanted]),
        )
        return {(one.release_id, one.source_id): one for one in cursor.fetchall()}


def _spent(held: Mapping[Account, Balance], one: Debit, entry: Entry) -> dict[Account, Balance]:
    """Return the balances after a debit; one above its cap is refused."""
    found = {}
    alone = epsilon(NOTHING.plus(one.release.event), one.requirement.delta)
    for account in entry.accounts:
        caps = one.requirement.purposes[account.purpose] if account.purpose else one.requirement.caps
        cap, delta = _cap(caps, account), one.requirement.delta
        tally = held[account].tally.plus(one.release.event)
        spent = epsilon(tally, delta)
        if not (spent <= cap and alone <= caps.release):
            before = epsilon(held[account].tally, delta)
            raise _overspent(one, account, (before, alone, spent), cap if alone <= caps.release else caps.release)
        releases = held[account].releases + 1
        found[account] = Balance(account, delta, cap, spent, tally, releases, one.requirement.version)
    return found


def _cap(caps: Caps, account: Account) -> float:
    return float(caps.lifetime if account.period == "lifetime" else caps.month)


def _write(connection: psycopg.Connection, held: Mapping[Account, Balance], changed: Mapping[Account, Balance]) -> None:
    """Write the balances over those that were seen; that all are still there is counted."""
    if not changed:
        return
    order = sorted(changed)
    after = [changed[account] for account in order]
    seen = [held[account].releases for account in order]
    done = connection.execute(
        _UPDATE,
        (
            *_columns(order),
            [one.delta for one in after],
            [one.cap for one in after],
            [one.spent for one in after],
            [one.tally.to_json() for one in after],
            [one.releases for one in after],
            [one.requirement for one in after],
            seen,
        ),
    )
    if done.rowcount != len(order):
        raise Refusal(
            "E-LEDGER-MOVED",
            Message("账目在核对后被改动，未记账。", "The ledger moved while it was read; nothing was debited."),
            Message("请重试。", "Try again."),
        )


def _append(connection: psycopg.Connection, added: Sequence[Entry]) -> None:
    if not added:
        return
    names = _CONTENT.split(", ")
    kinds = ["timestamptz[]" if name == "debited_at" else "text[]" for name in names]
    marks = ", ".join(f"%b::{kind}" for kind in kinds)
    try:
        connection.execute(
            f"insert into ops.privacy_entry ({_CONTENT}) select {_CONTENT} from unnest({marks}) as k ({_CONTENT})",
            [[getattr(one, name) for one in added] for name in names],
        )
    except errors.UniqueViolation as error:
        raise _conflict(added[0]) from error


def _columns(accounts: Iterable[Account]) -> tuple[list[str], ...]:
    order = sorted(accounts)
    return tuple([getattr(one, name) for one in order] for name in _KEY.split(", "))


def _balance(row: Sequence[object]) -> Balance:
    delta, cap, spent, tally, releases, requirement = row[5:]
    return Balance(
        Account(*map(str, row[:5])),
        float(str(delta)),
        float(str(cap)),
        float(str(spent)),
        tally_of(str(tally)),
        int(str(releases)),
        str(requirement),
    )


def _overspent(one: Debit, account: Account, costs: tuple[float, float, float], cap: float) -> Refusal:
    before, asked, together = (f"{value:.4g}" if isfinite(value) else "∞" for value in costs)
    where = account.purpose or "*"
    return Refusal(
        "E-LEDGER-SPENT",
        Message(
            f"来源“{account.source_id}”（{account.patients}，用途 {where}，{account.period}）已用 ε {before}，"
            f"本次 {asked}，合计 {together}，上限 {cap:g}（δ {one.requirement.delta:g}）。",
            f"Source {account.source_id} ({account.patients}, purpose {where}, {account.period}) has spent epsilon "
            f"{before}; with {asked} asked for it is {together}, above the cap {cap:g} "
            f"(delta {one.requirement.delta:g}).",
        ),
        Message("请待下月，或加大噪声。", "Wait for the next month, or ask with more noise."),
    )


def _run_refused(refused: Sequence[HeadwaterError], asked: int) -> Refusal:
    return Refusal(
        "E-LEDGER-RUN",
        Message(
            f"会超支，均未记账、未放出：{asked} 次发布中 {len(refused)} 次不允许。首个：{refused[0].reason.zh}",
            f"This would overspend; none of it is debited or released: {len(refused)} of {asked} releases are refused. "
            f"The first: {refused[0].reason.en}",
        ),
        refused[0].remedy,
    )


def _conflict(entry: Entry) -> Refusal:
    return Refusal(
        "E-LEDGER-CONFLICT",
        Message(
            f"来源“{entry.source_id}”的发布 {entry.release_id} 已以别的内容记账。",
            f"The release {entry.release_id} of source {entry.source_id} was debited with other content.",
        ),
        Message("请用新的发布编号。", "Give the release an identifier of its own."),
    )
