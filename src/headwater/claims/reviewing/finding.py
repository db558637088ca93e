"""One thing to know about a contract."""

from dataclasses import dataclass
from typing import Literal

from headwater.errors import Message

__all__ = ["Finding", "Level"]

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """A sentence about one place of a contract.

    Parameters
    ----------
    level : ``error`` keeps rows or files out, ``warning`` may be meant, ``info`` is only worth knowing
    place : file, source, table and field
    """

    level: Level
    place: str
    code: str
    text: Message

    def to_dict(self) -> dict[str, str]:
        """Return everything as JSON-safe values."""
        return {"level": self.level, "place": self.place, "code": self.code, "zh": self.text.zh, "en": self.text.en}
