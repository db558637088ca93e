r"""Blocks drawn after the commitment are opened, and computed again from the claims that the bureau paid.

Of ``blocks`` with ``bad`` untrue ones, ``opened`` drawn at random meet at least one with probability

.. math:: 1 - \binom{b - k}{m} / \binom{b}{m}

Without claims an opening shows only that the blocks add up and could be records; with them, that they are the stays
which were paid. One integer that differs is a proof, for both sides compute on the same grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, comb
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import HeadwaterError, Message
from headwater.federation import GramQuestion
from headwater.statistics.statistic import Statistic
from headwater.valuation.honesty.blocks import FLOOR, Opening, Statement, climb, places
from headwater.valuation.honesty.finding import Finding

__all__ = ["Audit", "Claims", "Witness", "audit", "detection", "needed"]


class Witness(Protocol):
    """A source that binds itself first and opens what it is asked to afterwards."""

    @property
    def statement(self) -> Statement:
        """What it is bound to."""
        ...

    def open(self, index: int) -> Opening:
        """Return one block with its proof."""
        ...


@dataclass(frozen=True, eq=False)
class Claims:
    """The bureau's own records of a source: the stays it paid, with the columns of the question, and their key."""

    table: pa.Table
    key: str

    def of(self, question: GramQuestion, low: int, high: int) -> Statistic:
        """Return the statistic of the claims whose places lie from ``low`` to ``high``."""
        inside = np.flatnonzero((self._places >= np.uint64(low)) & (self._places <= np.uint64(high)))
        return question.of(self.table.take(pa.array(inside)))

    @cached_property
    def _places(self) -> npt.NDArray[np.uint64]:
        return places(self.table, self.key)


@dataclass(frozen=True)
class Audit:
    """What opening found: ``findings``, the blocks ``opened`` of ``blocks``, and how sure it was to meet a bad one.

    ``detection`` is the probability of meeting one when the share that the audit was planned for is bad.
    """

    findings: tuple[Finding, ...]
    opened: int
    blocks: int
    detection: float


def detection(blocks: int, bad: int, opened: int) -> float:
    """Return the probability that at least one of ``bad`` blocks is among ``opened`` of ``blocks`` drawn.

    >>> detection(10, 1, 5), round(detection(100, 10, 36), 3)
    (0.5, 0.991)
    """
    return 1.0 - comb(blocks - bad, opened) / comb(blocks, opened)


def needed(blocks: int, bad: int, probability: float = 0.99) -> int:
    """Return the fewest blocks to open to meet one of ``bad`` with that probability.

    >>> needed(1000, 50), needed(100, 5), needed(10, 1)
    (86, 59, 10)
    """
    return next(opened for opened in range(blocks + 1) if detection(blocks, bad, opened) >= probability)


def audit(
    witness: Witness,
    question: GramQuestion,
    *,
    rng: np.random.Generator,
    claims: Claims | None = None,
    share: float = 0.05,
    floor: int = FLOOR,
) -> Audit:
    """Open as many blocks as it takes to meet, at 99 %, a bad one if a ``share`` of them is bad.

    Parameters
    ----------
    rng : draws the blocks; the source must not know it before it is bound
    claims : what the bureau paid this source for; None checks the sums alone
    floor : fewest records of a block
    """
    statement = witness.statement
    if not statement.covers(question.family.records(statement.root.statistic), floor):
        return Audit((_false("blocks", "分块不符合约定。", "The blocks are not as agreed."),), 0, statement.blocks, 1.0)
    bad = max(1, ceil(share * statement.blocks))
    opened = needed(statement.blocks, bad)
    findings: list[Finding] = []
    for index in sorted(rng.choice(statement.blocks, opened, replace=False).tolist()):
        findings += _examined(witness, statement, question, index, claims, floor)
    return Audit(tuple(findings), opened, statement.blocks, detection(statement.blocks, bad, opened))


def _examined(
    witness: Witness, statement: Statement, question: GramQuestion, index: int, claims: Claims | None, floor: int
) -> Sequence[Finding]:
    try:
        opening = witness.open(index)
    except HeadwaterError:
        return [_false("opening", f"拒绝打开第 {index} 块。", f"Refuses to open block {index}.", block=index)]
    root = climb(opening, statement.blocks) if opening.index == index else None
    if root is None or root.packed != statement.root.packed:
        return [
            _false("opening", f"第 {index} 块与承诺不符。", f"Block {index} is not what was committed.", block=index)
        ]
    leaf = opening.leaf
    try:
        for node in (leaf, *opening.path):
            question.family.check(node.statistic)
    except HeadwaterError:
        zh, en = f"第 {index} 块或其余部分不可能来自记录。", f"Block {index}, or the rest, cannot come from records."
        return [_false("impossible", zh, en, block=index)]
    records = question.family.records(leaf.statistic)
    if statement.blocks > 1 and records < floor:
        return [_false("blocks", f"第 {index} 块太小。", f"Block {index} is too small.", block=index, records=records)]
    return [] if claims is None else _against(leaf.statistic, claims.of(question, leaf.low, leaf.high), question, index)


def _against(said: Statistic, paid: Statistic, question: GramQuestion, index: int) -> Sequence[Finding]:
    if said == paid:
        return []
    records = {"said": question.family.records(said), "paid": question.family.records(paid)}
    zh = f"第 {index} 块与已付的理赔不符（报 {records['said']} 条，付 {records['paid']} 条）。"
    en = f"Block {index} is not what was paid ({records['said']} records said, {records['paid']} paid)."
    return [_false("claims", zh, en, block=index, **records)]


def _false(check: str, zh: str, en: str, **evidence: float) -> Finding:
    return Finding(check, True, Message(zh, en), evidence)
