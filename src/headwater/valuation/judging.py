r"""How sure values are beside what sampling left open: other judging records of the same target might have been drawn.

R² is one minus a ratio of sums over the judging records, and Shapley values are linear in the game. So every source has
a value for every single judging record, the Shapley value of minus its squared error, and a resample of the records is
a product of matrices; nothing is solved twice:

.. math:: \varphi_p(w) = \frac{\sum_i w_i D_{pi}}{\sum_i w_i (y_i - \bar y_w)^2}, \quad
          D_{pi} = \sum_S c_{pS} \bigl(e_i(S)^2 - e_i(S \cup p)^2\bigr)

with :math:`w` the multinomial counts of a bootstrap (Efron 1979). Up to 12 sources D is exact, above it is the mean
over random orders and their reverses; what that leaves open cancels, as only differences from the given values count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import TypeAlias

import numpy as np
from scipy.stats import rankdata

from headwater.statistics.blas import one_thread
from headwater.types import Masks, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.statistics import GramUtility
from headwater.valuation.valuation import Valuation

__all__ = ["Rejudged", "rejudged", "worth_by_record"]

_EXACT_UP_TO = 12
_COALITIONS = 20_000
_MOST_ORDERS = 200
_CHUNK = 512
_NORMAL_95 = 1.959964

_Errors: TypeAlias = Callable[[Vector], Vector]
"""(m, dim) coefficients to (m, records) squared errors."""


@dataclass(frozen=True, eq=False)
class Rejudged:
    """Values under other judging records, and under what sampling coalitions left open besides.

    Parameters
    ----------
    low, high : (players,) ends of 95 % of the values, in R²
    ranks : (players, 2) first and last rank of each within 95 %, 1 being the best
    stability : (players,) share of the resamples in which each has the rank that its value gives it
    records : judging records
    """

    low: Vector
    high: Vector
    ranks: Vector
    stability: Vector
    records: int


def rejudged(
    game: GramUtility, target: Target, valuation: Valuation, *, rng: np.random.Generator, resamples: int = 1_000
) -> Rejudged:
    """Draw the judging records of the target again and again and tell how far values and ranks move.

    Parameters
    ----------
    game : that was valued, of the same players in the same order
    valuation : Shapley values in R² of that game
    """
    if game.players != valuation.players:
        raise ValueError("game and valuation are of different players")
    labels = target.question.labels(target.valid)
    worth = worth_by_record(game, target, rng=rng)
    counts = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=resamples).astype(np.float64)
    squares = counts @ labels**2 - (counts @ labels) ** 2 / len(labels)
    # A rare label may be drawn away altogether: then there is nothing to explain.
    kept = squares > 1e-9 * float(np.square(labels - labels.mean()).sum())
    moved = counts[kept] @ worth.T / squares[kept, None] - worth.sum(axis=1) / np.square(labels - labels.mean()).sum()
    spread = (valuation.high - valuation.low) / (2 * _NORMAL_95)
    draws = valuation.values + moved + spread * rng.normal(size=moved.shape)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    ranks, own = rankdata(-draws, method="ordinal", axis=1), rankdata(-valuation.values, method="ordinal")
    ends = np.quantile(ranks, [0.025, 0.975], axis=0, method="closest_observation").T
    return Rejudged(low, high, ends.astype(np.float64), (ranks == own).mean(axis=0), len(labels))


def worth_by_record(game: GramUtility, target: Target, *, rng: np.random.Generator) -> Vector:
    """Return (players, judging records): the Shapley value of each player in minus the squared error of each record."""
    features, labels = target.question.feature_map.transform(target.valid), target.question.labels(target.valid)
    players = len(game.players)

    def errors(coefficients: Vector) -> Vector:
        return np.asarray(np.square(labels - coefficients @ features.T))

    with one_thread():
        if players <= _EXACT_UP_TO:
            return _exactly(game, errors, players, len(labels))
        orders = max(2, min(_MOST_ORDERS, _COALITIONS // players) // 2 * 2)
        return _by_orders(game, errors, players, (orders, len(labels)), rng)


def _exactly(game: GramUtility, errors: _Errors, players: int, records: int) -> Vector:
    masks = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(np.bool_)
    weights = _weights(masks)
    worth = np.zeros((players, records))
    for start in range(0, len(masks), _CHUNK):
        part = slice(start, start + _CHUNK)
        worth -= weights[part].T @ errors(_solved(game, masks[part].astype(np.float64)))
    return worth


def _by_orders(
    game: GramUtility, errors: _Errors, players: int, size: tuple[int, int], rng: np.random.Generator
) -> Vector:
    orders, records = size
    worth = np.zeros((players, records))
    for _ in range(orders // 2):
        order = rng.permutation(players)
        for arriving in (order, order[::-1]):
            before = errors(_solved(game, np.zeros((1, players))))[0]
            for start in range(0, players, _CHUNK):
                joining = arriving[start : start + _CHUNK]
                there = np.zeros((len(joining), players))
                there[:, arriving[:start]] = 1.0
                there[:, joining] = np.tri(len(joining))
                after = errors(_solved(game, there))
                worth[joining] += np.vstack([before, after[:-1]]) - after
                before = after[-1]
    return worth / orders


def _weights(masks: Masks) -> Vector:
    """Return (coalitions, players): by what each coalition's utility enters each player's Shapley value."""
    players = masks.shape[1]
    sizes = masks.sum(axis=1)
    share = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    joined, alone = share[np.maximum(sizes - 1, 0)], share[np.minimum(sizes, players - 1)]
    return np.asarray(np.where(masks, joined[:, None], -alone[:, None]))


def _solved(game: GramUtility, members: Vector) -> Vector:
    """Return (m, dim) coefficients of the target with (m, players) members."""
    systems = game.systems
    flat = systems.reshape(len(systems), -1)
    joint = (flat[0] + members @ flat[1:]).reshape(-1, *systems.shape[1:])
    return np.asarray(np.linalg.solve(joint[:, :, :-1], joint[:, :, -1:])[:, :, 0])
