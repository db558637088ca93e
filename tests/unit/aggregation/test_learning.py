"""What is learnt does not depend on how sums climb: in the clear, or under masks through cities to the region."""

from itertools import count

import pytest

from headwater.aggregation import UNDER_MASKS, Tree, aggregate, group
from headwater.checks.learners import FEATURES, records
from headwater.checks.protections import seeded_entropy
from headwater.federation import Boosting, InProcess, Solved, learn
from headwater.statistics import Bins, Growth, Statistic

BINS = Bins.quantiles(FEATURES.transform(records("numbers", 100, seed=70))[:, 1:], 5)
LEARNERS = {"trees": Boosting(BINS, Growth(trees=1, depth=2)), "ridge": Solved(FEATURES.dim)}


@pytest.mark.parametrize("name", LEARNERS)
def test_masked_through_three_tiers_the_same_bits_are_learnt(name):
    tables = {f"h{seed}": records("numbers", 30 + seed, seed=seed) for seed in range(6)}
    tree = Tree.of({source: "north" if source < "h3" else "south" for source in tables}, root="region")
    groups, turn = group(tree, dict.fromkeys(tables, UNDER_MASKS)), count()

    def climbing(said):
        joined = aggregate(groups, said, round_id=f"{name}-{next(turn)}", entropy=seeded_entropy(3))
        return joined.total

    masked, plain = (
        learn(LEARNERS[name], InProcess.of(tables), features=FEATURES, target="y", combine=combine)
        for combine in (climbing, lambda said: Statistic.total(said.values()))
    )
    assert masked.parameters.tobytes() == plain.parameters.tobytes()
    assert next(turn) == masked.rounds == plain.rounds
