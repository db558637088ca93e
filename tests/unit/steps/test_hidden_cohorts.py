"""Which sums lay a source open, and to whom: in clear or masked, with companions that hide it or that are known."""

import pytest

from headwater.aggregation.exposure import exposures, sights
from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import IN_CLEAR, UNDER_MASKS, Mechanism
from headwater.errors import Message, Refusal
from headwater.security.requirement import Caps, Requirement
from headwater.steps import revealed as steps
from headwater.steps.revealed import Revealed, hidden_cohorts

CAPS = Caps(1.0, 2.0, 16.0)
NOISY = Mechanism("clear", "sender", 1.0, 1e-6)


def rules(**statistic: str) -> dict[str, Requirement]:
    """Return for each source who may see its own statistic; sums may be seen by the region."""
    return {
        name: Requirement(
            name,
            Message("试", "test"),
            None,
            name,
            {"statistic": who, "sum": "region", "noisy": "region"},
            1e-6,
            CAPS,
            {"aggregation": CAPS},
            frozenset({"clear", "masked", "discrete_gaussian"}),
        )
        for name, who in statistic.items()
    }


def members(mechanism: Mechanism, *names: str) -> tuple[tuple[str, Mechanism], ...]:
    return tuple((name, mechanism) for name in names)


@pytest.fixture
def books(home):
    return Revealed(home, "r")


def in_clear(*names: str) -> tuple[Group, ...]:
    """Return groups by which a city hears its sources one by one and tells the region their sum."""
    return Group("N", members(IN_CLEAR, *names)), Group("R", (("N", IN_CLEAR),))


TIER = rules(a="tier", b="tier", c="tier", d="tier")


def test_a_sum_that_a_tier_tells_in_clear_is_kept():
    assert hidden_cohorts(in_clear("a", "b", "c"), TIER) == ((("a", "b", "c"),), ())


def test_two_sums_in_clear_that_differ_by_one_source_are_refused(books):
    books.record(*hidden_cohorts(in_clear("a", "b", "c", "d"), TIER))
    books.record(*hidden_cohorts(in_clear("a", "b", "c", "d"), TIER))
    with pytest.raises(Refusal, match="source d"):
        books.record(*hidden_cohorts(in_clear("a", "b", "c"), TIER))


def test_were_sums_in_clear_not_kept_two_would_show_one_source_and_nothing_refuse_them(books, monkeypatch):
    both = [in_clear("a", "b", "c", "d"), in_clear("a", "b", "c")]
    shown = [set(cohort) for groups in both for cohort in hidden_cohorts(groups, TIER)[0]]
    assert shown[0] - shown[1] == {"d"}
    monkeypatch.setattr(steps, "sights", lambda groups: [one for one in sights(groups) if one.viewer != "region"])
    for groups in both:
        books.record(*hidden_cohorts(groups, TIER))


def mixed(*clear: str) -> tuple[Group, ...]:
    return (
        Group("N", members(IN_CLEAR, *clear)),
        Group("N", members(UNDER_MASKS, "m1", "m2", "m3")),
        Group("R", (("N", IN_CLEAR),)),
    )


def test_a_tier_with_a_masked_group_and_others_in_clear_tells_one_sum(books):
    who = rules(m1="nobody", m2="nobody", m3="nobody", x="tier", y="tier")
    assert hidden_cohorts(mixed("x"), who) == ((("m1", "m2", "m3", "x"),), (("m1", "m2", "m3"),))
    # What the tier tells apart it may see: x does not stand alone before the region.
    books.record(*hidden_cohorts(mixed("x"), who))
    with pytest.raises(Refusal, match="source y"):
        books.record(*hidden_cohorts(mixed("x", "y"), who))


def test_who_stands_with_nobody_but_the_open_hides_behind_nobody(books):
    with pytest.raises(Refusal, match="source x"):
        books.permit(*hidden_cohorts(in_clear("x", "open"), rules(x="tier", open="region")))
    assert hidden_cohorts(in_clear("open"), rules(open="region")) == ((), ())


def test_a_tier_and_the_region_together_do_not_find_whom_neither_finds(books):
    # The city hears m1 + m2 + m3, the region m1 + m2 + m3 + x in another month: what x says no tier may see.
    who = rules(m1="nobody", m2="nobody", m3="nobody", x="nobody")
    below = Group("N", members(UNDER_MASKS, "m1", "m2", "m3")), Group("R", (("N", NOISY),))
    assert hidden_cohorts(below, who) == ((), (("m1", "m2", "m3"),))
    books.record(*hidden_cohorts(below, who))
    with pytest.raises(Refusal, match="source x"):
        books.permit(*hidden_cohorts((Group("R", members(UNDER_MASKS, "m1", "m2", "m3", "x")),), who))


def test_every_exposure_without_noise_is_a_sight_of_the_same_viewer():
    who = rules(m1="nobody", m2="nobody", m3="nobody", x="nobody")
    for groups in (mixed("x"), in_clear("x", "m1", "m2")):
        told = {(source, one.viewer) for source, many in exposures(groups, l2=None, length=3).items() for one in many}
        seen, together = hidden_cohorts(groups, who)
        assert {source for source, viewer in told if viewer == "region"} == {s for one in seen for s in one}
        assert {source for source, _ in told} == {s for one in together for s in one}


def test_noise_hides_its_own_source_and_nobody_else():
    groups = (Group("R", (("a", Mechanism("masked", "sender", 1.0, 1e-6)), *members(UNDER_MASKS, "b", "c"))),)
    assert hidden_cohorts(groups, TIER)[0] == (("b", "c"),)
