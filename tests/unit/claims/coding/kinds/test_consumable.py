import pyarrow as pa
import pytest

from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher, parse

REFERENCE = region_reference("consumable")
MATCHER = Matcher.fit(REFERENCE, kind="consumable")


def test_a_name_is_read():
    table = pa.table(
        {"name": ["一次性使用输液器（带针 0.55mm）"], "regno": ["楚械注准20180000"], "maker": ["楚源医械有限公司"]}
    )
    found = parse(table, "consumable").to_pylist()[0]
    assert (found["base"], found["model"], found["maker"]) == ("输液器", "带针0.55mm", "楚源")
    assert found["licence"] == "楚械注准20180000"


@pytest.mark.parametrize(
    ("name", "spec", "model"),
    [
        ("留置针(静脉) 22G", "22G", None),
        ("静脉留置针 22G", None, "22G"),
        ("22G 静脉留置针", None, "22G"),
        ("静脉留置针", "型号:24G", "24G"),
        ("静脈留置針（安全型 20G）", None, "安全型 20G"),
    ],
)
def test_the_model_may_stand_anywhere(name, spec, model):
    answer = MATCHER.match(pa.table({"name": [name], "spec": pa.array([spec], pa.string())})).to_pylist()[0]
    found = dict(zip(REFERENCE["code"].to_pylist(), REFERENCE["spec"].to_pylist(), strict=True))
    if model is not None:
        assert (answer["decision"], found[answer["code"]]) == ("auto", model)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("静脉留置针", "26G"),
        ("静脉留置针 26G", "22G"),
        ("静脉留置针 24G", "22G"),
        ("中心静脉导管 四腔", ""),
        ("中心静脉导管 单腔", "双腔"),
        ("药物洗脱支架", "2.5×24mm"),
        ("静脉留置针", "20G"),
    ],
)
def test_another_size_or_model_is_never_automatic(name, spec):
    assert MATCHER.match(pa.table({"name": [name], "spec": [spec]}))["decision"].to_pylist() != ["auto"]
