"""Figure C2: charge names of Californian hospitals to HCPCS level II codes, learned from some, asked of others.

The codes are the hospitals' own labels, and hospitals do not agree. CPT codes are left out: a level II code is a letter
and four digits.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rapidfuzz import fuzz, process
from sklearn.feature_extraction.text import TfidfVectorizer

from headwater.bench.figures import Figure, Size
from headwater.claims.coding import Matcher
from headwater.claims.coding.wording.sources import folds

__all__ = ["Answer", "Charge", "charges", "charges_figure", "macro"]

_FILE = "ca_cdm/cdm_dev.parquet"
_GOAL = 10.0
_DIFFERING = 0.02
"""Share of automatic answers that may differ from the labels, wrong or a matter of taste in half the cases."""
_ASKED = 8
# The fold with most codes stands for all where time is short.
_FOLDS: Mapping[Size, tuple[int, ...]] = {"ci": (2,), "full": (0, 1, 2, 3, 4)}
# One code in so many is taken, drawn by hash, with all its names.
_CODES: Mapping[Size, int] = {"ci": 2, "full": 1}
_WRATIO_ASKED: Mapping[Size, int] = {"ci": 30, "full": 500}
_FEW = 8
_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1.01)
_ROWS = """
    select hospital_id, name, code from (
        select oshpd_id hospital_id, upper(trim(regexp_replace(description, '\\s+', ' ', 'g'))) as name,
            upper(trim(regexp_replace(hcpcs, '[.]0$', ''))) as code
        from read_parquet(?)
    ) where regexp_matches(code, '^[A-V][0-9]{4}$') and name <> ''
    group by all order by all
"""


@dataclass(frozen=True)
class Charge:
    """One distinct name of a hospital, its code there, and the fold of the hospital."""

    hospital: str
    name: str
    code: str
    fold: int


@dataclass(frozen=True)
class Answer:
    """What was said of a charge; ``taught`` tells whether any other hospital uses its code."""

    charge: Charge
    code: str | None
    confidence: float
    decision: str
    taught: bool


def charges_figure(size: Size, data: Path | None) -> Figure:
    """Return macro top-1 of codes that other hospitals use too, in points above the better of the two baselines."""
    goal = f">= {_GOAL} points of macro top-1 above WRatio and TF-IDF 3-grams; wrong-automatic <= 1 % after inspection"
    file = None if data is None else data / _FILE
    if file is None or not file.is_file():
        return Figure(None, "points", goal, False, note="the charge masters of ca_cdm are not there (--data)")
    every = [charge for charge in charges(file) if int(_draw(charge.code), 16) % _CODES[size] == 0]
    answers, base, asked_of_wratio = _asked(every, size)
    ours = macro(answers)
    points = {name: 100 * (ours - macro(told)) for name, told in base.items()}
    gap = min(points["tfidf_3grams"], points["wratio"])
    also = _also(answers, base, size)
    return Figure(
        value=gap,
        unit="points",
        goal=goal,
        holds=gap >= _GOAL and also["automatic_that_differ_from_the_label"] <= _DIFFERING,
        baseline={name: macro(told) for name, told in base.items()},
        n=sum(answer.taught for answer in answers),
        note=f"real charge masters of {len({charge.hospital for charge in every})} hospitals with such codes, those "
        f"that print one list kept together, folds {list(_FOLDS[size])} of 5 held out, one in {_CODES[size]} codes, "
        f"drawn by hash; at most {_ASKED} names a code and hospital are asked. "
        "Names whose code no other hospital uses count as wrong where they are automatic, "
        f"and in no top-1. WRatio was asked for {asked_of_wratio} of the names, drawn by hash, and like "
        f"tfidf_3grams_few against at most {_FEW} names a code and hospital: a fairer twin, and no part of the goal. "
        "Automatic answers that differ from the hospital's own label are judged in docs/coding-disagreements.md",
        also=also | {"bound": _bound(every)},
    )


def _also(answers: Sequence[Answer], base: Mapping[str, Sequence[Answer]], size: Size) -> dict[str, Any]:
    automatic = [answer for answer in answers if answer.decision == "auto"]
    taught = [answer for answer in answers if answer.taught]
    drawn = {answer.charge for answer in base["wratio"]}
    return {
        "macro_top_1": macro(answers),
        "macro_top_1_by_fold": [
            {"matcher": macro(_of(fold, answers)), **{name: macro(_of(fold, told)) for name, told in base.items()}}
            for fold in _FOLDS[size]
        ],
        "macro_top_1_where_wratio_was_asked": macro([answer for answer in answers if answer.charge in drawn]),
        "micro_top_1": _micro(taught),
        "codes": len({answer.charge.code for answer in taught}),
        "codes_no_other_hospital_uses": len({a.charge.code for a in answers if not a.taught}),
        "names_whose_code_no_other_hospital_uses": len(answers) - len(taught),
        "automatic": len(automatic) / max(len(answers), 1),
        "automatic_that_differ_from_the_label": 1 - _micro(automatic) if automatic else 0.0,
        "reliability": _reliability(answers),
    }


def charges(file: Path) -> list[Charge]:
    """Return the distinct names of each hospital with level II codes, in the order of the text."""
    rows = duckdb.connect().execute(_ROWS, [str(file)]).fetchall()
    fold = folds([name for _, name, _ in rows], [hospital for hospital, _, _ in rows])
    return [Charge(one, name, code, number) for (one, name, code), number in zip(rows, fold.tolist(), strict=True)]


def macro(answers: Sequence[Answer]) -> float:
    """Return the mean over codes of the share of a code's names that are answered rightly; codes not taught are out."""
    asked: Counter[str] = Counter(answer.charge.code for answer in answers if answer.taught)
    right = Counter(a.charge.code for a in answers if a.taught and a.code == a.charge.code)
    return sum(right[code] / count for code, count in asked.items()) / max(len(asked), 1)


