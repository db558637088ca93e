"""Losses that happen when a check or a bench says so."""

from collections.abc import Mapping

from headwater.errors import Message
from headwater.federation.transport import SourceFault
from headwater.security import Carry, Member
from headwater.security.protection import Values, straight

__all__ = ["losing"]


def losing(phases: Mapping[str, int]) -> Carry:
    """Return a way to carry by which each member named is lost from its phase on; phase 0 is the first."""

    def carry(name: str, member: Member, told: bytes, values: Values) -> bytes:
        if told[0] >= phases.get(name, told[0] + 1):
            raise SourceFault(
                "E-MEMBER-LOST",
                Message(f"成员“{name}”在第 {told[0]} 阶段失联。", f"The member {name!r} is lost in phase {told[0]}."),
                Message("该成员可参加下一轮。", "It can join the next round."),
            )
        return straight(name, member, told, values)

    return carry
