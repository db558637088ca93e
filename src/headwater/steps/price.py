"""Price: every grouped stay is paid under the policy that holds for it, line by line, to the fen."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import assigned, following, grouped, lake, postgres, priced, reviewed, stay_reviews
from headwater.adapters.following import Behind, Seen
from headwater.adapters.home import Home
from headwater.adapters.priced import Facts
from headwater.adapters.stay_reviews import Ruling
from headwater.claims.payment import Policy
from headwater.claims.payment import price as price_stays
from headwater.claims.payment.policy import Weight
from headwater.claims.pseudonyms import Pseudonyms
from headwater.errors import Message, Refusal
from headwater.steps.budget import write_budgets
from headwater.steps.holdings import InForce, in_force

__all__ = ["PAID_AS", "PriceReport", "paid", "price"]

PAID_AS: Mapping[str, Message] = {
    "package": Message("按病组支付", "by the package of the group"),
    "merged": Message("与另一次住院合并支付", "with another stay, as one case"),
    "ungrouped": Message("未入组，按费用", "by cost: no group"),
    "unrelated": Message("手术与主要诊断无关，按费用", "by cost: unrelated operation"),
    "no_weight": Message("病组无权重，按费用", "by cost: the group has no weight"),
    "no_rate": Message("无费率，按费用", "by cost: no base rate"),
    "death": Message("短期死亡，按费用", "by cost: early death"),
    "low_outlier": Message("低倍率，按费用", "by cost: low outlier"),
    "high_outlier": Message("高倍率，另加超出部分", "with part of the excess: high outlier"),
    "reviewed": Message("按人工审核决定", "as a person decided"),
}
"""What decided a payment, in words."""

_MEMORY = "2GiB"
_PART = 200_000
"""Stays that are priced at once."""
_READING = 1
"""Raised when stays come to be read another way: all are then priced again."""


@dataclass(frozen=True)
class PriceReport:
    """What one pricing did.

    Parameters
    ----------
    asked : stays whose payment was sought in this run: new, changed, decided about, of the same person as such a one,
        or all of them under another policy
    gone : stays that are no more
    facts : what is priced now, what is not and why, and sums
    """

    asked: int
    gone: int
    facts: Facts
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on; money as decimal text."""
        return {
            "stays": self.facts.stays,
            "asked": self.asked,
            "gone": self.gone,
            "priced": self.facts.priced,
            "unpriced": dict(self.facts.unpriced),
            "paid_as": dict(self.facts.paid_as),
            "sums": {
                policy: {name: str(value) for name, value in sums.items()} for policy, sums in self.facts.sums.items()
            },
            "seconds": round(self.seconds, 3),
            "snapshot_id": self.snapshot_id,
        }


def price(home: Home, *, now: datetime | None = None, anew: bool = False) -> PriceReport:
    """Price the stays that were grouped since the last run; all of them when a policy or plan changed.

    Parameters
    ----------
    now : time of pricing, with time zone
    anew : price every stay again

    Raises
    ------
    Refusal
        ``E-PRICE-GROUPS`` when groups are not those of the plans in force, ``E-PRICE-BALANCE`` when lines do not sum to
        totals or a stay would be lost, and what plans and policies are refused for
    """
    started = datetime.now(UTC)
    at = (now or started).astimezone(UTC).replace(tzinfo=None)
    rules = in_force(home)
    postgres.prepare(home)
    with following.alone(home, priced.SCHEMA), lake.connect(home, memory=_MEMORY) as connection:
        for adapter in (assigned, grouped, priced):
            adapter.create_tables(home, connection)
        grouped.hold(connection, rules.holdings)
        rulings = _rulings(home)
        wanted = Seen(_state(rules, priced.flags(connection)), lake.snapshot(connection))
        if behind := priced.other_plan(connection, until=wanted.snapshot_id):
            raise _ungrouped(behind)
        done = _reprice(connection, rules, wanted, at, anew=anew, rulings=rulings)
        facts = priced.facts(connection, until=wanted.snapshot_id)
        if facts.astray or "lost" in facts.unpriced:
            raise _unbalanced(facts.astray, facts.unpriced.get("lost", 0))
        snapshot = lake.snapshot(connection)
    seconds = (datetime.now(UTC) - started).total_seconds()
    return PriceReport(asked=done.asked, gone=done.gone, facts=facts, seconds=seconds, snapshot_id=snapshot)


