"""Bench ``ledger``: A5, what is accounted over what is true, debits that race, and black boxes held to their claims."""

from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size, report
from headwater.bench.ledger_audit import audits
from headwater.bench.ledger_exact import ratios
from headwater.bench.ledger_race import race

__all__ = ["run"]

_GOAL = (
    "<= 1.02 x exact on closed-form cases, 0 overspends in racing debits with kill -9 between debit and release, "
    "black-box audit never above the claimed epsilon"
)


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench; nothing of it needs data."""
    return report("ledger", size, {"A5": _figure(size)}, project=Home.from_environment().project)


def _figure(size: Size) -> Figure:
    exact, raced, audited = ratios(size), race(size), audits(size)
    honest = max(audited["squares"], audited["score"])
    caught = min(audited["squares_half_noise"], audited["score_half_noise"])
    return Figure(
        value=exact["worst"],
        unit="accounted epsilon over exact epsilon, worst case",
        goal=_GOAL,
        holds=exact["least"] >= 0.999999
        and exact["worst"] <= 1.02
        and raced["overspends"] == 0
        and honest <= audited["claim"] < caught,
        baseline={
            "sum of all epsilon, worst": exact["worst_naive_sum"],
            "dp-accounting's own composition, worst": exact["worst_library"],
            "races of 20 that a naive ledger overspends": raced["naive_races_overspent_of_20"],
        },
        n=raced["tried"],
        note="delta 1e-6; debits of whole runs by four programs on a server of their own; audits by Clopper-Pearson at "
        "95 %, twins have half the noise and must be caught",
        also={"exact": exact, "race": raced, "audit": audited},
    )
