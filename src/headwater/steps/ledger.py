"""The privacy ledger of an installation: a run's releases are reserved, what is spent is shown and proven."""

import hashlib
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from headwater.adapters import accounting, audit, ledger, postgres
from headwater.adapters.home import Home
from headwater.adapters.ledger import Account, Balance, Debit, Entry
from headwater.aggregation.exposure import Exposure
from headwater.content.requirements import read_requirements, requirement_for
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Source
from headwater.security import PROTECTIONS
from headwater.security.events import Event, Gaussian, from_json
from headwater.security.guarded import Guarded
from headwater.security.requirement import Release, Requirement
from headwater.security.requirement import Shown as Shows
from headwater.security.tally import NOTHING, Tally
from headwater.steps import required
from headwater.steps.audit import trusted
from headwater.types import SourceId

__all__ = [
    "Books",
    "Proof",
    "Seen",
    "Shown",
    "opened",
    "prove",
    "requirements",
    "show",
]

Seen: TypeAlias = Mapping[SourceId, Sequence[Exposure]]
"""All that will be seen of every source in one release, the last of it what a ledger debits."""


def opened(home: Home) -> postgres.Connection:
    """Connect so that every debit is on disk when it returns."""
    postgres.prepare(home)
    return postgres.connect(home, autocommit=True)


def requirements(home: Home) -> tuple[Requirement, ...]:
    """Return what the sources of this installation require."""
    return read_requirements(home.project / "dbt_project" / "requirements")


