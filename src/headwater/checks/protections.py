"""What every protection must do: give the exact sum of the whole group, show no more than it says, or refuse."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from headwater.checks.suite import Suite, refused, require
from headwater.security import Entropy, Member, Protection
from headwater.types import Fixed

__all__ = ["PROTECTION_SUITE", "seeded_entropy"]

_SEED = 11
_LENGTH = 257
_GROUP = ("h01", "h02", "h03", "h04", "h05")


def seeded_entropy(seed: int) -> Entropy:
    """Return reproducible bytes: for checks alone, never for real keys."""
    rng = np.random.default_rng(seed)
    return lambda count: rng.bytes(count)


def _vectors(length: int = _LENGTH) -> dict[str, Fixed]:
    rng = np.random.default_rng(_SEED)
    return {name: rng.integers(-(2**52), 2**52, length).astype(np.int64).view(np.uint64) for name in _GROUP}


def _messages(protection: Protection, *, round_id: str = "round-1", seed: int = _SEED) -> dict[str, bytes]:
    members, publics = _joined(protection, round_id=round_id, seed=seed)
    return {name: member.protect(_vectors()[name], publics) for name, member in members.items()}


def _joined(
    protection: Protection, *, round_id: str = "round-1", seed: int = _SEED
) -> tuple[Mapping[str, Member], Mapping[str, bytes]]:
    entropy = seeded_entropy(seed)
    members = {name: protection.join(name, _GROUP, round_id, entropy) for name in _GROUP}
    return members, {name: member.public() for name, member in members.items()}


def _sum(protection: Protection, messages: Mapping[str, bytes]) -> bytes:
    return protection.combine(messages, _GROUP, round_id="round-1").tobytes()


def check_sum_is_the_clear_sum(protection: Protection) -> None:
    """Require that the sum is the plain sum modulo 2**64, bit for bit."""
    plain = np.sum(list(_vectors().values()), axis=0, dtype=np.uint64)
    require(_sum(protection, _messages(protection)) == plain.tobytes(), "not the clear sum")


def check_order_of_arrival_does_not_matter(protection: Protection) -> None:
    """Require that messages may arrive in any order."""
    messages = _messages(protection)
    backwards = dict(reversed(messages.items()))
    require(_sum(protection, messages) == _sum(protection, backwards), "the order of arrival shows")


def check_shows_what_it_says(protection: Protection) -> None:
    """Require that no message, nor a sum of some, shows anything where only the sum may be seen."""
    messages, vectors = _messages(protection), _vectors()
    seen = {name: np.frombuffer(message[-8 * _LENGTH :], dtype="<u8") for name, message in messages.items()}
    running_seen, running_true = np.zeros(_LENGTH, dtype=np.uint64), np.zeros(_LENGTH, dtype=np.uint64)
    for name in _GROUP[:-1]:
        running_seen, running_true = running_seen + seen[name], running_true + vectors[name]
        for left, right in ((seen[name], vectors[name]), (running_seen, running_true)):
            hidden = not bool((left == right).any()) and _looks_random(left)
            require(
                hidden == (protection.reveals == "sum"),
                f"{name}: shows {'more' if not hidden else 'less'} than it says",
            )


def _looks_random(values: Fixed) -> bool:
    """Return whether about half of all bits are set, in every bit position: five standard deviations."""
    bits = np.unpackbits(np.ascontiguousarray(values).view(np.uint8)).reshape(len(values), 64)
    return bool((np.abs(bits.mean(axis=0) - 0.5) < 5 * 0.5 / len(values) ** 0.5).all())


def check_rounds_do_not_repeat(protection: Protection) -> None:
    """Require that the same vectors and keys look different in another round, unless they are in clear."""
    first, second = _messages(protection, round_id="round-1"), _messages(protection, round_id="round-2")
    repeats = [name for name in _GROUP if first[name][-8 * _LENGTH :] == second[name][-8 * _LENGTH :]]
    require(not repeats or protection.reveals == "each", f"messages repeat: {repeats}")


def check_keys_come_from_entropy(protection: Protection) -> None:
    """Require that keys come from the entropy passed in and from nowhere else."""
    require(_messages(protection) == _messages(protection), "something else than the entropy was used")
    fresh = _messages(protection, seed=_SEED + 1) != _messages(protection)
    require(fresh or protection.reveals == "each", "the entropy is not used")


def check_missing_member_refused(protection: Protection) -> None:
    """Require that without every member there is no sum, in particular no partial one."""
    for name in _GROUP:
        rest = {other: message for other, message in _messages(protection).items() if other != name}
        refused(partial(_sum, protection, rest), "E-GROUP-INCOMPLETE")


def check_stranger_refused(protection: Protection) -> None:
    """Require that a message from outside the group is refused, and so is a stranger who wants to join."""
    messages = _messages(protection)
    refused(lambda: _sum(protection, {**messages, "h99": messages["h01"]}), "E-GROUP-INCOMPLETE")
    refused(lambda: protection.join("h99", _GROUP, "round-1", seeded_entropy(_SEED)), "E-GROUP-MEMBER")


def check_lengths_must_agree(protection: Protection) -> None:
    """Require that vectors of different length are refused."""
    messages = _messages(protection)
    refused(lambda: _sum(protection, {**messages, "h01": messages["h01"] + bytes(8)}), "E-GROUP-LENGTH")


def check_small_group_refused(protection: Protection) -> None:
    """Require that a group below the minimum is refused before anything is sent; at the minimum it works."""
    group = _GROUP[: protection.minimum]
    protection.join("h01", group, "round-1", seeded_entropy(_SEED))
    few = group[:-1]
    refused(lambda: protection.join("h01", few, "round-1", seeded_entropy(_SEED)), "E-GROUP-SMALL")


def check_overflow_refused(protection: Protection) -> None:
    """Require that a vector so large that the group's sum could leave 64 bits is refused by its own member."""
    members, publics = _joined(protection)
    for extreme in (2**63 // len(_GROUP) + 1, -(2**63 // len(_GROUP)) - 1):
        large = np.full(_LENGTH, extreme, dtype=np.int64).view(np.uint64)
        refused(partial(members["h01"].protect, large, publics), "E-FIXED-RANGE")


def check_message_is_small(protection: Protection) -> None:
    """Require that a message is the vector and at most 64 bytes more."""
    lengths = {len(message) for message in _messages(protection).values()}
    require(max(lengths) <= 8 * _LENGTH + 64, f"messages of {max(lengths)} bytes")


PROTECTION_SUITE: Suite[Protection] = Suite(
    "protection",
    (
        check_sum_is_the_clear_sum,
        check_order_of_arrival_does_not_matter,
        check_shows_what_it_says,
        check_rounds_do_not_repeat,
        check_keys_come_from_entropy,
        check_missing_member_refused,
        check_stranger_refused,
        check_lengths_must_agree,
        check_small_group_refused,
        check_overflow_refused,
        check_message_is_small,
    ),
)
