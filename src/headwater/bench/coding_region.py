"""C1: items of the simulated region as hospitals with unseen seeds spell them, corrupted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rapidfuzz import fuzz, process
from sklearn.feature_extraction.text import TfidfVectorizer

from headwater.bench.coding_corruptions import CORRUPTIONS, Row, corrupted
from headwater.bench.figures import Figure, Size
from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.local import local_items
from headwater.simulation.reference import Item, items

__all__ = ["Judged", "judge", "region_figure", "reliability"]

_KINDS = ("drug", "consumable", "service")
_SEEDS: Mapping[Size, tuple[int, ...]] = {"ci": (811, 812), "full": tuple(range(801, 811))}
_HOSPITALS: Mapping[Size, int] = {"ci": 4, "full": 12}
_BASELINE_ROWS = 2_000
_BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """Answers beside the truth: (n,) whether the first code is right, automatic, and how confident it is."""

    right: Flags
    automatic: Flags
    confidence: npt.NDArray[np.float64]

    def shares(self) -> dict[str, float]:
        """Return top-1, the automatic share, and the share of all that is automatic and wrong."""
        wrong = self.automatic & ~self.right
        return {
            "n": len(self.right),
            "top1": float(self.right.mean()) if len(self.right) else 0.0,
            "automatic": float(self.automatic.mean()) if len(self.right) else 0.0,
            "wrong_automatic": float(wrong.mean()) if len(self.right) else 0.0,
        }

    def where(self, chosen: Flags) -> "Judged":
        """Return some of the answers."""
        return Judged(self.right[chosen], self.automatic[chosen], self.confidence[chosen])


def judge(answers: pa.Table, truth: Sequence[str]) -> Judged:
    """Hold answers against true codes."""
    right = np.array([code == true for code, true in zip(answers["code"].to_pylist(), truth, strict=True)], np.bool_)
    automatic = np.array([decision == "auto" for decision in answers["decision"].to_pylist()], np.bool_)
    return Judged(right, automatic, answers["confidence"].to_numpy())


def reliability(judged: Judged) -> list[dict[str, float]]:
    """Return, for each range of confidence, the mean confidence and the share that is right."""
    place = np.clip(np.searchsorted(_BINS, judged.confidence, side="right") - 1, 0, len(_BINS) - 2)
    table = []
    for number in range(len(_BINS) - 1):
        inside = place == number
        if inside.any():
            mean, right = float(judged.confidence[inside].mean()), float(judged.right[inside].mean())
            table.append({"from": _BINS[number], "n": int(inside.sum()), "confidence": mean, "right": right})
    return table


def _of(kind: str) -> list[Item]:
    return [item for item in items() if item.kind == kind]


def _row(item: Item, name: str, spec: str) -> dict[str, str]:
    drug = item.kind == "drug"
    return {
        "name": name,
        "spec": spec,
        "dosform_name": item.form,
        "material": item.material,
        "prodentp_name": item.maker,
        "aprvno": item.licence if drug else "",
        "regno": "" if drug else item.licence,
        "unit": item.unit,
    }


def _delivered(size: Size, kind: str) -> Iterator[tuple[Item, Row, tuple[str, ...]]]:
    for seed in _SEEDS[size]:
        region = Region(hospitals=_HOSPITALS[size], months=1, stays=1000, seed=seed)
        for hospital in roster(region):
            local = local_items(region, hospital)
            rng = np.random.default_rng([seed, hospital.number])
            for place, item in enumerate(items()):
                if item.kind == kind and local.carried[place]:
                    row, names = corrupted(_row(item, local.name[place], local.spec[place]), rng)
                    yield item, row, names


def region_figure(size: Size) -> Figure:
    """Return C1; the reference is the region's list, nothing else is known beforehand."""
    judged: list[Judged] = []
    named: list[tuple[str, ...]] = []
    anonymous: list[dict[str, float]] = []
    absent: list[dict[str, float]] = []
    baselines: list[dict[str, float]] = []
    by_kind: dict[str, Any] = {}
    for kind in _KINDS:
        matcher = Matcher.fit(region_reference(kind), kind=kind)
        chosen, rows, names = zip(*_delivered(size, kind), strict=True)
        truth = [item.code for item in chosen]
        judged.append(judge(matcher.match(pa.Table.from_pylist(list(rows))), truth))
        named += names
        by_kind[kind] = judged[-1].shares()
        baselines.append(_baselines(kind, rows, truth))
        anonymous.append(_without_maker(matcher, rows, chosen))
        absent.append(_absent(kind, rows, truth))
    whole = Judged(*(np.concatenate([getattr(part, name) for part in judged]) for name in Judged.__match_args__))
    shares, others = whole.shares(), {"nobody": _joined(anonymous), "absent": _joined(absent)}
    by_corruption = {name: whole.where(np.array([name in drawn for drawn in named])).shares() for name in CORRUPTIONS}
    return Figure(
        value=shares["top1"],
        unit="top-1",
        goal=">= 0.99 at >= 0.98 automatic, wrong automatic <= 0.001",
        holds=shares["top1"] >= 0.99 and shares["automatic"] >= 0.98 and shares["wrong_automatic"] <= 0.001,
        baseline={name: float(np.mean([found[name] for found in baselines])) for name in baselines[0]},
        n=int(shares["n"]),
        note="synthetic region, hospitals with unseen seeds, none to two corruptions a row on top of local spellings; "
        "right is the region's own code. Two makers sell the same drug under two codes, so a row keeps its maker (in "
        "its column or the name) or its approval number. Rows with neither are told under nobody: right is any code of "
        "the same drug; automatic and wrong is one taken of several equal ones. Absent: three in ten codes taken out "
        "of the reference, their items asked",
        also={**shares, "by_kind": by_kind, **others, "reliability": reliability(whole), "by": by_corruption},
    )


