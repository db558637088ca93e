"""Foresee: what a withdrawal would do, told without doing any of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import duckdb

from headwater.adapters import held, lake, mlflow, postgres, versions, withdrawals
from headwater.adapters.home import Home
from headwater.adapters.withdrawals import Withdrawal
from headwater.errors import Message
from headwater.steps.leaving import Leaving, Places, bases_of, found
from headwater.steps.register import registered_name

__all__ = ["Foreseen", "Outlook", "foresee"]

Outlook: TypeAlias = Literal["subtracted", "absent", "sums", "none"]
"""What would become of the model that serves, in the words of ``withdraw.Outcome``."""


@dataclass(frozen=True)
class Foreseen:
    """What would become of the models of one task in one region.

    Parameters
    ----------
    places : of the records that would be withdrawn
    entered : the audit log's entry of the withdrawal, where all of it is entered already
    serves : label of the version that serves
    closed : labels of versions that served, or serve, and might not serve again
    """

    places: Places
    entered: int | None
    outlook: Outlook
    serves: str | None
    closed: tuple[str, ...]

    @property
    def told(self) -> Message:
        """What would happen to the model."""
        return _TOLD[self.outlook]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values; single stays are counted, not named."""
        return {
            "task": self.places.task,
            "region": self.places.region,
            "stays": len(self.places.stays),
            "members": list(self.places.members),
            "entered": self.entered,
            "outlook": self.outlook,
            "serves": self.serves,
            "closed": list(self.closed),
            "told": asdict(self.told),
        }


def foresee(home: Home, *, leaving: Leaving) -> tuple[Foreseen, ...]:
    """Return what ``withdraw`` would do now, by task and region; nothing is entered, subtracted or deleted.

    What others withdrew and is not subtracted yet would go in the same step.

    Raises
    ------
    Refusal
        ``E-WITHDRAW-UNKNOWN``, ``E-FEATURE-MART``
    """
    postgres.prepare(home)
    with lake.connect(home, threads=1) as connection:
        places = found(connection, leaving, snapshot=lake.snapshot(connection), bases=bases_of(home, connection))
        known = withdrawals.in_force(connection, source=leaving.source, person=leaving.person, stay=leaving.stay)
        return tuple(_foreseen(home, connection, one, known) for one in places)


def _foreseen(
    home: Home, connection: duckdb.DuckDBPyConnection, places: Places, known: Sequence[Withdrawal]
) -> Foreseen:
    here = [one for one in known if (one.task, one.region) == (places.task, places.region)]
    new = places.beyond(here)
    entered = here[-1].entry if here and not new.members and not new.stays else None
    if places.task is None or places.region is None:
        return Foreseen(places, entered, "absent", None, ())
    name = registered_name(places.task, places.region)
    serves = mlflow.champion(home, name)
    numbers = {one.version for one in versions.served(connection, name)} | ({serves.number} if serves else set())
    lines = [versions.line(connection, name, number) for number in sorted(numbers)]
    closed = [line for line in lines if versions.gone_from(connection, line, further=new.gone)]
    if serves is None:
        outlook: Outlook = "none"
    elif serves.number not in {line.version for line in closed}:
        outlook = "absent"
    else:
        with postgres.connect(home) as ops:
            outlook = "subtracted" if held.load(ops, name, serves.number) else "sums"
    labels = tuple(line.label for line in closed)
    return Foreseen(places, entered, outlook, serves.label if serves else None, labels)


_TOLD = {
    "subtracted": Message(
        "其统计量将被减去；减后的版本登记并接替现役版本，所持的其统计量被删除。",
        "What they gave would be subtracted; the version without it would serve, and what is held of them be deleted.",
    ),
    "absent": Message(
        "现役模型中没有其记录；退出只作登记，今后不再从中学习。",
        "The model that serves has nothing of them; it would be entered, and nothing of them learned from any more.",
    ),
    "sums": Message(
        "现役版本没有单个来源的统计量可减：退出会被登记，须重新学习或汇聚（headwater evolve 或 aggregate）后才接替。",
        "Nothing single is held of the version that serves: it would be entered, and that version serve until another "
        "is learned or joined anew (headwater evolve or aggregate).",
    ),
    "none": Message("没有现役模型；退出只作登记。", "No model serves; it would be entered."),
}
