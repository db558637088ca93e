"""What a source does not allow does not leave it."""

import dataclasses

import pytest

from headwater.errors import Message, Refusal
from headwater.federation import TableSource
from headwater.security.events import Composed, Gaussian, Laplace, NonPrivate
from headwater.security.guarded import Guarded
from headwater.security.requirement import Caps, Release, Requirement

CAPS = Caps(1, 2, 10)
RULE = Requirement(
    name="clinic",
    title=Message("临床", "Clinic"),
    sources=frozenset({"h1"}),
    patients="treated",
    sees={"statistic": "nobody", "sum": "tier", "noisy": "region"},
    delta=1e-6,
    caps=CAPS,
    purposes={"diagnosis": CAPS},
    mechanisms=frozenset({"masked", "gaussian"}),
)
NOISY = Release("r1", "h1", "diagnosis", Gaussian(4), protection="masked")


def release(**changes):
    return dataclasses.replace(NOISY, **changes)


@pytest.mark.parametrize(
    "allowed", [NOISY, release(tier="tier"), release(event=NonPrivate(), shown="sum", tier="tier")]
)
def test_what_is_allowed_goes(allowed):
    assert RULE.permit(allowed) is None


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (release(source="h2"), "SOURCE"),
        (release(purpose="advertising"), "PURPOSE"),
        (release(event=NonPrivate()), "VIEWER"),
        (release(event=NonPrivate(), tier="tier"), "VIEWER"),
        (release(event=NonPrivate(), shown="sum"), "VIEWER"),
        (release(event=Composed((Gaussian(4), NonPrivate()))), "VIEWER"),
        (release(protection="clear"), "MECHANISM"),
        (release(event=Laplace(4)), "MECHANISM"),
        (release(event=Composed((Gaussian(4), Laplace(4)))), "MECHANISM"),
    ],
)
def test_what_is_not_allowed_is_refused_and_told(refused, code):
    with pytest.raises(Refusal) as refusal:
        RULE.permit(refused)
    assert refusal.value.code == f"E-REQUIRE-{code}"
    assert "clinic" in refusal.value.reason.en
    assert "clinic" in refusal.value.reason.zh


def test_a_guarded_source_computes_nothing_that_is_not_allowed():
    class Asked(Exception):
        pass

    class Question:
        months = None

        def of(self, table):
            raise Asked

    import pyarrow as pa

    source = TableSource("h1", pa.table({"a": [1.0]}))
    with pytest.raises(Asked):
        Guarded(source, RULE, NOISY).answer(Question())
    guarded = Guarded(source, RULE, release(event=NonPrivate()))
    assert guarded.describe().records == 1
    with pytest.raises(Refusal):
        guarded.answer(Question())
    # One requirement cannot be lent to another source.
    with pytest.raises(Refusal) as refusal:
        Guarded(TableSource("h2", source.table), RULE, NOISY).answer(Question())
    assert refusal.value.code == "E-REQUIRE-SOURCE"


def test_the_version_is_of_what_is_required():
    same = dataclasses.replace(RULE, title=Message("别名", "Other"), mechanisms=frozenset(["gaussian", "masked"]))
    assert same.version == RULE.version
    others = [
        {"delta": 1e-7},
        {"caps": Caps(1, 2, 11)},
        {"sources": None},
        {"purposes": {"diagnosis": Caps(1, 1, 10)}},
        {"sees": RULE.sees | {"sum": "region"}},
        {"mechanisms": frozenset({"masked"})},
    ]
    versions = {dataclasses.replace(RULE, **one).version for one in others}
    assert len(versions | {RULE.version}) == len(others) + 1
