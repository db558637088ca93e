"""Decisions: what may stand by itself, what a person looks at, and what has no code."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.coding.learning import Model
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.reading import LONGEST, Indices
from headwater.claims.coding.reasons import REASONS
from headwater.claims.coding.reference import Reference
from headwater.claims.coding.scoring import Ranked, falling

__all__ = ["AUTO", "scripts", "table", "unfit"]

AUTO = 0.95
"""Confidence from which a code may stand by itself."""
_KNOWN = 0.1
"""Probability of being in the reference at all below which nothing is proposed."""
_TIED = 0.5
_REASONS = tuple(REASONS)
_WORD = {reason: number for number, reason in enumerate(_REASONS)}
_DECISIONS = ("auto", "review", "none")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_LATIN = re.compile(r"[a-zà-ÿ]")
_LETTER = re.compile(r"[^\W\d_]")


def _counts(text: str) -> dict[str, int]:
    """Return how many letters of each script a text has; a Chinese character counts as three, being a word."""
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    counts = {"han": 3 * han, "latin": latin, "other": len(_LETTER.findall(text)) - han - latin}
    return {script: count for script, count in counts.items() if count > 0}


def _script(text: str) -> str:
    """Return the script of most letters; none is empty."""
    counts = _counts(text)
    return max(counts, key=lambda script: counts[script], default="")


def scripts(texts: Sequence[str]) -> frozenset[str]:
    """Return the scripts in which at least one in twenty of the texts is written."""
    found, counts = np.unique([_script(text) for text in texts], return_counts=True)
    return frozenset(script for script, count in zip(found.tolist(), counts, strict=True) if 20 * count >= len(texts))


def unfit(names: Sequence[str], texts: Sequence[str], known: frozenset[str], letters: frozenset[str]) -> Indices:
    """Return (n,) numbers of the reasons why a name cannot be coded whatever the reference holds, or -1.

    Parameters
    ----------
    names : (n,) as they came
    texts : (n,) what was read of them
    known : scripts of the reference
    letters : names of the reference that have one character
    """
    found: Indices = np.full(len(names), -1, dtype=np.int64)
    for place, (name, text) in enumerate(zip(names, texts, strict=True)):
        written = _counts(text)
        if len(name) > LONGEST:
            found[place] = _WORD["long"]
        elif not written:
            found[place] = _WORD["empty"]
        elif len(squeeze([name])[0]) < 2 and text not in letters:
            found[place] = _WORD["short"]
        elif not known & written.keys():
            found[place] = _WORD["script"]
    return found


def table(
    reference: Reference, model: Model, found: Ranked, torn: npt.NDArray[np.bool_], unfit: Indices, least: float = AUTO
) -> pa.Table:
    """Return the answer to each of n names; see ``Matcher.match``. ``least`` is the confidence that is automatic."""
    fit = (unfit < 0) & (found.first >= 0)
    best = np.where(fit, found.first, 0)
    doubted = found.barred | torn[found.name]
    confidence = falling(model.calibrate(found.chance, doubted), found.name)
    top, barred, tied = _best(found, confidence, best, fit)
    none = ~fit | (found.known < _KNOWN)
    auto = ~none & ~barred & ~torn & ~tied & (top >= least)
    reason = np.select(
        [unfit >= 0, none, barred, torn, tied, auto],
        [unfit, *(np.full(len(fit), _WORD[word]) for word in ("unlike", "conflict", "torn", "tie", "sure"))],
        _WORD["unsure"],
    )
    codes = pa.array(reference.codes, pa.string())
    code = pa.array(found.code[best] if len(found.code) else np.zeros(len(fit), np.int64), pa.int64(), mask=none)
    decision = np.where(auto, 0, np.where(none, 2, 1))
    return pa.table(
        {
            "code": codes.take(code),
            "confidence": np.where(none, 0.0, top),
            "decision": pa.array(_DECISIONS).take(pa.array(decision)),
            "reason": pa.array(_REASONS).take(pa.array(reason)),
            "alternatives": _alternatives(reference, found, confidence, fit),
        }
    )


def _best(
    found: Ranked, confidence: npt.NDArray[np.float64], best: Indices, fit: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (n,) confidence of the best, whether it is in conflict, and whether the second is as good."""
    if not len(found.name):
        nothing = np.zeros(len(fit), dtype=np.bool_)
        return np.zeros(len(fit)), nothing, nothing
    second = np.minimum(best + 1, len(found.name) - 1)
    rival = (found.name[second] == found.name[best]) & (second > best)
    tied = fit & rival & (found.chance[second] > _TIED * found.chance[best])
    return np.where(fit, confidence[best], 0.0), fit & found.barred[best], tied


def _alternatives(
    reference: Reference, found: Ranked, confidence: npt.NDArray[np.float64], fit: npt.NDArray[np.bool_]
) -> pa.ListArray:
    kept = fit[found.name]
    code = pa.array(found.code[kept])
    offsets = np.searchsorted(found.name[kept], np.arange(len(fit) + 1))
    listed = pa.StructArray.from_arrays(
        [
            pa.array(reference.codes, pa.string()).take(code),
            pa.array(reference.names, pa.string()).take(code),
            pa.array(confidence[kept]),
        ],
        names=["code", "name", "confidence"],
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), listed)
