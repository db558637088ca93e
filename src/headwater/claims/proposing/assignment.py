"""Which column is which field: one of each at most, by names and values together, for the table that fits best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from headwater.claims.canonical import ENTITIES, Entity, Field
from headwater.claims.proposing.evidence import Profile, fit
from headwater.claims.proposing.names import fold, name_score, table_rows, targets
from headwater.types import Vector

__all__ = ["LEAST", "Match", "Reading", "assign", "fitting_entities"]

LEAST = 0.42
"""Below this score a column is left unread."""

_LACKING = 0.25
_LEFT_OVER = 0.35
_FIXABLE = ("fixmedins_code",)


@dataclass(frozen=True)
class Match:
    """One column and what it was taken for.

    Parameters
    ----------
    target : a field's name, ``+…`` for a known thing that no field reads, or None
    score : how well it fits, from 0 to 1
    confidence : the score, less where the runner-up comes close
    runner_up : the next best target and its score
    """

    column: str
    target: str | None
    score: float
    confidence: float
    runner_up: tuple[str, float] | None = None


@dataclass(frozen=True)
class Reading:
    """A sample read as one canonical table.

    Parameters
    ----------
    missing : required fields that no column gives; the hospital's code is not among them, as it can be a constant
    score : comparable between tables for the same sample only
    """

    entity: Entity
    matches: tuple[Match, ...]
    missing: tuple[str, ...]
    score: float

    def column(self, target: str) -> str | None:
        """Return the column that was taken for a target."""
        return next((match.column for match in self.matches if match.target == target), None)


def fitting_entities(profiles: Mapping[str, Profile], *, file: str, among: Sequence[str] = ()) -> list[Reading]:
    """Return the sample read as every canonical table, the best first.

    Parameters
    ----------
    profiles : column → what its values say
    file : name of the file or sheet, whose words count too
    among : only these tables; all when empty
    """
    readings = [assign(ENTITIES[name], profiles, file=file) for name in among or ENTITIES]
    return sorted(readings, key=lambda reading: reading.score - _LACKING * len(reading.missing), reverse=True)


def assign(entity: Entity, profiles: Mapping[str, Profile], *, file: str = "") -> Reading:
    """Give every field at most one column so that the sum of scores is greatest."""
    columns, wanted = list(profiles), targets(entity.name)
    scores = _scores(entity, columns, profiles)
    fields = [place for place, target in enumerate(wanted) if not target.startswith("+") or target == "+main_oprn_name"]
    others = [place for place in range(len(wanted)) if place not in fields]
    unread = np.maximum(scores[:, others].max(axis=1, initial=0.0), LEAST)
    gain = np.hstack([scores[:, fields], np.full((len(columns), len(columns)), -1.0)])
    gain[np.arange(len(columns)), len(fields) + np.arange(len(columns))] = unread
    matches = []
    for row, place in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        chosen: int | None = fields[place] if place < len(fields) else None
        if chosen is None and others and scores[row, others].max() >= LEAST:
            chosen = others[int(scores[row, others].argmax())]
        matches.append(_match(columns[row], chosen, scores[row], wanted))
    _fill_from_the_rest(entity, matches, profiles)
    given = {match.target for match in matches}
    fixable = () if entity.name == "hospital" else _FIXABLE
    missing = tuple(f.name for f in entity.fields if f.required and f.name not in given and f.name not in fixable)
    return Reading(entity, tuple(matches), missing, _fitness(entity, matches, file))


def _fill_from_the_rest(entity: Entity, matches: list[Match], profiles: Mapping[str, Profile]) -> None:
    """Give a required field the one unread column whose values fit it, if there is exactly one; it stays doubtful."""
    given = {match.target for match in matches}
    lacking = [field for field in entity.fields if _needed(entity, field) and field.name not in given]
    if not lacking or len(lacking) > 2 or len(given - {None}) < 2:
        return
    for field in lacking:
        fitting = [
            place
            for place, match in enumerate(matches)
            if match.target is None and fit(field, profiles[match.column]).fits > 0.8 and profiles[match.column].values
        ]
        if len(fitting) == 1 and field.name not in _FIXABLE and field.type != "code":
            place = fitting[0]
            old = matches[place]
            matches[place] = Match(old.column, field.name, _LEFT_OVER, _LEFT_OVER, old.runner_up)


def _needed(entity: Entity, field: Field) -> bool:
    """Tell whether a table is of little use without this field: a required one, or the price in a list."""
    return field.required or (entity.period is None and field.name == "pric")


def _match(column: str, chosen: int | None, scores: Vector, wanted: Sequence[str]) -> Match:
    ranked = [int(place) for place in np.argsort(-scores) if place != chosen and scores[place] > 0.05]
    runner = (wanted[ranked[0]], round(float(scores[ranked[0]]), 3)) if ranked else None
    score = float(scores[chosen]) if chosen is not None else 0.0
    rival = runner[1] if runner else 0.0
    sure = score * (0.7 + 0.3 * min(1.0, max(0.0, (score - rival) / 0.3)))
    return Match(column, None if chosen is None else wanted[chosen], round(score, 3), round(sure, 3), runner)


def _scores(entity: Entity, columns: Sequence[str], profiles: Mapping[str, Profile]) -> Vector:
    fields = {field.name: field for field in entity.fields}
    wanted = targets(entity.name)
    scores = np.zeros((len(columns), len(wanted)))
    for row, column in enumerate(columns):
        for place, target in enumerate(wanted):
            name = name_score(column, entity.name, target)
            seen = fit(fields.get(target, target), profiles[column])
            scores[row, place] = _score(name, seen.fits, seen.tells)
    _add_arithmetic(entity, columns, profiles, scores)
    return scores


def _score(name: float, fits: float, tells: float) -> float:
    if fits < 0.15:
        return 0.35 * name * (0.4 + fits)
    if name == 0.0:
        return 0.55 * tells * fits
    return min(1.0, name * (0.45 + 0.55 * fits) + 0.15 * tells)


def _add_arithmetic(entity: Entity, columns: Sequence[str], profiles: Mapping[str, Profile], scores: Vector) -> None:
    """Let sums and products speak: amount = quantity times price, total = fund plus patient."""
    wanted = targets(entity.name)
    if entity.name == "fee_line":
        found, roles = _triple(columns, profiles, np.multiply), ("cnt", "pric", "det_item_fee_sumamt")
    elif "fund_pay_sumamt" in wanted:
        found, roles = _triple(columns, profiles, np.add), ("fund_pay_sumamt", "psn_selfpay", "medfee_sumamt")
    else:
        return
    if found is None:
        return
    one, other, result = found
    for row, targets_of in ((one, roles[:2]), (other, roles[:2]), (result, roles[2:])):
        for target in targets_of:
            scores[row, wanted.index(target)] = min(1.0, scores[row, wanted.index(target)] + 0.25)


def _triple(columns: Sequence[str], profiles: Mapping[str, Profile], join: np.ufunc) -> tuple[int, int, int] | None:
    """Return the rows of two columns and of the one that joins them in nearly every row."""
    usable = [
        row
        for row, column in enumerate(columns)
        if profiles[column].shapes["number"] > 0.8 and len(profiles[column].values) > 3
    ][:14]
    for place, one in enumerate(usable):
        for other in usable[place + 1 :]:
            joined = join(profiles[columns[one]].numbers, profiles[columns[other]].numbers)
            for result in usable:
                if result not in (one, other) and _equal(
                    joined, profiles[columns[result]].numbers, join is np.multiply
                ):
                    return one, other, result
    return None


def _equal(joined: Vector, result: Vector, in_fen_too: bool) -> bool:
    if len(joined) != len(result):
        return False
    known = ~np.isnan(joined) & ~np.isnan(result)
    if known.sum() < 5:
        return False
    factors = (1.0, 100.0) if in_fen_too else (1.0,)
    return any(
        bool((np.abs(factor * joined[known] - result[known]) <= 0.011 * factor).mean() > 0.9) for factor in factors
    )


def _fitness(entity: Entity, matches: Sequence[Match], file: str) -> float:
    """Weigh required fields, columns explained, fields filled, and words in the file's name."""
    got = {match.target: match.score for match in matches if match.target and not match.target.startswith("+")}
    required = [field.name for field in entity.fields if field.required and field.name not in _FIXABLE]
    needed = (
        sum(got.get(name, 0.0) for name in required) / len(required) if required else got.get("fixmedins_code", 0.0)
    )
    explained = sum(got.values()) / max(len(matches), 1)
    breadth = sum(got.values()) / len(entity.fields)
    return needed + 0.6 * explained + 0.4 * breadth + 0.3 * _hinted(entity.name, file)


def _hinted(entity: str, file: str) -> float:
    """Return how much of a file's name speaks for a table: the longest word counts."""
    text = fold(file)
    words = {row["entity"]: row["words"].split("|") for row in table_rows("entities")}
    longest = {
        name: max((len(fold(word)) for word in listed if len(word) > 1 and fold(word) in text), default=0)
        for name, listed in words.items()
    }
    most = max(longest.values())
    return longest[entity] / most if most else 0.0