def _baselines(kind: str, rows: Sequence[Row], truth: Sequence[str]) -> dict[str, float]:
    """Return top-1 of two usual ways on some of the rows, over name, specification and maker as one text."""
    known = _of(kind)
    texts = [f"{item.name} {item.spec} {item.maker}" for item in known]
    some = np.random.default_rng(0).permutation(len(rows))[: _BASELINE_ROWS // len(_KINDS)].tolist()
    asked = [f"{rows[place]['name']} {rows[place]['spec']} {rows[place]['prodentp_name']}" for place in some]
    grams = TfidfVectorizer(analyzer="char", ngram_range=(3, 3)).fit(texts)
    nearest = {
        "rapidfuzz_wratio": process.cdist(asked, texts, scorer=fuzz.WRatio).argmax(1),
        "tfidf_3grams": np.asarray((grams.transform(asked) @ grams.transform(texts).T).toarray()).argmax(1),
    }
    return {
        name: float(np.mean([known[best].code == truth[place] for best, place in zip(found, some, strict=True)]))
        for name, found in nearest.items()
    }


def _without_maker(matcher: Matcher, rows: Sequence[Row], chosen: Sequence[Item]) -> dict[str, float]:
    """Return what becomes of uncorrupted rows that tell neither maker nor licence."""
    unique = list(dict.fromkeys(chosen))
    asked = [{"name": item.name, "spec": item.spec, "dosform_name": item.form} for item in unique]
    answers = matcher.match(pa.Table.from_pylist(asked)).to_pylist()
    by_code = {item.code: item for item in unique}
    same = [(item.kind, item.name, item.spec) for item in unique]
    several = np.array([same.count(key) > 1 for key in same])
    found = [by_code.get(answer["code"] or "") for answer in answers]
    right = np.array(
        [item is not None and (item.kind, item.name, item.spec) == key for item, key in zip(found, same, strict=True)]
    )
    automatic = np.array([answer["decision"] == "auto" for answer in answers])
    return {
        "n": float(len(unique)),
        "with_equals": float(several.sum()),
        "right": float(right.sum()),
        "automatic": float(automatic.sum()),
        "automatic_and_wrong": float((automatic & (several | ~right)).sum()),
    }


def _absent(kind: str, rows: Sequence[Row], truth: Sequence[str]) -> dict[str, float]:
    """Return how many items are coded as something else when their own code is not in the reference."""
    reference = region_reference(kind)
    gone = np.random.default_rng(_SEEDS["ci"][0]).random(len(reference)) < 0.3
    matcher = Matcher.fit(reference.filter(pa.array(~gone)), kind=kind)
    missing = set(reference.filter(pa.array(gone))["code"].to_pylist())
    asked = [dict(row) for row, code in zip(rows, truth, strict=True) if code in missing]
    decisions = matcher.match(pa.Table.from_pylist(asked))["decision"].to_pylist()
    return {"n": float(len(asked)), "automatic": float(decisions.count("auto")), "none": float(decisions.count("none"))}


def _joined(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(part[name] for part in parts) for name in parts[0]}
