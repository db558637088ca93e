"""Growing and shrinking is bit-identical to building anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.evolution import Certificate, Growth
from headwater.statistics import Gram, Statistic

GRAM = Gram(4)
SAMPLES = [GRAM.sample(np.random.default_rng(seed)) for seed in range(8)]
BASE = GRAM.sample(np.random.default_rng(99))
steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "refresh"]), st.integers(0, 4), st.integers(0, 7)), max_size=15
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(steps)
def test_any_history_equals_building_anew(history):
    growth = Growth.start(BASE, {"s0": SAMPLES[0]})
    taken = 0
    for action, place, sample in history:
        source = f"s{place}"
        if (action == "add") == (source in growth.members):
            continue
        act = getattr(growth, action)
        growth = act(source) if action == "remove" else act(source, SAMPLES[sample])
        taken += 1
    assert growth.total == Statistic.total([BASE, *growth.members.values()])
    assert len(growth.certificates) == taken
    assert all(certificate.holds for certificate in growth.certificates)
    assert all(a.after == b.before for a, b in zip(growth.certificates, growth.certificates[1:], strict=False))


def test_removal_leaves_the_model_that_never_had_it():
    never = Growth.start(BASE, {"a": SAMPLES[0]})
    removed = Growth.start(BASE, {"a": SAMPLES[0], "b": SAMPLES[1]}).remove("b")
    assert removed.total.digest == never.total.digest
    assert GRAM.solve(removed.total, ridge=1.0).tobytes() == GRAM.solve(never.total, ridge=1.0).tobytes()
    assert removed.certificates[0].action == "remove"


def test_a_version_is_not_changed_by_the_next():
    first = Growth.start(BASE, {"a": SAMPLES[0]})
    first.add("b", SAMPLES[1])
    assert set(first.members) == {"a"}
    assert first.certificates == ()


def test_a_certificate_fails_when_something_remains():
    assert not Certificate("remove", "a", before="1", after="2", rebuilt="3").holds


@pytest.mark.parametrize(
    "act",
    [
        lambda g: g.add("a", SAMPLES[1]),
        lambda g: g.remove("b"),
        lambda g: g.refresh("b", SAMPLES[1]),
    ],
)
def test_members_are_known(act):
    with pytest.raises(Refusal) as caught:
        act(Growth.start(BASE, {"a": SAMPLES[0]}))
    assert caught.value.code == "E-GROWTH-MEMBER"


def test_other_forms_are_refused():
    with pytest.raises(Refusal, match="E-STATISTIC-FORM"):
        Growth.start(BASE, {}).add("a", Gram(3).sample(np.random.default_rng(0)))