def _rulings(home: Home) -> list[Ruling]:
    """Return what stands decided about extreme stays, with tokens for those who decided."""
    with postgres.connect(home) as register:
        standing = stay_reviews.standing(register)
    if not standing:
        return []
    tokens = Pseudonyms.open(home.vault / "pseudonym.key", os.environ.get("HEADWATER_PSEUDONYM_HASH", "sha256"))
    return [replace(one, decided_by=tokens.token(one.decided_by)) for one in standing]


def _state(rules: InForce, flags: str) -> str:
    """Return what tells whether payments follow from other rules than before."""
    return hashlib.sha256(repr((_READING, priced.TABLES, rules.holdings, flags)).encode()).hexdigest()[:32]


def _reprice(
    connection: duckdb.DuckDBPyConnection,
    rules: InForce,
    wanted: Seen,
    at: datetime,
    *,
    anew: bool,
    rulings: Sequence[Ruling],
) -> Behind:
    """Replace the payments of stays that are behind; say what was read in the same transaction."""
    held, until = following.seen(connection, priced.SCHEMA), wanted.snapshot_id
    after = held.snapshot_id if held and held.state == wanted.state and not anew else None
    behind = following.mark(connection, priced.STAYS, followed=priced.FOLLOWED, after=after, until=until)
    decided = reviewed.mark(connection, rulings)
    if after is not None and behind == Behind(0, 0) and not decided:
        return behind
    asked = priced.whole_persons(connection, until=until)
    parts = max(1, -(-asked // _PART))
    with lake.transaction(connection):
        reviewed.write(connection)
        for table in (priced.STAYS, priced.LINES):
            following.forget(connection, table)
        for part in range(parts):
            stays = priced.read(connection, until=until, part=part, parts=parts)
            for totals, lines in paid(stays, rules):
                priced.append(connection, totals, lines, at=at, snapshot_id=until)
        write_budgets(connection, rules.policies, snapshot_id=until)
        following.note(connection, priced.SCHEMA, wanted)
    return Behind(asked, behind.gone)


def paid(stays: pa.Table, rules: InForce) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield the totals and the lines of stays, those of one policy at a time, with the keys of their tables.

    Parameters
    ----------
    stays : what :func:`headwater.adapters.priced.read` returns
    """
    for version in sorted(pc.unique(stays["policy_version"]).to_pylist()):
        policy = rules.policy(version)
        where = pc.equal(stays["policy_version"], version)
        # Stays of other policies' days are seen, not paid: a readmission in January follows a stay of December.
        done = price_stays(stays, rules.plans[policy.plan].drgs, policy, where=where.combine_chunks())
        mine = stays.filter(where)
        results = [name for name in done.totals.column_names if name.endswith("_fen") or name == "paid_as"]
        totals = mine
        for name in results:
            totals = totals.append_column(name, done.totals[name])
        yield totals.append_column("weight", _weights(mine, policy)), done.lines()


def _weights(stays: pa.Table, policy: Policy) -> pa.Array:
    """Return the weight of each stay's group under a policy, null where it has none."""
    return pc.coalesce(_found(stays["drg"], policy.weights), _found(stays["adrg"], policy.adrg_weights))


def _found(codes: pa.ChunkedArray, weights: Mapping[str, Weight]) -> pa.Array:
    encoded = codes.combine_chunks().dictionary_encode()
    known = [weights.get(code) for code in encoded.dictionary.to_pylist()]
    values = [None if one is None else Decimal(one.weight).scaleb(-6) for one in known]
    return pa.array(values, pa.decimal128(18, 6)).take(encoded.indices)


def _ungrouped(count: int) -> Refusal:
    return Refusal(
        "E-PRICE-GROUPS",
        Message(
            f"{count} 例住院尚未按现行方案分组。", f"{count} stays are not grouped by the plan that holds for them yet."
        ),
        Message("请先运行 headwater group。", "Run headwater group first."),
    )


def _unbalanced(astray: int, lost: int) -> Refusal:
    return Refusal(
        "E-PRICE-BALANCE",
        Message(
            f"支付额与其明细不一致的住院：{astray} 例；没有支付额的：{lost} 例。",
            f"Stays whose lines do not sum to their payment: {astray}; stays without a payment: {lost}.",
        ),
        Message("请用 headwater price --anew 全部重新计算。", "Price everything again with headwater price --anew."),
    )
