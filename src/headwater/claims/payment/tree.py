"""YAML that people write, as it is read: every value knows its file, its line and its path, and numbers are exact.

YAML's own reading would turn ``0.1`` into a binary fraction and let a repeated key win silently, so scalars stay text
until a reader asks for what they must be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

import yaml

from headwater.errors import Message, Refusal

__all__ = ["POLICY", "Document", "Entry", "PolicyRefusal", "read_tree"]

_DAY = ("a day such as 2025-01-31", "形如 2025-01-31 的日期")
_DEEPEST = 50
"""Levels of a policy; nothing in one has more than ten."""
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?")


class PolicyRefusal(Refusal):
    """A text that is refused at a place.

    Parameters
    ----------
    at : line and column, from 1; None where no place is known
    """

    def __init__(self, code: str, reason: Message, remedy: Message, *, at: tuple[int, int] | None) -> None:
        super().__init__(code, reason, remedy)
        self.at = at


@dataclass(frozen=True)
class Document:
    """What kind of text is read, as its refusals call it.

    Parameters
    ----------
    code : of all refusals of its form
    name : shown to people
    page : where an example stands
    """

    code: str
    name: Message
    page: str


POLICY = Document("E-POLICY", Message("付费政策", "payment policy"), "docs/payment.md")


@dataclass(frozen=True)
class Entry:
    """One value of a file.

    Parameters
    ----------
    node : as YAML composed it
    file : name for messages
    path : how it is reached, e.g. ``high_outlier.tiers[0].above``
    """

    node: yaml.Node
    file: str
    path: str = ""
    document: Document = POLICY

    @property
    def where(self) -> str:
        """File, line and path."""
        return f"{self.file}:{self.node.start_mark.line + 1}" + (f" {self.path}" if self.path else "")

    @property
    def at(self) -> tuple[int, int]:
        """Line and column, from 1."""
        return self.node.start_mark.line + 1, self.node.start_mark.column + 1

    def items(self) -> Iterator[tuple[str, "Entry"]]:
        """Yield keys and values of a mapping; a key that stands twice is refused."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("a mapping", "映射（键: 值）")
        seen: set[str] = set()
        for key, value in self.node.value:
            entry = replace(self, node=value, path=f"{self.path}.{key.value}".lstrip("."))
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                raise replace(entry, node=key).wrong("a key that stands once", "只出现一次的键")
            seen.add(key.value)
            yield key.value, entry

    def fields(self, *required: str, optional: tuple[str, ...] = ()) -> dict[str, "Entry"]:
        """Return a mapping's values; keys that are unknown or missing are refused."""
        found = dict(self.items())
        for key, entry in found.items():
            if key not in required + optional:
                allowed = sorted((*required, *optional))
                raise entry.wrong(f"a known key: {', '.join(allowed)}", f"已知的键：{'、'.join(allowed)}")
        for key in required:
            if key not in found:
                raise self.wrong(f"a mapping with the key {key}", f"含有键 {key} 的映射")
        return found

    def entries(self) -> list["Entry"]:
        """Return the values of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("a list", "列表")
        return [replace(self, node=node, path=f"{self.path}[{place}]") for place, node in enumerate(self.node.value)]

    def each(self) -> list["Entry"]:
        """Return the values of a list, or the one value that stands in its place."""
        return self.entries() if isinstance(self.node, yaml.SequenceNode) else [self]

    def text(self) -> str:
        """Return a scalar as it is written."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            raise self.wrong("a value", "一个值")
        return str(self.node.value).strip()

    def texts(self) -> tuple[str, ...]:
        """Return a list of scalars, each once."""
        found = tuple(entry.text() for entry in self.entries())
        if not found or len(set(found)) < len(found):
            raise self.wrong("a list of different values, at least one", "至少一个且互不相同的值的列表")
        return found

    def number(self, decimals: int, *, low: int = 0, high: int = 1000) -> int:
        """Return a number with at most ``decimals`` decimals as a whole number of its last place."""
        text = self.text()
        value = Decimal(text) if _NUMBER.fullmatch(text) else None
        if value is None or not low <= value <= high or value.scaleb(decimals) % 1:
            raise self.wrong(
                f"a number from {low} to {high} with at most {decimals} decimals",
                f"{low} 至 {high} 之间、最多 {decimals} 位小数的数",
            )
        return int(value.scaleb(decimals))

    def day(self) -> date:
        """Return a day written as 2025-01-31."""
        text = self.matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", *_DAY)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.wrong(*_DAY) from None

    def matching(self, pattern: str, must_en: str, must_zh: str) -> str:
        """Return a text of a given form."""
        if re.fullmatch(pattern, self.text()) is None:
            raise self.wrong(must_en, must_zh)
        return self.text()

    def one_of(self, *allowed: str) -> str:
        """Return a word of a closed list."""
        text = self.text()
        if text not in allowed:
            raise self.wrong(f"one of {', '.join(allowed)}", f"{'、'.join(allowed)} 之一")
        return text

    def message(self) -> Message:
        """Return a text in both languages."""
        found = self.fields("zh", "en")
        return Message(found["zh"].text(), found["en"].text())

    def plain(self) -> Any:
        """Return mappings, lists and texts, numbers as they are written."""
        if isinstance(self.node, yaml.MappingNode):
            return {key: entry.plain() for key, entry in self.items()}
        if isinstance(self.node, yaml.SequenceNode):
            return [entry.plain() for entry in self.entries()]
        return str(self.node.value)

    def wrong(self, must_en: str, must_zh: str) -> PolicyRefusal:
        """Return the refusal of this value: where it stands and what it must be."""
        return PolicyRefusal(
            self.document.code,
            Message(
                f"{self.document.name.zh}有误：{self.where}。", f"The {self.document.name.en} is wrong at {self.where}."
            ),
            Message(f"应为：{must_zh}。", f"It must be {must_en}."),
            at=self.at,
        )


def read_tree(text: str, *, file: str, document: Document = POLICY) -> Entry:
    """Return the root of a text, which must be one YAML document.

    Raises
    ------
    Refusal
        with the document's code and the line, when the text is no YAML or uses anchors, whose repetition no reader
        would see
    """
    try:
        node = _composed(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else file
        raise PolicyRefusal(
            document.code,
            Message(
                f"{document.name.zh} {place} 不是合法的 YAML。", f"The {document.name.en} {place} is no valid YAML."
            ),
            Message(f"按 {document.page} 的示例修正该行。", f"Mend that line after the example in {document.page}."),
            at=(mark.line + 1, mark.column + 1) if mark else None,
        ) from error
    return Entry(node, file, document=document)


def _composed(text: str) -> yaml.Node:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        # What is composed in C is nested in its stack, whose end is the end of the process.
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="alias or depth", problem_mark=cast(yaml.Mark, event.start_mark))
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    if node is None:
        raise yaml.YAMLError("empty")
    return node
