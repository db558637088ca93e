"""C4: how long a matcher takes, warm, and how real drug names fare when they are misspelled."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.bench.coding_corruptions import corrupted
from headwater.bench.coding_region import judge
from headwater.bench.figures import Figure, Size
from headwater.claims.coding import Matcher
from headwater.simulation.reference import items

__all__ = ["speed_figure"]

_REFERENCES = 13_000
_NEW = 10_000
_SPELLINGS = 6_000
_LINES = 1_000_000
_DISTINCT: Mapping[Size, int] = {"ci": 5_000, "full": 200_000}
_REPEATS = 3
_REAL_LIST = Path("nhsa_ref") / "nhsa_drug_codes_from_rules.csv"
Rng = np.random.Generator


def speed_figure(size: Size, *, data: Path | None) -> Figure:
    """Return C4 over a made-up list in the size of the national one; real names, where they lie, are told beside."""
    rng = np.random.default_rng(20260704)
    reference = _made_up(rng)
    started = time.perf_counter()
    matcher = Matcher.fit(pa.Table.from_pylist(reference), kind="drug")
    fit_seconds = time.perf_counter() - started
    new, truth = _asked(reference, _NEW, rng)
    matcher.match(new.slice(0, 100))
    seconds, cpu = min(_timed(matcher, new) for _ in range(_REPEATS))
    spelled, _ = _asked(reference, _SPELLINGS, rng)
    lines = spelled.take(pa.array(rng.integers(_SPELLINGS, size=_LINES)))
    lines_seconds, lines_cpu = _timed(matcher, lines)
    distinct = _distinct(spelled, _DISTINCT[size])
    distinct_seconds, distinct_cpu = _timed(matcher, distinct)
    return Figure(
        value=seconds,
        unit="s",
        goal="<= 2 for 10,000 new names x 13,000 references, <= 60 for 1,000,000 fee-line names",
        holds=seconds <= 2 and lines_seconds <= 60,
        n=_NEW,
        note="wall time, warm, the best of three for the new names; a made-up drug list (names of the synthetic region "
        f"with makers, strengths and packs drawn at random); fee lines repeat {_SPELLINGS:,} spellings, as bills do",
        also={
            "cpu_seconds": cpu,
            "fit_seconds": fit_seconds,
            "fee_lines": {"n": _LINES, "distinct": _SPELLINGS, "seconds": lines_seconds, "cpu_seconds": lines_cpu},
            "all_distinct": {"n": len(distinct), "seconds": distinct_seconds, "cpu_seconds": distinct_cpu},
            "answers": judge(matcher.match(new), truth).shares(),
            "real_names": _real_names(data, size),
        },
    )


def _timed(matcher: Matcher, table: pa.Table) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    matcher.match(table)
    return time.perf_counter() - wall, time.process_time() - cpu


def _made_up(rng: Rng) -> list[dict[str, str]]:
    """Return drugs that differ in maker, strength or pack, no two alike."""
    drugs = [item for item in items() if item.kind == "drug"]
    makers = [f"{first}{second}制药有限公司" for first in "楚云青澍砚霁泓栎葭穆" for second in "源泽屏禾川和屿坪湖岭"]
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    while len(rows) < _REFERENCES:
        drug = drugs[int(rng.integers(len(drugs)))]
        strength, _, pack = drug.spec.partition("*")
        pieces = int(rng.choice([6, 7, 10, 12, 14, 20, 24, 28, 30, 36, 48, 60, 100]))
        spec = f"{strength}*{pieces}{pack.lstrip('0123456789')}"
        maker = makers[int(rng.integers(len(makers)))]
        code = f"X{len(rows):022d}"
        row = {"code": code, "name": drug.name, "spec": spec, "dosform_name": drug.form, "prodentp_name": maker}
        rows.setdefault((drug.name, spec, maker), {**row, "aprvno": f"楚药准字H{30000000 + len(rows)}"})
    return list(rows.values())


def _asked(reference: Sequence[Mapping[str, str]], count: int, rng: Rng) -> tuple[pa.Table, list[str]]:
    """Return misspelled rows without their approval numbers, and their codes."""
    rows, truth = [], []
    for place in rng.integers(len(reference), size=count).tolist():
        row, _ = corrupted({"material": "", "regno": "", **reference[place]}, rng)
        rows.append({name: row[name] for name in ("name", "spec", "dosform_name", "prodentp_name")})
        truth.append(reference[place]["code"])
    return pa.Table.from_pylist(rows), truth


def _distinct(spelled: pa.Table, count: int) -> pa.Table:
    """Return rows of which no two are alike: each name carries a running number of its own."""
    table = spelled.take(pa.array(np.arange(count) % len(spelled)))
    names = [f"{name}({number}号窗口)" for number, name in enumerate(table["name"].to_pylist())]
    return table.set_column(0, "name", pa.array(names))


def _real_names(data: Path | None, size: Size) -> dict[str, Any]:
    """Return how misspelled names of the national list fare; several codes share a name, so any of them is right."""
    file = data / _REAL_LIST if data else None
    if file is None or not file.is_file():
        return {"skipped": "the national list is not there; say where with --data"}
    with file.open(encoding="utf-8-sig", newline="") as opened:
        named = {row["国家药品代码"]: row["通用名"] for row in csv.DictReader(opened)}
    matcher = Matcher.fit(pa.table({"code": list(named), "name": list(named.values())}), kind="drug")
    names = sorted(set(named.values()))
    rng = np.random.default_rng(7)
    drawn = [names[place] for place in rng.integers(len(names), size=500 if size == "ci" else 10_000).tolist()]
    blank = dict.fromkeys(("spec", "dosform_name", "material", "prodentp_name", "aprvno", "regno"), "")
    asked = pa.table({"name": [corrupted({**blank, "name": name}, rng)[0]["name"] for name in drawn]})
    answers = matcher.match(asked)
    found = [named.get(code or "") for code in answers["code"].to_pylist()]
    single = [list(named.values()).count(name) == 1 for name in names]
    automatic = [decision == "auto" for decision in answers["decision"].to_pylist()]
    wrong = sum(auto and one != other for auto, one, other in zip(automatic, found, drawn, strict=True))
    return {
        "references": len(named),
        "names": len(names),
        "names_of_one_code": sum(single),
        "n": len(drawn),
        "same_name": float(np.mean([one == other for one, other in zip(found, drawn, strict=True)])),
        "automatic": float(np.mean(automatic)),
        "wrong_automatic": wrong / len(drawn),
    }
