"""Source contracts: what is accepted, and that every mistake is refused where it stands."""

import copy
from typing import Any

import duckdb
import pytest

from headwater.claims.contract import parse_contract
from headwater.errors import Refusal

GOOD: dict[str, Any] = {
    "name": "h1",
    "config": {
        "meta": {
            "title": {"zh": "一院", "en": "First"},
            "owner": "it",
            "origin": "synthetic",
            "currency": "CNY",
            "deliveries": "h1",
            "hospital": {"code": "H1", "level": "3"},
        }
    },
    "tables": [
        {
            "name": "drug",
            "config": {
                "meta": {"files": "d*.csv", "columns": {"medins_list_codg": "码", "medins_list_name": {"from": "名"}}}
            },
        },
        {
            "name": "diagnosis",
            "config": {
                "meta": {
                    "files": "f*.csv",
                    "nulls": ["0000"],
                    "columns": {"mdtrt_id": "号"},
                    "each": {"rank": "diag_srt", "slots": [{"diag_code": "诊1"}, {"diag_code": "诊2"}]},
                }
            },
        },
    ],
}


def test_a_good_contract_is_read():
    contract = parse_contract(GOOD, where="t.yml")
    assert contract.source_id == "h1"
    assert contract.tables[0].delivered_columns == ("码", "名")
    assert contract.tables[1].delivered_columns == ("号", "诊1", "诊2")
    assert contract.tables[1].nulls == ("0000",)


def _with(change: Any) -> dict[str, Any]:
    broken = copy.deepcopy(GOOD)
    change(broken)
    return broken


def _table(contract: dict[str, Any], number: int = 0) -> dict[str, Any]:
    meta: dict[str, Any] = contract["tables"][number]["config"]["meta"]
    return meta


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.pop("name"), "name"),
        (lambda c: c["config"]["meta"].update(origin="made up"), "origin"),
        (lambda c: c["config"]["meta"].update(surprise=1), "surprise"),
        (lambda c: c["config"]["meta"].pop("title"), "title"),
        (lambda c: c.update(tables=[]), "tables"),
        (lambda c: c["tables"][0].update(name="bills"), "h1.bills.name"),
        (lambda c: _table(c).update(format="dbf"), "drug.format"),
        (lambda c: _table(c).update(encoding="ebcdic"), "drug.encoding"),
        (lambda c: _table(c)["columns"].pop("medins_list_name"), "drug.columns"),
        (lambda c: _table(c)["columns"].update(colour="色"), "drug.colour"),
        (lambda c: _table(c)["columns"].update(unit={"from": "a", "value": "b"}), "drug.unit.from"),
        (lambda c: _table(c)["columns"].update(unit={"from": "a", "guess": "b"}), "drug.unit.guess"),
        (lambda c: _table(c)["columns"].update(unit=7), "drug.unit"),
        (lambda c: _table(c)["columns"].update(unit={"from": "a", "only": {"b": 1, "c": 2}}), "drug.unit.only"),
        *(
            (
                lambda c, wrong=wrong: _table(c)["columns"].update(unit={"from": "a", "format": wrong}),
                "drug.unit.format",
            )
            for wrong in ("%Q", "%Y%", "", "%d.%m", "%%Y", "nonsense", "%-Q", "%Y %e")
        ),
        (lambda c: _table(c).update(header_row=0), "drug.header_row"),
        *(
            (lambda c, name=name: c.update(name=name), "t.yml.name")
            for name in ("../h1", "h1/x", "h[red]", "-h", "x" * 64)
        ),
        (lambda c: _table(c).update(header_row="two"), "drug.header_row"),
        (lambda c: _table(c, 1)["each"].update(rank="colour"), "diagnosis.each.colour"),
    ],
)
def test_every_mistake_is_refused_where_it_stands(change: Any, place: str):
    with pytest.raises(Refusal) as refusal:
        parse_contract(_with(change), where="t.yml")
    assert refusal.value.code == "E-CONTRACT"
    assert place in refusal.value.reason.en
    assert place in refusal.value.reason.zh


@pytest.mark.parametrize(
    "given", ["%d.%m.%Y", "%Y年%-m月%-d日", "%y%m%d %H:%M:%S.%f", "%I:%M %p %d-%b-%Y 100%%", "%Y/%j"]
)
def test_time_formats_that_pass_are_understood_by_the_database(given: str):
    contract = _with(lambda c: _table(c)["columns"].update(unit={"from": "a", "format": given}))
    assert dict(parse_contract(contract, where="t.yml").tables[0].columns)["unit"].format == given
    duckdb.execute("SELECT try_strptime(text, $1) FROM (VALUES ('2020')) AS t(text)", [given])
