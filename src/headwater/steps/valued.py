"""What a valuation leaves behind: a line a source, one row of what was chosen, and a run in MLflow."""

from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property

import duckdb
import numpy as np

from headwater.adapters import mlflow
from headwater.adapters.features import Region
from headwater.adapters.knowledge import Run
from headwater.errors import Message
from headwater.steps.choose import Played
from headwater.types import SourceId, Vector
from headwater.valuation import Approach
from headwater.valuation.utilities import Information, PrivateSums, Sums

__all__ = ["SourceValue", "Told", "chosen", "entry", "protection_of", "rows", "run_before"]


@dataclass(frozen=True)
class SourceValue:
    """One source's line.

    Parameters
    ----------
    value, low, high : its value and what sampling coalitions left open, or noise and scatter where only sums left, in
        the report's unit
    bytes : exchanged with it, questions and answers together
    rank, rank_low, rank_high, stability : its place from 1, the ends of 95 % of it and the probability of this very
        place, as far as sampling left them open
    judged_low, judged_high, judged_rank_low, judged_rank_high, judged_stability : the same where other judging records
        might have been drawn besides; None where that is not known
    cost : in the budget's unit
    reason : why it was chosen or left out
    findings : what is suspicious about its statistic
    """

    source: SourceId
    city: str
    stays: int
    value: float
    low: float
    high: float
    selected: bool
    bytes: int
    rank: int
    rank_low: int
    rank_high: int
    stability: float
    judged_low: float | None
    judged_high: float | None
    judged_rank_low: int | None
    judged_rank_high: int | None
    judged_stability: float | None
    cost: float
    reason: Message
    findings: tuple[Message, ...] = ()


@dataclass(frozen=True, eq=False)
class Told:
    """A valuation with the occasion it belongs to."""

    run: Run
    task: str
    month: date
    region: Region
    approach: Approach
    played: Played

    @cached_property
    def lines(self) -> tuple[SourceValue, ...]:
        """One line a source, by falling value."""
        costs = self.played.budget.of(self.played.valuation.players)
        ranked = self.played.valuation.ranked()
        return tuple(self._line(source, rank, costs) for rank, source in enumerate(ranked, start=1))

    @property
    def method(self) -> str:
        """How values were found; the lake has always called the methods over statistics by their own names."""
        return self.played.valuation.method.removeprefix("statistics/")

    @property
    def unit(self) -> str:
        """Of the values."""
        return "nats" if isinstance(self.approach.utility, Information) else "R²"

    @property
    def protection(self) -> str:
        """What hid the answers."""
        return protection_of(self.approach)

    def _line(self, source: SourceId, rank: int, costs: Vector) -> SourceValue:
        played, region = self.played, self.region
        valuation, rejudged = played.valuation, played.rejudged
        place = valuation.players.index(source)
        ranks, stability = valuation.ranks, valuation.stability
        if ranks is None or stability is None:
            raise ValueError("the valuation has no ranks")
        return SourceValue(
            source=source,
            city=region.cities[source],
            stays=region.stays[source],
            value=float(valuation.values[place]),
            low=float(valuation.low[place]),
            high=float(valuation.high[place]),
            selected=source in played.selection.chosen,
            bytes=valuation.exchange.bytes_of(source),
            rank=rank,
            rank_low=int(ranks[place, 0]),
            rank_high=int(ranks[place, 1]),
            stability=float(stability[place]),
            judged_low=float(rejudged.low[place]) if rejudged else None,
            judged_high=float(rejudged.high[place]) if rejudged else None,
            judged_rank_low=int(rejudged.ranks[place, 0]) if rejudged else None,
            judged_rank_high=int(rejudged.ranks[place, 1]) if rejudged else None,
            judged_stability=float(rejudged.stability[place]) if rejudged else None,
            cost=float(costs[place]),
            reason=played.selection.reasons[source],
            findings=tuple(finding.message for finding in played.findings.get(source, ())),
        )


def protection_of(approach: Approach) -> str:
    """Return the name of what hides the answers."""
    utility = approach.utility
    hidden = utility.protection if isinstance(utility, Sums | PrivateSums) else None
    return str(getattr(hidden, "name", "clear"))


def rows(told: Told) -> list[dict[str, object]]:
    """Return the rows of the lake's table ``valuation``."""
    common = {
        "run": told.run.name,
        "as_of": told.run.as_of,
        "snapshot": told.region.data.snapshot,
        "method": told.method,
        "unit": told.unit,
        "cost_unit": told.played.budget.unit,
    }
    return [common | _row(line) for line in told.lines]


def _row(line: SourceValue) -> dict[str, object]:
    told = asdict(line)
    del told["reason"], told["findings"]
    return told | {
        "reason_zh": line.reason.zh,
        "reason_en": line.reason.en,
        "finding_zh": "".join(one.zh for one in line.findings) or None,
        "finding_en": " ".join(one.en for one in line.findings) or None,
    }


