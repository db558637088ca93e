"""Stands: where an evolution stands, to and from the rows of the lake; whatever else it needs follows from them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Any, TypeAlias

import duckdb

from headwater.adapters import evolved
from headwater.adapters.knowledge import Run
from headwater.errors import Message
from headwater.evolution import Budgets, Cost, Decision, Plan, Standing, Tick, month_at
from headwater.statistics import Statistic
from headwater.steps.hearing import Block, Hearing
from headwater.steps.reign import Reign
from headwater.steps.replay import Stand, State
from headwater.types import SourceId

__all__ = ["Row", "approvals", "heard_rows", "hold", "line_rows", "month_row", "stands"]

Row: TypeAlias = Mapping[str, Any]

_RESTING = "resting"


def stands(months: Sequence[Row], lines: Sequence[Row]) -> list[Stand]:
    """Return the stands that rows of ``evolution_month`` and ``evolution`` tell of, in order."""
    by_month: dict[date, list[Row]] = {row["month"]: [] for row in months}
    for line in lines:
        if line["month"] in by_month:
            by_month[line["month"]].append(line)
    return [_stand(row, by_month[row["month"]]) for row in months]


def _stand(row: Row, lines: Sequence[Row]) -> Stand:
    asked = [line for line in lines if line["state"] != _RESTING]
    decisions = {line["source"]: _decision(line) for line in lines}
    spent = Cost(row["epsilon_next"], row["bytes_next"], row["labour"])
    tick = Tick(
        month=row["month"],
        values={line["source"]: line["value"] for line in asked},
        changes={},
        presences={line["source"]: line["state"] for line in asked},
        plan=Plan(decisions, spent),
        standings={line["source"]: line["unapproved"] or line["standing"] for line in lines},
    )
    memory = {line["source"]: tuple(line["remembered"]) for line in lines if line["remembered"] is not None}
    return Stand(tick, memory, row["weight"], _reign(row, lines))


def _reign(row: Row, lines: Sequence[Row]) -> Reign | None:
    if row["own_months"] is None:
        return None
    counted = {line["source"]: tuple(line["counted"]) for line in lines if line["counted"] is not None}
    return Reign(tuple(row["own_months"]), counted)


def _decision(line: Row) -> Decision:
    return Decision(
        action=line["action"],
        standing=line["standing"],
        reason=Message(line["reason_zh"], line["reason_en"]),
        asked=line["asked_next"],
        since=line["since"],
        regime=line["regime"],
        unapproved=line["unapproved"],
    )


def line_rows(state: State, *, run: Run, snapshot: int) -> list[Row]:
    """Return the rows of ``evolution``, one a source that is known."""
    tick, memory = state.stand.tick, state.stand.memory
    counted = state.stand.reign.answers if state.stand.reign else {}
    found: list[Row] = []
    for source, decision in tick.plan.decisions.items():
        change = tick.changes.get(source)
        found.append(
            {
                "run": run.name,
                "as_of": run.as_of,
                "snapshot": snapshot,
                "month": tick.month,
                "source": source,
                "value": tick.values.get(source),
                "state": tick.presences.get(source, _RESTING),
                "action": decision.action,
                "reason_zh": decision.reason.zh,
                "reason_en": decision.reason.en,
                "change_onset": month_at(change.onset) if change else None,
                "change_size": change.size if change else None,
                "change_confidence": change.confidence if change else None,
                "standing": decision.standing,
                "unapproved": decision.unapproved,
                "asked_next": decision.asked,
                "since": decision.since,
                "regime": decision.regime,
                "remembered": list(memory[source]) if source in memory else None,
                "counted": list(counted[source]) if source in counted else None,
            }
        )
    return found


def month_row(state: State, *, run: Run, snapshot: int, budgets: Budgets) -> dict[str, Any]:
    """Return the row of ``evolution_month``, without the version that may come of it."""
    stand = state.stand
    spent, limits = stand.tick.plan.spent, (budgets.epsilon, budgets.bytes, budgets.labour)
    names = ("epsilon_budget", "bytes_budget", "labour_budget")
    return {
        "run": run.name,
        "as_of": run.as_of,
        "snapshot": snapshot,
        "month": stand.tick.month,
        "weight": stand.weight,
        "own_months": list(stand.reign.own) if stand.reign else None,
        "members": sorted(state.growth.members),
        "steps": state.steps,
        "asked": len(stand.tick.values),
        "bytes": state.bytes,
        **{f"rmse_{name}": state.errors.get(name) for name in state.coefficients},
        "epsilon_next": spent.epsilon,
        "bytes_next": spent.bytes,
        "labour": spent.labour,
        **{name: limit if isfinite(limit) else None for name, limit in zip(names, limits, strict=True)},
    }


def question(hearing: Hearing) -> str:
    """Return a digest of what sources are asked: answers to another question are of no use."""
    asked = hearing.learner.asked()
    told = f"{asked.feature_map.to_json()} {asked.target} {asked.center} {asked.scale}"
    return hashlib.sha256(told.encode()).hexdigest()


def hold(hearing: Hearing, rows: Iterable[Row]) -> None:
    """Let a hearing have the answers of rows of ``heard``, of sources that there are, to its own question."""
    same = question(hearing)
    for row in rows:
        if row["question"] == same and row["source"] in hearing.delivered.tables:
            block = Block(row["month"], tuple(row["months"]), Statistic.from_bytes(row["statistic"]))
            hearing.blocks.setdefault(row["source"], {})[row["month"]] = block
            hearing.fingerprints[row["source"], row["month"]] = row["fingerprint"]


def heard_rows(hearing: Hearing, *, since: date) -> list[Row]:
    """Return the rows of ``heard`` from a month on."""
    same = question(hearing)
    return [
        {
            "month": heard,
            "source": source,
            "months": list(block.months),
            "question": same,
            "fingerprint": hearing.delivered.fingerprint(source, block.months),
            "statistic": block.statistic.to_bytes(),
        }
        for source, blocks in sorted(hearing.blocks.items())
        for heard, block in sorted(blocks.items())
        if heard >= since
    ]


def approvals(connection: duckdb.DuckDBPyConnection, *, key: Row) -> dict[date, dict[SourceId, Standing]]:
    """Return the standings that people approved, by the month after which they hold; the last word counts."""
    found: dict[date, dict[SourceId, Standing]] = {}
    for row in sorted(evolved.rows(connection, "approval", key=key), key=lambda row: row["as_of"]):
        if row["approved"]:
            found.setdefault(row["month"], {})[row["source"]] = row["standing"]
    return found