def _asked(every: Sequence[Charge], size: Size) -> tuple[list[Answer], dict[str, list[Answer]], int]:
    ours: list[Answer] = []
    base: dict[str, list[Answer]] = {"tfidf_3grams": [], "tfidf_3grams_few": [], "wratio": []}
    for fold in _FOLDS[size]:
        taught = [charge for charge in every if charge.fold != fold]
        asked = _most([charge for charge in every if charge.fold == fold], _ASKED)
        known = {charge.code for charge in taught}
        ours += _answers(taught, asked, known)
        few = sorted(asked, key=lambda charge: _draw(charge.name))[: _WRATIO_ASKED[size]]
        fewer = _most(taught, _FEW)
        for name, nearest, known_by, names in (
            ("tfidf_3grams", _tfidf, taught, asked),
            ("tfidf_3grams_few", _tfidf, fewer, asked),
            ("wratio", _wratio, fewer, few),
        ):
            code = nearest(known_by, [charge.name for charge in names])
            base[name] += [Answer(a, b, 0, "", a.code in known) for a, b in zip(names, code, strict=True)]
    return ours, base, len(base["wratio"])


def _answers(taught: Sequence[Charge], asked: Sequence[Charge], known: set[str]) -> list[Answer]:
    """Return what the matcher says; a code's representative name is its most frequent one, then its shortest."""
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for charge in taught:
        names[charge.code][charge.name] += 1
    shown = {code: min(count, key=lambda name: (-count[name], len(name), name)) for code, count in names.items()}
    reference = pa.table({"code": sorted(shown), "name": [shown[code] for code in sorted(shown)]})
    columns = {"name": "name", "code": "code", "source_id": "hospital"}
    labelled = pa.table({column: [getattr(charge, of) for charge in taught] for column, of in columns.items()})
    matcher = Matcher.fit(reference, labelled, kind="service")
    got = matcher.match(pa.table({"name": [charge.name for charge in asked]}))
    told = zip(asked, *(got[name].to_pylist() for name in ("alternatives", "confidence", "decision")), strict=True)
    return [
        Answer(charge, best[0]["code"] if best else None, confidence, decision, charge.code in known)
        for charge, best, confidence, decision in told
    ]


def _tfidf(taught: Sequence[Charge], names: Sequence[str]) -> list[str]:
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(3, 3))
    known = vectors.fit_transform([charge.name for charge in taught]).T.tocsr()
    asked = vectors.transform(names)
    near = [(asked[start : start + 200] @ known).toarray().argmax(axis=1) for start in range(0, len(names), 200)]
    return [taught[place].code for place in np.concatenate(near).tolist()]


def _wratio(taught: Sequence[Charge], names: Sequence[str]) -> list[str]:
    known = [charge.name for charge in taught]
    found = [process.extractOne(name, known, scorer=fuzz.WRatio) for name in names]
    return [taught[place].code for _, _, place in found]


def _most(every: Sequence[Charge], most: int) -> list[Charge]:
    """Return at most ``most`` names of each hospital and code, drawn by the hash of the name."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for charge in sorted(every, key=lambda charge: (_draw(charge.name), charge.hospital, charge.code)):
        seen[charge.hospital, charge.code] += 1
        if seen[charge.hospital, charge.code] <= most:
            kept.append(charge)
    return kept


def _of(fold: int, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.charge.fold == fold]


def _draw(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _micro(answers: Sequence[Answer]) -> float:
    return sum(answer.code == answer.charge.code for answer in answers) / max(len(answers), 1)


def _reliability(answers: Sequence[Answer]) -> list[dict[str, float]]:
    """Return stated confidence and share of right answers by bins of confidence, codes nobody taught included."""
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array([answer.code == answer.charge.code for answer in answers])
    table = []
    for low, high in zip(_BINS, _BINS[1:], strict=False):
        mine: npt.NDArray[np.bool_] = (confidence >= low) & (confidence < high)
        if mine.any():
            stated, found = float(confidence[mine].mean()), float(right[mine].mean())
            table.append({"from": low, "n": int(mine.sum()), "stated": stated, "right": found})
    return table


def _bound(every: Sequence[Charge]) -> dict[str, Any]:
    """Return what no matcher can pass: names that hospitals, or one hospital, give several codes."""
    by_name: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    inside: dict[tuple[str, str], set[str]] = defaultdict(set)
    for charge in every:
        by_name[charge.name][charge.fold].add(charge.code)
        inside[charge.hospital, charge.name].add(charge.code)
    shared = [codes for codes in by_name.values() if len(codes) > 1]
    return {
        "names_in_several_folds": len(shared),
        "of_them_with_different_codes": sum(len(set.union(*codes.values())) > 1 for codes in shared),
        "names_of_a_hospital": len(inside),
        "of_them_with_several_codes": sum(len(codes) > 1 for codes in inside.values()),
    }
