"""The seam of the privacy ledger: whoever releases something noisy debits it first."""

from typing import Protocol

from headwater.types import SourceId

__all__ = ["Ledger"]


class Ledger(Protocol):
    """Keeps what privacy each source has left.

    A debit stands before the release: a crash between the two may only count too much. What is not debited because it
    was refused must not be released.
    """

    def debit(self, source: SourceId, *, noise: float, purpose: str) -> None:
        """Spend what a Gaussian release costs a source, or refuse with E-LEDGER-SPENT and leave the ledger as it was.

        Parameters
        ----------
        noise : standard deviation in L2 sensitivities to one record exchanged for another; of several releases, that of
            the one release to which they compose
        purpose : what is released and for which task, in words
        """
        ...
