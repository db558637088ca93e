"""Which columns a step of the flow passes through unchanged, and which it cleans by a rule of its own."""

from dataclasses import dataclass

from headwater.claims.canonical import ENTITIES
from headwater.errors import Message

__all__ = ["STEPS", "Step", "Verified"]


@dataclass(frozen=True)
class Step:
    """One entity on one step of the flow.

    Parameters
    ----------
    name : ``raw-staging`` or ``staging-marts``
    before, after : relations; columns that both have are compared
    key : columns that name a row on both sides
    cleaned : columns that the step may change; all others it must pass through
    """

    name: str
    entity: str
    before: str
    after: str
    key: tuple[str, ...]
    cleaned: frozenset[str] = frozenset()


_CLEANED = {"service_item": frozenset({"medins_list_codg"})}

STEPS: tuple[Step, ...] = (
    *(
        Step(
            "raw-staging",
            name,
            f"raw.{name}",
            f"staging.stg_claims__{name}",
            ("source_id", "batch_id", "row_no"),
            _CLEANED.get(name, frozenset()),
        )
        for name in ENTITIES
        if name != "hospital"
    ),
    Step("staging-marts", "front_page", "staging.stg_claims__front_page", "marts.fct_stay", ("stay_id",)),
    Step("staging-marts", "fee_line", "staging.stg_claims__fee_line", "marts.fct_fee_line", ("stay_id", "feedetl_sn")),
)
"""Every comparison, in the order of the flow."""


@dataclass(frozen=True)
class Verified:
    """One column of one delivery: its text, read again from the kept bytes, against what was loaded of it.

    Parameters
    ----------
    column : canonical field; empty for the delivery's rows as such
    kind : ``exact``, ``cleaned`` where rules changed cells, ``token`` for numbers of persons, ``unread`` if the kept
        bytes cannot be read again, ``unkept`` if it was landed before contracts were kept and waits for a landing
    rows_before, rows_after : delivered rows, and those that were loaded
    changed : cells that a rule wrote another way; of rows: in quarantine, repeated or corrected
    distance : total variation between the distributions before and after, 0 to 1
    shift : 1-Wasserstein distance of what reads as a number before and after, in the column's unit (days for dates)
    unexplained : cells or rows that differ for no reason on record; the first of them is in ``row`` of the file
    """

    source_id: str
    entity: str
    batch_id: str
    file_name: str
    column: str
    kind: str
    rows_before: int
    rows_after: int
    changed: int = 0
    distance: float = 0.0
    shift: float | None = None
    unexplained: int = 0
    row: int | None = None

    @property
    def stops(self) -> bool:
        """Whether something differs for no reason on record."""
        return self.unexplained > 0

    @property
    def is_told(self) -> bool:
        """Whether there is more to say than that the column is the same."""
        return self.stops or self.kind == "unkept" or (self.kind == "cleaned" and self.column != "")

    @property
    def why(self) -> Message:
        """What the comparison says, in words."""
        where = Message(f"，首见于第 {self.row} 行", f", first in row {self.row}") if self.row else Message("", "")
        if self.kind == "unread":
            return Message("留存的原始文件无法重新读取。", "The kept bytes cannot be read again.")
        if self.kind == "unkept":
            return Message(
                "由旧版本入库，下次入库后核验。", "Landed by an earlier version; verified after the next landing."
            )
        if self.stops and not self.column:
            return Message(
                f"{self.unexplained} 行去向不明或来历不明{where.zh}。",
                f"{self.unexplained} rows were lost or came from nowhere{where.en}.",
            )
        if self.stops:
            return Message(
                f"{self.unexplained} 格与送报不同，且无清洗记录{where.zh}。",
                f"{self.unexplained} cells differ from what was delivered and no cleaning says why{where.en}.",
            )
        if not self.column:
            left = self.rows_before - self.rows_after
            return Message(
                f"{left} 行隔离、重复或已更正，其余全部入库。",
                f"{left} rows are in quarantine, repeat others or were corrected; all others were loaded.",
            )
        return Message(
            f"{self.changed} 格按清洗规则改写，其余相同。",
            f"Rules wrote {self.changed} cells another way; the rest is the same.",
        )
