"""Whatever may be asked travels as the same bits; whatever else arrives is refused."""

import hashlib
import json
import pickle
import secrets
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import GramQuestion, UpdateQuestion, wire
from headwater.federation.bounded import BoundedQuestion
from headwater.federation.cohorts import Ready, Share
from headwater.federation.private import Clipping, NoisyScore, NoisySquares
from headwater.statistics import Categorical, FeatureMap, Gram, Numeric, Statistic
from headwater.statistics.feature_maps import FEATURE_MAPS
from headwater.valuation.averaging import OwnValue, Told

TABLE = pa.table(
    {
        "log_cost": np.linspace(6.0, 9.0, 40),
        "age": np.linspace(1.0, 99.0, 40),
        "days": np.linspace(30.0, 2.0, 40),
        "sex": ["男", "女"] * 20,
        "month": [date(2025, 1 + k % 3, 1) for k in range(40)],
    }
)
BASE = FeatureMap((Numeric("age", 60, 20.5, fill=True), Numeric("days", 8.25, 5.0)), (Categorical("sex", 2),))
LIFTED = {
    name: FEATURE_MAPS[name].fit(BASE, BASE.transform(TABLE), np.linspace(-1.0, 1.0, 40), dim=9, seed=3)
    for name in FEATURE_MAPS
}

real = st.floats(-1e6, 1e6)
months = st.none() | st.lists(st.sampled_from([date(2025, m, 1) for m in (1, 2, 3)]), min_size=1, max_size=3).map(tuple)
maps = st.sampled_from([BASE, *LIFTED.values()])
grams = st.builds(
    GramQuestion, maps, st.just("log_cost"), months, center=st.integers(0, 9) | real, scale=st.floats(0.1, 9.0)
)


def vectors(*shape):
    return st.lists(real, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda values: np.array(values).reshape(shape)
    )


@st.composite
def updates(draw):
    parameters = draw(st.integers(1, 20).flatmap(vectors))
    parameters = draw(st.sampled_from([parameters, parameters.astype(np.float32).astype(np.float64)]))
    seed = draw(st.integers(0, 2**64 - 1))
    return UpdateQuestion("stay_cost_net", draw(maps), parameters, "log_cost", draw(months), 2, 0.05, seed)


@st.composite
def bounded(draw):
    asked = draw(grams)
    dim = asked.feature_map.dim
    return BoundedQuestion(asked, draw(vectors(dim)), draw(vectors(dim, dim)), draw(st.floats(0.1, 9.0)))


@st.composite
def clippings(draw):
    asked = draw(grams)
    return Clipping(asked, draw(vectors(asked.feature_map.dim, asked.feature_map.dim)), draw(st.floats(0.1, 1e300)))


@st.composite
def scores(draw):
    clipping = draw(clippings())
    shape = (draw(st.integers(1, 3)), clipping.question.feature_map.dim)
    return NoisyScore(clipping, draw(vectors(*shape)), draw(vectors(*shape)), draw(st.floats(0.0, 9.0)), 0.5)


@st.composite
def own_values(draw):
    asked = replace(draw(grams), scale=100.0)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sums = tuple(asked.family.sample(rng) for _ in range(4))
    told = Told(asked.family, draw(st.floats(0.1, 9.0)), sums, (5, 5, 6, 4), ((0, 1), (2, 3)), sums[0], sums[1], 7)
    return OwnValue(asked, told, (0, 2))


QUESTIONS = {
    "gram_question": grams,
    "update_question": updates(),
    "bounded_question": bounded(),
    "ready": st.builds(Ready, grams, st.booleans()),
    "noisy_squares": st.builds(NoisySquares, clippings(), st.floats(0.1, 9.0)),
    "noisy_score": scores(),
    "own_value": own_values(),
}


def test_every_question_that_may_be_asked_is_tried_here():
    assert set(QUESTIONS) == set(wire.QUESTIONS)


def code(act):
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code


