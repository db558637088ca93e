"""Fit: a kind's matcher for one reference and the pairs that people have labelled, judged, kept and registered."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater import __version__
from headwater.adapters.home import Home
from headwater.adapters.references import Reference
from headwater.adapters.reviews import Ruling
from headwater.claims.coding import Matcher
from headwater.errors import Refusal

__all__ = ["Fitted", "Scores", "corrupted", "fitted", "labelled", "scored", "version_of"]

_HELD_OUT = 500
_SEED = 20260101
_SLIPS = (("(", "（"), (")", "）"), ("*", "×"), ("mg", "MG"), ("ml", "mL"), ("注射液", "针"), ("胶囊", "胶囊剂"))


@dataclass(frozen=True)
class Fitted:
    """A matcher that is ready to answer; ``is_new`` when this run fitted it."""

    matcher: Matcher
    version: str
    is_new: bool


@dataclass(frozen=True)
class Scores:
    """How a matcher does on names of its reference that were written carelessly, (n,) of them.

    Parameters
    ----------
    top1 : share whose best code is right
    automatic : share answered without asking
    wrong_automatic : share of those that are wrong
    """

    n: int
    top1: float
    automatic: float
    wrong_automatic: float


def labelled(rulings: Sequence[Ruling], reference: Reference) -> pa.Table:
    """Return the pairs that people decided, ``name``, ``code`` and attributes, whose codes the reference has."""
    codes = set(reference.table.column("code").to_pylist())
    mine = [ruling for ruling in rulings if ruling.kind == reference.kind and ruling.code in codes]
    attributes = sorted({name for ruling in mine for name in ruling.attributes})
    columns = {name: pa.array([ruling.attributes.get(name) for ruling in mine], pa.string()) for name in attributes}
    return pa.table(
        {
            "name": pa.array([ruling.name for ruling in mine], pa.string()),
            "code": pa.array([ruling.code for ruling in mine], pa.string()),
            **columns,
        }
    )


def version_of(reference: Reference, pairs: pa.Table) -> str:
    """Return the digest of what makes a matcher what it is: another release fits anew from the same."""
    rows = sorted(repr(sorted(row.items())) for row in pairs.to_pylist())
    return hashlib.sha256(repr((__version__, reference.kind, reference.version, rows)).encode()).hexdigest()[:16]


def fitted(home: Home, reference: Reference, pairs: pa.Table, *, now: datetime, snapshot: int) -> Fitted:
    """Return the matcher of this reference and these pairs: the kept one, or a new one, judged and registered."""
    version = version_of(reference, pairs)
    folder = home.matchers / reference.kind / version
    if folder.is_dir():
        # What another release has written is fitted anew.
        with suppress(Refusal):
            return Fitted(Matcher.load(folder), version, is_new=False)
    matcher = Matcher.fit(reference.table, pairs if pairs.num_rows else None, kind=reference.kind)
    _keep(home, folder, matcher, reference, pairs=pairs.num_rows, seen=(now, snapshot))
    return Fitted(matcher, version, is_new=True)


def _keep(
    home: Home, folder: Path, matcher: Matcher, reference: Reference, *, pairs: int, seen: tuple[datetime, int]
) -> None:
    # MLflow takes seconds to import, and most runs fit nothing.
    from headwater.adapters import matchers
    from headwater.adapters.features import DataSeen
    from headwater.adapters.mlflow import Entry

    version, (now, snapshot) = folder.name, seen
    scores = scored(matcher, reference, seed=_SEED)
    entry = Entry(
        experiment="coding",
        title=f"{reference.kind} {version}",
        run=version,
        at=now,
        data=DataSeen(f"reference.{reference.kind}", snapshot, reference.version, reference.table.num_rows),
        metrics={
            "top1": scores.top1,
            "automatic": scores.automatic,
            "wrong_automatic": scores.wrong_automatic,
            "held_out": float(scores.n),
            "labelled_pairs": float(pairs),
        },
        params={"kind": reference.kind, "matcher_version": version, "reference_version": reference.version},
        tags={"headwater.reference": reference.version, "headwater.labelled_pairs": str(pairs)},
    )
    matchers.keep(home, entry, kind=reference.kind, folder=folder, save=matcher.save)


def scored(matcher: Matcher, reference: Reference, *, seed: int) -> Scores:
    """Ask for names of the reference as a careless hand would write them; none of them was seen when it was fitted."""
    rng = np.random.default_rng(seed)
    size = min(_HELD_OUT, reference.table.num_rows)
    chosen = reference.table.take(pa.array(rng.choice(reference.table.num_rows, size=size, replace=False)))
    truth = chosen.column("code").to_pylist()
    names = [corrupted(name or "", rng) for name in chosen.column("name").to_pylist()]
    asked = chosen.drop_columns(["code"]).set_column(chosen.column_names.index("name") - 1, "name", pa.array(names))
    answers = matcher.match(asked)
    right = np.array([code == true for code, true in zip(answers.column("code").to_pylist(), truth, strict=True)])
    automatic = np.array([decision == "auto" for decision in answers.column("decision").to_pylist()])
    wrong = float((~right & automatic).sum() / max(int(automatic.sum()), 1))
    return Scores(size, float(right.mean()), float(automatic.mean()), wrong)


def corrupted(name: str, rng: np.random.Generator) -> str:
    """Return a name with one slip: another sign of the same meaning, a blank, a letter lost or two exchanged."""
    fitting = [(old, new) for old, new in _SLIPS if old in name]
    if fitting and rng.random() < 0.5:
        old, new = fitting[rng.integers(len(fitting))]
        return name.replace(old, new)
    letters = [place for place, sign in enumerate(name) if sign.isalpha()]
    # A digit more or less is another strength, and of two letters none can be spared.
    if len(letters) < 3:
        return f" {name} "
    place = int(letters[rng.integers(len(letters) - 1)])
    how = rng.integers(3)
    if how == 0:
        return name[:place] + " " + name[place:]
    if how == 1:
        return name[:place] + name[place + 1 :]
    return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
