"""A node answers what its region signed, once; the same words get the same answer, also after a restart."""

import hashlib
import importlib.util
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Fold, Group, Heard, Mechanism, Sitting, Tier, Tree, group
from headwater.aggregation.adding import Adder
from headwater.aggregation.afar import Afar
from headwater.aggregation.opening import SPEAK, Opening
from headwater.aggregation.speaking import Speaker
from headwater.checks.protections import seeded_entropy
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import GramQuestion, wire
from headwater.federation.line import answered, said
from headwater.federation.transport import SourceFault
from headwater.security import Pact
from headwater.security.at_once import AtOnce
from headwater.security.identity import framed, unframed
from headwater.security.protection import in_turn
from headwater.security.task import Task, digest
from headwater.statistics import FeatureMap, Numeric, Statistic

_spec = importlib.util.spec_from_file_location("node_program", Path(__file__).parent / "node_program.py")
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)

QUESTION = GramQuestion(FeatureMap((Numeric("age", 60.0, 20.0), Numeric("days", 8.0, 6.0))))
ASKED = wire.written(QUESTION)
REGION, STRANGER = program.identity_of("region"), program.identity_of("stranger")
CITIES = {"north": ["h1", "h2", "h3"], "south": ["h4", "h5", "h6"]}
HOSPITALS = {name: city for city, names in CITIES.items() for name in names}
TREE = Tree.of(HOSPITALS, root="region")
FORM = QUESTION.of(program.table_of("the bureau"))


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Straight:
    """A line to speakers of this process, each made anew from its shelf for every message if ``restarts``."""

    def __init__(self, *, restarts=False):
        self.nodes, self.made, self.restarts, self.heard = {}, {}, restarts, []

    def add(self, name, make):
        self.made[name] = make
        self.nodes[name] = make()

    def send(self, to, message):
        if self.restarts:
            self.nodes[to] = self.made[to]()
        self.heard.append((to, message))
        return self.nodes[to].hear(message)


def speaker(name, shelf, clock, *, line=None, host=None):
    identity = program.identity_of(name)
    # A restarted node draws anew: what it said must come from what it kept.
    entropy = seeded_entropy(len(shelf.kept))
    adder = Adder(identity, line, in_turn, clock, 60.0) if line else None
    return Speaker(name, identity, entropy, entropy, REGION.public, host or program.Tables(name), shelf, clock, adder)


def federation(*, restarts=False, clock=None, hosts=None):
    clock, hosts = clock or Clock(), hosts or {}
    line = Straight(restarts=restarts)
    for name in HOSPITALS:
        shelf = program.Memory()
        line.add(name, lambda n=name, s=shelf: speaker(n, s, clock, host=hosts.get(n)))
    for name in CITIES:
        shelf = program.Memory()
        line.add(name, lambda n=name, s=shelf: speaker(n, s, clock, line=line))
    return line


def afar(line, *, clock=None, identity=REGION, purpose="aggregation", run="run", asked=ASKED):
    publics = {name: program.identity_of(name).public for name in line.nodes}
    adder = Adder(identity, line, in_turn, clock or Clock(), 60.0)
    return Afar("region", adder, publics, asked, purpose, run, dict.fromkeys(HOSPITALS, ()))


def plain(names=HOSPITALS):
    return Statistic.total([QUESTION.of(program.table_of(name)) for name in names])


MASKED = group(TREE, dict.fromkeys(HOSPITALS, UNDER_MASKS))
MIXED = group(TREE, dict.fromkeys(["h1", "h2", "h4"], UNDER_MASKS) | dict.fromkeys(["h3", "h5", "h6"], IN_CLEAR))


@pytest.mark.parametrize("groups", [MASKED, MIXED], ids=["masked", "mixed"])
@pytest.mark.parametrize("restarts", [False, True])
def test_nodes_that_restart_before_every_message_add_to_the_same_sum(groups, restarts):
    line = federation(restarts=restarts)
    assert Fold("f").of(groups, afar(line), FORM).total == plain()


def test_the_region_is_told_no_statistic_of_a_tier_nor_of_a_source():
    """All that comes back to the region before the root's own group: messages that hold neither sums nor vectors."""
    line = federation()
    came = []
    send = line.send

    def watched(to, message):
        answer = send(to, message)
        if unframed(message)[0] != SPEAK:
            came.append(answer)
        return answer

    line.send = watched
    Fold("f").of(MASKED, afar(line), FORM)
    assert len(came) == 2
    for city, answer in zip(CITIES, came, strict=True):
        total = plain(CITIES[city])
        for secret in (total, *(plain([name]) for name in CITIES[city])):
            assert secret.values.tobytes()[:16] not in answer
            assert secret.to_bytes()[-24:] not in answer