@dataclass(eq=False)
class Books:
    """The ledger as one execution of one step sees it: a ``federation.Ledger``.

    What was reserved for the run is used up first; whatever comes beyond is debited when it comes. Noise is drawn anew
    whenever a step is executed, so every execution has a name of its own and pays again: a task that was killed and
    runs a second time may have released something the first time.

    Parameters
    ----------
    purpose : of every release, as requirements call it
    protection : how releases travel of which nothing else is said
    execution : never used twice
    """

    home: Home
    purpose: str
    protection: str = "masked"
    execution: str = field(default_factory=lambda: secrets.token_hex(16))
    _reserved: dict[SourceId, list[Event]] = field(default_factory=lambda: defaultdict(list))
    _count: int = 0
    _stated: set[str] = field(default_factory=set)
    _spent: dict[SourceId, Tally] = field(default_factory=dict)

    def terms(self, sources: Sequence[SourceId]) -> tuple[float, float]:
        """Return the largest ε and δ of a release that all sources allow; one without a requirement is refused."""
        rules = self.rules(sources).values()
        return min(rule.purposes[self.purpose].release for rule in rules), min(rule.delta for rule in rules)

    def rules(self, sources: Iterable[SourceId]) -> dict[SourceId, Requirement]:
        """Return what each source requires; one without a requirement is refused."""
        known = requirements(self.home)
        return {source: requirement_for(known, source, self.purpose) for source in sources}

    def seen(self, sources: Iterable[SourceId], event: Event) -> Seen:
        """Return that the region alone sees such a release of each source, as these books' protection shows it."""
        shown: Shows = "sum" if PROTECTIONS[self.protection].reveals == "sum" else "statistic"
        return dict.fromkeys(sources, (Exposure("", "region", shown, self.protection, event),))

    def guarded(self, sources: Sequence[Source], seen: Seen) -> list[Source]:
        """Return the sources, each of which answers only if its requirement permits all that will be seen of it."""
        rules = self.rules(source.source_id for source in sources)
        self.state(rules.values())
        found = []
        for source in sources:
            name = source.source_id
            for exposure in seen[name]:
                source = Guarded(source, rules[name], self._release(self.execution, name, exposure))
            found.append(source)
        return found

    def state(self, rules: Iterable[Requirement]) -> None:
        """Let the audit log have the text of requirements that are about to be used, where it has another or none."""
        new = {rule.version: rule for rule in rules if rule.version not in self._stated}
        if new:
            with opened(self.home) as connection, connection.transaction():
                required.enter(self.home, connection, new.values())
            self._stated |= new.keys()

    def permit(self, seen: Seen) -> None:
        """Refuse what will be seen if one of the sources does not permit it."""
        for name, rule in self.rules(seen).items():
            for exposure in seen[name]:
                rule.permit(self._release(self.execution, name, exposure))

    def afford(self, seen: Seen) -> None:
        """Refuse with the numbers what ``reserve`` would refuse; nothing is debited."""
        with opened(self.home) as connection, connection.transaction(force_rollback=True):
            self._settle(connection, self._debits(seen))

    def costs(self, seen: Seen) -> dict[SourceId, float]:
        """Return the ε that one release costs each source in which there is noise, whatever else it spent."""
        return {
            one.release.source: accounting.epsilon(NOTHING.plus(one.release.event), one.requirement.delta)
            for one in self._debits(seen)
        }

    def spent(self) -> dict[SourceId, float]:
        """Return the ε of all that was debited under this execution, by source."""
        rules = self.rules(self._spent)
        return {s: accounting.epsilon(tally, rules[s].delta) for s, tally in sorted(self._spent.items())}

    def reserve(self, seen: Seen) -> None:
        """Debit what is last seen of every source before the run starts, or refuse the run with the numbers.

        Nothing is debited where there is no noise: requirements alone say whether that may be seen.
        """
        debits = self._debits(seen)
        if not debits:
            return
        self._enter(debits)
        for one in debits:
            self._reserved[one.release.source].append(one.release.event)

    def debit(self, source: SourceId, *, noise: float, purpose: str) -> None:
        """Let a release go that was reserved, or debit it."""
        event = Gaussian(noise)
        if event in self._reserved[source]:
            self._reserved[source].remove(event)
            return
        self._enter(self._debits(self.seen([source], event)))

    def _enter(self, debits: Sequence[Debit]) -> None:
        """Debit all or none, and let the audit log tell of it in the same transaction."""
        self.state(one.requirement for one in debits)
        with opened(self.home) as connection, connection.transaction():
            entered = self._settle(connection, debits)
            told = [{"release": one.release_id, "source": one.source_id, "sha256": one.digest} for one in entered]
            audit.add(self.home, connection, "ledger", {"purpose": self.purpose, "debits": told})
        for one in debits:
            name = one.release.source
            self._spent[name] = self._spent.get(name, NOTHING).plus(one.release.event)

    def _settle(self, connection: postgres.Connection, debits: Sequence[Debit]) -> tuple[Entry, ...]:
        rules = {one.release.source: one.requirement for one in debits}
        required.keep_patients(connection, rules, purpose=self.purpose)
        return ledger.reserve(connection, debits, at=ledger.clock(connection))

    def _debits(self, seen: Seen) -> list[Debit]:
        """Return what one release of what is last seen of every source costs, of those in which there is noise."""
        rules = self.rules(seen)
        self._count += 1
        name = f"{self.execution}/{self._count}"
        releases = [self._release(name, source, exposures[-1]) for source, exposures in seen.items()]
        return [Debit(release, rules[release.source]) for release in releases if release.is_noisy]

    def _release(self, release_id: str, source: SourceId, seen: Exposure) -> Release:
        return Release(
            release_id,
            source,
            self.purpose,
            seen.event,
            tier=seen.viewer,
            shown=seen.shown,
            protection=seen.protection,
        )


