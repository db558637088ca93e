"""A suite: every check that each registered thing of one kind must pass."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from headwater.errors import Refusal

__all__ = ["CheckFailure", "Suite", "refused", "require"]

T = TypeVar("T")


class CheckFailure(AssertionError):
    """A thing that does not keep the promise of its kind."""


@dataclass(frozen=True)
class Suite(Generic[T]):
    """The specification of one kind of thing, as checks that raise ``CheckFailure``."""

    kind: str
    checks: tuple[Callable[[T], None], ...]

    def cases(self, names: Iterable[str]) -> list[tuple[str, Callable[[T], None]]]:
        """Cross every name with every check."""
        return [(name, check) for name in names for check in self.checks]

    def failures(self, thing: T) -> list[str]:
        """Return the names of the checks that ``thing`` fails, a refusal of sound input among them."""
        return [check.__name__ for check in self.checks if not _passes(check, thing)]


def require(holds: bool, said: str) -> None:
    """Raise ``CheckFailure`` unless ``holds``."""
    if not holds:
        raise CheckFailure(said)


def refused(action: Callable[[], object], code: str) -> None:
    """Require that ``action`` is refused with ``code``."""
    try:
        action()
    except Refusal as refusal:
        require(refusal.code == code, f"refused with {refusal.code} instead of {code}")
    else:
        raise CheckFailure(f"not refused, {code} expected")


def _passes(check: Callable[[T], None], thing: T) -> bool:
    try:
        check(thing)
    except (CheckFailure, Refusal):
        return False
    return True
