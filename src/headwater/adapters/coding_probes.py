"""What doctor looks at of coding: kinds of items without a reference, and matchers that are not there or behind."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from headwater.adapters import coding, lake, references
from headwater.adapters.home import Home
from headwater.claims.coding import Matcher
from headwater.errors import Message, Refusal

__all__ = ["Coded", "behind", "coded", "unfitted", "unreferred"]


@dataclass(frozen=True)
class Coded:
    """How one kind of items stands.

    Parameters
    ----------
    items : local ones that were coded or could not be
    reference : version in force, None where there is none
    behind : how many were last answered under another version
    matchers : versions that were asked about what is open
    """

    kind: str
    items: int
    reference: str | None
    behind: int
    matchers: Sequence[str]


def coded(home: Home) -> list[Coded]:
    """Return every kind that has items."""
    with lake.connect(home, threads=1) as connection:
        references.create_tables(home, connection)
        coding.create_tables(home, connection)
        rows = connection.execute(_STATE, [datetime.now(UTC).date()]).fetchall()
    return [Coded(*row) for row in rows]


def unreferred(found: Sequence[Coded]) -> tuple[Message, Message] | None:
    """Return which kinds have items and no reference, and how to mend it."""
    bare = [one for one in found if one.reference is None]
    if not bare:
        return None
    listed = ", ".join(f"{one.kind} {one.items:,}" for one in bare)
    return (
        Message(f"没有参考表，未编码：{listed}。", f"Not coded, as no reference is loaded: {listed}."),
        Message("用 headwater reference load 载入，再运行 headwater code。",
                "Load one with headwater reference load, then run headwater code."),
    )  # fmt: skip


def unfitted(home: Home, found: Sequence[Coded]) -> list[str]:
    """Return the kinds whose matcher is not under the home, or cannot be read."""
    wanted = [(one.kind, version) for one in found if one.reference is not None for version in one.matchers]
    return sorted({kind for kind, version in wanted if not _is_there(home, kind, version)})


def behind(found: Sequence[Coded]) -> list[str]:
    """Return the kinds of which a newer reference is in force than the one they were answered under."""
    return [one.kind for one in found if one.reference is not None and one.behind]


def _is_there(home: Home, kind: str, version: str) -> bool:
    with suppress(Refusal):
        Matcher.load(home.matchers / kind / version)
        return True
    return False


_STATE = """
WITH newest AS (
    SELECT kind, arg_max(version, valid_from) AS version FROM lake.reference.version
    WHERE valid_from <= $1 GROUP BY kind
)
SELECT i.kind, count(*), any_value(n.version),
       count(*) FILTER (i.reference_version IS DISTINCT FROM n.version),
       coalesce(list(DISTINCT i.matcher_version) FILTER (
           i.decision IN ('review', 'none') AND i.matcher_version IS NOT NULL), [])
FROM lake.coding.item AS i LEFT JOIN newest AS n ON i.kind = n.kind
GROUP BY i.kind ORDER BY i.kind
"""
