"""Frozen, seeded measurements against the goals, each with its baselines in the same run."""

from collections.abc import Callable
from typing import Any

from headwater.bench import claims, coding, evolution, faults, frameworks, grouping, ledger, quality, tiers, valuation
from headwater.registry import Registry

__all__ = ["BENCHES"]

BENCHES: Registry[Callable[..., dict[str, Any]]] = Registry("bench")
"""Every bench by its name."""

BENCHES.register("claims")(claims.run)
BENCHES.register("coding")(coding.run)
BENCHES.register("evolution")(evolution.run)
BENCHES.register("faults")(faults.run)
BENCHES.register("frameworks")(frameworks.run)
BENCHES.register("grouping")(grouping.run)
BENCHES.register("ledger")(ledger.run)
BENCHES.register("quality")(quality.run)
BENCHES.register("tiers")(tiers.run)
BENCHES.register("valuation")(valuation.run)
