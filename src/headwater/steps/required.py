"""Requirements over time: what they said stands in the audit log, and a purpose keeps its group of patients."""

import json
from collections.abc import Iterable, Mapping

from headwater.adapters import audit, ledger, postgres
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.security.requirement import Requirement
from headwater.types import SourceId

__all__ = ["enter", "keep_patients"]


def enter(home: Home, connection: postgres.Connection, rules: Iterable[Requirement]) -> None:
    """Enter the text of every requirement that is used first, or says something else than when it was used last.

    In the transaction of the connection, and last in it, as whoever else adds to the log waits.
    """
    said = {told["name"]: told["version"] for told in _told(connection)}
    for name, rule in sorted({rule.name: rule for rule in rules}.items()):
        if said.get(name) != rule.version:
            audit.add(home, connection, "requirement", {"name": name, "version": rule.version, "text": rule.text})


def keep_patients(connection: postgres.Connection, rules: Mapping[SourceId, Requirement], *, purpose: str) -> None:
    """Refuse a debit for another group of patients than the purpose was debited for at first.

    Otherwise a new name would be a new budget for the same people.

    Raises
    ------
    Refusal
        ``E-REQUIREMENT-PATIENTS``
    """
    for source, first in ledger.patients(connection, rules, purpose=purpose).items():
        if first != rules[source].patients:
            raise _moved(source, rules[source], purpose, first)


def _told(connection: postgres.Connection) -> list[dict[str, str]]:
    return [json.loads(entry.body) for entry in audit.entries(connection, kind="requirement")]


def _moved(source: SourceId, rule: Requirement, purpose: str, first: str) -> Refusal:
    return Refusal(
        "E-REQUIREMENT-PATIENTS",
        Message(
            f"来源“{source}”的用途“{purpose}”一直记在人群“{first}”名下，要求“{rule.name}”改成了“{rule.patients}”：改名不产生新的额度。",
            f"What source {source} spent for {purpose!r} was spent by the patients {first!r}; requirement {rule.name} "
            f"now says {rule.patients!r}. A new name is no new budget.",
        ),
        Message(f"请改回 patients: {first}。", f"Write patients: {first} again."),
    )
