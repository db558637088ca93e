"""A fold over nodes that are processes of their own gives the bits of the fold in one process."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import headwater.adapters.tenseal as tenseal
from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Fold, Here, Mechanism, Tree, folded, group
from headwater.aggregation.adding import Adder
from headwater.aggregation.afar import Afar
from headwater.checks.protections import seeded_entropy
from headwater.federation import GramQuestion, wire
from headwater.federation.bounded import BoundedQuestion
from headwater.security import Pact, Span
from headwater.security.at_once import AtOnce
from headwater.security.identity import unframed
from headwater.statistics import FeatureMap, Numeric

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("node_program", HERE / "node_program.py")
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)

CITIES = {"north": ["h1", "h2", "h3"], "south": ["h4", "h5", "h6"]}
HOSPITALS = {name: city for city, names in CITIES.items() for name in names}
TREE = Tree.of(HOSPITALS, root="region")
HOLDER = tenseal.KeyHolder("holder")
GRAM = GramQuestion(FeatureMap((Numeric("age", 60.0, 20.0), Numeric("days", 8.0, 6.0))))
OWN = program.table_of("the bureau")
BOUNDED = BoundedQuestion.around(GRAM, GRAM.of(OWN), OWN, ridge=1.0)
SPAN = Span(*BOUNDED.family.bounds(60))
CKKS = Mechanism("ckks")


def opened_for(request: bytes) -> bytes:
    """Open a sum for a tier that asks, as the region does that holds the key."""
    pact, summed, members = unframed(request)
    return HOLDER.opened(wire.read(pact, Pact), summed, members[0]).tobytes()


@pytest.fixture(scope="module")
def line():
    known = {"region": program.identity_of("region").public.hex(), "holder": HOLDER.public.hex()}
    pipes = program.Pipes({city: known | {"hospitals": names} for city, names in CITIES.items()}, opened_for)
    yield pipes
    pipes.stop()


def publics():
    return {name: program.identity_of(name).public for name in (*HOSPITALS, *CITIES)}


def afar(line, question, *, identity=None) -> Afar:
    known = program.protections(HOLDER.public.hex(), HOLDER.opened)
    identity = identity or program.identity_of("region")
    adder = Adder(identity, line, AtOnce(120.0), lambda: program.NOW, 60.0, known)
    seen = dict.fromkeys(HOSPITALS, ())
    return Afar("region", adder, publics(), wire.written(question), "aggregation", "run", seen, AtOnce(600.0))


def answers(question):
    return {name: question.of(program.table_of(name)) for name in HOSPITALS}


MECHANISMS = {
    "clear": dict.fromkeys(HOSPITALS, IN_CLEAR),
    "masked": dict.fromkeys(HOSPITALS, UNDER_MASKS),
    "ckks": dict.fromkeys(HOSPITALS, CKKS),
    "mixed": dict.fromkeys(CITIES["north"], UNDER_MASKS) | dict.fromkeys(CITIES["south"], CKKS),
    "lifted": dict.fromkeys(["h1", "h2", "h4"], UNDER_MASKS) | dict.fromkeys(["h3", "h5", "h6"], IN_CLEAR),
}


@pytest.mark.parametrize("protection", sorted(MECHANISMS))
def test_what_has_no_noise_is_the_same_bits_wherever_it_is_added(line, protection):
    groups = group(TREE, MECHANISMS[protection])
    here = folded(groups, Here(answers(GRAM), seeded_entropy(1)), round_id=f"here {protection}")
    form = GRAM.of(OWN)
    there = Fold(f"there {protection}").of(groups, afar(line, GRAM), form)
    assert there.total == here.total
    assert there.parts == here.parts
    assert there.bytes_told == here.bytes_told
    assert there.lost == {}
    assert set(there.events) == set(here.events) == set(HOSPITALS)
    if "ckks" not in protection and protection != "mixed":
        assert there.bytes_sent == here.bytes_sent


NOISES = {
    "of a source": dict.fromkeys(HOSPITALS, Mechanism("clear", "sender", 1.0, 1e-6)),
    "of a group": dict.fromkeys(HOSPITALS, Mechanism("masked", "group", 1.0, 1e-6)),
    "of a source, encrypted": dict.fromkeys(HOSPITALS, Mechanism("ckks", "sender", 1.0, 1e-6)),
    "of a tier": dict.fromkeys(HOSPITALS, UNDER_MASKS) | dict.fromkeys(CITIES, Mechanism("clear", "sender", 1.0, 1e-6)),
}


@pytest.mark.parametrize("noise", sorted(NOISES))
def test_with_the_same_entropy_noise_is_the_same_bits_too(line, noise):
    groups, l2 = group(TREE, NOISES[noise], strand=noise), BOUNDED.family.l2
    # The nodes of this module have drawn before: their streams go on where they were left.
    noises = {name: DRAWN.setdefault(name, program.noise_of(name)) for name in (*HOSPITALS, *CITIES)}
    player = Here(answers(BOUNDED), seeded_entropy(1), noises=noises)
    here = folded(groups, player, round_id=f"here {noise}", span=SPAN, l2=l2)
    there = Fold(f"there {noise}", SPAN, l2).of(groups, afar(line, BOUNDED), BOUNDED.of(OWN))
    assert there.parts == here.parts
    assert there.events == here.events
    plain = sum((one.values for one in answers(BOUNDED).values()), np.zeros(BOUNDED.family.length, dtype=np.uint64))
    assert (there.total.values != plain).any()


DRAWN: dict[str, object] = {}
