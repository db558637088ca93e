"""A federation is asked, valued and accounted for, whatever some of its sources do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.statistics import FeatureMap, Numeric
from headwater.valuation import Approach, Statistics, Target, approaches, value


def records(count: int, seed: int, *, noise: float = 0.5, sign: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    y = sign * (x @ [1.0, -2.0, 0.5]) + noise * rng.normal(size=count)
    return pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})


TARGET = Target.of(records(60, 0, noise=2.0), label="y", rng=np.random.default_rng(0))
TABLES = {
    "good": records(80, 1),
    "noisy": records(80, 2, noise=6.0),
    "turned": records(80, 3, sign=-1.0),
    "few": records(5, 4),
}


def valued(tables=TABLES, **options):
    return value(InProcess.of(tables), TARGET, rng=np.random.default_rng(1), **options)


def test_faults_show_and_everything_is_accounted_for():
    found = valued()
    assert found.ranked()[0] == "good"
    assert found.ranked()[-1] == "turned"
    assert found.of("turned") < 0 < found.of("good")
    assert found.method == "statistics/exact"
    question = TARGET.question
    answers = {name: question.of(table).nbytes for name, table in TABLES.items()}
    assert max(answers.values()) <= 8 * (4 * 5 // 2 + 4 + 3) + 16
    assert found.exchange.asked == dict.fromkeys(TABLES, question.nbytes)
    assert found.exchange.answered == found.exchange.attributable == answers
    assert found.exchange.bytes_of("few") == question.nbytes + answers["few"]
    assert (found.exchange.rounds, found.exchange.epsilon, found.exchange.leverage) == (1, 0.0, 1.0)
    assert found.seconds > 0
    assert found.feature_map == TARGET.features.to_json()
    np.testing.assert_array_equal(found.stability, 1.0)
    np.testing.assert_array_equal(found.ranks[found.players.index("good")], [1, 1])


def test_ranks_of_doubtful_values_are_doubtful():
    twins = {name: records(40, 9) for name in "abc"} | {"far": records(80, 3, sign=-1.0)}
    found = valued(twins, method="permutation", budget=4 * 8)
    assert found.ranks.shape == (4, 2)
    assert found.stability[3] == 1.0
    assert (found.ranks[:, 0] <= found.ranks[:, 1]).all()


def test_features_can_be_given():
    features = FeatureMap((Numeric("a", 0.0, 1.0),))
    assert valued(feature_map=features).feature_map == features.to_json()
    assert valued(feature_map="linear").feature_map == TARGET.features.to_json()


@pytest.mark.parametrize("options", [{"method": "guess"}, {"method": "statistics/guess"}, {"feature_map": "guess"}])
def test_unknown_names_are_refused_with_the_known_ones(options):
    with pytest.raises(Refusal, match="E-UNKNOWN-NAME.*Known"):
        valued(**options)


def test_every_short_name_is_read():
    assert {"auto", "exact", "permutation", "statistics"} <= set(approaches())
    assert valued(method="statistics/permutation").method == "statistics/permutation"


def test_all_refused_is_refused_with_every_reason():
    with pytest.raises(Refusal) as caught:
        valued({"h1": TABLES["good"].drop_columns(["a"]), "h2": TABLES["good"].slice(0, 1)})
    assert caught.value.code == "E-VALUE-SOURCES"
    assert all(source in caught.value.reason.en and source in caught.value.reason.zh for source in ("h1", "h2"))


def test_a_utility_is_an_approach():
    np.testing.assert_array_equal(valued(method=Statistics()).values, valued(method=Approach(Statistics())).values)


@pytest.mark.parametrize(
    ("code", "slip"),
    [
        ("E-UNKNOWN-NAME.*Statistics is no way", {"method": Statistics}),
        ("E-UNKNOWN-NAME.*NoneType", {"method": None}),
        ("E-VALUE-RNG.*default_rng.5.", {"rng": 5}),
        ("E-VALUE-RNG", {"rng": np.random.RandomState(0)}),
        ("E-VALUE-RNG", {"rng": None}),
        ("E-VALUE-TARGET.*DataFrame.*Target.of", {"target": pd.DataFrame({"a": [1]})}),
        ("E-VALUE-TARGET", {"target": records(5, 0)}),
        ("E-VALUE-BUDGET.*whole", {"budget": "10"}),
        ("E-VALUE-BUDGET.*whole", {"budget": 10.5}),
        ("E-VALUE-BUDGET.*above", {"budget": 10**12}),
        ("E-VALUE-BUDGET.*above", {"budget": 10**12, "method": "permutation"}),
        ("E-VALUE-BUDGET.*above", {"budget": 10**12, "method": "mean_field"}),
    ],
)
def test_slips_are_refused_in_words_before_anyone_is_asked(code, slip):
    class Unasked:
        source_ids = tuple(TABLES)

        def send(self, to, question):
            raise AssertionError("nobody is to be asked")

    options = {"target": TARGET, "rng": np.random.default_rng(1)} | slip
    with pytest.raises(Refusal, match=code):
        value(Unasked(), options.pop("target"), **options)


def test_a_seed_does_not_split_a_target():
    with pytest.raises(Refusal, match=r"E-VALUE-RNG.*default_rng\(3\)"):
        Target.of(records(60, 0), label="y", rng=3)


def test_a_utility_that_is_no_number_is_refused():
    class Nothing(Statistics):
        def play(self, federation, target, features, *, rng):
            asked = super().play(federation, target, features, rng=rng)
            return replace(asked, game=lambda masks: np.full(len(masks), np.nan))

    with pytest.raises(Refusal, match="E-VALUE-FINITE.*few"):
        valued(method=Nothing())
