"""Why a name was decided as it was: stable words, each with a sentence in both languages."""

from collections.abc import Mapping

from headwater.errors import Message

__all__ = ["REASONS"]

REASONS: Mapping[str, Message] = {
    "sure": Message("名称与属性一致，且无其他相近项目。", "Name and attributes agree, and nothing else comes near."),
    "empty": Message("名称为空，或不含文字。", "The name is empty or has no letters."),
    "short": Message("名称只有一个字。", "The name has one character only."),
    "long": Message("名称过长。", "The name is too long for a name."),
    "script": Message("名称所用文字与目录不同。", "The name is written in a script that the reference does not use."),
    "unlike": Message("目录中没有相近的项目。", "Nothing in the reference comes near."),
    "conflict": Message("名称或属性与目录矛盾。", "The name or an attribute says something else than the reference."),
    "torn": Message("名称与属性列互相矛盾。", "The name contradicts its own columns."),
    "tie": Message(
        "有多个同样相近的项目，须补充区分它们的属性。",
        "Several references come equally near; an attribute must tell them apart.",
    ),
    "unsure": Message("把握不足，须人工确认。", "Not sure enough to be left without a look."),
}
"""Reason to its sentence."""
