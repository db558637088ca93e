"""Keyed tokens in place of person numbers, so that no identifier is written outside the vault.

A token is ``p<key id>_<26 characters>``: the first 128 bits of an HMAC (RFC 2104) over SHA-256 or SM3 (GB/T 32905) in
base 32. The same person gets the same token under the same key in every delivery; without the key a token cannot be
tied to a number. The key id names key and hash, so tokens of two keys are never taken for each other.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from headwater.claims.keys import key_at
from headwater.errors import Message, Refusal

__all__ = ["DAMAGED", "Identity", "Pseudonyms", "identity", "without_persons"]

DAMAGED = "0E+00"
"""What stands for an identifier that a spreadsheet turned into scientific notation: no token, as digits are lost."""

Hash = Literal["sha256", "sm3"]

_BLANK = {"", "NULL", "-", "--", "无", "N/A", "\\N"}
_SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?E\+\d{2,3}", re.ASCII)
# Old and new identity numbers anywhere in a text, their digits of any width or set apart.
_LIKE_IDENTITY = re.compile(r"(?<!\d)\d(?:[ \u3000-]?\d){13,16}[ \u3000-]?[\dXxＸｘ](?!\d)")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Identity:
    """A valid identity number (GB 11643): 18 characters, and what it says of its holder."""

    number: str
    birth: date
    sex: Literal["1", "2"]
    was_short: bool


def identity(text: str) -> Identity | None:
    """Read an identity number of 18 characters, or of 15 digits as issued before 1999; None if it is not one."""
    short = re.fullmatch(r"[1-9][0-9]{14}", text) is not None
    number = _with_check(f"{text[:6]}19{text[6:]}") if short else text
    if re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number) is None or number != _with_check(number[:17]):
        return None
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return Identity(number, birth, "1" if int(number[16]) % 2 else "2", short)


def _with_check(digits: str) -> str:
    """Append the check character of ISO 7064 mod 11-2."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    return digits + "10X98765432"[total % 11]


class Pseudonyms:
    """Tokens under one key.

    Parameters
    ----------
    key : 32 secret bytes
    algorithm : hash of the HMAC
    """

    def __init__(self, key: bytes, algorithm: Hash = "sha256") -> None:
        if len(key) != 32:
            raise ValueError("a pseudonym key has 32 bytes")
        self._key = key
        self._algorithm = algorithm
        # SHA-256 names the key whatever the hash, so that tokens made before the choice existed stay as they are.
        mark = b"" if algorithm == "sha256" else algorithm.encode()
        self.key_id = hashlib.sha256(b"headwater pseudonym key" + mark + key).hexdigest()[:4]

    @classmethod
    def open(cls, path: Path, algorithm: str = "sha256") -> "Pseudonyms":
        """Read the key at ``path``, or make one that only the owner can read.

        Raises
        ------
        Refusal
            ``E-PSEUDONYM-HASH`` for a hash that is neither ``sha256`` nor ``sm3``
        """
        if algorithm not in ("sha256", "sm3"):
            raise Refusal(
                "E-PSEUDONYM-HASH",
                Message(f"不支持的摘要算法：{algorithm}。", f"Unknown hash for pseudonyms: {algorithm}."),
                Message(
                    "把 HEADWATER_PSEUDONYM_HASH 设为 sha256 或 sm3。", "Set HEADWATER_PSEUDONYM_HASH to sha256 or sm3."
                ),
            )
        chosen: Hash = "sm3" if algorithm == "sm3" else "sha256"
        return cls(key_at(path), chosen)

    def token(self, identifier: str) -> str:
        """Return the token of one identifier; spelling variants of width, case and space share it."""
        digest = hmac.new(self._key, normal(identifier).encode(), self._algorithm).digest()[:16]
        return f"p{self.key_id}_{base64.b32encode(digest).decode().rstrip('=').lower()}"

    def word(self, identifier: str, *, nulls: Collection[str] = ()) -> str | None:
        """Return the token, None for a word that means "empty", or ``DAMAGED``."""
        text = normal(identifier)
        if text in _BLANK or text in nulls:
            return None
        return DAMAGED if _SCIENTIFIC.fullmatch(text) else self.token(identifier)


def normal(identifier: str) -> str:
    """Return an identifier without the differences of width, case and space."""
    return "".join(unicodedata.normalize("NFKC", identifier).split()).upper()


def without_persons(text: str) -> str:
    """Hide in a text every identity number, also one of 15 digits.

    >>> without_persons("M1|１１０１０１900307851"), without_persons("420100230199001")
    ('M1|***', '420100230199001')
    """

    def hidden(found: re.Match[str]) -> str:
        return "***" if identity(normal(found.group()).replace("-", "")) else found.group()

    return _LIKE_IDENTITY.sub(hidden, text)
