"""What people decided about single stays, after all rules: each decision is a line of its own.

- ``special``: the policy's share of the bill in place of what the rules give, so that the fund pays nothing back;
- ``reduce``: no more than a limit, but what the patient has paid stays paid;
- ``return``: nothing of the fund's until the hospital has mended the bill.

``reduce`` and ``return`` never raise a payment. A stay whose case is paid with another one has no payment of its own,
and is not ``special``.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.cases import Cases, Mask
from headwater.claims.payment.ledger import Ledger
from headwater.claims.payment.lines import Operand, operand
from headwater.claims.payment.money import Fen, fen_of, times

__all__ = ["COLUMNS", "review"]

COLUMNS = ("reviewed_as", "reviewed_limit", "reviewed_no", "reviewed_on", "reviewed_by")
"""Of stays that somebody decided about: the decision, the limit of ``reduce``, the decision's number and day, and the
token of who decided. Tables without them hold no such stay."""


def review(ledger: Ledger, stays: pa.Table, cases: Cases, *, self_pay: Fen, own: Mask, share: int) -> None:
    """Take payments to what was decided.

    Parameters
    ----------
    self_pay : what patients pay, fen
    own : stays that are paid by themselves or carry a case
    share : of the bill that is paid where there is no package, millionths
    """
    if "reviewed_as" not in stays.column_names or not stays["reviewed_as"].drop_null():
        return
    said = stays["reviewed_as"].to_pylist()
    before = ledger.amount.copy()
    used = [*_signed(stays), Operand("before", "fen", before)]
    patient = Operand("self_pay", "fen", self_pay)
    by_cost = [Operand("cost", "fen", cases.cost), operand("share", "factor", share, len(cases))]
    special = np.maximum(times(cases.cost, share), self_pay)
    limit = fen_of(stays["reviewed_limit"], "reviewed_limit")[0]
    ledger.replace(
        "reviewed_special", _where(said, "special") & own & cases.costed, special, [*used, *by_cost, patient]
    )
    reduced = np.minimum(before, np.maximum(limit, self_pay))
    ledger.replace("reviewed_reduce", _where(said, "reduce"), reduced, [*used, Operand("limit", "fen", limit), patient])
    ledger.replace("reviewed_return", _where(said, "return"), np.minimum(before, self_pay), [*used, patient])


def _where(said: list[str | None], decision: str) -> Mask:
    return np.array([one == decision for one in said], dtype=np.bool_)


def _signed(stays: pa.Table) -> list[Operand]:
    """Return which decision it was, of which day and by whom."""
    number = pc.fill_null(stays["reviewed_no"].cast(pa.int64()), 0).to_numpy()
    return [Operand("number", "count", number), *(_words(stays, name) for name in ("day", "by"))]


def _words(stays: pa.Table, name: str) -> Operand:
    column = {"day": "reviewed_on", "by": "reviewed_by"}[name]
    encoded = pc.dictionary_encode(stays[column].combine_chunks())
    places: npt.NDArray[np.int64] = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Operand(name, "code", places, tuple(encoded.dictionary.to_pylist()))
