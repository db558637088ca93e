"""Regions: which of them have enough sources for knowledge to be worth joining."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = ["Regions", "regions"]


@dataclass(frozen=True)
class Regions:
    """Regions of the feature mart.

    Parameters
    ----------
    usable : those with at least ``min_sources`` sources, by name
    small : the others, with the number of sources they have
    """

    usable: tuple[str, ...]
    small: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """Return both lists as JSON-safe values."""
        return {"usable": list(self.usable), "small": dict(self.small)}


def regions(home: Home, *, task: str = "stay_cost", min_sources: int = 2, min_stays: int = 100) -> Regions:
    """List the regions whose sources can be valued for ``task``.

    Parameters
    ----------
    min_sources : fewer sources leave nothing to choose among
    min_stays : fewer stays make no source

    Raises
    ------
    Refusal
        ``E-FEATURE-MART`` without the mart, ``E-NO-REGION`` when no region has enough sources
    """
    with lake.connect(home) as connection:
        try:
            rows = connection.execute(_COUNTS.format(mart=f'"feat_{task}"'), {"min_stays": min_stays}).fetchall()
        except duckdb.CatalogException as error:
            raise Refusal(
                "E-FEATURE-MART",
                Message(f"没有特征表 feat_{task}。", f"There is no feature mart feat_{task}."),
                Message("请先运行 headwater build。", "Run headwater build first."),
            ) from error
    found = Regions(
        usable=tuple(name for name, sources in rows if sources >= min_sources),
        small={name: sources for name, sources in rows if sources < min_sources},
    )
    if not found.usable:
        raise Refusal(
            "E-NO-REGION",
            Message(
                f"没有任何统筹区拥有至少 {min_sources} 家、每家至少 {min_stays} 人次的来源。",
                f"No region has {min_sources} sources of {min_stays} stays each.",
            ),
            Message("请先接入更多投递。", "Land more deliveries first."),
        )
    return found


_COUNTS = """
SELECT region, count(*) FILTER (WHERE stays >= $min_stays)
FROM (
    SELECT region, source_id, hospital, count(*) AS stays
    FROM lake.marts.{mart}
    WHERE split = 'source'
    GROUP BY ALL
)
GROUP BY region
ORDER BY region
"""
