"""What an installation ever revealed in sums: no seed, month or hospital that leaves adds up to one hospital."""

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from headwater.adapters import postgres, revealed
from headwater.errors import Refusal
from headwater.federation import InProcess
from headwater.federation.division import LIMIT, leverage
from headwater.security import MASKED
from headwater.steps.revealed import LaidOpen, Revealed
from headwater.valuation import Approach, Target, value
from headwater.valuation.utilities import Sums

NAMES = tuple(f"h{place:02d}" for place in range(20))


def records(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": x @ [1.0, -2.0] + rng.normal(size=count)})


TARGET = Target.of(records(120, 999), label="y", rng=np.random.default_rng(0))


def asked(names, *, seed, month, recorded):
    tables = {name: records(30, 100 * month + place) for place, name in enumerate(names)}
    approach = Approach(Sums(MASKED, recorded=recorded))
    return value(InProcess.of(tables), TARGET, method=approach, rng=np.random.default_rng(seed))


def together(cohorts):
    names = sorted({name for cohort in cohorts for name in cohort})
    return float(leverage(np.array([[name in cohort for name in names] for cohort in cohorts])).max())


def kept(home):
    with postgres.connect(home) as connection:
        return revealed.locked(connection)


def test_five_seeds_and_five_months_reveal_nothing_that_the_first_did_not(home):
    books = Revealed(home, "r")
    for seed in range(5):
        asked(NAMES, seed=seed, month=seed, recorded=books.record)
    first = kept(home)
    assert together(first) <= LIMIT
    asked(NAMES, seed=9, month=9, recorded=Revealed(home, "another").record)
    assert kept(home) == first


def test_when_a_hospital_leaves_or_comes_its_sums_are_refused_with_the_numbers_and_nobody_is_asked(home):
    asked(NAMES, seed=1, month=1, recorded=Revealed(home, "r").record)
    before = kept(home)
    for names, mended in ((NAMES[1:], f"add {NAMES[0]};"), ((*NAMES, "new"), "leave out new;")):
        with pytest.raises(Refusal) as refusal:
            asked(names, seed=1, month=2, recorded=Revealed(home, "r").record)
        assert refusal.value.code == "E-COHORT-REVEALED"
        for told in (refusal.value.reason.zh, refusal.value.reason.en):
            assert str(len(before)) in told
            assert "0.5" in told
        assert mended in refusal.value.remedy.en
        assert "private_sums" in refusal.value.remedy.en
        assert kept(home) == before
    # Who was asked before may be asked again.
    asked(NAMES, seed=2, month=3, recorded=Revealed(home, "r").record)


def test_without_the_record_the_same_requests_lay_a_hospital_open():
    seen = []
    for gone in range(5):
        asked(NAMES[:gone] + NAMES[gone + 1 :], seed=1, month=gone, recorded=seen.extend)
    assert together(seen) > 0.9


def test_sums_of_other_hospitals_do_not_count(home):
    asked(NAMES, seed=1, month=1, recorded=Revealed(home, "r").record)
    asked([f"o{name}" for name in NAMES], seed=1, month=1, recorded=Revealed(home, "o").record)
    assert together(kept(home)) <= LIMIT


@pytest.mark.parametrize("change", ["delete from ops.revealed_sum", "update ops.revealed_sum set region = 'x'"])
def test_what_was_revealed_is_never_taken_back(home, change):
    Revealed(home, "r").record((NAMES[:10], NAMES[10:]))
    with postgres.connect(home) as connection, pytest.raises(psycopg.Error):
        connection.execute(change)
    assert len(kept(home)) == 2


def test_two_that_ask_at_once_are_held_against_each_other(home):
    halves, others = (NAMES[:5], NAMES[5:10]), (NAMES[:4] + NAMES[5:6], NAMES[4:5] + NAMES[6:10])
    assert together([*halves, *others]) > LIMIT
    with postgres.connect(home) as holder:
        revealed.locked(holder)
        with postgres.connect(home) as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("lock table ops.revealed_sum in share row exclusive mode nowait")
        assert len(revealed.locked(holder)) == 0
    Revealed(home, "r").record(halves)
    with pytest.raises(Refusal):
        Revealed(home, "r").record(others)


def test_the_same_sum_twice_does_not_tell_what_one_or_two_of_its_members_changed(home):
    cohort = NAMES[:10]
    first = {name: "a" for name in cohort}
    Revealed(home, "r", first).record((cohort,), (cohort,))
    Revealed(home, "r", first).record((cohort,), (cohort,))
    for changed in (cohort[:1], cohort[:2]):
        again = Revealed(home, "r", first | dict.fromkeys(changed, "b"))
        for ask in (again.permit, again.record):
            for seen in (((cohort,), ()), ((), (cohort,))):
                with pytest.raises(LaidOpen, match=f"only the records of {', '.join(changed)} changed"):
                    ask(*seen)
    Revealed(home, "r", first | dict.fromkeys(cohort[:3], "b")).record((cohort,))
    # Nor what changed back, nor since any earlier time.
    with pytest.raises(LaidOpen, match=f"only the records of {cohort[3]} changed"):
        Revealed(home, "r", first | dict.fromkeys(cohort[:4], "b")).record((cohort,))


def test_an_installation_from_before_there_was_such_a_table_gets_one(home):
    with postgres.connect(home, autocommit=True) as connection:
        connection.execute("drop table ops.revealed_sum")
        connection.execute("comment on schema ops is null")
    Revealed(home, "r").record((NAMES[:10], NAMES[10:]))
    assert len(kept(home)) == 2