def test_tiers_are_asked_at_once_and_so_are_the_hospitals_of_each():
    """Each hospital waits for all six of both cities: asked in turn, the first would wait for ever."""
    meeting = threading.Barrier(6, timeout=60)
    line = federation()
    send = line.send

    def together(to, message):
        if to in HOSPITALS:
            meeting.wait()
        return send(to, message)

    line.send = together
    for city in CITIES:
        line.nodes[city] = replace(
            line.nodes[city], adder=replace(line.nodes[city].adder, line=line, asking=AtOnce(60.0))
        )
    assert Fold("f").of(MASKED, replace(afar(line), tiers=AtOnce(60.0)), FORM).total == plain()


def test_whoever_is_silent_refuses_or_breaks_is_lost_alone_and_named():
    class Forbids(program.Tables):
        def permit(self, opening, question):
            raise Refusal("E-REQUIRE-VIEWER", Message("不可", "no"), Message("无", "none"))

    class Breaks(program.Tables):
        def answer(self, opening, question):
            raise ZeroDivisionError("a number of a patient")

    names = [f"h{place}" for place in range(10)]
    line, clock = Straight(), Clock()
    hosts = {"h1": Forbids("h1"), "h2": Breaks("h2")}
    for name in names:
        shelf = program.Memory()
        line.add(name, lambda n=name, s=shelf: speaker(n, s, clock, host=hosts.get(n)))
    send = line.send

    def losing(to, message):
        if to == "h3":
            raise OSError("no route")
        return send(to, message)

    line.send = losing
    tree = Tree(Tier("region", tuple(names)))
    player = replace(afar(line), exposures=dict.fromkeys(names, ()))
    found = Fold("f").of(group(tree, dict.fromkeys(names, UNDER_MASKS)), player, FORM)
    assert {name: fault.code for name, fault in found.lost.items()} == {
        "h1": "E-REQUIRE-VIEWER", "h2": "E-NODE-FAULT", "h3": "E-SOURCE-FAULT",
    }  # fmt: skip
    assert "patient" not in str(found.lost["h2"])
    assert found.total == plain([name for name in names if name not in found.lost])


def test_a_tier_that_cannot_be_reached_is_lost_with_its_sources_and_the_others_go_on():
    line = federation()
    send = line.send

    def losing(to, message):
        if to == "north":
            raise OSError("no route")
        return send(to, message)

    line.send = losing
    found = Fold("f").of(MASKED, afar(line), FORM)
    assert set(found.lost) == set(CITIES["north"])
    assert found.total == plain(CITIES["south"])


def test_a_tier_that_tells_of_others_than_it_was_asked_about_is_lost():
    line = federation()
    send = line.send

    def lying(to, message):
        answer = send(to, message)
        if to != "north" or unframed(message)[0] == SPEAK:
            return answer
        heard = wire.read(answer[1:], Heard)
        return said(wire.written(replace(heard, survivors=("h4", "h5", "h6"))))

    line.send = lying
    found = Fold("f").of(MASKED, afar(line), FORM)
    assert {fault.code for fault in found.lost.values()} == {"E-TIER-ODD"}
    assert found.total == plain(CITIES["south"])


# One hospital, spoken to word by word.


def opening(name="h1", **changes):
    members = tuple((one, UNDER_MASKS) for one in CITIES["north"])
    sitting = Sitting(Group("north", members), "f", FORM.kind, FORM.shape, FORM.values.size, tuple(CITIES["north"]))
    publics = {one: program.identity_of(one).public for one in CITIES["north"]}
    pact = Pact.of("masked", publics, round_id=sitting.round_id, length=sitting.length)
    adder = program.identity_of("north").public
    return replace(Opening("aggregation", "run", sitting, pact, adder, digest(ASKED), (), ()), **changes)


def task(asked, about, *, phase=0, **changes):
    made = Task("h1", about.purpose, about.run, about.pact.round_id, phase, 1_060, about.pact.digest, digest(asked))
    return replace(made, **changes)


def message(about=None, *, told=b"\0", words=None, asks=None, by=REGION, adder=None, question=ASKED):
    about = about or opening()
    text = wire.written(about)
    words = words or task(told, about)
    asks = asks or task(text, about)
    adder = adder or program.identity_of("north")
    return framed(SPEAK, words.sealed(adder), told, asks.sealed(by), text, question)


def alone(*, clock=None, host=None):
    shelf = program.Memory()
    line = Straight()
    line.add("h1", lambda: speaker("h1", shelf, clock or Clock(), host=host))
    return line, shelf


