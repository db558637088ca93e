"""Robust joining under masks asks once, lays nobody open, and joins what the same sums in clear would join."""

import numpy as np
import pytest

from headwater.aggregation.robust import Beliefs, judged, robustly
from headwater.bench.poison_federations import FAMILIES
from headwater.bench.tiers_poison import revealed_sums
from headwater.errors import Refusal
from headwater.federation import CohortSums, InProcess, TableSource, cohorts
from headwater.federation.division import LIMIT, crossed
from headwater.security import CLEAR, MASKED

SOURCES = 15


@pytest.fixture(scope="module")
def drawn():
    return FAMILIES["made_up"](np.random.default_rng(5), SOURCES, None)


@pytest.fixture(scope="module")
def federation(drawn):
    return InProcess([TableSource(f"h{place:04d}", table) for place, table in enumerate(drawn.sources)])


def test_masks_change_nothing_and_every_sum_is_recorded_first(drawn, federation):
    recorded = []
    found = robustly(federation, drawn.target, rng=np.random.default_rng(0), recorded=recorded.append)
    said = [drawn.target.question.of(table) for table in drawn.sources]
    same = judged(revealed_sums(said), drawn.target, rng=np.random.default_rng(0))
    assert found.joined == same.joined
    assert found.cohorts == same.cohorts
    assert found.leverage <= LIMIT
    assert [len(cohorts) for cohorts in recorded] == [len(found.cohorts)]


def test_known_records_are_believed_before_told_ones(drawn, federation):
    found = robustly(
        federation, drawn.target, rng=np.random.default_rng(0), beliefs=Beliefs(records={"h0000": 1_000_000})
    )
    assert "h0000" in found.left_out
    assert all(("h0000" in cohort.members) == (cohort.beyond is not None) for cohort in found.cohorts)


def test_a_protection_that_shows_each_vector_is_refused(drawn, federation):
    with pytest.raises(Refusal, match="E-ROBUST-CLEAR"):
        robustly(federation, drawn.target, rng=np.random.default_rng(0), protection=CLEAR)


def test_who_records_may_refuse_and_nobody_was_asked(drawn):
    asked = []

    class Watched(TableSource):
        def answer(self, question):
            asked.append(type(question).__name__)
            return super().answer(question)

    def refuses(cohorts):
        raise AssertionError("no more sums")

    watched = InProcess([Watched(f"h{place:04d}", table) for place, table in enumerate(drawn.sources)])
    with pytest.raises(AssertionError, match="no more sums"):
        robustly(watched, drawn.target, rng=np.random.default_rng(0), recorded=refuses)
    assert set(asked) == {"Ready"}


def test_without_the_leverage_guard_one_sources_vector_is_laid_open(drawn, federation, monkeypatch):
    beside = np.isin(np.arange(SOURCES), range(1, 7))
    masks = np.stack([beside, beside | (np.arange(SOURCES) == 0)])
    with pytest.raises(Refusal, match="E-COHORT-LEVERAGE"):
        CohortSums(federation, drawn.target.question, MASKED).reveal(masks)
    monkeypatch.setattr(cohorts.CohortSums, "require", lambda self, masks: None)
    without, within = CohortSums(federation, drawn.target.question, MASKED).reveal(masks)
    assert within.subtract(without) == drawn.target.question.of(drawn.sources[0])


def test_the_sums_hide_each_source_as_they_are(drawn, federation):
    masks = crossed(federation.source_ids)
    shares = np.linalg.lstsq(masks.T.astype(float), np.eye(SOURCES)[0], rcond=None)[0]
    assert np.square(shares @ masks - np.eye(SOURCES)[0]).sum() >= 1 - LIMIT