def answer(question):
    """Return what a source answers, or why it does not; noise comes from one seed."""
    rng = np.random.default_rng(1)
    if hasattr(question, "entropy"):
        question = replace(question, entropy=rng.bytes)
    try:
        return question.of(TABLE).to_bytes()
    except HeadwaterError as error:
        return error.code


@pytest.mark.parametrize("kind", sorted(QUESTIONS))
@settings(max_examples=25, derandomize=True)
@given(data=st.data())
def test_what_arrives_is_what_was_asked_bit_for_bit(kind, data):
    asked = data.draw(QUESTIONS[kind])
    message = wire.written(asked)
    arrived = wire.question(message)
    assert type(arrived) is type(asked)
    assert wire.written(arrived) == message
    assert arrived.nbytes == asked.nbytes
    if kind == "update_question":
        assert arrived.parameters.dtype == np.float64
        assert arrived.parameters.tobytes() == asked.parameters.tobytes()
        assert (arrived.feature_map, arrived.months, arrived.seed) == (asked.feature_map, asked.months, asked.seed)
    else:
        assert answer(arrived) == answer(asked)


@pytest.mark.parametrize("kind", sorted(QUESTIONS))
@settings(max_examples=40, derandomize=True)
@given(data=st.data())
def test_a_changed_shortened_or_lengthened_message_is_refused(kind, data):
    message = bytearray(wire.written(data.draw(QUESTIONS[kind])))
    place = data.draw(st.integers(0, len(message) - 1))
    cut = data.draw(st.sampled_from(["change", "cut", "add"]))
    if cut == "change":
        message[place] ^= data.draw(st.integers(1, 255))
    elif cut == "cut":
        del message[place:]
    else:
        message += b"\0"
    assert code(lambda: wire.question(bytes(message))) == "E-WIRE-MESSAGE"


@settings(max_examples=200, derandomize=True)
@given(data=st.data())
def test_who_changes_a_message_and_its_digest_gets_a_question_or_a_refusal_and_nothing_else(data):
    """A digest is no secret: the reader alone must hold, also where one byte of an honest header is another."""
    body = bytearray(wire.written(data.draw(st.one_of(*QUESTIONS.values())))[36:])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    message = forged(bytes(body))
    try:
        made = wire.question(message)
    except Refusal as refusal:
        found = refusal.code.startswith("E-WIRE-")
    else:
        found = wire.written(made) == message
    assert found


def forged(body: bytes) -> bytes:
    return b"HWQ1" + hashlib.sha256(body).digest() + body


def stated(header, raw=b"") -> bytes:
    text = (
        header if isinstance(header, bytes) else json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    )
    return forged(len(text).to_bytes(4, "little") + text + raw)


def plain(**changes):
    header = json.loads(wire.written(GramQuestion(BASE))[40:])
    return header | changes


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"@": "os.system", "command": "true"}, "KIND"),
        ({"@": "share"}, "KIND"),
        (plain(feature_map={"@": "gram_question"}), "KIND"),
        (plain(feature_map={"@": "statistic", "kind": "gram", "shape": [1], "values": ["u8", 0]}), "KIND"),
        (plain(feature_map={"@": "feature_map", "numeric": [], "categorical": [
            {"@": "categorical", "name": "x", "buckets": 10**9, "fill": False}]}), "SIZE"),
        (plain(feature_map={"@": "feature_map", "numeric": [
            {"@": "numeric", "name": "x", "center": 0.0, "scale": -1.0, "clip": 1.0, "fill": False}],
            "categorical": []}), "VALUE"),
        (plain(scale=True), "MESSAGE"),
        (plain(scale="1.0"), "MESSAGE"),
        (plain(target=None), "MESSAGE"),
        (plain(months=["2025-13-01"]), "MESSAGE"),
        (plain(months="2025-01-01"), "MESSAGE"),
        (plain(more=1), "MESSAGE"),
        ([], "MESSAGE"),
        (b'{"@":"gram_question"', "MESSAGE"),
        (b"[" * 100_000, "MESSAGE"),
        (json.dumps({"@": "\ud800"}).encode(), "KIND"),
        (json.dumps({"@": "message", "zh": "\ud800", "en": ""}, separators=(",", ":")).encode(), "VALUE"),
        (plain(center=float("nan")), "MESSAGE"),
        (b'{"@":"span","low":' + b"9" * 5000 + b',"high":1}', "MESSAGE"),
        ({"@": "span", "low": 2**64, "high": 1}, "MESSAGE"),
        ({"@": ["span"]}, "MESSAGE"),
        ({"@": "statistic", "kind": "x", "shape": [], "values": ["u8", 10**9, 10**9]}, "MESSAGE"),
        (b'{"@":"gram_question","@":"ready"}', "MESSAGE"),
        (pickle.dumps({"a": 1}), "MESSAGE"),
    ],
)  # fmt: skip
def test_a_header_that_was_never_written_is_refused(header, expected):
    assert code(lambda: wire.question(stated(header))) == f"E-WIRE-{expected}"


