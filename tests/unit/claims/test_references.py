from decimal import Decimal

import pytest

from headwater.claims.references import ITEM_KINDS, KINDS, digest, refer
from headwater.errors import Refusal

DRUG = KINDS["drug"]


def _read(**columns: list[str | None]):
    return refer(DRUG, columns, name="drug.csv")


def test_every_kind_of_item_has_its_classes():
    assert {f"{kind}_class" for kind in ITEM_KINDS} <= set(KINDS)
    assert set(KINDS) - set(ITEM_KINDS) - {f"{kind}_class" for kind in ITEM_KINDS} == {"threshold"}


def test_cells_are_read_as_what_they_are():
    read = _read(
        code=["ｘa01 ", "000123"],
        name=["阿莫西林胶囊", " 甲硝唑片"],
        ddd=["1.5", ""],
        ddd_unit=["g", None],
        antibiotic_grade=["非限制使用级", "special"],
        control=["", "精二"],
        is_essential=["是", "0"],
    )
    first, second = read.table.to_pylist()
    assert (first["code"], second["code"]) == ("000123", "XA01"), "sorted by code, zeros kept, width folded"
    assert (second["ddd"], first["ddd"]) == (Decimal("1.5"), None)
    assert (second["antibiotic_grade"], first["antibiotic_grade"]) == ("unrestricted", "special")
    assert (first["control"], second["control"]) == ("psychotropic_2", None)
    assert (second["is_essential"], first["is_essential"], first["is_central"]) == (True, False, None)
    assert first["name"] == "甲硝唑片"


def test_every_row_is_loaded_or_repeats_another():
    read = _read(code=["A", "B", "A", "A"], name=["氨基酸(Ⅰ)", "b", "氨基酸(I)", "氨基酸（I）"])
    assert (read.rows_in, len(read.table), read.rows_repeated) == (4, 2, 2)
    assert read.table.column("name").to_pylist() == ["氨基酸(Ⅰ)", "b"], "as the first row says"


def test_the_version_is_the_content_whatever_its_order():
    here = _read(code=["A", "B"], name=["a", "b"])
    there = _read(name=["b", "a", "a"], code=["B", "A", "A"], is_central=["", "", ""])
    assert here.version == there.version == digest("drug", here.table)
    assert _read(code=["A", "B"], name=["a", "c"]).version != here.version
    assert refer(KINDS["service"], {"code": ["A", "B"], "name": ["a", "b"]}, name="s").version != here.version


@pytest.mark.parametrize(
    ("columns", "code", "told"),
    [
        ({"code": ["A"]}, "E-REFERENCE-COLUMN", "name"),
        ({"code": [], "name": []}, "E-REFERENCE-EMPTY", "drug.csv"),
        ({"code": ["A", "A"], "name": ["a", "b"]}, "E-REFERENCE-TWICE", "A"),
        ({"code": ["A", "A"], "name": ["a", "a"], "ddd": ["1", "2"]}, "E-REFERENCE-TWICE", "A"),
        ({"code": ["A", " "], "name": ["a", "b"]}, "E-REFERENCE-VALUE", "2: "),
        ({"code": ["A"], "name": ["a"], "ddd": ["0"]}, "E-REFERENCE-VALUE", "1: '0'"),
        ({"code": ["A"], "name": ["a"], "ddd": ["1e3x"]}, "E-REFERENCE-VALUE", "1e3x"),
        ({"code": ["A"], "name": ["a"], "ddd": ["NaN"]}, "E-REFERENCE-VALUE", "NaN"),
        ({"code": ["A"], "name": ["a"], "ddd": ["0.0000001"]}, "E-REFERENCE-VALUE", "0.0000001"),
        ({"code": ["A"], "name": ["a"], "is_central": ["maybe"]}, "E-REFERENCE-VALUE", "maybe"),
        ({"code": ["A"], "name": ["a"], "antibiotic_grade": ["三级"]}, "E-REFERENCE-VALUE", "三级"),
        ({"code": ["A"], "name": ["a"], "control": ["麻药"]}, "E-REFERENCE-VALUE", "麻药"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_row(columns: dict[str, list[str | None]], code: str, told: str):
    with pytest.raises(Refusal) as refused:
        _read(**columns)
    assert refused.value.code == code
    assert told in refused.value.reason.en
    assert told in refused.value.reason.zh
    assert refused.value.remedy.zh != refused.value.remedy.en


def test_names_of_one_code_are_joined_only_where_that_is_declared():
    columns = {"code": ["1", "1", "1"], "name": ["a", "b", "a"]}
    joined = refer(KINDS["service_class"], columns, name="c", joined=True)
    assert joined.table.to_pylist() == [{"code": "1", "name": "a、b"}]
    assert joined.rows_repeated == 2
    with pytest.raises(Refusal, match="E-REFERENCE-TWICE"):
        refer(KINDS["service_class"], columns, name="c")
    with pytest.raises(Refusal, match="E-REFERENCE-TWICE"):
        refer(DRUG, {**columns, "unit": ["盒", "支", "盒"]}, name="c", joined=True)
