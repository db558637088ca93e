"""Lessons: the reference misspelled, and names whose codes are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.coding.blocking import Floats
from headwater.claims.coding.comparing import feature_names
from headwater.claims.coding.corrupting import corrupt
from headwater.claims.coding.kinds import Kind, Parsed
from headwater.claims.coding.learning import Model, Task, calibrated, learned, prior
from headwater.claims.coding.reading import Indices, column
from headwater.claims.coding.reference import Reference, parsed, rows_of
from headwater.claims.coding.scoring import ranked
from headwater.claims.coding.wording import Pairs, Wording, learnable

if TYPE_CHECKING:
    from headwater.claims.coding.matcher import Matcher

__all__ = ["Lessons", "Taught", "fitted", "lessons", "taught", "unlearned", "worded"]

_MISSPELLED = 3000
_LABELLED = 6000
_ABSENT = 0.12
_WORDED = ("service", "consumable")
_SOURCES = ("source_id", "fixmedins_code")


@dataclass(frozen=True)
class Taught:
    """Names whose codes are known: l rows, or none."""

    codes: list[str]
    names: list[str]
    said: Parsed | None

    def joined(self, said: Parsed) -> Parsed:
        """Return the reference's rows with these below."""
        if self.said is None:
            return said
        values = {name: [*said.values[name], *self.said.values[name]] for name in said.values}
        return Parsed([*said.text, *self.said.text], values, np.append(said.torn, self.said.torn))


@dataclass(frozen=True)
class Lessons:
    """Names to learn from.

    Parameters
    ----------
    names : (n,) as a hospital might write them
    codes : (n,) the right ones
    own : (n,) the entry that a labelled name became, which must not help it; -1 for misspelled references
    """

    names: Parsed
    codes: list[str]
    own: Indices


def unlearned(kind: Kind) -> Model:
    """Return what is believed of a kind before anything was learned."""
    return prior(feature_names(kind))


def taught(kind: Kind, labelled: pa.Table | None, codes: Sequence[str], said: Parsed) -> Taught:
    """Read labelled names; what they do not say of themselves is taken from the reference of their code."""
    if labelled is None or not len(labelled):
        return Taught([], [], None)
    given, fields = rows_of(labelled, kind)
    first = {code: place for place, code in reversed(list(enumerate(codes)))}
    # However often a pair is told, it is told once: repetition must not outvote the reference's own name.
    told = {(code, *(fields[field][place] for field in sorted(fields))): place for place, code in enumerate(given)}
    kept = [place for (code, *_), place in told.items() if code in first]
    if not kept:
        return Taught([], [], None)
    read = parsed({field: [texts[place] for place in kept] for field, texts in fields.items()}, kind)
    home = [first[given[place]] for place in kept]
    values = {
        name: [own or said.values[name][place] for own, place in zip(listed, home, strict=True)]
        for name, listed in read.values.items()
    }
    # The reference's own name stays the one that is shown.
    names = [fields["name"][place] for place in kept]
    return Taught([given[place] for place in kept], names, Parsed(read.text, values, read.torn))


def worded(
    kind: Kind, labelled: pa.Table | None, codes: Sequence[str], names: Sequence[str], seed: int
) -> Wording | None:
    """Return what labelled names in Latin words teach; None where there are too few, or in other letters."""
    if labelled is None or kind.name not in _WORDED or not len(labelled):
        return None
    given, fields = rows_of(labelled, kind)
    known = set(codes)
    told = next((name for name in _SOURCES if name in labelled.column_names), None)
    source = [b""] * len(given) if told is None else column(labelled, told).to_pylist()
    kept = sorted(
        {
            (code, (place or b"").decode("utf-8", "replace"), name)
            for code, place, name in zip(given, source, fields["name"], strict=True)
            if code in known
        }
    )
    pairs = Pairs([name for _, _, name in kept], [code for code, _, _ in kept], [place for _, place, _ in kept])
    if not learnable(pairs.name):
        return None
    return Wording.taught(pairs, Pairs(names, codes, [""] * len(codes)), seed)


