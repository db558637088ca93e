r"""Masks: the server sees noise from everyone and learns the sum of the survivors alone.

Members i < j agree on a stream :math:`m_{ij}` by X25519, and each has a stream :math:`b_i` of its own; i sends
:math:`x_i + b_i + \sum_{j>i} m_{ij} - \sum_{j<i} m_{ji}` in a ring just wide enough for the sum. Masks between
survivors cancel. Seeds and keys are shared out (Shamir) beforehand: the survivors open each other's :math:`b_i` and the
keys of those who were lost, never both of one member, so a vector that comes late stays masked for ever.

The sum equals the clear sum of the survivors bit for bit, or the round ends and reveals nothing.

Source: Bonawitz et al. 2017, Practical secure aggregation for privacy-preserving machine learning; Bell et al. 2020 for
the sparse graph. Different here: rings by proven range, packed to the bit; one signed list of survivors before anything
is opened; opened secrets are held against what their owners bound themselves to, so a wrong share ends the round and
cannot spoil the sum. A colluder can end a round; it cannot make it wrong, except by its own vector within the span.
"""

from typing import ClassVar, Literal

from headwater.security.identity import Entropy, Identity
from headwater.security.masking.member import MaskedMember
from headwater.security.masking.server import MaskedServer
from headwater.security.pact import Pact
from headwater.security.protection import PROTECTIONS, Protection, require_group

__all__ = ["MASKED", "Masked"]


class Masked(Protection):
    """Vectors travel under masks."""

    name: ClassVar[str] = "masked"
    minimum: ClassVar[int] = 3
    reveals: ClassVar[Literal["each", "sum"]] = "sum"
    bears_shares: ClassVar[bool] = True

    def server(self, pact: Pact, *, state: bytes = b"") -> MaskedServer:
        """Return the server; a pact of fewer members than the minimum is refused."""
        require_group(pact.group, self.minimum)
        return MaskedServer(pact, state)

    def member(
        self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b""
    ) -> MaskedMember:
        """Return the member; a pact of fewer members than the minimum is refused."""
        require_group(pact.group, self.minimum)
        return MaskedMember(pact, name, identity, entropy, state)


MASKED = Masked()
PROTECTIONS.register("masked")(MASKED)