def code(line, message):
    with pytest.raises(SourceFault) as caught:
        answered(line, "h1", message)
    return caught.value.code


def test_the_same_words_get_the_same_answer_also_signed_anew_and_after_a_restart():
    line, _ = alone()
    first = answered(line, "h1", message())
    line.nodes["h1"] = line.made["h1"]()
    later = message(
        words=task(b"\0", opening(), expires=2_000), asks=task(wire.written(opening()), opening(), expires=2_000)
    )
    assert answered(line, "h1", message()) == answered(line, "h1", later) == first


OTHERS = {
    "another question": {"asked": digest(wire.written(replace(QUESTION, target="age")))},
    "another run": {"run": "another"},
    "another adder": {"adder": STRANGER.public},
}


@pytest.mark.parametrize("other", sorted(OTHERS))
def test_a_round_that_is_known_is_never_about_something_else(other):
    line, shelf = alone()
    first = answered(line, "h1", message())
    kept = dict(shelf.kept)
    about = opening(**OTHERS[other])
    question = wire.written(replace(QUESTION, target="age")) if other == "another question" else ASKED
    adder = STRANGER if other == "another adder" else None
    assert code(line, message(about, question=question, adder=adder)) == "E-TASK-TWICE"
    assert shelf.kept == kept
    assert answered(line, "h1", message()) == first


def test_what_was_forgotten_is_not_answered_again_and_not_about_something_else():
    clock = Clock()
    line, shelf = alone(clock=clock)
    first = answered(line, "h1", message())
    line.nodes["h1"].forget()
    assert answered(line, "h1", message()) == first
    clock.now = 1_061.0
    line.nodes["h1"].forget()
    assert max(map(len, shelf.kept.values())) < 100
    again = {"words": task(b"\0", opening(), expires=9_999)}
    assert (
        code(line, message(asks=task(wire.written(opening()), opening(), expires=9_999), **again)) == "E-TASK-UNOPENED"
    )
    other = opening(run="another")
    assert (
        code(
            line,
            message(
                other, words=task(b"\0", other, expires=9_999), asks=task(wire.written(other), other, expires=9_999)
            ),
        )
        == "E-TASK-TWICE"
    )


def test_a_round_that_was_signed_anew_for_longer_is_kept_for_longer():
    clock = Clock()
    line, shelf = alone(clock=clock)
    answered(line, "h1", message())
    answered(line, "h1", message(asks=task(wire.written(opening()), opening(), expires=2_000)))
    clock.now = 1_500.0
    before = dict(shelf.kept)
    line.nodes["h1"].forget()
    assert shelf.kept == before


def refused_messages():
    about = opening()
    text = wire.written(about)
    yield "not the region", message(by=STRANGER), "E-TASK-SIGNATURE"
    yield "not the adder", message(adder=STRANGER), "E-TASK-SIGNATURE"
    yield "the region in the adder's place", message(adder=REGION), "E-TASK-SIGNATURE"
    yield "for another", message(asks=task(text, about, node="h2")), "E-TASK-NODE"
    yield "words for another", message(words=task(b"\0", about, node="h2")), "E-TASK-NODE"
    yield "too late", message(asks=task(text, about, expires=999)), "E-TASK-EXPIRED"
    yield "words too late", message(words=task(b"\0", about, expires=999)), "E-TASK-EXPIRED"
    yield "another purpose", message(opening(purpose="advertising")), "E-TASK-PURPOSE"
    yield "words of another purpose", message(words=task(b"\0", about, purpose="valuation")), "E-TASK-PURPOSE"
    yield "words of another run", message(words=task(b"\0", about, run="x")), "E-TASK-FORM"
    yield "words of another pact", message(words=task(b"\0", about, pact=b"x" * 32)), "E-TASK-FORM"
    yield "words of another phase", message(words=task(b"\0", about, phase=2)), "E-TASK-FORM"
    yield "other words than signed", message(words=task(b"\1", about)), "E-TASK-ASKED"
    yield "another question than signed", message(question=wire.written(replace(QUESTION, center=1.0))), "E-TASK-FORM"
    yield "no question", message(opening(asked=digest(b"")), question=b""), "E-WIRE-MESSAGE"
    yield "no task", framed(SPEAK, b"", b""), "E-WIRE-MESSAGE"
    yield "no message", b"anything", "E-TASK-FORM"
    yield "no tier", framed(b"play", b"", b"", b""), "E-TASK-FORM"
    told = b"\1" + bytes(5)
    yield (
        "never opened",
        framed(SPEAK, task(told, about, phase=1).sealed(program.identity_of("north")), told),
        "E-TASK-UNOPENED",
    )


