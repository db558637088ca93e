"""Every refusal headwater makes: what happened, where, and how to mend it, in Chinese and English."""

from dataclasses import dataclass

__all__ = ["HeadwaterError", "Message", "Refusal"]


@dataclass(frozen=True)
class Message:
    """One sentence in both languages of the product."""

    zh: str
    en: str

    def format(self, **values: object) -> "Message":
        """Fill ``{name}`` placeholders in both languages."""
        return Message(self.zh.format(**values), self.en.format(**values))

    def __str__(self) -> str:
        return f"{self.en} / {self.zh}"


class HeadwaterError(Exception):
    """Base of all errors that a user can meet.

    Parameters
    ----------
    code : stable identifier such as ``E-FILE-ENCODING``, quoted in reports and documentation
    reason : what is wrong and where
    remedy : what the reader can do about it
    """

    def __init__(self, code: str, reason: Message, remedy: Message) -> None:
        super().__init__(f"{code}: {reason.en} {remedy.en} / {reason.zh}{remedy.zh}")
        self.code = code
        self.reason = reason
        self.remedy = remedy

    @property
    def told(self) -> Message:
        """What is wrong, where, and what to do about it."""
        return Message(f"{self.reason.zh}{self.remedy.zh}", f"{self.reason.en} {self.remedy.en}")


class Refusal(HeadwaterError):
    """An input, request or configuration that headwater refuses instead of guessing."""
