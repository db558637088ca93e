"""Whether what was read of a saved matcher is one: a damaged or forged one would answer, and answer wrong."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.comparing import feature_names
from headwater.claims.coding.kinds import KINDS, Kind
from headwater.claims.coding.learning import Model
from headwater.claims.coding.reference import Reference, parsed
from headwater.claims.coding.wording import Wording

__all__ = ["check"]

_LARGEST = 1e6
_PROBE = "阿片 1g*2(甲)"


def check(kind: str, reference: Reference, model: Model, wording: Wording | None) -> None:
    """Raise ValueError, TypeError or KeyError unless all parts fit each other and every figure is sensible."""
    known = KINDS[kind]
    _same(model.weights.shape == (len(feature_names(known)),), "weights")
    _finite(np.append(model.weights, model.outside), -_LARGEST, _LARGEST)
    for curve in (model.sound, model.barred):
        _same(curve.ndim == 2 and curve.shape[0] == 2 and curve.shape[1] > 1, "curve")
        _finite(curve, 0, 1)
        _same(bool((np.diff(curve, axis=1) >= 0).all()), "rising curve")
    _codes(reference)
    _entries(known, reference)
    if wording is not None:
        _wording(reference, wording)


def _codes(reference: Reference) -> None:
    _texts(reference.codes)
    _texts(reference.names)
    _same(all(reference.codes) and reference.codes == sorted(set(reference.codes)), "codes")
    _same(len(reference.names) == len(reference.codes), "names")
    sizes = np.diff(reference.start)
    _same(len(sizes) == len(reference.entries.text) and len(sizes) > 0 and bool((sizes > 0).all()), "sizes")
    _same(len(reference.code) == len(reference.weight) == int(reference.start[-1]), "weights of codes")
    _finite(reference.weight, 1e-9, 1e12)
    _finite(reference.code.astype(np.float64), 0, len(reference.codes) - 1)


def _entries(kind: Kind, reference: Reference) -> None:
    """Check that entries have the values of their kind, and that each can be compared."""
    probe = parsed({field: [_PROBE] for field in ("name", *kind.fields)}, kind)
    values = reference.entries.values
    _same(values.keys() == probe.values.keys(), "attributes")
    for texts in (reference.entries.text, *values.values()):
        _same(len(texts) == len(reference.entries.text), "length")
        _texts(texts)
    for attribute in kind.attributes:
        example = probe.values[attribute.name][0]
        for value in set(values[attribute.name]) - {""} if example else ():
            attribute.compare(example, value)


def _wording(reference: Reference, wording: Wording) -> None:
    pairs, judge = wording.pairs, wording.judge
    for texts in (pairs.name, pairs.code, pairs.source):
        _texts(texts)
    _same(set(pairs.code) <= set(reference.codes), "codes of names")
    width = judge.weights.shape
    _same(len(width) == 1 and judge.centre.shape == judge.spread.shape == width, "judge")
    _same(judge.raw.ndim == 1 and judge.raw.shape == judge.share.shape and len(judge.raw) > 1, "judge's curve")
    for figures, least, most in (
        (judge.centre, -_LARGEST, _LARGEST),
        (judge.spread, 1e-9, _LARGEST),
        (judge.weights, -_LARGEST, _LARGEST),
        (judge.trust, -_LARGEST, _LARGEST),
        (judge.raw, 0, 1),
        (judge.share, 0, 1),
    ):
        _finite(figures, least, most)
    _same(bool((np.diff(judge.raw) >= 0).all() and (np.diff(judge.share) >= 0).all()), "judge's rising curve")
    # The widths of all tables meet only here; whatever does not fit raises.
    wording.answers([_PROBE])


def _texts(texts: Sequence[str]) -> None:
    _same(all(isinstance(text, str) and "\n" not in text for text in texts), "texts")


def _finite(figures: npt.NDArray[np.float64], least: float, most: float) -> None:
    _same(bool(np.isfinite(figures).all() and (figures >= least).all() and (figures <= most).all()), "figures")


def _same(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
