"""Keyed tokens in place of person numbers, so that no identifier is written outside the vault.

A token is ``p<key id>_<26 characters>``: the first 128 bits of HMAC-SHA256 (RFC 2104) in base 32. The same person
gets the same token under the same key in every delivery; without the key a token cannot be tied to a number.
"""

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

__all__ = ["DAMAGED", "Pseudonyms"]

DAMAGED = "0E+00"
"""What stands for an identifier that a spreadsheet turned into scientific notation: no token, as digits are lost."""

_BLANK = {"", "NULL", "-", "--", "无", "N/A", "\\N"}
_SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?E\+\d{2,3}", re.ASCII)


class Pseudonyms:
    """Tokens under one key.

    Parameters
    ----------
    key : 32 secret bytes
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a pseudonym key has 32 bytes")
        self._key = key
        self.key_id = hashlib.sha256(b"headwater pseudonym key" + key).hexdigest()[:4]

    @classmethod
    def open(cls, path: Path) -> "Pseudonyms":
        """Read the key at ``path``, or make one that only the owner can read."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(path.read_bytes())
        with os.fdopen(descriptor, "wb") as file:
            key = os.urandom(32)
            file.write(key)
        return cls(key)

    def token(self, identifier: str) -> str:
        """Return the token of one identifier; spelling variants of width, case and space share it."""
        digest = hmac.new(self._key, _normal(identifier).encode(), hashlib.sha256).digest()[:16]
        return f"p{self.key_id}_{base64.b32encode(digest).decode().rstrip('=').lower()}"

    def tokens(self, identifiers: pa.ChunkedArray | pa.Array, *, nulls: Collection[str] = ()) -> pa.Array:
        """Return tokens of a column of text; blank words and ``nulls`` become blank, damaged ones ``DAMAGED``."""
        encoded = identifiers.combine_chunks() if isinstance(identifiers, pa.ChunkedArray) else identifiers
        encoded = encoded.dictionary_encode()
        words = [self._word(word or "", _BLANK | set(nulls)) for word in encoded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(words, pa.string())).cast(pa.string())

    def _word(self, identifier: str, blank: set[str]) -> str:
        normal = _normal(identifier)
        if normal in blank:
            return ""
        return DAMAGED if _SCIENTIFIC.fullmatch(normal) else self.token(identifier)


def _normal(identifier: str) -> str:
    return "".join(unicodedata.normalize("NFKC", identifier).split()).upper()
