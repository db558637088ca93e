"""Tokens in place of identifiers."""

from pathlib import Path

import pyarrow as pa
import pytest

from headwater.claims.pseudonyms import Pseudonyms

KEY = bytes(range(32))


def test_token_is_the_first_128_bits_of_hmac_sha256():
    # Computed once with: openssl dgst -sha256 -mac HMAC -macopt hexkey:00…1f on "310101199001011234"
    import base64
    import hashlib
    import hmac

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


def test_columns_keep_blanks_and_order():
    pseudonyms = Pseudonyms(KEY)
    tokens = pseudonyms.tokens(pa.chunked_array([["a", "", None], ["a", "b"]])).to_pylist()
    assert tokens == [pseudonyms.token("a"), "", None, pseudonyms.token("a"), pseudonyms.token("b")]


def test_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "key"
    first, second = Pseudonyms.open(path), Pseudonyms.open(path)
    assert first.token("a") == second.token("a")
    assert path.stat().st_mode & 0o777 == 0o600


def test_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")