def chosen(told: Told) -> dict[str, object]:
    """Return the row of the lake's table ``selection``."""
    played, selection = told.played, told.played.selection
    rejudged = played.rejudged
    return {
        "run": told.run.name,
        "as_of": told.run.as_of,
        "snapshot": told.region.data.snapshot,
        "method": told.method,
        "concept": played.valuation.concept,
        "unit": told.unit,
        "protection": told.protection,
        "version": played.valuation.version,
        "evaluations": played.valuation.evaluations,
        "seconds": played.valuation.seconds,
        "judging_records": rejudged.records if rejudged else None,
        "chosen": list(selection.chosen),
        "gains": list(selection.gains),
        "utility": _finite(selection.utility),
        "spent": selection.cost,
        "budget": played.budget.limit,
        "budget_unit": played.budget.unit,
        **_certificate(told),
        **_exchange(told),
        **{f"r2_{name}": number for name, number in played.r2.items()},
        "refused": _refused(told),
        "small": [{"source": source, "stays": stays} for source, stays in told.region.small.items()],
    }


def entry(told: Told, *, before: str | None) -> mlflow.Entry:
    """Return the run as MLflow keeps it.

    Parameters
    ----------
    before : the run that valued the month before, its parent
    """
    played, region, month = told.played, told.region, f"{told.month:%Y-%m}"
    return mlflow.Entry(
        experiment=f"{told.task}_value",
        title=f"{region.name} {month} {told.run.name}",
        run=f"{told.run.name}/value/{told.task}/{region.name}/{month}",
        at=told.run.at,
        data=region.data,
        metrics=_metrics(told),
        params={
            "method": told.method,
            "protection": told.protection,
            "budget": f"{played.budget.limit:g}",
            "budget_unit": played.budget.unit,
            "month": month,
            "seed": str(told.run.seed),
            "snapshot": str(region.data.snapshot),
        },
        tags={
            "headwater.step": "value",
            "headwater.region": region.name,
            "headwater.currency": region.currency,
            "headwater.origin": " ".join(region.origins),
            "headwater.month": month,
            **({"headwater.parent_run": before} if before else {}),
        },
        artifacts={
            "sources.json": {
                "sources": [asdict(line) for line in told.lines],
                "selection": {"chosen": list(played.selection.chosen), **_certificate(told)},
                "exchange": _exchange(told),
                "refused": {one["source"]: one for one in _refused(told)},
                "small": dict(region.small),
            }
        },
    )


def _metrics(told: Told) -> dict[str, float]:
    played, selection = told.played, told.played.selection
    certified = {"bound": selection.certificate.bound, "share_of_best": selection.share}
    return {
        **{f"r2_{name}": number for name, number in played.r2.items()},
        **(certified if np.isfinite(selection.certificate.bound) else {}),
        "spent": selection.cost,
        "sources": len(told.lines),
        "selected": len(selection.chosen),
        "evaluations": played.valuation.evaluations,
        "bytes_per_source": max(line.bytes for line in told.lines),
    }


def run_before(connection: duckdb.DuckDBPyConnection, told: Told) -> str | None:
    """Return the MLflow run of the month valued before, None before there was any."""
    row = connection.execute(
        "SELECT mlflow_run FROM lake.knowledge.selection WHERE task = $task AND region = $region AND month < $month "
        "ORDER BY month DESC LIMIT 1",
        {"task": told.task, "region": told.region.name, "month": told.month},
    ).fetchone()
    return None if row is None else str(row[0])


def _certificate(told: Told) -> dict[str, object]:
    """Return how far from the best the choice can be; where no bound is known or returns were not tried, None."""
    selection = told.played.selection
    certificate, found = selection.certificate, selection.returns
    is_known = bool(np.isfinite(certificate.bound))
    return {
        "bound": certificate.bound if is_known else None,
        "share": selection.share if is_known else None,
        "proof_zh": certificate.proof.zh,
        "proof_en": certificate.proof.en,
        "is_conditional": certificate.conditional,
        "algorithm": selection.algorithm,
        "ratio": _finite(found.ratio),
        "ratio_low": _finite(found.low),
        "ratio_high": _finite(found.high),
        "diminish": found.diminish if np.isfinite(found.violated) else None,
    }


def _finite(value: float) -> float | None:
    """Return the number, None for an infinite one and for NaN: JSON knows neither."""
    return value if np.isfinite(value) else None


def _exchange(told: Told) -> dict[str, object]:
    exchange = told.played.valuation.exchange
    return {
        "bytes": sum(exchange.bytes_of(source) for source in exchange.asked),
        "attributable": sum(exchange.attributable.values()),
        **{name: getattr(exchange, name) for name in ("rounds", "epsilon", "leverage")},
    }


def _refused(told: Told) -> list[dict[str, str]]:
    return [
        {
            "source": source,
            "code": error.code,
            "reason_zh": error.reason.zh,
            "reason_en": error.reason.en,
            "remedy_zh": error.remedy.zh,
            "remedy_en": error.remedy.en,
        }
        for source, error in told.played.refused.items()
    ]