@pytest.mark.parametrize(
    ("what", "sent", "expected"), list(refused_messages()), ids=[w for w, _, _ in refused_messages()]
)
def test_whatever_is_wrong_is_refused_and_no_vector_leaves(what, sent, expected):
    class Watched(program.Tables):
        answers = 0

        def answer(self, opening, question):
            Watched.answers += 1
            return super().answer(opening, question)

    line, shelf = alone(host=Watched("h1"))
    assert code(line, sent) == expected
    assert Watched.answers == 0
    assert not [name for name, kept in shelf.kept.items() if name.startswith("spoken/") and unframed(kept)[3]]


@settings(max_examples=60, derandomize=True)
@given(st.data())
def test_no_changed_byte_is_answered_and_nothing_makes_a_node_raise(data):
    line, _ = alone()
    sent = bytearray(message())
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SourceFault) as caught:
        answered(line, "h1", bytes(sent))
    assert caught.value.code.startswith(("E-TASK-", "E-WIRE-"))


def test_a_refusal_that_quotes_what_is_no_text_travels_too():
    line, _ = alone()
    text = b'{"@":"\\ud800"}'
    body = len(text).to_bytes(4, "little") + text
    forged = b"HWQ1" + hashlib.sha256(body).digest() + body
    assert code(line, framed(SPEAK, bytes(64) + forged, b"")) == "E-WIRE-KIND"
    other = opening(purpose="\udfff".encode(errors="surrogatepass").decode(errors="replace"))
    assert code(line, message(other)) == "E-TASK-PURPOSE"


def test_an_opening_that_is_not_of_its_pact_cannot_be():
    wrong = opening().pact
    for changes in ({"pact": replace(wrong, length=1)}, {"asked": b""}, {"sums": ("f/north",)}):
        with pytest.raises(ValueError, match="another group"):
            opening(**changes)


def test_a_tier_says_a_sum_in_one_round_alone():
    """Noise of its own that is drawn twice for one sum could be averaged away."""
    central = dict.fromkeys(HOSPITALS, UNDER_MASKS) | dict.fromkeys(CITIES, Mechanism("clear", "sender", 1.0, 1e-6))
    groups = group(TREE, central)
    line = federation()
    player = afar(line)
    small = Statistic(FORM.kind, FORM.shape, np.zeros_like(FORM.values))
    Fold("f", l2=20.0).of(groups, player, small)
    again = next(one for one in groups if one.tier == "region")
    sitting = Sitting(again, "g", FORM.kind, FORM.shape, FORM.values.size, tuple(CITIES), None, 20.0)
    (heard,) = player.play([sitting])
    assert heard.survivors == ()
    assert {fault.code for fault in heard.lost.values()} == {"E-TASK-TWICE"}


def test_a_tier_that_is_asked_again_plays_no_second_time():
    clock = Clock()
    line = federation(clock=clock)
    sitting = Sitting(MASKED[0], "f", FORM.kind, FORM.shape, FORM.values.size, tuple(CITIES["north"]))
    first = afar(line, clock=clock).play([sitting])
    heard = len(line.heard)
    clock.now += 10.0
    assert afar(line, clock=clock).play([sitting]) == first
    assert len(line.heard) == heard + 1
    other = {"asked": wire.written(replace(QUESTION, center=1.0))}
    assert codes(afar(line, clock=clock, **other).play([sitting])) == {"E-TASK-TWICE"}
    assert max(map(len, line.nodes["north"].shelf.kept.values())) > 400
    clock.now += 60.0
    line.nodes["north"].forget()
    assert max(map(len, line.nodes["north"].shelf.kept.values())) < 200
    assert codes(afar(line, clock=clock).play([sitting])) == {"E-TASK-UNOPENED"}
    assert codes(afar(line, clock=clock, **other).play([sitting])) == {"E-TASK-TWICE"}


def codes(heard):
    return {fault.code for one in heard for fault in one.lost.values()}


def test_what_a_node_says_is_taken_for_what_it_is():
    class Odd:
        def __init__(self, answer):
            self.answer = answer

        def send(self, to, message):
            return self.answer

    for answer in (b"", b"x", b"-", b"-" + wire.written(QUESTION), None):
        with pytest.raises(SourceFault):
            answered(Odd(answer), "h1", b"")
    error = HeadwaterError("E-X", Message("因", "why"), Message("救", "how"))
    with pytest.raises(SourceFault, match="E-X: Source h1: why how"):
        answered(Odd(b"-" + wire.written(error)), "h1", b"")
