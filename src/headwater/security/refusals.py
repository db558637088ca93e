"""What a round refuses, in both languages."""

from headwater.errors import Message, Refusal

__all__ = ["ENDS", "aborted", "bad_key", "bad_share", "foreign", "late", "lists", "odd", "other_words", "unsigned"]

ENDS = frozenset({"E-ROUND-ABORT", "E-ROUND-SPOILT"})
"""Codes by which a round ends without a sum; those present may play a new one."""

_DISCARD = Message("请丢弃该消息；本轮不受影响。", "Discard it; the round is not affected.")
_AGAIN = Message("请与在场成员重新开始一轮。", "Start a new round with the members present.")


def foreign(name: str) -> Refusal:
    """Refuse somebody who is not in the pact, or whose key is not the pact's."""
    return Refusal(
        "E-GROUP-MEMBER",
        Message(
            f"“{name}”不在本组，或密钥与约定不符。", f"{name!r} is not in the group, or its key is not the pact's."
        ),
        Message("请核对名单。", "Check the list of members."),
    )


def odd(name: str) -> Refusal:
    """Refuse a body or a vector of a wrong length."""
    return Refusal(
        "E-GROUP-LENGTH",
        Message(f"“{name}”的向量或消息长度不符。", f"The vector or message of {name!r} has a wrong length."),
        Message("请核对各成员的模型版本。", "Check that all members use the same model."),
    )


def unsigned(name: str) -> Refusal:
    """Refuse a message that its sender did not sign for this round and phase."""
    return Refusal(
        "E-ROUND-SIGNATURE",
        Message(
            f"消息不是“{name}”为本轮本阶段签署的。", f"The message was not signed by {name!r} for this round and phase."
        ),
        _DISCARD,
    )


def late(name: str) -> Refusal:
    """Refuse a message whose phase is over."""
    return Refusal(
        "E-ROUND-LATE",
        Message(f"“{name}”的消息迟到，该阶段已结束。", f"The message of {name!r} is late: its phase is over."),
        Message("该成员可参加下一轮。", "It can join the next round."),
    )


def other_words(name: str) -> Refusal:
    """Refuse, as a member, a server that says two things in one phase, or speaks out of turn."""
    return Refusal(
        "E-ROUND-TOLD",
        Message(
            f"服务器对“{name}”在同一阶段说法不一，或次序不对。",
            f"The server told {name!r} two things in one phase, or spoke out of turn.",
        ),
        Message("请停止本轮并核查服务器。", "Stop the round and examine the server."),
    )


def lists(name: str) -> Refusal:
    """Refuse, as a member, lists of members that contradict the pact, each other, or what others signed."""
    return Refusal(
        "E-ROUND-LISTS",
        Message(
            f"服务器给“{name}”的成员名单自相矛盾、人数不足或未经其他成员确认。",
            f"The lists that {name!r} was told are contradictory, too short, or not what others signed.",
        ),
        _AGAIN,
    )


def bad_key(name: str) -> Refusal:
    """Refuse a public key that gives no secret."""
    return Refusal(
        "E-MASK-KEY",
        Message(f"“{name}”的公钥无效。", f"The public key of {name!r} is invalid."),
        Message("请让该成员重新加入。", "Let that member join again."),
    )


def bad_share(name: str) -> Refusal:
    """Refuse a share that cannot be opened."""
    return Refusal(
        "E-MASK-SHARE",
        Message(f"“{name}”的份额无法解开。", f"The share of {name!r} cannot be opened."),
        _AGAIN,
    )


def aborted(present: int, needed: int) -> Refusal:
    """End a round: with so few nothing may be revealed, and nothing is."""
    return Refusal(
        "E-ROUND-ABORT",
        Message(
            f"仅剩 {present} 个成员可用，至少需要 {needed} 个；本轮作废，未泄露任何内容。",
            f"{present} of at least {needed} members are left: the round ends and reveals nothing.",
        ),
        _AGAIN,
    )
