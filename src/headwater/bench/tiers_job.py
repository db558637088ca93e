"""One job over three tiers that mixes clear, masked, encrypted and locally noised sources (A1)."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import headwater.adapters.tenseal  # noqa: F401  # registers its protection
from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Aggregation, Group, Mechanism, Tier, Tree, aggregate, group
from headwater.bench.figures import Figure, Size
from headwater.bench.memory import memory, peak_forgotten
from headwater.security import Span
from headwater.statistics import Statistic
from headwater.types import Fixed, SourceId

__all__ = ["Region", "figures", "measured"]

_CKKS = Mechanism("ckks")
_LOCAL = Mechanism("masked", "sender", 1.0, 1e-6)
_CITY = {"clear": (IN_CLEAR, 5), "masked": (UNDER_MASKS, 10), "ckks": (_CKKS, 5), "local": (_LOCAL, 5)}
"""How many sources of a city demand what."""

_UPWARD = (UNDER_MASKS, _CKKS, IN_CLEAR)
"""How cities speak to their province, by province in turn; provinces speak to the region under masks."""

_SPAN = Span(0, 2**16 - 1)
_L2 = 20.0
_STEP = 97


@dataclass(frozen=True)
class Region:
    """A region of so many provinces, of so many cities each."""

    provinces: int
    cities: int
    length: int

    @property
    def tree(self) -> Tree:
        """Region, provinces, cities, sources."""
        provinces = {
            f"p{turn}": tuple(f"p{turn}c{city}" for city in range(self.cities)) for turn in range(self.provinces)
        }
        tiers = (
            Tier(name, (), tuple(Tier(city, _sources(city)) for city in cities)) for name, cities in provinces.items()
        )
        return Tree(Tier("region", (), tuple(tiers)))

    def groups(self) -> tuple[Group, ...]:
        """Return the groups: exact sources in one strand, those with noise of their own in another."""
        tree = self.tree
        mine = {source: _CITY[_kind(source)][0] for source in tree.sources}
        upward = {province.name: UNDER_MASKS for province in tree.root.tiers}
        for turn, province in enumerate(tree.root.tiers):
            upward |= {city.name: _UPWARD[turn % len(_UPWARD)] for city in province.tiers}
        exact = {source: mechanism for source, mechanism in mine.items() if mechanism != _LOCAL}
        local = {source: mechanism for source, mechanism in mine.items() if mechanism == _LOCAL}
        return group(tree, exact | upward, strand="exact") + group(tree, local, strand="local")

    def contributions(self) -> dict[SourceId, Statistic]:
        """Return a vector a source, all different: windows of one, so that a thousand fit into little memory."""
        sources = self.tree.sources
        drawn = np.random.default_rng(1).integers(0, 2**16, self.length + _STEP * len(sources)).astype(np.uint64)
        return {
            source: Statistic("counts", (self.length,), drawn[_STEP * turn :][: self.length])
            for turn, source in enumerate(sources)
        }


@dataclass(frozen=True)
class _Run:
    joined: Aggregation
    seconds: float
    cpu_seconds: float
    mebibytes: float
    """Held at most beyond what was held before: with the sources' vectors, a window of one array each."""


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return A1; no data set is needed."""
    return {"A1": measured(Region(5, 8, 100_000) if size == "full" else Region(3, 3, 20_000))}


def measured(region: Region) -> Figure:
    """Run the job of a region, in clear and as its sources demand."""
    said = region.contributions()
    clear = _run(group(region.tree, dict.fromkeys(said, IN_CLEAR)), said)
    mixed = _run(region.groups(), said)
    exact, local = mixed.joined.parts["exact"], mixed.joined.parts["local"]
    wrong = int(np.not_equal(exact.total.values, _plain(said, exact.sources)).sum())
    wrong += int(np.not_equal(clear.joined.total.values, _plain(said, frozenset(said))).sum())
    told = float((local.total.values - _plain(said, local.sources)).view(np.int64).std()) / local.deviation
    whole = exact.sources | local.sources == set(said)
    return Figure(
        value=wrong,
        unit="values that differ from the plain sum",
        goal="0 in every part without noise; <= 60 s for 1,000 sources x 100,000 values",
        holds=wrong == 0 and whole and abs(told - 1) < 0.05 and mixed.cpu_seconds <= 60,
        baseline={"clear_seconds": clear.seconds, "clear_cpu_seconds": clear.cpu_seconds, **_sent(clear, "clear_")},
        n=len(said),
        note=f"{len(said)} sources x {region.length} values of 16 bits in {region.provinces} provinces of "
        f"{region.cities} cities; a city has 5 sources in clear, 10 masked, 5 encrypted, 5 with noise of their own "
        "(1, 1e-6) under masks; cities speak under masks, encrypted or in clear, provinces under masks; one process "
        "plays everybody in one thread, whose CPU seconds are held to the goal; noise: what was found in the noisy "
        "part over what it says",
        also={
            "seconds": mixed.seconds,
            "cpu_seconds": mixed.cpu_seconds,
            "peak_mebibytes_more": mixed.mebibytes,
            "noise": told,
            **_sent(mixed, ""),
        },
    )


def _sources(city: str) -> tuple[SourceId, ...]:
    return tuple(f"{city}-{kind}-{turn}" for kind, (_, count) in _CITY.items() for turn in range(count))


def _kind(source: SourceId) -> str:
    return source.split("-")[1]


def _run(groups: Sequence[Group], said: Mapping[SourceId, Statistic]) -> _Run:
    held = peak_forgotten()
    wall, cpu = time.perf_counter(), time.process_time()
    joined = aggregate(groups, said, round_id="job", entropy=secrets.token_bytes, span=_SPAN, l2=_L2)
    return _Run(joined, time.perf_counter() - wall, time.process_time() - cpu, memory("VmHWM") - held)


def _plain(said: Mapping[SourceId, Statistic], sources: frozenset[SourceId]) -> Fixed:
    total = np.zeros_like(next(iter(said.values())).values)
    for source in sources:
        total += said[source].values
    return total


def _sent(run: _Run, prefix: str) -> dict[str, float]:
    """Return megabytes sent upwards by all of a tier."""
    tiers = {"sources": "-", "cities": "c", "provinces": "p"}
    sent = dict.fromkeys(tiers, 0)
    for name, count in run.joined.bytes_sent.items():
        sent[next(tier for tier, mark in tiers.items() if mark in name)] += count
    return {f"{prefix}{tier}_megabytes": count / 1e6 for tier, count in sent.items()}
