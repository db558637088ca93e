"""The seam of every protection: members protect, a server combines, and neither does the other's work."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import numpy as np

from headwater.errors import Message, Refusal
from headwater.registry import Registry
from headwater.types import Fixed

__all__ = [
    "Entropy",
    "Member",
    "PROTECTIONS",
    "Protection",
    "require_group",
    "require_messages",
    "require_range",
]

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns that many unpredictable bytes, e.g. ``secrets.token_bytes``."""


class Member(Protocol):
    """One member's side of one round; serves a single vector."""

    def public(self) -> bytes:
        """Return what every other member must receive beforehand; may be empty."""
        ...

    def protect(self, values: Fixed, publics: Mapping[str, bytes]) -> bytes:
        """Return the message to the server, given the public part of every member, one's own included."""
        ...


class Protection(Protocol):
    """A way to add vectors of a group while hiding them from whoever adds.

    ``minimum`` is the smallest group in which it hides anything that it promises to hide.
    """

    @property
    def name(self) -> str:
        """Name in ``PROTECTIONS``."""
        ...

    @property
    def minimum(self) -> int:
        """Smallest group."""
        ...

    @property
    def reveals(self) -> Literal["each", "sum"]:
        """What the server learns: each member's vector, or their sum alone."""
        ...

    def join(self, name: str, group: Sequence[str], round_id: str, entropy: Entropy) -> Member:
        """Return the member called ``name``; a group below the minimum is refused."""
        ...

    def combine(self, messages: Mapping[str, bytes], group: Sequence[str], *, round_id: str) -> Fixed:
        """Return the sum of the members' vectors modulo 2**64, or refuse: never the sum of a part of the group."""
        ...


PROTECTIONS: Registry[Protection] = Registry("protection")
"""Protections by the stem of their file."""


def require_group(name: str, group: Sequence[str], minimum: int) -> tuple[str, ...]:
    """Return the group sorted; too few members, one twice, or ``name`` not among them is refused."""
    members = tuple(sorted(group))
    if len(members) < minimum:
        raise Refusal(
            "E-GROUP-SMALL",
            Message(
                f"本组只有 {len(members)} 个成员，少于 {minimum} 个。",
                f"The group has {len(members)} of {minimum} members.",
            ),
            Message("请并入上一级，或改用别的保护方式。", "Fold it into the level above, or use another protection."),
        )
    if len(set(members)) != len(members) or name not in members:
        raise Refusal(
            "E-GROUP-MEMBER",
            Message(f"成员重名，或“{name}”不在本组。", f"A member stands twice, or {name!r} is not in the group."),
            Message("请核对名单。", "Check the list of members."),
        )
    return members


def require_range(values: Fixed, members: int) -> None:
    """Refuse values whose sum over the group could leave 64 bits: overflow is never wrapped."""
    signed = np.asarray(values, dtype=np.uint64).view(np.int64)
    bound = (2**63 - 1) // members
    if signed.size and (int(signed.max()) > bound or int(signed.min()) < -bound):
        raise Refusal(
            "E-FIXED-RANGE",
            Message(
                f"数值过大，{members} 个成员之和可能溢出。",
                f"The values are so large that {members} members could overflow.",
            ),
            Message("请减小量纲或增加层级。", "Use a smaller unit."),
        )


def require_messages(messages: Mapping[str, bytes], group: Sequence[str]) -> int:
    """Return the common length of the messages; a missing, foreign or odd one is refused by name."""
    missing, foreign = sorted(set(group) - set(messages)), sorted(set(messages) - set(group))
    if missing or foreign:
        raise Refusal(
            "E-GROUP-INCOMPLETE",
            Message(
                f"缺少 {missing}，多出 {foreign}，不给出部分和。",
                f"Missing {missing}, foreign {foreign}: no partial sum is given.",
            ),
            Message("请与在场成员重新开始一轮。", "Start a new round with the members present."),
        )
    lengths = {len(message) for message in messages.values()}
    if len(lengths) != 1 or min(lengths) % 8:
        raise Refusal(
            "E-GROUP-LENGTH",
            Message("各成员消息长度不同或不完整。", "The members' messages differ in length, or are cut short."),
            Message("请核对各成员的模型版本。", "Check that all members use the same model."),
        )
    return lengths.pop()