def test_spaces_and_another_order_of_fields_are_refused_though_they_mean_the_same():
    header = plain()
    assert code(lambda: wire.question(stated(json.dumps(header).encode()))) == "E-WIRE-MESSAGE"
    assert code(lambda: wire.question(stated(dict(reversed(header.items()))))) == "E-WIRE-MESSAGE"
    assert wire.question(stated(header)) == GramQuestion(BASE)


def test_numbers_have_one_width():
    halves, thirds = (wire.written(UpdateQuestion("m", BASE, np.full(1_000, value))) for value in (0.5, 1 / 3))
    assert len(thirds) - len(halves) == 4_000
    wide = bytearray(halves[36:])
    size = int.from_bytes(wide[:4], "little")
    text = bytes(wide[4 : 4 + size]).replace(b'["f4",1000]', b'["f8",1000]')
    message = stated(text, np.full(1_000, 0.5).tobytes())
    assert code(lambda: wire.question(message)) == "E-WIRE-MESSAGE"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_neither_written_nor_read(value):
    parameters = np.array([0.5, value])
    assert code(lambda: wire.written(UpdateQuestion("m", BASE, parameters))) == "E-WIRE-VALUE"
    message = wire.written(UpdateQuestion("m", BASE, np.array([0.5, 0.25])))
    body = message[36:-4] + np.array([value], dtype="<f4").tobytes()
    assert code(lambda: wire.question(forged(body))) == "E-WIRE-MESSAGE"


def test_a_message_beyond_the_bound_is_refused_unread(monkeypatch):
    message = wire.written(UpdateQuestion("m", BASE, np.full(1_000, 1 / 3)))
    monkeypatch.setattr(wire, "MOST_BYTES", 4_000)
    assert code(lambda: wire.question(message)) == "E-WIRE-SIZE"
    assert code(lambda: wire.written(UpdateQuestion("m", BASE, np.full(1_000, 1 / 3)))) == "E-WIRE-SIZE"


def test_what_is_not_registered_does_not_travel():
    @dataclass(frozen=True)
    class Own:
        months: None = None

    assert code(lambda: wire.written(Message("\ud800", ""))) == "E-WIRE-VALUE"
    for thing in (Own(), Share(GramQuestion(BASE), None, b"", True), lambda table: table):
        assert code(lambda thing=thing: wire.written(thing)) == "E-WIRE-KIND"
    assert code(lambda: wire.question(wire.written(BASE))) == "E-WIRE-KIND"
    assert code(lambda: wire.read(wire.written(BASE), GramQuestion)) == "E-WIRE-KIND"


def test_where_noise_comes_from_stays_at_home():
    known = NoisySquares(Clipping(GramQuestion(BASE), np.eye(BASE.dim), 4.0), 1.0, entropy=bytes)
    arrived = wire.question(wire.written(known))
    assert arrived.entropy is secrets.token_bytes


def test_statistics_and_refusals_travel_too():
    told = Gram(3).sample(np.random.default_rng(0))
    assert wire.read(wire.written(told), Statistic) == told
    assert wire.read(wire.written(Message("汉", "Han")), Message) == Message("汉", "Han")
