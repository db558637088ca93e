"""What every protection must do: give the exact sum of the survivors, show no more than it says, or refuse."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from headwater.checks.suite import Suite, refused, require
from headwater.errors import Refusal
from headwater.security import Entropy, Identity, KeyOf, Member, Pact, Protection, Server, Span
from headwater.types import Fixed

__all__ = ["PROTECTION_SUITE", "seeded_entropy"]

_SEED = 11
_LENGTH = 513
_GROUP = ("h01", "h02", "h03", "h04", "h05", "h06")
_MOST_PHASES = 9
_SHORT = Span(-700, 700)


def seeded_entropy(seed: int) -> Entropy:
    """Return reproducible bytes: for checks alone, never for real keys."""
    rng = np.random.default_rng(seed)
    return lambda count: rng.bytes(count)


def _vectors(span: Span | None = None) -> dict[str, Fixed]:
    rng = np.random.default_rng(_SEED)
    low, high = (span.low, span.high) if span else (-(2**52), 2**52)
    return {name: rng.integers(low, high, _LENGTH).astype(np.int64).view(np.uint64) for name in _GROUP}


def _plain(names: tuple[str, ...], span: Span | None = None) -> bytes:
    vectors = _vectors(span)
    return sum((vectors[name] for name in names), np.zeros(_LENGTH, dtype=np.uint64)).tobytes()


@dataclass
class _Round:
    """A round under way, with all that was said in it."""

    protection: Protection
    round_id: str = "round-1"
    seed: int = _SEED
    span: Span | None = None
    said: list[dict[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.protection.key_of is not None:
            # Whoever holds a key opens one sum a pact, and outlives many checks.
            self.round_id += secrets.token_hex(8)
        self.entropy = seeded_entropy(self.seed)
        standing = seeded_entropy(_SEED)
        self.identities = {name: Identity(standing(32)) for name in _GROUP}
        publics = {name: identity.public for name, identity in self.identities.items()}
        self.pact = Pact.of(
            self.protection.name,
            publics,
            round_id=self.round_id,
            length=_LENGTH,
            span=self.span,
            holder=self.protection.key_of,
        )
        self.server: Server = self.protection.server(self.pact)
        self.members: dict[str, Member] = {name: self.member(name) for name in _GROUP}

    def member(self, name: str, state: bytes = b"") -> Member:
        return self.protection.member(self.pact, name, self.identities[name], self.entropy, state=state)

    def answers(self, lost: Mapping[str, int] | None = None) -> dict[str, bytes]:
        """Return what members not lost by now answer in this phase."""
        vectors, phase, gone = _vectors(self.span), len(self.said), lost or {}
        told = self.server.told()
        here = {name: words for name, words in told.items() if gone.get(name, _MOST_PHASES) > phase}
        said = {name: self.members[name].answer(words, lambda n=name: vectors[n]) for name, words in here.items()}  # type: ignore[misc]
        self.said.append(said)
        return said

    def play(
        self,
        lost: Mapping[str, int] | None = None,
        carry: Callable[["_Round", dict[str, bytes]], None] | None = None,
    ) -> "_Round":
        """Play to the end; ``carry`` brings the answers of a phase to the server in its own way."""
        while self.server.total is None and len(self.said) < _MOST_PHASES:
            said = self.answers(lost)
            (carry or _deliver)(self, said)
            self.server.close()
        return self

    @property
    def sum(self) -> bytes:
        """The bytes of the sum; empty if there is none."""
        return b"" if self.server.total is None else self.server.total.tobytes()

    def largest(self) -> dict[str, bytes]:
        """Return each member's longest message: the one with its vector."""
        return {name: max((said[name] for said in self.said), key=len) for name in _GROUP}


def _deliver(playing: _Round, said: Mapping[str, bytes]) -> None:
    for name, message in said.items():
        playing.server.take(name, message)


def _unmoved(playing: _Round, sender: str, message: bytes, code: str) -> None:
    """Require that the server refuses a message with ``code`` and is as it was."""
    before = playing.server.to_bytes()
    refused(lambda: playing.server.take(sender, message), code)
    require(playing.server.to_bytes() == before, "a refused message left a trace")


def check_sum_is_the_clear_sum(protection: Protection) -> None:
    """Require that the sum is the plain sum modulo 2**64, bit for bit, in 64 bits and in few."""
    for span in (None, _SHORT):
        playing = _Round(protection, span=span).play()
        require(playing.sum == _plain(_GROUP, span), "not the clear sum")
        require(playing.server.survivors == _GROUP, "survivors not named")


def check_order_of_arrival_does_not_matter(protection: Protection) -> None:
    """Require that messages may arrive in any order."""

    def backwards(playing: _Round, said: dict[str, bytes]) -> None:
        _deliver(playing, dict(reversed(said.items())))

    require(_Round(protection).play(carry=backwards).sum == _plain(_GROUP), "the order of arrival shows")


