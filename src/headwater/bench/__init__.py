"""Frozen, seeded measurements against the goals, each with its baselines in the same run."""

from collections.abc import Callable, Mapping
from typing import Any

from headwater.bench import claims

__all__ = ["BENCHES"]

BENCHES: Mapping[str, Callable[..., dict[str, Any]]] = {"claims": claims.run}
"""Every bench by its name."""
