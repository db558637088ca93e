"""What every stay is paid so far, and the lines that say why: the two can only change together."""

from collections.abc import Sequence

import numpy as np

from headwater.claims.payment.cases import Mask
from headwater.claims.payment.lines import Block, Operand, block
from headwater.claims.payment.money import Fen

__all__ = ["Ledger"]


class Ledger:
    """An account of n stays, from nothing.

    Attributes
    ----------
    amount : (n,) fen so far, the sum of all lines
    blocks : the lines, in the order in which they were added
    """

    def __init__(self, n: int) -> None:
        self.amount: Fen = np.zeros(n, np.int64)
        self.blocks: list[Block] = []

    def add(self, reason: str, where: Mask, amount: Fen, operands: Sequence[Operand] = ()) -> None:
        """Add a line to the stays in ``where``; lines of nothing for nobody are not kept."""
        added = block(reason, where, amount, operands)
        if len(added.rows):
            self.amount[added.rows] += added.amount
            self.blocks.append(added)

    def replace(self, reason: str, where: Mask, new: Fen, operands: Sequence[Operand] = ()) -> None:
        """Add the line that takes the stays in ``where`` to ``new``."""
        self.add(reason, where, new - self.amount, operands)