def check_shows_what_it_says(protection: Protection) -> None:
    """Require that no message, nor a sum of some, shows anything where only the sum may be seen."""
    messages, vectors = _Round(protection).play().largest(), _vectors()
    shift = np.uint64(_Round(protection).pact.span.low % 2**64)
    seen = {name: np.frombuffer(message[-8 * _LENGTH :], dtype="<u8") + shift for name, message in messages.items()}
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
    first, second = (_Round(protection, round_id=name).play().largest() for name in ("round-1", "round-2"))
    repeats = [name for name in _GROUP if first[name][-8 * _LENGTH :] == second[name][-8 * _LENGTH :]]
    require(not repeats or protection.reveals == "each", f"messages repeat: {repeats}")


def check_keys_come_from_entropy(protection: Protection) -> None:
    """Require that keys come from the entropy passed in and from nowhere else, unless it is said that they do not."""
    first, again, other = (_Round(protection, seed=seed).play().largest() for seed in (_SEED, _SEED, _SEED + 1))
    require((first == again) == protection.seeded, "something else than the entropy was used, or nothing else")
    fresh = all(first[name][64:] != other[name][64:] for name in _GROUP)
    require(fresh or protection.reveals == "each", "the entropy is not used")


def check_lost_members_leave_the_survivors_sum(protection: Protection) -> None:
    """Require that whoever is lost, and when, the sum is that of those whom the server names, and enough are left."""
    for phase in range(_MOST_PHASES):
        playing = _Round(protection).play(lost={"h02": phase, "h05": phase})
        survivors = playing.server.survivors
        require({"h01", "h03", "h04", "h06"} <= set(survivors), "a survivor is missing")
        require(playing.sum == _plain(survivors), f"not the survivors' sum: lost before phase {phase}")


def check_few_survivors_reveal_nothing(protection: Protection) -> None:
    """Require that when too few are left to hide each other, the round ends without a sum and stays ended."""
    if protection.reveals == "each":
        return
    for phase in range(_MOST_PHASES):
        playing = _Round(protection)
        lost = dict.fromkeys(_GROUP[2:], phase)
        try:
            playing.play(lost=lost)
        except Refusal as refusal:
            require(refusal.code == "E-ROUND-ABORT", f"ended with {refusal.code}")
            require(playing.server.total is None and not playing.server.told(), "the round did not end")
        else:
            require(len(playing.said) <= phase, f"a sum though two were left before phase {phase}")


def check_stranger_refused(protection: Protection) -> None:
    """Require that a message from outside the group is refused, and so is a stranger who wants to join."""
    playing = _Round(protection)
    message = playing.answers()["h01"]
    _unmoved(playing, "h99", message, "E-ROUND-SIGNATURE")
    identity = Identity(bytes(32))
    for name in ("h99", "h01"):
        refused(lambda n=name: protection.member(playing.pact, n, identity, playing.entropy), "E-GROUP-MEMBER")  # type: ignore[misc]


def check_other_pact_refused(protection: Protection) -> None:
    """Require that both sides refuse a pact of another protection, or that names another holder of the key."""
    playing = _Round(protection)
    other = KeyOf.of("somebody else", b"key")
    wrong = [(replace(playing.pact, protection="another"), "E-PACT-PROTECTION")]
    wrong += [(replace(playing.pact, holder=named), "E-PACT-HOLDER") for named in {None, other} - {protection.key_of}]
    for pact, code in wrong:
        identity = playing.identities["h01"]
        refused(lambda p=pact: protection.server(p), code)  # type: ignore[misc]
        refused(lambda p=pact, i=identity: protection.member(p, "h01", i, playing.entropy), code)  # type: ignore[misc]


def check_lengths_must_agree(protection: Protection) -> None:
    """Require that a vector of another length than agreed is refused by its own member."""
    long = np.zeros(_LENGTH + 1, dtype=np.uint64)
    refused(lambda: _with(protection, long), "E-GROUP-LENGTH")


def check_small_group_refused(protection: Protection) -> None:
    """Require that a group below the minimum is refused before anything is sent; at the minimum it works."""
    entropy, least = seeded_entropy(_SEED), _GROUP[: protection.minimum]
    protection.open(least, round_id="r", length=1, entropy=entropy)
    refused(lambda: protection.open(least[:-1], round_id="r", length=1, entropy=entropy), "E-GROUP-SMALL")


