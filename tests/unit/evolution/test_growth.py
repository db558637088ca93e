"""Growing and shrinking is bit-identical to building anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import HeadwaterError, Refusal
from headwater.evolution import Growth
from headwater.statistics import Gram, Statistic
from headwater.statistics.fixed_point import on_grid

GRAM = Gram(4)
SAMPLES = [GRAM.sample(np.random.default_rng(seed)) for seed in range(8)]
BASE = GRAM.sample(np.random.default_rng(99))
ACTIONS = ("add", "remove", "refresh", "reduce")
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 4), st.integers(0, 7)), max_size=15)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(steps)
def test_any_history_equals_building_anew(history):
    growth = Growth.start(BASE, {"s0": SAMPLES[0]})
    taken = 0
    for action, place, sample in history:
        source = f"s{place}"
        if (action == "add") == (source in growth.members):
            continue
        if action == "reduce" and growth.members[source] != SAMPLES[sample]:
            continue
        act = getattr(growth, action)
        growth = act(source) if action == "remove" else act(source, SAMPLES[sample])
        taken += 1
    assert growth.total == Statistic.total([BASE, *growth.members.values()])
    assert growth.proven() == growth.total.digest
    assert len(growth.certificates) == taken
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


def test_what_kept_something_of_a_removed_source_is_not_proven():
    removed = Growth.start(BASE, {"a": SAMPLES[0], "b": SAMPLES[1]}).remove("b")
    kept = replace(removed, total=removed.total.merge(SAMPLES[1]))
    with pytest.raises(HeadwaterError) as caught:
        kept.proven()
    assert caught.value.code == "E-GROWTH-INEXACT"


def test_records_of_a_member_and_of_the_base_leave_the_model_that_never_had_them():
    x, y = np.column_stack([np.ones(40), np.linspace(-1, 1, 120).reshape(40, 3)]), np.linspace(0, 1, 40)
    x, y = on_grid(x), on_grid(y)
    whole, part, rest = GRAM.statistic(x, y), GRAM.statistic(x[:7], y[:7]), GRAM.statistic(x[7:], y[7:])
    member = Growth.start(BASE, {"a": whole, "b": SAMPLES[1]}).reduce("a", part)
    assert member.proven() == Growth.start(BASE, {"a": rest, "b": SAMPLES[1]}).total.digest
    assert member.members["a"] == rest
    own = Growth.start(whole, {"b": SAMPLES[1]}).reduce("target", part)
    assert own.proven() == Growth.start(rest, {"b": SAMPLES[1]}).total.digest
    assert [one.source for one in own.certificates] == ["target"]


def test_a_step_costs_the_same_number_of_merges_however_many_members(monkeypatch):
    counted = []
    for name in ("merge", "subtract"):
        plain = getattr(Statistic, name)
        monkeypatch.setattr(Statistic, name, lambda a, b, plain=plain: counted.append(1) or plain(a, b))
    many = Growth.start(BASE, {f"s{k}": SAMPLES[0] for k in range(500)})
    counted.clear()
    many.remove("s3").add("s3", SAMPLES[1]).refresh("s4", SAMPLES[2])
    assert len(counted) == 4


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
