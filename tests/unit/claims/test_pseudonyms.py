"""Tokens in place of identifiers."""

import base64
import hashlib
import hmac
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.claims.pseudonyms import Pseudonyms, identity
from headwater.errors import Refusal
from headwater.simulation.people import check_digit

KEY = bytes(range(32))


def test_token_is_the_first_128_bits_of_hmac_sha256():
    # Computed once with: openssl dgst -sha256 -mac HMAC -macopt hexkey:00…1f on "310101199001011234"
    digest = hmac.new(KEY, b"310101199001011234", hashlib.sha256).digest()[:16]
    expected = base64.b32encode(digest).decode().rstrip("=").lower()
    assert Pseudonyms(KEY).token("310101199001011234").split("_")[1] == expected


@pytest.mark.parametrize(
    "variant", [" 31010119900101123x", "３１０１０１１９９００１０１１２３Ｘ", "310101 19900101 123X"]
)
def test_spelling_variants_of_one_person_share_a_token(variant: str):
    pseudonyms = Pseudonyms(KEY)
    assert pseudonyms.token(variant) == pseudonyms.token("31010119900101123X")


def test_other_key_other_token_and_other_key_id():
    here, there = Pseudonyms(KEY), Pseudonyms(bytes(32))
    assert here.key_id != there.key_id
    assert here.token("a").split("_")[1] != there.token("a").split("_")[1]


def test_sm3_gives_other_tokens_under_another_key_id():
    # GB/T 32905, first example: SM3("abc").
    assert hashlib.new("sm3", b"abc").hexdigest().startswith("66c7f0f462eeedd9d1f2d46bdc10e4e2")
    sm3 = Pseudonyms(KEY, "sm3")
    assert sm3.key_id != Pseudonyms(KEY).key_id
    digest = hmac.new(KEY, b"A1", "sm3").digest()[:16]
    assert sm3.token("A1") == f"p{sm3.key_id}_{base64.b32encode(digest).decode().rstrip('=').lower()}"


def test_an_unknown_hash_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match="md5"):
        Pseudonyms.open(tmp_path / "key", "md5")


def test_the_published_example_is_valid():
    # GB 11643-1999, worked example.
    holder = identity("11010519491231002X")
    assert holder is not None
    assert (holder.birth.isoformat(), holder.sex, holder.was_short) == ("1949-12-31", "2", False)


@settings(max_examples=100, deadline=None)
@given(serial=st.integers(0, 10**6), day=st.dates(date(1900, 1, 1), date(1999, 12, 31)))
def test_fifteen_digits_and_eighteen_are_one_person(serial: int, day: date):
    first = f"110105{day:%Y%m%d}{serial % 1000:03d}"
    long = first + check_digit(first)
    holder, old = identity(long), identity(long[:6] + long[8:17])
    assert holder is not None
    assert old is not None
    assert (holder.number, holder.birth, holder.sex) == (old.number, old.birth, old.sex) == (long, day, holder.sex)
    assert old.was_short


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 17), change=st.integers(1, 9))
def test_one_wrong_digit_is_always_found(place: int, change: int):
    good = "11010519491231002X"
    wrong = "7" if place == 17 else str((int(good[place]) + change) % 10)
    assert identity(good[:place] + wrong + good[place + 1 :]) is None


def test_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "key"
    first, second = Pseudonyms.open(path), Pseudonyms.open(path)
    assert first.token("a") == second.token("a")
    assert path.stat().st_mode & 0o777 == 0o600


def test_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")


def test_a_key_stands_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "pseudonym.key"
    with monkeypatch.context() as dying:
        dying.setattr("os.fsync", lambda descriptor: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Pseudonyms.open(path)
    assert not path.exists()
    key_id = Pseudonyms.open(path).key_id
    assert Pseudonyms.open(path).key_id == key_id
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_two_keys_made_at_once_the_first_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "pseudonym.key"
    with monkeypatch.context() as race:
        race.setattr("os.fsync", lambda descriptor: path.write_bytes(KEY))
        assert Pseudonyms.open(path).key_id == Pseudonyms(KEY).key_id
    assert [file.name for file in tmp_path.iterdir()] == ["pseudonym.key"]