def check_overflow_refused(protection: Protection) -> None:
    """Require that a vector so large that the group's sum could leave 64 bits is refused by its own member."""
    for extreme in (2**63 // len(_GROUP) + 1, -(2**63 // len(_GROUP)) - 1):
        large = np.full(_LENGTH, extreme, dtype=np.int64).view(np.uint64)
        refused(lambda values=large: _with(protection, values), "E-FIXED-RANGE")  # type: ignore[misc]


def _with(protection: Protection, values: Fixed) -> None:
    """Play a round in which the first member has these values."""
    playing = _Round(protection)
    while playing.server.total is None:
        for name, words in playing.server.told().items():
            own = values if name == "h01" else np.zeros(_LENGTH, dtype=np.uint64)
            playing.server.take(name, playing.members[name].answer(words, lambda v=own: v))  # type: ignore[misc]
        playing.server.close()


def check_message_is_small(protection: Protection) -> None:
    """Require that the message with the vector is no longer than the protection says, in 64 bits and in few."""
    for span in (None, _SHORT):
        playing = _Round(protection, span=span).play()
        longest = max(len(message) for message in playing.largest().values())
        require(longest <= protection.most_bytes(playing.pact), f"messages of {longest} bytes")


def check_repeated_message_changes_nothing(protection: Protection) -> None:
    """Require that a message that comes twice, even a phase later, leaves the server as it was."""
    playing = _Round(protection)

    def twice(playing: _Round, said: dict[str, bytes]) -> None:
        _deliver(playing, said)
        before = playing.server.to_bytes()
        for earlier in playing.said:
            _deliver(playing, earlier)
        require(playing.server.to_bytes() == before, "a repeated message left a trace")

    require(playing.play(carry=twice).sum == _plain(_GROUP), "not the clear sum")


def check_tampered_message_refused(protection: Protection) -> None:
    """Require that any changed byte, a missing one or one too many is noticed, in every phase."""

    def tampered(playing: _Round, said: dict[str, bytes]) -> None:
        message = said["h03"]
        for place in {0, 40, 63, 64, len(message) // 2, len(message) - 1}:
            changed = bytearray(message)
            changed[min(place, len(message) - 1)] ^= 1
            _unmoved(playing, "h03", bytes(changed), "E-ROUND-SIGNATURE")
        for other in (message[:-1], message + b"\0", b"", message[:64]):
            if other != message:
                _unmoved(playing, "h03", other, "E-ROUND-SIGNATURE")
        _unmoved(playing, "h04", message, "E-ROUND-SIGNATURE")
        _deliver(playing, said)

    require(_Round(protection).play(carry=tampered).sum == _plain(_GROUP), "not the clear sum")


def check_other_rounds_refused(protection: Protection) -> None:
    """Require that a message of the same members in another round is refused in every phase."""
    other = _Round(protection, round_id="round-0").play()

    def replayed(playing: _Round, said: dict[str, bytes]) -> None:
        for name, message in other.said[len(playing.said) - 1].items():
            _unmoved(playing, name, message, "E-ROUND-SIGNATURE")
        _deliver(playing, said)

    require(_Round(protection).play(carry=replayed).sum == _plain(_GROUP), "not the clear sum")


def check_two_stories_are_evidence(protection: Protection) -> None:
    """Require that a second, different message of one phase is refused, with proof, and changes nothing."""
    playing = _Round(protection)
    vectors, refusals = _vectors(), 0
    while playing.server.total is None:
        told = playing.server.told()
        twin = playing.member("h02", playing.members["h02"].to_bytes())
        _deliver(playing, playing.answers())
        other = twin.answer(told["h02"], lambda: vectors["h03"])
        if other != playing.said[-1]["h02"]:
            _unmoved(playing, "h02", other, "E-ROUND-TWICE")
            refusals += 1
        playing.server.close()
    require(refusals > 0, "no second story was told")
    require(playing.sum == _plain(_GROUP), "not the clear sum")


def check_state_survives_a_restart(protection: Protection) -> None:
    """Require that servers and members started again from their states go on as if nothing had been."""
    plain = _Round(protection).play()

    def restarted(playing: _Round, said: dict[str, bytes]) -> None:
        for place, (name, message) in enumerate(said.items()):
            playing.server.take(name, message)
            if place == 2:
                playing.server = protection.server(playing.pact, state=playing.server.to_bytes())
        playing.members = {name: playing.member(name, member.to_bytes()) for name, member in playing.members.items()}

    again = _Round(protection).play(carry=restarted)
    require(again.sum == plain.sum == _plain(_GROUP), "not the clear sum")
    require(again.said == plain.said or not protection.seeded, "other words after a restart")
    kept = protection.server(again.pact, state=again.server.to_bytes())
    require(kept.total is not None and kept.total.tobytes() == again.sum, "the sum was not kept")


PROTECTION_SUITE: Suite[Protection] = Suite(
    "protection",
    (
        check_sum_is_the_clear_sum,
        check_order_of_arrival_does_not_matter,
        check_shows_what_it_says,
        check_rounds_do_not_repeat,
        check_keys_come_from_entropy,
        check_lost_members_leave_the_survivors_sum,
        check_few_survivors_reveal_nothing,
        check_stranger_refused,
        check_other_pact_refused,
        check_lengths_must_agree,
        check_small_group_refused,
        check_overflow_refused,
        check_message_is_small,
        check_repeated_message_changes_nothing,
        check_tampered_message_refused,
        check_other_rounds_refused,
        check_two_stories_are_evidence,
        check_state_survives_a_restart,
    ),
)
