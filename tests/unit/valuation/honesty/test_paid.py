"""What a source says, held against all the claims that were paid."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.valuation import Target
from headwater.valuation.honesty import as_paid


def records(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] + rng.normal(size=count)})


QUESTION = Target.of(records(60, 0), label="y", rng=np.random.default_rng(0)).question
PAID = records(50, 1)


def test_an_honest_answer_is_what_was_paid():
    assert as_paid(QUESTION.of(PAID), QUESTION, PAID) == ()
    backwards = PAID.take(pa.array(range(49, -1, -1)))
    assert as_paid(QUESTION.of(backwards), QUESTION, PAID) == ()


@pytest.mark.parametrize(
    "told",
    [
        pa.concat_tables([PAID, PAID.slice(0, 1)]),
        PAID.slice(1),
        pa.concat_tables([PAID.slice(1), records(1, 7)]),
        PAID.set_column(2, "y", pa.array(PAID["y"].to_numpy() * 1.01)),
    ],
    ids=["one twice", "one held back", "one made up", "labels raised"],
)
def test_one_record_that_differs_is_a_proof(told):
    (finding,) = as_paid(QUESTION.of(told), QUESTION, PAID)
    assert finding.check == "claims"
    assert finding.proved
    assert finding.evidence["paid"] == 50
    assert finding.evidence["said"] == told.num_rows
    assert finding.evidence["numbers"] >= 1
