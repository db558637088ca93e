"""Linear algebra of many small systems, for which threads would only wait for each other."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[object]:
    """Let BLAS work on one thread while the context is open."""
    found: AbstractContextManager[object] = _controller().limit(limits=1)
    return found


@cache
def _controller() -> ThreadpoolController:
    # To look which libraries are loaded takes longer than a small system: once in a process.
    return ThreadpoolController().select(user_api="blas")
