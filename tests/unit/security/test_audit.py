"""The tree of the audit log is that of RFC 9162, proofs hold for one entry only, and heads are signed."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security.audit import Head, Peaks, Proof, Tree, leaf, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ENTRIES = [f"entry {number}".encode() for number in range(70)]


def by_definition(entries: list[bytes]) -> bytes:
    """Return the root as section 2.1.1 of RFC 9162 defines it."""
    if len(entries) < 2:
        return hashlib.sha256(b"\x00" + entries[0] if entries else b"").digest()
    half = 1
    while 2 * half < len(entries):
        half *= 2
    return hashlib.sha256(b"\x01" + by_definition(entries[:half]) + by_definition(entries[half:])).digest()


def test_a_published_root_is_met():
    # The empty tree, and the first of the leaves that implementations of Certificate Transparency are tested with.
    assert Peaks().root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Peaks().add(leaf(b"")).root.hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_growing_and_building_give_the_root_of_the_definition():
    peaks, tree = Peaks(), Tree(map(leaf, ENTRIES))
    for size in range(len(ENTRIES) + 1):
        assert peaks.root == tree.peaks(size).root == by_definition(ENTRIES[:size])
        assert peaks == tree.peaks(size)
        if size < len(ENTRIES):
            peaks = peaks.add(leaf(ENTRIES[size]))


@given(st.integers(1, 70), st.data())
def test_an_entry_is_proved_at_its_place_and_nothing_else_is(size: int, data: st.DataObject):
    place = data.draw(st.integers(0, size - 1))
    tree = Tree(map(leaf, ENTRIES))
    proof = Proof(place, tree.path(place, size), sign(tree.peaks(size), KEY))
    assert Proof.from_bytes(proof.to_bytes()) == proof
    assert [other for other in range(len(ENTRIES)) if proof.holds(ENTRIES[other])] == [place]
    raw = bytearray(proof.to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not Proof.from_bytes(bytes(raw)).holds(ENTRIES[place])


def test_a_node_cannot_be_shown_as_an_entry():
    # Without the first byte that tells leaves from nodes, two entries' hashes would pass for one entry.
    tree = Tree(map(leaf, ENTRIES[:2]))
    forged = Proof(0, (), sign(tree.peaks(2), KEY))
    together = leaf(ENTRIES[0]) + leaf(ENTRIES[1])
    assert not forged.holds(together)
    assert hashlib.sha256(b"\x01" + together).digest() == tree.peaks(2).root


@given(st.integers(1, 2**40), st.binary(min_size=32, max_size=32), st.integers(0, 63))
def test_a_head_holds_for_its_size_and_root_alone(size: int, root: bytes, at: int):
    hashes = tuple(hashlib.sha256(bytes([number])).digest() for number in range(size.bit_count()))
    head = sign(Peaks(size, hashes), KEY)
    assert head.holds()
    assert not Head(size + 1, head.root, head.key, head.signature).holds()
    assert not Head(size, root, head.key, head.signature).holds()
    changed = bytearray(head.signature)
    changed[at] ^= 1
    assert not Head(size, head.root, head.key, bytes(changed)).holds()


def test_a_proof_among_a_hundred_million_entries_stays_within_a_kilobyte():
    path = tuple(bytes(32) for _ in range(27))
    assert len(Proof(5, path, Head(2**27, bytes(32), bytes(32), bytes(64))).to_bytes()) <= 1024
    assert (1024 - 144) // 32 == 27


@pytest.mark.parametrize("raw", [b"", bytes(143), bytes(145), bytes(144 + 65 * 32)])
def test_other_bytes_are_no_proof(raw: bytes):
    with pytest.raises(Refusal, match="E-AUDIT-PROOF"):
        Proof.from_bytes(raw)
