"""A wish narrows what requirements permit, and never by spending somebody's privacy."""

import pytest

from headwater.aggregation import Costs, Job, Supplier, plan
from headwater.errors import Message, Refusal
from headwater.security import Span
from headwater.security.requirement import Caps, Requirement
from headwater.steps.wish import Wish

JOB = Job("east", "aggregation", 20, Span(-1000, 1000), 50.0)
CAPS = Caps(1.0, 3.0, 24.0)


def rule(statistic, sum_, *mechanisms):
    sees = {"statistic": statistic, "sum": sum_, "noisy": "region"}
    said = Message(statistic, statistic)
    return Requirement(statistic, said, None, "people", sees, 1e-6, CAPS, {"aggregation": CAPS}, frozenset(mechanisms))


OPEN = rule("region", "region", "clear", "masked", "skellam")
STRICT = rule("nobody", "tier", "masked", "skellam")


def planned(wish, **rules):
    narrowed = wish.narrowed(rules, purpose="aggregation")
    return plan([Supplier(name, "north", 100, one) for name, one in narrowed.items()], {}, Costs(), job=JOB)


@pytest.mark.parametrize(
    ("wish", "shown"),
    [(Wish("masked"), {"sum"}), (Wish("masked", "masked"), {"sum"}), (Wish("clear"), {"statistic", "sum"})],
)
def test_what_is_seen_is_what_was_wished(wish, shown):
    found = planned(wish, a=OPEN, b=OPEN, c=OPEN)
    assert {one.shown for many in found.exposures.values() for one in many} == shown
    if wish.region == "masked":
        assert {group.protection for group in found.groups} == {"masked"}


@pytest.mark.parametrize("wish", [Wish("masked"), Wish("required", "masked")])
def test_who_may_be_seen_openly_adds_no_noise_for_want_of_companions_under_masks(wish):
    """With a strict third they would be enough for shares: all three would pay for a wish."""
    with pytest.raises(Refusal, match="E-PLAN-NOBODY"):
        planned(wish, a=OPEN, b=OPEN, strict=STRICT)
    assert set(planned(wish, a=STRICT, b=STRICT, c=STRICT).epsilon) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (("rot13", "required"), "E-WISH-UNKNOWN"),
        (("required", "clear"), "E-WISH-UNKNOWN"),
        (("clear", "masked"), "E-WISH-CONTRARY"),
        (("clear", "judged"), "E-WISH-CONTRARY"),
        (("judged", "required"), "E-WISH-UNKNOWN"),
    ],
)
def test_wishes_that_mean_nothing_are_refused_in_both_languages(told, code):
    with pytest.raises(Refusal) as refusal:
        Wish(*told)
    assert refusal.value.code == code
    assert "region" not in refusal.value.reason.zh


def test_who_forbids_that_sums_are_judged_is_not_narrowed_and_refuses_nobody_else():
    for wish in (Wish(region="judged"), Wish("masked", "judged")):
        assert wish.hides
        assert wish.narrowed({"a": OPEN, "b": STRICT}, purpose="aggregation") == {"a": OPEN, "b": STRICT}
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        Wish("clear").narrowed({"a": OPEN, "b": STRICT}, purpose="aggregation")
