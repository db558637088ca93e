"""Named things of one kind: registered by decorator, listed by name, never twice."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from headwater.errors import Message, Refusal

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from a stable name to a thing, filled by ``@registry.register(name)``.

    The name is the stem of the file that defines the thing, the heading of its page and the name of its test.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under ``name``; a second use of a name is refused."""

        def decorate(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return decorate

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            known = ", ".join(sorted(self._items))
            raise Refusal(
                "E-UNKNOWN-NAME",
                Message(f"没有名为“{name}”的 {self.kind}。", f"There is no {self.kind} named {name!r}."),
                Message(f"可用：{known}。", f"Known: {known}."),
            )
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __len__(self) -> int:
        return len(self._items)
