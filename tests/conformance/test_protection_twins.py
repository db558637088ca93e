"""Broken twins of protections: for every check there is one that fails it, and that the check does catch."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from headwater.adapters.tenseal import CKKS
from headwater.checks import PROTECTION_SUITE
from headwater.security import CLEAR, MASKED
from headwater.security.desk import Equivocation, Occasion
from headwater.security.masked import Masked
from headwater.security.packing import in_ring, pack


class _Side:
    """The server or a member, with some of it replaced."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class _Twin(Masked):
    """The masked sum with sides replaced."""

    def __init__(self, server=_Side, member=_Side) -> None:
        self.sides = server, member

    def server(self, pact, *, state=b""):
        return self.sides[0](super().server(pact, state=state))

    def member(self, pact, name, identity, entropy, *, state=b""):
        return self.sides[1](super().member(pact, name, identity, entropy, state=state))


class _OffByOne(_Side):
    @property
    def total(self):
        total = self.inner.total
        return None if total is None else total + np.uint64(1)


class _SumInOrder(_Side):
    first = ""

    def take(self, sender, message):
        self.first = self.first or sender
        self.inner.take(sender, message)

    @property
    def total(self):
        total = self.inner.total
        return None if total is None else total + np.uint64(self.first == "h06")


class _Unmasked(_Side):
    def __init__(self, inner) -> None:
        super().__init__(inner)
        pact = inner._pact
        inner._say_masked = lambda known, values: pack(
            in_ring(pact.lifted(inner._name, values()), pact.bits), pact.bits
        )


class _OneRound(_Twin):
    """Takes every round for the same."""

    def server(self, pact, *, state=b""):
        return super().server(replace(pact, round_id="always"), state=state)

    def member(self, pact, name, identity, entropy, *, state=b""):
        return super().member(replace(pact, round_id="always"), name, identity, entropy, state=state)


class _FixedKeys(_Twin):
    def member(self, pact, name, identity, entropy, *, state=b""):
        return super().member(pact, name, identity, lambda count: (name.encode() * count)[:count], state=state)


class _KeepsMasksOfTheLost(_Side):
    def __init__(self, inner) -> None:
        super().__init__(inner)
        inner._pairs = lambda lost, secret: []


class _NeedsNobody(_Side):
    def __init__(self, inner) -> None:
        super().__init__(inner)
        inner._numbers = replace(inner._numbers, quorum=1, shares=2)


class _AsksForNoSignature(_Side):
    def take(self, sender, message):
        with mock.patch.object(Occasion, "signed", return_value=True):
            self.inner.take(sender, message)


class _AnyPact(_Twin):
    def require(self, pact):
        """Refuse nothing."""


class _Cuts(_Side):
    def answer(self, told, values):
        return self.inner.answer(told, lambda: values()[: self.inner._pact.length])


class _Clips(_Side):
    def answer(self, told, values):
        return self.inner.answer(told, lambda: values() & np.uint64(2**40 - 1))


class _AnySize(_Twin):
    """Fills a small group up with names of its own."""

    def open(self, group, **options):
        return super().open({*group, "h04", "h05", "h06"}, **options)


class _Pads(_Side):
    def answer(self, told, values):
        return bytes(1) + self.inner.answer(told, values)


class _Unpads(_Side):
    def take(self, sender, message):
        self.inner.take(sender, message[1:])


class _Forgets(_Side):
    def take(self, sender, message):
        self.inner._desk.seen.pop((2, sender), None)
        self.inner.take(sender, message)


class _BelievesTheNewer(_Side):
    def take(self, sender, message):
        try:
            self.inner.take(sender, message)
        except Equivocation as error:
            del self.inner._desk.seen[error.evidence.occasion.phase, sender]
            self.inner.take(sender, message)


class _Stateless(_Side):
    def to_bytes(self):
        return b""


TWINS = {
    "check_sum_is_the_clear_sum": _Twin(_OffByOne),
    "check_order_of_arrival_does_not_matter": _Twin(_SumInOrder),
    "check_shows_what_it_says": _Twin(member=_Unmasked),
    "check_rounds_do_not_repeat": _OneRound(),
    "check_keys_come_from_entropy": _FixedKeys(),
    "check_lost_members_leave_the_survivors_sum": _Twin(_KeepsMasksOfTheLost),
    "check_few_survivors_reveal_nothing": _Twin(_NeedsNobody, _NeedsNobody),
    "check_stranger_refused": _Twin(_AsksForNoSignature),
    "check_other_pact_refused": _AnyPact(),
    "check_lengths_must_agree": _Twin(member=_Cuts),
    "check_small_group_refused": _AnySize(),
    "check_overflow_refused": _Twin(member=_Clips),
    "check_message_is_small": _Twin(_Unpads, _Pads),
    "check_repeated_message_changes_nothing": _Twin(_Forgets),
    "check_tampered_message_refused": _Twin(_AsksForNoSignature),
    "check_other_rounds_refused": _Twin(_AsksForNoSignature),
    "check_two_stories_are_evidence": _Twin(_BelievesTheNewer),
    "check_state_survives_a_restart": _Twin(_Stateless),
}


@pytest.mark.parametrize("check", PROTECTION_SUITE.checks, ids=lambda check: check.__name__)
def test_the_check_catches_its_twin(check):
    assert replace(PROTECTION_SUITE, checks=(check,)).failures(TWINS[check.__name__]) == [check.__name__]


def test_a_twin_for_every_check():
    assert set(TWINS) == {check.__name__ for check in PROTECTION_SUITE.checks}
    assert len(TWINS) == 18


@pytest.mark.parametrize("sound", [_Twin(), CLEAR, MASKED, CKKS], ids=["twin", "clear", "masked", "ckks"])
def test_sound_things_pass_through_the_same_harness(sound):
    assert PROTECTION_SUITE.failures(sound) == []
