"""The compact protocol of Apache Thrift, as far as the headers of Parquet pages need it.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import TypeAlias

__all__ = ["Fields", "thrift_struct"]

Fields: TypeAlias = "dict[int, int | Fields]"
"""Integers and structs by their ids; fields of other types are passed over."""

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)


def thrift_struct(data: bytes) -> tuple[Fields, int]:
    """Return the fields of the struct at the start of ``data``, and the struct's length in bytes.

    Raises
    ------
    IndexError, RecursionError, ValueError
        The bytes end early, or are no such struct.
    """
    reader = _Reader(data)
    return reader.struct(), reader.at


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self) -> Fields:
        fields: Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            value = self._value(head & 0x0F)
            if value is not None:
                fields[number] = value
        return fields

    def _value(self, kind: int) -> "int | Fields | None":
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self.struct()
        if kind in (_BYTE, _DOUBLE, _BINARY):
            self._skip({_BYTE: 1, _DOUBLE: 8}.get(kind) or self._varint())
        elif kind in (_LIST, _SET):
            self._list()
        elif kind not in (_TRUE, _FALSE):
            raise ValueError(f"thrift type {kind}")
        return None

    def _list(self) -> None:
        head = self._byte()
        for _ in range(self._varint() if head >> 4 == 0x0F else head >> 4):
            # In a list a truth value takes a byte, in a struct it is part of the field's head.
            if head & 0x0F in (_TRUE, _FALSE):
                self._skip(1)
            else:
                self._value(head & 0x0F)

    def _byte(self) -> int:
        self._skip(1)
        return self._data[self.at - 1]

    def _skip(self, number: int) -> None:
        self.at += number
        if self.at > len(self._data):
            raise IndexError("thrift struct ends early")

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError("thrift number too long")
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
