"""What the marts publish, and what each national indicator says of itself."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headwater.claims.indicators import DIRECTIONS, Indicator, catalogue, check, from_document, parse_unit
from headwater.content.fields import read_fields
from headwater.errors import Refusal

PROJECT = Path(__file__).parents[2]
MARTS = PROJECT / "dbt_project/models/marts/indicators"
SAID = {"zh", "en", "formula", "grain", "unit", "direction", "owner", "threshold", "references"}


def _models() -> dict[str, dict[str, Any]]:
    files = MARTS.rglob("ind_*.yml")
    models = (model for file in files for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"])
    return {model["name"]: model for model in models}


MODELS = _models()


def lacking(model: dict[str, Any]) -> list[str]:
    """Return what an indicator does not say of itself, or says wrongly."""
    meta = (model.get("config") or {}).get("meta") or {}
    right = {
        **{key: isinstance(meta.get(key), str) and bool(meta[key].strip()) for key in ("zh", "en", "formula", "owner")},
        "direction": meta.get("direction") in DIRECTIONS,
        "threshold": set(meta.get("threshold") or {}) == {"low", "high"},
        "references": bool(meta.get("references")) and all(isinstance(one, str) for one in meta["references"]),
        "grain": bool(meta.get("grain")) and set(meta["grain"]) <= {column["name"] for column in model["columns"]},
        "unit": isinstance(meta.get("unit"), str) and bool(parse_unit(meta["unit"])),
        "nothing else": set(meta) <= SAID,
    }
    return [key for key, holds in right.items() if not holds]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_indicator_says_what_it_is(name: str) -> None:
    assert lacking(MODELS[name]) == []


def test_every_mart_of_an_indicator_is_among_them() -> None:
    assert set(MODELS) == {file.stem for file in MARTS.rglob("ind_*.sql")}
    assert len(MODELS) == 38


def test_values_of_a_hospitals_month_say_of_how_many_stays_they_are() -> None:
    # Without it nobody could withhold what few stays make.
    for name, model in MODELS.items():
        if set(model["config"]["meta"]["grain"]) == {"hospital_id", "discharge_month"}:
            assert "stay_count" in {column["name"] for column in model["columns"]}, name


def test_an_indicator_that_says_less_is_noticed() -> None:
    for key in SAID:
        model = copy.deepcopy(MODELS["ind_item_price"])
        del model["config"]["meta"][key]
        assert lacking(model) == [key]


def test_marts_publish_their_fields() -> None:
    found = read_fields(PROJECT)
    assert {"stay", "fee_line", "item_use", "settlement", "special_use", "readmission"} <= set(found.tables)
    assert {"hospital_id", "discharge_month", "diagnosis_category", "dscg_dept_name"} <= set(found.dimensions)
    fields = [field for table in found.tables.values() for field in table.fields.values()]
    assert len(fields) > 70
    assert str(found.tables["stay"].fields["medfee_sumamt"].unit) == "currency"
    assert str(found.tables["special_use"].fields["ddd"].unit) == "DDD"
    assert str(found.tables["stay"].row) == "stay"


def test_nothing_that_names_a_person_can_be_read() -> None:
    for table in read_fields(PROJECT).tables.values():
        for field in table.fields.values():
            if field.name in {"psn_no", "mdtrt_id", "setl_id", "stay_id", "feedetl_sn"}:
                assert field.kind == "identifier", field
                assert not field.is_dimension


@pytest.mark.parametrize(
    "column",
    [
        {"name": "x", "data_type": "bigint", "config": {"meta": {"zh": "数"}}},
        {"name": "x", "data_type": "bigint", "config": {"meta": {"zh": "数", "unit": "parsec"}}},
        {"name": "x; drop", "data_type": "bigint", "config": {"meta": {"zh": "数", "unit": "1"}}},
        {"name": "x", "data_type": "blob", "config": {"meta": {"zh": "数", "unit": "1"}}},
    ],
)
def test_a_field_that_is_declared_wrongly_is_refused(column: dict[str, Any]) -> None:
    model = {"name": "fct_new", "columns": [{"name": "stay_id", "data_type": "varchar"}, column]}
    with pytest.raises(Refusal, match="E-FIELD"):
        catalogue([{"models": [model]}])


def test_a_new_mart_joins_by_its_yml_alone() -> None:
    column = {"name": "weight", "data_type": "decimal(18,6)", "config": {"meta": {"zh": "权重", "unit": "weight"}}}
    model = {"name": "fct_stay_group", "config": {"meta": {"rows": "stay"}}}
    model["columns"] = [{"name": "stay_id", "data_type": "varchar"}, column]
    table = catalogue([{"models": [model]}]).tables["stay_group"]
    assert (str(table.row), str(table.fields["weight"].unit), table.relation) == (
        "stay",
        "weight",
        "lake.marts.fct_stay_group",
    )


def test_the_examples_of_the_documentation_hold() -> None:
    text, published = (PROJECT / "docs/indicators.md").read_text(encoding="utf-8"), read_fields(PROJECT)
    (defined,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert check(from_document(yaml.safe_load(defined)), published).currency == "CNY"
    examples = re.findall(r"^\| [^|`]+ \| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
    assert len(examples) == 8
    own = {
        f"{part}_share_own": Indicator(
            name=f"{part}_share_own",
            zh="x",
            en="x",
            owner="x",
            unit="%",
            formula=f"sum({part}_amount) / sum(fee_line_amount)",
        )
        for part in ("drug", "consumable")
    }
    for formula, unit in examples:
        check(Indicator(name="example", zh="x", en="x", owner="x", formula=formula, unit=unit), published, own)
