"""What rounds gave, bound in the audit log until it is registered: nobody puts other parameters in between."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Kept
from headwater.errors import Message, Refusal
from headwater.steps import audit

__all__ = ["bind", "hold"]


def bind(home: Home, row: Mapping[str, Any], *, run: str) -> None:
    """Enter in the audit log the digest of what a run joined, before it is kept.

    Parameters
    ----------
    row : of ``knowledge.joined``: entry of the plan, parameters, rounds, bytes, epsilon, judgement and withdrawn
    run : key of the occasion
    """
    audit.enter(home, "joined", _told(Kept(**{name: row[name] for name in Kept.__annotations__}), run))


def hold(home: Home, kept: Kept, *, run: str) -> None:
    """Refuse what is not the newest that the run joined under its plan, as the audit log has it.

    Raises
    ------
    Refusal
        ``E-JOIN-OUTCOME``, or ``E-AUDIT-CHANGED`` when the log itself is not as it was signed
    """
    with postgres.connect(home) as connection:
        bound = [json.loads(one.body) for one in audit.trusted(home, connection, lambda one: one.kind == "joined")]
    mine = [one for one in bound if one["run"] == run and one["plan"] == kept.entry]
    if not mine or mine[-1] != _told(kept, run):
        raise _other(run)


def _told(kept: Kept, run: str) -> dict[str, Any]:
    return {
        "plan": kept.entry,
        "run": run,
        # As in the entry of a ``model_version``, so that both can be held against each other.
        "parameters": hashlib.sha256(np.asarray(kept.parameters, dtype=np.float64).tobytes()).hexdigest(),
        **{name: hashlib.sha256(getattr(kept, name).encode()).hexdigest() for name in ("rounds", "bytes", "epsilon")},
        # Entries of before there were judgements, or withdrawals, stay what they were.
        **({} if kept.judgement == "null" else {"judgement": hashlib.sha256(kept.judgement.encode()).hexdigest()}),
        **({"withdrawn": kept.withdrawn} if kept.withdrawn else {}),
    }


def _other(run: str) -> Refusal:
    return Refusal(
        "E-JOIN-OUTCOME",
        Message(
            f"运行“{run}”保存的汇聚结果与审计日志所记不符，不予登记。",
            f"What is kept of the run {run} is not what the audit log says it joined; it is not registered.",
        ),
        Message("请查明原因，并重新汇聚。", "Find out why, and join again."),
    )
