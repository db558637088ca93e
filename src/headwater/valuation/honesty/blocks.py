"""A statistic that can be opened piece by piece: blocks of records under a tree of sums.

Records stand in the order of a hash of their key, which everyone can compute; the blocks tile all places there are, so
every record has one place in one block, and one left out is missing in a known place. A node of the tree commits to
its children's hashes, sums and places: opening one block shows that it stands in the sum that the root states (RFC
6962's tree shape, with sums). Sums are exact integers.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import GramQuestion
from headwater.statistics.statistic import Statistic
from headwater.valuation.honesty.commitment import SALT_BYTES, commit

__all__ = ["Books", "FLOOR", "Node", "Opening", "Statement", "climb", "places"]

FLOOR = 20
"""Fewest records of a block, so that no block is a person; a source below it is one block."""

_LAST = 2**64 - 1


@dataclass(frozen=True, eq=False)
class Node:
    """A stretch of places from ``low`` to ``high``, both included, its statistic, and the hash that binds to both."""

    low: int
    high: int
    statistic: Statistic
    digest: bytes

    @property
    def packed(self) -> bytes:
        """What a parent commits to."""
        return self.digest + _packed(self.low, self.high, self.statistic)

    @staticmethod
    def leaf(low: int, high: int, statistic: Statistic, salt: bytes) -> "Node":
        """Return a block: its hash is salted."""
        return Node(low, high, statistic, commit(_packed(low, high, statistic), salt))

    def join(self, right: "Node") -> "Node":
        """Return the parent; stretches that do not meet, or sums that overflow, are refused."""
        if self.high + 1 != right.low:
            raise _gap()
        digest = hashlib.sha256(b"headwater/node/1" + self.packed + right.packed).digest()
        return Node(self.low, right.high, self.statistic.merge(right.statistic), digest)


@dataclass(frozen=True, eq=False)
class Statement:
    """What a source is bound to: the root of its tree and the number of its blocks."""

    root: Node
    blocks: int

    def covers(self, records: int, floor: int) -> bool:
        """Tell whether the blocks are as many as the records demand, and leave no place out."""
        return (self.root.low, self.root.high) == (0, _LAST) and self.blocks == _count(records, floor)


@dataclass(frozen=True, eq=False)
class Opening:
    """One block laid open: its leaf, the leaf's salt, and the siblings on the way to the root."""

    index: int
    leaf: Node
    salt: bytes
    path: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Books:
    """The source's side: its records as a tree of blocks.

    Parameters
    ----------
    question : what is asked
    table : the records
    key : column that names a record to both sides, each name once
    secret : from which the blocks' salts come; known to the source alone
    floor : fewest records of a block

    Raises
    ------
    Refusal
        ``E-HONESTY-KEY`` without the column, or for a key that stands twice in it
    """

    question: GramQuestion
    table: pa.Table
    key: str
    secret: bytes
    floor: int = FLOOR
    _nodes: dict[tuple[int, int], Node] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.key not in self.table.column_names:
            raise _no_key(self.key, self.table.column_names)
        where = self._where
        if len(where) != len(np.unique(where)):
            raise _twice(self.key)

    @cached_property
    def statement(self) -> Statement:
        """What the source binds itself to."""
        return Statement(self._node(0, len(self._leaves)), len(self._leaves))

    def open(self, index: int) -> Opening:
        """Return one block with its proof."""
        path = self._path(index, 0, len(self._leaves))
        return Opening(index, self._leaves[index], self._salt(index), path)

    def _node(self, start: int, stop: int) -> Node:
        if stop - start == 1:
            return self._leaves[start]
        if (start, stop) not in self._nodes:
            middle = start + _split(stop - start)
            self._nodes[start, stop] = self._node(start, middle).join(self._node(middle, stop))
        return self._nodes[start, stop]

    def _path(self, index: int, start: int, stop: int) -> tuple[Node, ...]:
        if stop - start == 1:
            return ()
        middle = start + _split(stop - start)
        if index < middle:
            return (*self._path(index, start, middle), self._node(middle, stop))
        return (*self._path(index, middle, stop), self._node(start, middle))

    @cached_property
    def _where(self) -> npt.NDArray[np.uint64]:
        return places(self.table, self.key)

    @cached_property
    def _leaves(self) -> list[Node]:
        where = self._where
        order = np.argsort(where, kind="stable")
        groups = np.array_split(order, _count(len(order), self.floor))
        starts = [0, *(int(where[group[0]]) for group in groups[1:])]
        ends = [*(start - 1 for start in starts[1:]), _LAST]
        return [
            Node.leaf(low, high, self.question.of(self.table.take(pa.array(group))), self._salt(index))
            for index, (low, high, group) in enumerate(zip(starts, ends, groups, strict=True))
        ]

    def _salt(self, index: int) -> bytes:
        return hmac.digest(self.secret, index.to_bytes(8, "little"), "sha256")[:SALT_BYTES]


def places(table: pa.Table, key: str) -> npt.NDArray[np.uint64]:
    """Return the (rows,) places of records: the first 64 bits of the SHA-256 of their keys as text."""
    names = table.column(key).cast(pa.string()).to_pylist()
    return np.array([int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "big") for name in names], "u8")


def climb(opening: Opening, blocks: int) -> Node | None:
    """Return the root that an opening leads to in a tree of so many blocks, or None if it leads to none."""
    try:
        leaf = Node.leaf(opening.leaf.low, opening.leaf.high, opening.leaf.statistic, opening.salt)
        if not 0 <= opening.index < blocks:
            return None
        return _climb(leaf, opening.index, blocks, opening.path)
    except (HeadwaterError, IndexError, OverflowError, ValueError):
        return None


def _climb(node: Node, index: int, blocks: int, path: Sequence[Node]) -> Node:
    if blocks == 1:
        if path:
            raise ValueError("the path is too long")
        return node
    middle = _split(blocks)
    if index < middle:
        return _climb(node, index, middle, path[:-1]).join(path[-1])
    return path[-1].join(_climb(node, index - middle, blocks - middle, path[:-1]))


def _split(blocks: int) -> int:
    """Return the largest power of two below ``blocks``."""
    return 1 << ((blocks - 1).bit_length() - 1)


def _count(records: int, floor: int) -> int:
    return max(1, records // floor)


def _packed(low: int, high: int, statistic: Statistic) -> bytes:
    return low.to_bytes(8, "big") + high.to_bytes(8, "big") + statistic.to_bytes()


def _gap() -> Refusal:
    return Refusal(
        "E-HONESTY-GAP",
        Message("相邻数据块之间有空隙或重叠。", "Neighbouring blocks leave a gap or overlap."),
        Message("请按记录编号的哈希重新分块。", "Cut the blocks again by the hash of the records' keys."),
    )


def _no_key(key: str, columns: Sequence[str]) -> Refusal:
    return Refusal(
        "E-HONESTY-KEY",
        Message(f"没有编号列“{key}”。", f"There is no column {key!r} whose keys name the records."),
        Message(f"现有列：{'、'.join(columns)}。", f"The columns are {', '.join(columns)}."),
    )


def _twice(key: str) -> Refusal:
    return Refusal(
        "E-HONESTY-KEY",
        Message(
            f"“{key}”列的编号有重复，记录无法核对。", f"Keys stand twice in column {key!r}: no record can be told."
        ),
        Message("请去掉重复的记录。", "Remove the records that stand twice."),
    )
