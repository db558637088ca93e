"""One field a column, and the table that fits best."""

from pathlib import Path

from headwater.claims.canonical import ENTITIES
from headwater.claims.proposing.assignment import assign, fitting_entities
from headwater.claims.proposing.evidence import profile
from headwater.claims.proposing.series import families, pattern
from headwater.claims.proposing.slots import numbered

COUNT, PRICE = [1, 2, 3, 1, 5, 2, 7, 4], [1.5, 2.25, 3.0, 12.75, 9.9, 4.4, 0.35, 8.8]


def _profiles(columns: dict[str, list]) -> dict:
    return {name: profile([str(cell) for cell in cells]) for name, cells in columns.items()}


def _lines(**names: str) -> dict[str, list]:
    said = {"a": "A", "b": "B", "c": "C"} | names
    return {
        "就诊号": [f"Z{n}" for n in range(8)],
        "明细号": [f"L{n}" for n in range(8)],
        "收费日期": ["2024-01-05"] * 8,
        "项目编码": ["X1"] * 8,
        "项目名称": ["血常规检查"] * 8,
        said["a"]: COUNT,
        said["b"]: PRICE,
        said["c"]: [round(count * price, 2) for count, price in zip(COUNT, PRICE, strict=True)],
    }


def test_arithmetic_decides_where_names_are_vague():
    reading = assign(ENTITIES["fee_line"], _profiles(_lines(a="数量", b="单价", c="费用价格")))
    assert reading.column("det_item_fee_sumamt") == "费用价格"
    assert reading.missing == ()


def test_each_field_has_one_column_at_most():
    columns = _lines(a="数量", b="单价", c="金额") | {"总金额": ["7"] * 8}
    reading = assign(ENTITIES["fee_line"], _profiles(columns))
    taken = [match.target for match in reading.matches if match.target and match.target[0] != "+"]
    assert len(taken) == len(set(taken))
    rivals = {match.column: match.runner_up for match in reading.matches}
    assert rivals["总金额"] is not None


def test_things_that_no_field_reads_are_recognised():
    columns = _lines(a="数量", b="单价", c="金额") | {"患者姓名": ["张三"] * 8, "联系电话": ["13812345678"] * 8}
    reading = assign(ENTITIES["fee_line"], _profiles(columns))
    said = {match.column: match.target for match in reading.matches}
    assert (said["患者姓名"], said["联系电话"]) == ("+psn_name", "+tel")


def test_the_only_fitting_column_left_is_taken_with_little_confidence():
    columns = _lines(a="数量", b="单价", c="金额")
    columns["某某"] = columns.pop("收费日期")
    match = next(m for m in assign(ENTITIES["fee_line"], _profiles(columns)).matches if m.column == "某某")
    assert match.target == "fee_ocur_time"
    assert match.confidence < 0.5


def test_tables_are_told_by_columns_and_by_the_files_name():
    assert fitting_entities(_profiles(_lines(a="数量", b="单价", c="金额")), file="x.csv")[0].entity.name == "fee_line"
    vague = _profiles({"编码": ["1", "2"], "名称": ["甲物", "乙物"], "单价": ["1.5", "2"]})
    assert fitting_entities(vague, file="药品目录.xlsx")[0].entity.name == "drug"
    assert fitting_entities(vague, file="耗材目录.xlsx")[0].entity.name == "consumable"


def test_numbered_columns_become_series_whatever_place_the_number_has():
    codes, names = ["I10.x00", "J18.900", "K29.500"], ["高血压", "肺炎", "胃炎"]
    values = {f"DX{n}_CODE": codes for n in (1, 2, 3)} | {f"DX{n}_NAME": names for n in (1, 2, 3)}
    values |= {"价格1": ["1", "2", "3"], "价格2": ["1", "2", "3"]}
    found = {(one.entity, one.field): list(one.columns.values()) for one in numbered(list(values), values)}
    assert found == {
        ("diagnosis", "diag_code"): ["DX1_CODE", "DX2_CODE", "DX3_CODE"],
        ("diagnosis", "diag_name"): ["DX1_NAME", "DX2_NAME", "DX3_NAME"],
    }


def test_months_are_one_pattern_that_takes_nothing_else():
    files = [Path(name) for name in ("fee_202401.csv", "fee_202402.csv", "fee_total.csv", "drug.csv")]
    groups = families(files)
    assert [len(group) for group in groups] == [1, 2, 1]
    months = next(group for group in groups if len(group) == 2)
    assert pattern(months, [file for file in files if file not in months]) == "fee_202401.csv"
    assert pattern(months, [Path("drug.csv")]) == "fee_*.csv"
    assert pattern([Path("a[1].csv")], []) == "a[[]1].csv"
