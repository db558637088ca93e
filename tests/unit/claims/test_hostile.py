"""What a careless or a hostile delivery tries, and how it is refused."""

import gzip
import os
from pathlib import Path

import duckdb
import pytest

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract, parse_contract
from headwater.claims.landing import land_bytes
from headwater.claims.macros import macros
from headwater.claims.pseudonyms import DAMAGED, Pseudonyms
from headwater.claims.reading import read
from headwater.errors import Refusal

TABLE = TableContract(
    ENTITIES["drug"],
    "*",
    "csv",
    "auto",
    None,
    1,
    (("medins_list_codg", ColumnRule(column="c")), ("medins_list_name", ColumnRule(column="n"))),
)


def _refusal(path: Path) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        list(read(path, name=path.name, table=TABLE).batches)
    return refusal.value


def test_an_unclosed_quote_swallows_nothing(tmp_path: Path):
    (tmp_path / "f").write_text('c,n\n1,a\n2,"b\n3,c\n4,d\n')
    assert _refusal(tmp_path / "f").code == "E-FILE-QUOTE"
    (tmp_path / "f").write_text('c,n\n1,a\n2,"b"\n3,"c ""x"" d"\n')
    assert sum(batch.num_rows for batch in read(tmp_path / "f", name="f", table=TABLE).batches) == 3


def test_broken_archives_and_endless_headers_are_refused(tmp_path: Path):
    whole = gzip.compress(b"c,n\n" + os.urandom(4000).hex().encode() + b",x\n")
    (tmp_path / "f").write_bytes(whole[: len(whole) // 2])
    assert _refusal(tmp_path / "f").code == "E-FILE-FORMAT"
    (tmp_path / "f").write_bytes(b"\x1f\x8b garbage")
    assert _refusal(tmp_path / "f").code == "E-FILE-FORMAT"
    (tmp_path / "f").write_text('"' + "x" * 200_000 + '",n\n1,a\n')
    assert _refusal(tmp_path / "f").code == "E-FILE-FORMAT"


@pytest.mark.parametrize(
    ("number", "is_person"),
    [
        ("11010519491231002X", True),
        ("11010519491231002x", True),
        ("110105194912310021", False),
        ("123456789012345678", False),
    ],
)
def test_identity_numbers_are_known_by_their_check_character(number: str, is_person: bool):
    # The first is the example of GB 11643-1999.
    connection = duckdb.connect()
    for statement in macros():
        connection.execute(statement)
    assert connection.execute("SELECT hw_is_person(?)", [number]).fetchone() == (is_person,)


def test_words_for_nothing_are_no_person_and_damaged_numbers_no_token():
    pseudonyms = Pseudonyms(bytes(32))
    column = ["无", "NULL", " - ", "0000", "1.10101199003077E+17", "A1"]
    words = [pseudonyms.word(text, nulls=["0000"]) for text in column]
    assert words == [None, None, None, None, DAMAGED, pseudonyms.token("A1")]


def test_file_names_show_no_identity_number_and_are_valid_text(tmp_path: Path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / os.fsdecode(b"\xc8\xfd_110101199003077715.csv")
    file.write_text("x")
    landed = land_bytes(file, inbox=tmp_path / "in", vault=tmp_path)
    assert "110101199003077715" not in landed.name
    landed.name.encode("utf-8")


def _contract(**table: object) -> dict[str, object]:
    meta = {"files": "*.csv", "columns": {"medins_list_codg": "c", "medins_list_name": "n"}} | table
    return {
        "name": "h1",
        "config": {
            "meta": {
                "title": {"zh": "院", "en": "h"},
                "owner": "it",
                "origin": "real",
                "currency": "CNY",
                "deliveries": table.pop("deliveries", "h1"),
            }
        },
        "tables": [{"name": "drug", "config": {"meta": {k: v for k, v in meta.items() if k != "deliveries"}}}],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"files": "../other/*.csv"},
        {"files": "/etc/*"},
        {"deliveries": "../h2"},
        {"deliveries": "/tmp"},
        {"columns": {"medins_list_codg": "ID", "medins_list_name": "id"}},
        {"columns": {"medins_list_codg": "__row", "medins_list_name": "n"}},
    ],
)
def test_contracts_that_reach_too_far_are_refused(change: dict[str, object]):
    with pytest.raises(Refusal, match="E-CONTRACT"):
        parse_contract(_contract(**change), where="t.yml")
