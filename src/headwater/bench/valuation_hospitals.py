"""The federations in which V7 lets sources lie: made up with unusual hospitals among them, and of real hospitals.

Made up are nine hospitals, among them a small one, one of rare cases, one of shifted cases, one whose costs hardly
vary, and a large one of which the audit opens a part of the blocks only. The others are those of the frozen suite:
ten sources each of heart disease (real), Brazilian stays (real) and DE-SynPUF (standard synthetic claims).
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.bench.valuation_attacks import KEY, Federation
from headwater.bench.valuation_families import FAMILIES, available
from headwater.statistics.recipes import derive
from headwater.types import Vector
from headwater.valuation import Target

__all__ = ["FEATURES", "MADE_UP", "drawn", "kinds", "made_up_table"]

MADE_UP = "made_up"
FEATURES = 6
_HELD_AS_REAL = ("heart_disease", "sih", "desynpuf")
_ORDINARY = (80, 150, 200, 300)
_SMALL, _UNUSUAL, _LARGE = 25, 200, 1500
_TARGET, _TARGET_OF_REAL = 300, 600
_KINDS = {"ordinary": (0, 1, 1.5), "rare": (0, 0.4, 1.5), "shifted": (1.5, 1, 1.5), "uniform": (0, 1, 0.7)}
_LABEL = "label"


def kinds(data: Path | None) -> tuple[str, ...]:
    """Return the kinds of federations that can be drawn."""
    at_hand = available(data)
    return (MADE_UP, *(name for name in _HELD_AS_REAL if name in at_hand))


def drawn(kind: str, rng: np.random.Generator, data: Path | None) -> Federation:
    """Draw a federation in which nobody lies yet."""
    if kind == MADE_UP:
        return _made_up(rng)
    pools = FAMILIES[kind].draw(rng, data)
    tables = {f"h{at}": _claims(table, f"h{at}") for at, table in enumerate(pools.sources)}
    own = _claims(pools.target.slice(0, _TARGET_OF_REAL), "target")
    features, _ = derive(own.drop_columns([_LABEL, KEY, "month"]))
    return Federation(Target.of(own, label=_LABEL, columns=features.columns, rng=rng), tables, tables)


def made_up_table(rng: np.random.Generator, beta: Vector, count: int, name: str, kind: str = "ordinary") -> pa.Table:
    """Return records of a kind of hospital in ``_KINDS``: shift and spread of its cases, noise of its labels."""
    shift, spread, noise = _KINDS[kind]
    x = shift * rng.normal(size=FEATURES) / np.sqrt(FEATURES) + spread * rng.normal(size=(count, FEATURES))
    columns: dict[str, object] = {f"x{at}": x[:, at] for at in range(FEATURES)}
    return _claims(pa.table(columns | {_LABEL: x @ beta + noise * rng.normal(size=count)}), name)


def _made_up(rng: np.random.Generator) -> Federation:
    beta = rng.normal(size=FEATURES) / np.sqrt(FEATURES)
    tables = {f"h{at}": made_up_table(rng, beta, count, f"h{at}") for at, count in enumerate(_ORDINARY)}
    tables |= {
        "large": made_up_table(rng, beta, _LARGE, "large"),
        "rare": made_up_table(rng, beta, _UNUSUAL, "rare", "rare"),
        "shifted": made_up_table(rng, beta, _UNUSUAL, "shifted", "shifted"),
        "small": made_up_table(rng, beta, _SMALL, "small"),
        "uniform": made_up_table(rng, beta, _UNUSUAL, "uniform", "uniform"),
    }
    own = made_up_table(rng, beta, _TARGET, "target")
    columns = [f"x{at}" for at in range(FEATURES)]
    return Federation(Target.of(own, label=_LABEL, columns=columns, rng=rng), tables, tables)


def _claims(records: pa.Table, name: str) -> pa.Table:
    """Return the records with a key each, and in three months."""
    places = np.arange(records.num_rows)
    return records.append_column(KEY, [[f"{name}-{at}" for at in places]]).append_column("month", [places % 3])