def lessons(
    kind: Kind,
    codes: Sequence[str],
    fields: Mapping[str, Sequence[str]],
    taught: Taught,
    row: Indices,
    rng: np.random.Generator,
) -> Lessons:
    """Return misspelled references, and labelled names as they are; ``row`` is the entry of each row of both."""
    order = sorted(
        range(len(codes)), key=lambda place: (codes[place], *(fields[name][place] for name in sorted(fields)))
    )
    drawn = [order[place] for place in rng.integers(len(order), size=min(_MISSPELLED, 12 * len(order))).tolist()]
    names = parsed(corrupt({name: [texts[place] for place in drawn] for name, texts in fields.items()}, rng), kind)
    found = Taught([codes[place] for place in drawn], [], names)
    own: Indices = np.full(len(drawn), -1, dtype=np.int64)
    if taught.said is None:
        return Lessons(names, found.codes, own)
    some = rng.permutation(len(taught.codes))[:_LABELLED]
    values = {name: [listed[place] for place in some] for name, listed in taught.said.values.items()}
    part = Parsed([taught.said.text[place] for place in some], values, taught.said.torn[some])
    both = Taught([], [], part).joined(names)
    own = np.append(own, row[len(codes) :][some])
    return Lessons(both, [*found.codes, *(taught.codes[place] for place in some)], own)


def fitted(matcher: "Matcher", lessons: Lessons, seed: int) -> Model:
    """Return weights learned from all lessons, calibrated on answers of weights that had not seen their half.

    One name in eight is asked as if its code were not in the reference, so that "none of these" is learned too.
    """
    reference, count = matcher.reference, len(lessons.codes)
    number = {code: place for place, code in enumerate(reference.codes)}
    truth = np.array([number[code] for code in lessons.codes], dtype=np.int64)
    pairs, features, barred = matcher.pairs(lessons.names)
    share = _share(reference, pairs.entry, truth[pairs.name])
    rng = np.random.default_rng(seed + 1)
    absent = rng.random(count) < _ABSENT
    half = rng.random(count) < 0.5
    kept = ~((absent[pairs.name] & (share > 0)) | (lessons.own[pairs.name] == pairs.entry))
    pairs, features, barred, share = pairs.where(kept), features[kept], barred[kept], share[kept]
    names = feature_names(matcher.kind)
    chance, right, against = [], [], []
    for mine in (half, ~half):
        model = learned(_task(features, pairs.name, share, mine), names)
        other = ~mine[pairs.name]
        few = pairs.where(other)
        best = ranked(reference, few, model.chances(features[other], few.name, count), barred[other], count)
        top = best.first[best.first >= 0]
        chance.append(best.chance[top])
        against.append(best.barred[top])
        right.append((best.code[top] == truth[best.name[top]]) & ~absent[best.name[top]])
    model = learned(_task(features, pairs.name, share, np.ones(count, dtype=np.bool_)), names)
    return calibrated(model, *(np.concatenate(part) for part in (chance, right, against)))


def _task(features: Floats, name: Indices, share: Floats, mine: npt.NDArray[np.bool_]) -> Task:
    chosen = mine[name]
    return Task(features[chosen], (np.cumsum(mine) - 1)[name[chosen]], share[chosen], int(mine.sum()))


def _share(reference: Reference, entry: Indices, code: Indices) -> Floats:
    """Return (p,) the share of a code in an entry."""
    width = len(reference.codes)
    owner = np.repeat(np.arange(len(reference.start) - 1), np.diff(reference.start))
    key = owner * width + reference.code
    total = np.add.reduceat(reference.weight, reference.start[:-1])
    asked = entry * width + code
    place = np.minimum(np.searchsorted(key, asked), len(key) - 1)
    return np.asarray(np.where(key[place] == asked, reference.weight[place] / total[entry], 0.0))
