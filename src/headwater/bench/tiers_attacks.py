"""Attacks (A9): whoever guesses does no better than a coin, whatever nobody meant is refused and leaves no trace.

Beside each stands what the same attack gets where its guard is missing: nothing is shown by an attack that never wins.
"""

from collections.abc import Mapping
from pathlib import Path

from headwater.adapters.tenseal import Ckks, KeyHolder
from headwater.bench.figures import Figure, Size
from headwater.bench.tiers_differences import Differences, of_cohorts, under_encryption
from headwater.bench.tiers_guesses import Guesses, collusion, inversion, weights
from headwater.bench.tiers_mutations import Mutated, mutated
from headwater.security import CLEAR, MASKED

__all__ = ["at_chance", "figures"]

_MUTATIONS: Mapping[Size, int] = {"ci": 2_000, "full": 100_000}
_ROUNDS: Mapping[Size, int] = {"ci": 45, "full": 900}
_DIFFERENCES: Mapping[Size, int] = {"ci": 20, "full": 500}
_BOUND = 0.4622
"""(e - 1) / (e + 1): the most that noise at ε = 1 leaves to whoever guesses which of two records it was, δ aside."""


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return A9; no data set is needed."""
    rounds, count = _ROUNDS[size], _DIFFERENCES[size]
    chance, won = at_chance(rounds), _where_unguarded(rounds)
    plain, noisy = (inversion(rounds, seen=seen, seed=24) for seen in ("sum", "noisy"))
    differences = {"cohorts": of_cohorts(count, seed=31), "encrypted": under_encryption(count, seed=32)}
    changed = mutated(_MUTATIONS[size], (CLEAR, MASKED, Ckks(KeyHolder("region"))), seed=41)
    lost = _lost(chance, noisy, differences, changed)
    return {
        "A9": Figure(
            value=float(len(lost)),
            unit="attacks that won",
            goal="0: all at chance, all refused, state unchanged",
            holds=not lost and all(guesses.interval[0] > 0 for guesses in won.values()),
            baseline={f"{name}, advantage": guesses.advantage for name, guesses in won.items()},
            n=changed.tried,
            note="advantage: twice what is right beyond half, Clopper-Pearson at 99.9 %; baseline: the same attacks "
            "where the guard is missing, or one more colludes; n: messages and words mutated, over clear, "
            "masked and ckks, all phases, server and members; a sum without noise tells what any sum does",
            also={
                "lost": lost[:20],
                "advantage": {name: guesses.to_dict() for name, guesses in chance.items()},
                "sum_of_six": plain.to_dict(),
                "noisy_sum_of_six": noisy.to_dict() | {"bound": _BOUND},
                "differences": {
                    name: {"tried": one.tried, "refused": one.refused} for name, one in differences.items()
                },
                "mutated": _told(changed),
            },
        )
    }


def at_chance(rounds: int) -> dict[str, Guesses]:
    """Return what attacks get that must be no better than a coin."""
    return {
        "collusion of as many as may": collusion(rounds, fewer=None, seed=21),
        "collusion of one fewer than open a secret": collusion(rounds, fewer=1, seed=26),
        "inversion of a masked message": inversion(rounds, seen="masked", seed=22),
        "epsilon from messages": weights(rounds * 4, how="ours", seed=23),
    }


def _where_unguarded(rounds: int) -> dict[str, Guesses]:
    """Return what the same attacks get from what is not guarded."""
    few = max(12, rounds // 10)
    return {
        "collusion of as many as open a secret": collusion(few, fewer=0, seed=21),
        "inversion of a message in clear": inversion(few, seen="clear", seed=22),
        "epsilon from messages in clear": weights(few * 4, how="clear", seed=23),
        "epsilon from weights": weights(few * 4, how="weighted", seed=23),
    }


def _lost(
    chance: Mapping[str, Guesses], noisy: Guesses, differences: Mapping[str, Differences], changed: Mutated
) -> list[str]:
    """Name the attacks that won."""
    guessed = [name for name, guesses in chance.items() if not guesses.is_chance]
    guessed += ["inversion of a noisy sum"] * (noisy.interval[0] > _BOUND)
    return guessed + [won for one in differences.values() for won in one.won] + changed.won


def _told(changed: Mutated) -> dict[str, object]:
    refused = dict(sorted(changed.refused.items()))
    return {"refused": refused, "said_before": changed.same, "other_list": changed.other_list, "won": len(changed.won)}