@dataclass(frozen=True)
class Shown:
    """What is spent: balances with at least one release."""

    balances: tuple[Balance, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; ``''`` for all tiers or purposes."""
        return {
            "balances": [
                asdict(one.account)
                | {name: getattr(one, name) for name in ("delta", "cap", "spent", "releases", "requirement")}
                | {"left": one.cap - one.spent}
                for one in self.balances
            ]
        }


def show(home: Home, *, source: SourceId | None = None, month: str | None = None) -> Shown:
    """Return what is spent, by source, purpose, tier and period.

    Parameters
    ----------
    month : such as ``2026-11``; None for the running one. What was ever spent is shown as well.
    """
    with opened(home) as connection:
        periods = {month or f"{ledger.clock(connection):%Y-%m}", "lifetime"}
        found = ledger.balances(connection, source=source)
    return Shown(tuple(one for one in found if one.account.period in periods and one.releases))


@dataclass(frozen=True)
class Proof:
    """What came of computing every balance again from the entries.

    Parameters
    ----------
    head : SHA-256 over the digests of all entries, in their order
    faults : whatever differs, empty when all is as it was told
    """

    entries: int
    balances: int
    head: str
    faults: tuple[Message, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is as it was told."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"holds": self.holds}


def prove(home: Home) -> Proof:
    """Compute every balance again from the entries, and hold these against the audit log; of one snapshot."""
    counts: dict[Account, Counter[str]] = defaultdict(Counter)
    faults, number, head, digests = list[Message](), 0, hashlib.sha256(), set[bytes]()
    with opened(home) as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        balances = ledger.balances(connection)
        for entry in ledger.entries(connection):
            number += 1
            head.update(entry.digest.encode())
            digests.add(bytes.fromhex(entry.digest))
            faults += _faults(entry)
            for account in entry.accounts:
                counts[account][entry.event] += 1
        faults += _unaudited(home, connection, digests)
    told = {one.account: one for one in balances}
    for account in sorted(counts.keys() | told.keys()):
        one, tally = told.get(account), _composed(counts[account])
        if one is None or (one.tally, one.releases) != (tally, counts[account].total()):
            faults.append(_differs(account, "合计", "tally"))
        elif not accounting.epsilon(tally, one.delta) <= one.spent * (1 + 1e-9) <= one.cap * (1 + 1e-9):
            faults.append(_differs(account, "ε", "epsilon"))
    return Proof(number, len(balances), head.hexdigest(), tuple(faults))


def _composed(events: Counter[str]) -> Tally:
    tally = NOTHING
    for text, times in events.items():
        try:
            tally = tally.plus(from_json(text), times)
        except HeadwaterError:
            # Told as a fault of its entry.
            continue
    return tally


def _faults(entry: Entry) -> list[Message]:
    if hashlib.sha256(entry.body.encode()).hexdigest() != entry.digest:
        number = entry.entry_id
        return [Message(f"第 {number} 条内容与摘要不符。", f"Entry {number} is not what its digest says.")]
    try:
        from_json(entry.event)
    except HeadwaterError:
        return [Message(f"第 {entry.entry_id} 条的事件不认识。", f"The event of entry {entry.entry_id} is unknown.")]
    return []


def _unaudited(home: Home, connection: postgres.Connection, digests: set[bytes]) -> list[Message]:
    """Hold the digests of all entries against those that the audit log was told when they were debited."""
    try:
        log = trusted(home, connection, lambda one: one.kind == "ledger")
    except Refusal as refusal:
        return [refusal.reason]
    told = {bytes.fromhex(one["sha256"]): one for entry in log for one in json.loads(entry.body)["debits"]}
    faults = []
    if gone := [one for digest, one in told.items() if digest not in digests]:
        first = f"{gone[0]['source']} {gone[0]['release']}"
        faults.append(
            Message(
                f"审计日志所记的 {len(gone)} 条明细已不在账中，首条：{first}。",
                f"{len(gone)} entries that the audit log tells of are not in the ledger, the first: {first}.",
            )
        )
    if strange := digests - told.keys():
        faults.append(
            Message(
                f"账中有 {len(strange)} 条明细未记入审计日志。",
                f"{len(strange)} entries of the ledger are unknown to the audit log.",
            )
        )
    return faults


def _differs(account: Account, zh: str, en: str) -> Message:
    where = " · ".join(one or "*" for one in (account.source_id, account.purpose, account.tier, account.period))
    return Message(f"账户 {where} 的{zh}与明细不符。", f"The {en} of {where} is not that of its entries.")
