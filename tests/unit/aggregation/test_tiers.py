"""The total is the plain total, bit for bit, whatever the tree and the protections."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headwater.adapters.tenseal  # noqa: F401  # registers its protection
from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Here, Mechanism, Tier, Tree, aggregate, folded, group
from headwater.checks.losing import losing
from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import Span
from headwater.security.masking.graph import thresholds
from headwater.security.shared_noise import SharedNoise
from headwater.statistics import Gram, Statistic, Update

GRAM = Gram(4)


def statistics(names, *, seed=0) -> dict[str, Statistic]:
    rng = np.random.default_rng(seed)
    return {name: GRAM.sample(rng) for name in names}


def run(tree, contributions, mechanisms, *, seed=0):
    groups = group(tree, mechanisms)
    return aggregate(groups, contributions, round_id="round-1", entropy=seeded_entropy(seed))


places = st.dictionaries(
    st.integers(0, 30).map(lambda n: f"h{n:02d}"),
    st.tuples(st.sampled_from(["n", "s", "e"]), st.sampled_from([IN_CLEAR, UNDER_MASKS])),
    min_size=3,
    max_size=12,
).filter(lambda p: [mechanism for _, mechanism in p.values()].count(UNDER_MASKS) not in (1, 2))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(places)
def test_total_is_the_plain_total(chosen):
    tree = Tree.of({source: city for source, (city, _) in chosen.items()}, root="region")
    contributions = statistics(chosen)
    aggregation = run(tree, contributions, {source: mechanism for source, (_, mechanism) in chosen.items()})
    assert aggregation.total == Statistic.total(contributions.values())
    assert set(chosen) <= set(aggregation.bytes_sent)


def test_bytes_are_signatures_keys_shares_and_vector():
    names, vector = ["a", "b", "c", "d"], 8 * GRAM.length
    tree = Tree.of({"a": "north", "b": "north", "c": "north", "d": "south"}, root="region")
    aggregation = run(tree, statistics(names), {"a": UNDER_MASKS, "b": UNDER_MASKS, "c": UNDER_MASKS, "d": IN_CLEAR})
    keys, shares, opened = 2 * 32, 32 + 3 * 2 * (36 + 16), 32 + 3 * 16
    masked, clear = 5 * 64 + keys + shares + vector + opened, 64 + vector
    assert aggregation.bytes_sent == {
        "a": masked, "b": masked, "c": masked, "d": clear, "north": clear, "south": clear,
    }  # fmt: skip
    heads, publics, sealed, traces = 5 + 4, 2 * 128, 3 * 2 * (36 + 16), 3 * 64 + 2 * 96
    told = heads + publics + sealed + traces
    assert aggregation.bytes_told == {"a": told, "b": told, "c": told, "d": 1, "north": 1, "south": 1}


def test_public_bounds_make_messages_narrow_on_every_level():
    cities = {f"h{place:02d}": f"c{place % 4}" for place in range(16)}
    tree = Tree.of(cities, root="region")
    rng = np.random.default_rng(0)
    values = {name: rng.integers(-500, 500, 3_200, endpoint=True).view(np.uint64) for name in cities}
    contributions = {name: Statistic("counts", (3_200,), vector) for name, vector in values.items()}
    mechanisms = dict.fromkeys(cities, UNDER_MASKS) | {f"c{place}": UNDER_MASKS for place in range(4)}
    groups = group(tree, mechanisms)
    narrow = aggregate(groups, contributions, round_id="r", entropy=seeded_entropy(1), span=Span(-500, 500))
    wide = run(tree, contributions, mechanisms)
    assert narrow.total == wide.total == Statistic.total(contributions.values())
    for name, bits in (("h00", 12), ("c0", 14)):
        vector = wide.bytes_sent[name] - narrow.bytes_sent[name]
        assert vector == 3_200 * (64 - bits) // 8


def test_a_value_beyond_the_public_bounds_is_refused():
    tree = Tree.of(dict.fromkeys("abc", "north"), root="region")
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        aggregate(
            group(tree, dict.fromkeys("abc", UNDER_MASKS)),
            statistics("abc"),
            round_id="r",
            entropy=seeded_entropy(1),
            span=Span(0, 1),
        )


def test_updates_climb_too():
    tree = Tree.of(dict.fromkeys("abc", "north"), root="region")
    update = Update(3)
    contributions = {name: update.statistic(np.full(3, float(place)), records=10) for place, name in enumerate("abc")}
    total = run(tree, contributions, dict.fromkeys("abc", UNDER_MASKS)).total
    np.testing.assert_array_equal(update.solve(total), np.ones(3))


@pytest.mark.parametrize("names", ["ab", "abcd"])
def test_contributions_must_be_those_of_the_groups(names):
    tree = Tree.of(dict.fromkeys("abc", "north"), root="region")
    with pytest.raises(Refusal) as caught:
        run(tree, statistics(names), dict.fromkeys("abc", IN_CLEAR))
    assert caught.value.code == "E-TIER-SOURCES"


def test_mixed_forms_are_refused():
    tree = Tree.of(dict.fromkeys("ab", "north"), root="region")
    mixed = {"a": GRAM.sample(np.random.default_rng(0)), "b": Update(3).sample(np.random.default_rng(0))}
    with pytest.raises(Refusal) as caught:
        run(tree, mixed, dict.fromkeys("ab", IN_CLEAR))
    assert caught.value.code == "E-STATISTIC-FORM"


@pytest.mark.parametrize("mechanism", [IN_CLEAR, UNDER_MASKS])
def test_a_total_beyond_the_range_is_refused(mechanism):
    tree = Tree.of({"a": "n", "b": "n", "c": "n", "d": "s", "e": "s", "f": "s"}, root="region")
    large = Statistic("gram", (4,), np.full(GRAM.length, 2**61 - 1, dtype=np.uint64))
    with pytest.raises(Refusal) as caught:
        run(tree, dict.fromkeys("abcdef", large), dict.fromkeys("abcdef", mechanism))
    assert caught.value.code == "E-FIXED-RANGE"


def test_clear_and_masked_sums_of_one_city_cannot_wrap():
    tree = Tree.of(dict.fromkeys("abcd", "n"), root="region")
    large = Statistic("gram", (4,), np.full(GRAM.length, 2**61, dtype=np.uint64))
    with pytest.raises(Refusal) as caught:
        run(tree, dict.fromkeys("abcd", large), {"a": IN_CLEAR, "b": UNDER_MASKS, "c": UNDER_MASKS, "d": UNDER_MASKS})
    assert caught.value.code == "E-STATISTIC-OVERFLOW"


def test_strands_stay_apart_and_their_noise_is_told():
    """An oracle for the deviations: the noise found in many values of the sum, against what the part says."""
    cities = {f"h{place:02d}": f"c{place // 4}" for place in range(16)}
    tree, names = Tree.of(cities, root="region"), sorted(cities)
    own, shared = Mechanism("masked", "sender", 1.0, 1e-6), Mechanism("masked", "group", 1.0, 1e-6)
    central = {f"c{place}": Mechanism("clear", "sender", 1.0, 1e-6) for place in range(4)}
    strands = {
        "exact": dict.fromkeys(names[:4], UNDER_MASKS),
        "local": dict.fromkeys(names[4:8], own),
        "shared": dict.fromkeys(names[8:12], shared),
        "central": dict.fromkeys(names[12:], UNDER_MASKS) | central,
    }
    groups = [one for strand, mechanisms in strands.items() for one in group(tree, mechanisms, strand=strand)]
    rng = np.random.default_rng(3)
    vectors = {name: rng.integers(-500, 500, 20_000, endpoint=True).view(np.uint64) for name in names}
    said = {name: Statistic("counts", (20_000,), vector) for name, vector in vectors.items()}
    joined = aggregate(groups, said, round_id="r", entropy=seeded_entropy(2), span=Span(-500, 500), l2=20.0)
    assert {strand: part.sources for strand, part in joined.parts.items()} == {
        strand: frozenset(mechanisms) - set(central) for strand, mechanisms in strands.items()
    }
    assert joined.parts["exact"].total == Statistic.total([said[name] for name in names[:4]])
    for part in joined.parts.values():
        plain = Statistic.total([said[name] for name in part.sources])
        noise = (part.total.values - plain.values).view(np.int64)
        assert noise.std() == pytest.approx(part.deviation, rel=0.03)
        assert noise.min() + plain.values.view(np.int64).min() >= part.span.low
    local, once = joined.parts["local"].deviation, joined.parts["central"].deviation
    assert local == pytest.approx(2 * once)
    assert once <= joined.parts["shared"].deviation < local
    assert joined.total == Statistic.total([part.total for part in joined.parts.values()])


def test_noise_without_a_sensitivity_is_refused():
    tree = Tree.of(dict.fromkeys("abc", "north"), root="region")
    with pytest.raises(Refusal, match="E-NOISE-SENSITIVITY"):
        run(tree, statistics("abc"), dict.fromkeys("abc", Mechanism("masked", "group", 1.0, 1e-6)))


CKKS = Mechanism("ckks")
TURNS = count()
"""Rounds of this process: a holder opens one sum a pact."""
PHASES, FEWEST = {"clear": 1, "masked": 5, "ckks": 1}, {"clear": 1, "ckks": 3}


def survivors(groups, sources, lost):
    """Return, by strand, whose vectors must reach the root, told from the groups alone."""
    inside = {name: {name} for name in sources}
    for one in groups:
        phases = {name: lost.get(name, 9) if inside.get(name) else 0 for name in one.members}
        present = [sum(phase > now for phase in phases.values()) for now in range(PHASES[one.protection])]
        fewest = FEWEST.get(one.protection) or thresholds(len(phases)).quorum
        if min(present) >= fewest:
            last = 2 if one.protection == "masked" else 0
            heard = set().union(*(inside[name] for name, phase in phases.items() if phase > last))
            inside[one.tier] = inside.get(one.tier, set()) | heard
    return inside.get(groups[-1].tier, set())


def three_tiers(mechanisms, fan_out):
    sources = tuple(sorted(mechanisms))
    below = [Tier(f"c{turn}", sources[turn::fan_out]) for turn in range(fan_out)]
    middle = (Tier("p0", (), tuple(below[: fan_out // 2])), Tier("p1", (), tuple(below[fan_out // 2 :])))
    return Tree(Tier("region", (), middle))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_whoever_is_lost_wherever_the_sum_is_that_of_the_survivors(data):
    names = [f"h{place:02d}" for place in range(data.draw(st.integers(12, 24)))]
    kinds = st.sampled_from([IN_CLEAR, UNDER_MASKS, UNDER_MASKS, CKKS])
    mechanisms = {name: data.draw(kinds) for name in names}
    mechanisms |= dict.fromkeys(names[:4], UNDER_MASKS) | dict.fromkeys(names[4:8], CKKS)
    tree = three_tiers(mechanisms, 4)
    mechanisms |= {f"c{turn}": data.draw(st.sampled_from([IN_CLEAR, UNDER_MASKS])) for turn in range(2)}
    try:
        groups = group(tree, mechanisms)
    except Refusal:
        groups = group(tree, {name: m for name, m in mechanisms.items() if name in names})
    tiers = [one.tier for one in groups if one.tier != "region"]
    lost = data.draw(st.dictionaries(st.sampled_from(names), st.integers(0, 4), max_size=len(names) // 3))
    lost |= data.draw(st.dictionaries(st.sampled_from(tiers or names), st.integers(0, 4), max_size=1))
    rng = np.random.default_rng(1)
    said = {name: Statistic("counts", (5,), rng.integers(-9, 9, 5, endpoint=True).view(np.uint64)) for name in names}
    here, name = Here(said, seeded_entropy(1), losing(lost)), f"r{next(TURNS)}"
    expected = survivors(groups, names, lost)
    if not expected:
        with pytest.raises(Refusal, match="E-TIER-EMPTY"):
            folded(groups, here, round_id=name, span=Span(-9, 9))
        return
    joined = folded(groups, here, round_id=name, span=Span(-9, 9))
    assert joined.parts[""].sources == expected
    assert joined.total == Statistic.total([said[name] for name in sorted(expected)])
    assert set(joined.lost) == set(names) - expected
    assert set(joined.events) == expected
    assert joined.parts[""].span == Span(-9 * len(expected), 9 * len(expected))


def test_a_group_that_ends_is_named_and_the_others_go_on():
    cities = {f"h{place}": f"c{place // 4}" for place in range(12)}
    tree, said = Tree.of(cities, root="region"), statistics(cities)
    groups = group(tree, dict.fromkeys(cities, UNDER_MASKS))
    joined = folded(groups, Here(said, seeded_entropy(1), losing({"h0": 3, "h1": 4, "c2": 0})), round_id="r")
    assert joined.parts[""].sources == {"h4", "h5", "h6", "h7"}
    assert joined.total == Statistic.total([said[name] for name in joined.parts[""].sources])
    assert {name: error.code for name, error in joined.lost.items()} == {
        "h0": "E-MEMBER-LOST", "h1": "E-MEMBER-LOST", "h2": "E-ROUND-ABORT", "h3": "E-ROUND-ABORT",
        **{f"h{place}": "E-MEMBER-LOST" for place in range(8, 12)},
    }  # fmt: skip


def test_a_silent_tier_does_not_lower_what_its_peers_agreed_on():
    """Nine tiers, five of them silent: four are enough for a group of four, and too few for one of nine."""
    cities = {f"h{place:02d}": f"c{place // 4}" for place in range(36)}
    tree = Tree.of(cities, root="region")
    groups = group(tree, dict.fromkeys([*cities, *cities.values()], UNDER_MASKS))
    ended = {name: 2 for name, city in cities.items() if city >= "c4"}
    with pytest.raises(Refusal, match="E-TIER-EMPTY"):
        folded(groups, Here(statistics(cities), seeded_entropy(1), losing(ended)), round_id="r")


def test_noise_is_told_for_the_survivors():
    names = [f"h{place}" for place in range(9)]
    shared = Mechanism("masked", "group", 1.0, 1e-6)
    groups = group(Tree.of(dict.fromkeys(names, "n"), root="region"), dict.fromkeys(names, shared))
    zeros = Statistic("counts", (20_000,), np.zeros(20_000, dtype=np.uint64))
    here = Here(dict.fromkeys(names, zeros), seeded_entropy(1), losing({"h1": 2, "h2": 1, "h3": 4}))
    joined = folded(groups, here, round_id="r", span=Span(0, 9), l2=20.0)
    part, noise = joined.parts[""], SharedNoise.of(1.0, 1e-6, members=9, l2=20.0, length=20_000)
    assert part.sources == set(names) - {"h1", "h2"}
    assert part.deviation == pytest.approx(7**0.5 * noise.share)
    assert part.total.values.view(np.int64).std() == pytest.approx(part.deviation, rel=0.03)
    assert set(joined.events) == part.sources
    assert set(joined.events.values()) == {noise.event(7)}
