"""The seam of the privacy ledger: whoever releases something noisy debits it first."""

from typing import Protocol

from headwater.types import SourceId

__all__ = ["Ledger"]


class Ledger(Protocol):
    """Keeps what privacy each source has left.

    A debit stands before the release: a crash between the two may only count too much. What is not debited because it
    was refused must not be released.
    """

    def debit(self, source: SourceId, *, epsilon: float, delta: float, purpose: str) -> None:
        """Spend ``epsilon`` and ``delta`` of a source, or refuse with E-LEDGER-SPENT and leave the ledger as it was.

        Parameters
        ----------
        epsilon, delta : privacy loss of the release, added to what is spent; epsilon > 0
        purpose : what is released and for which task, kept in the ledger
        """
        ...
