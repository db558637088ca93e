"""A node does what its region signed, for it, in time, for a purpose it agreed to; and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security import Identity
from headwater.security.identity import framed, signed_by
from headwater.security.task import Task, digest, opened

REGION, OTHER = Identity(bytes(range(32))), Identity(bytes(32))
ASKED = b"what is asked"
TASK = Task("h1", "aggregation", "run", "r/1", 0, 1_000, b"p" * 32, digest(ASKED))


def ask(sealed=None, asked=ASKED, *, node="h1", key=REGION.public, now=999.0):
    sealed = TASK.sealed(REGION) if sealed is None else sealed
    return opened(sealed, asked, node=node, key=key, purposes={"aggregation", "valuation"}, now=now)


def code(act):
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code


def test_what_was_signed_is_done_until_its_time_is_over():
    assert ask() == ask(now=1_000.0) == TASK
    assert code(lambda: ask(now=1_000.1)) == "E-TASK-EXPIRED"


def test_what_is_not_for_this_node_not_signed_or_not_agreed_to_is_not_done():
    assert code(lambda: ask(node="h2")) == "E-TASK-NODE"
    assert code(lambda: ask(key=OTHER.public)) == "E-TASK-SIGNATURE"
    assert code(lambda: ask(TASK.sealed(OTHER))) == "E-TASK-SIGNATURE"
    assert code(lambda: ask(asked=b"something else")) == "E-TASK-ASKED"
    assert code(lambda: ask(replace(TASK, purpose="advertising").sealed(REGION))) == "E-TASK-PURPOSE"
    assert code(lambda: ask(b"")) == "E-TASK-SIGNATURE"


@given(st.data())
def test_a_changed_bit_is_noticed_wherever_it_is(data):
    sealed = bytearray(TASK.sealed(REGION))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert code(lambda: ask(bytes(sealed))) == "E-TASK-SIGNATURE"


def test_a_signature_under_a_round_message_is_none_under_a_task():
    """The same key signs both: neither may be taken for the other."""
    sealed = TASK.sealed(REGION)
    text = sealed[64:]
    assert not signed_by(REGION.public, sealed[:64], text)
    assert code(lambda: ask(REGION.sign(text) + text)) == "E-TASK-SIGNATURE"
    assert code(lambda: ask(REGION.sign(framed(b"headwater task", text)) + text)) == "E-TASK-SIGNATURE"
