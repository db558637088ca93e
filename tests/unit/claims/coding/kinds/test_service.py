import pyarrow as pa
import pytest

from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher, parse

REFERENCE = region_reference("service")
MATCHER = Matcher.fit(REFERENCE, kind="service")


def answer(name: str) -> tuple[str, str]:
    found = MATCHER.match(pa.table({"name": [name]})).to_pylist()[0]
    return found["decision"], found["alternatives"][0]["name"] if found["alternatives"] else ""


def test_a_name_is_read():
    found = parse(pa.table({"name": ["[乙]CT平扫（頭顱）"]}), "service").to_pylist()[0]
    assert (found["base"], found["qualifier"], found["site"], found["method"]) == ("ct平扫", "头颅", "头颅", "平扫")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CT平扫-头颅", "CT平扫(头颅)"),
        ("(头颅)CT平扫", "CT平扫(头颅)"),
        ("头颅 CT平扫", "CT平扫(头颅)"),
        ("血常规（5分类）", "血细胞分析(五分类)"),
        ("彩超(心脏)", "彩色多普勒超声(心脏)"),
        ("動態心電圖【24小時】", "动态心电图(24小时)"),
        ("核磁共振平扫(膝关节)", "磁共振平扫(膝关节)"),
    ],
)
def test_other_words_for_the_same(name, meant):
    assert answer(name) == ("auto", meant)


@pytest.mark.parametrize(
    "name",
    [
        "CT平扫(足部)",
        "CT平扫",
        "动态心电图(72小时)",
        "尺骨骨折内固定术",
        "院内会诊费",
        "肝功能测定(十项)",
        "高压氧治疗(双人舱)",
    ],
)
def test_another_site_number_or_qualifier_is_never_automatic(name):
    assert answer(name)[0] != "auto"
