"""Drugs that differ in one letter: of a list that lacks the one, the other is never taken by itself."""

import pyarrow as pa
import pytest

from headwater.claims.coding import Matcher

PAIRS = [
    *(
        ("醋酸泼尼松片", "醋酸泼尼松龙片"),
        ("炔诺孕酮片", "炔诺酮片"),
        ("亚叶酸钙片", "叶酸片"),
        ("氯氮平片", "奥氮平片"),
    ),
    *(("注射用头孢噻肟钠", "注射用头孢噻吩钠"), ("舒尼替尼胶囊", "尼洛替尼胶囊"), ("伐昔洛韦片", "泛昔洛韦片")),
    *(("利妥昔单抗注射液", "西妥昔单抗注射液"), ("布地奈德福莫特罗粉吸入剂", "布地奈德粉吸入剂")),
    *(("单硝酸异山梨酯缓释片", "硝酸异山梨酯缓释片"), ("破伤风人免疫球蛋白", "狂犬病人免疫球蛋白")),
]


@pytest.mark.parametrize("turned", [False, True])
def test_a_look_alike_is_not_automatic(turned: bool):
    asked, listed = zip(*(pair[::-1] if turned else pair for pair in PAIRS), strict=True)
    reference = pa.table({"code": [str(number) for number in range(len(listed))], "name": listed})
    matcher = Matcher.fit(reference, kind="drug")
    for suffix in ("", " 10mg*20片"):
        answers = matcher.match(pa.table({"name": [name + suffix for name in asked]}))
        assert "auto" not in answers["decision"].to_pylist()
    own = matcher.match(pa.table({"name": listed}))
    assert own["code"].to_pylist() == reference["code"].to_pylist()


def test_a_slip_is_automatic_where_the_licence_vouches_for_it():
    reference = pa.table(
        {
            "code": ["1", "2"],
            "name": ["硝苯地平控释片", "阿奇霉素片"],
            "aprvno": ["国药准字H20000001", "国药准字H20000002"],
        }
    )
    matcher = Matcher.fit(reference, kind="drug")
    asked = {"name": ["硝笨地平控释片"], "aprvno": ["国药准字H20000001"]}
    assert matcher.match(pa.table(asked))["decision"].to_pylist() == ["auto"]
    assert matcher.match(pa.table({"name": asked["name"]}))["decision"].to_pylist() == ["review"]


OTHERS = [
    *(
        ("非吸收性缝线 4-0", "可吸收性缝线 4-0"),
        ("髋关节假体 股骨柄", "髋关节假体 股骨头"),
        ("气管插管 带囊", "气管插管 不带囊"),
    ),
    *(
        ("锁定接骨板 胫骨远端", "锁定接骨板 胫骨近端"),
        ("左心室辅助装置", "右心室辅助装置"),
        ("冠状动脉切割球囊", "冠状动脉扩张球囊"),
    ),
]
SERVICES = [
    *(("凝血酶原时间测定", "凝血酶时间测定"), ("降钙素原检测", "降钙素检测"), ("直接胆红素测定", "间接胆红素测定")),
    *(
        ("促甲状旁腺激素测定", "促甲状腺激素测定"),
        ("乙型肝炎表面抗原测定", "乙型肝炎表面抗体测定"),
        ("前白蛋白测定", "白蛋白测定"),
    ),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("kind", "pairs"), [("consumable", OTHERS), ("service", SERVICES)])
def test_neither_is_another_consumable_or_service(kind: str, pairs: list[tuple[str, str]], turned: bool):
    asked, listed = zip(*(pair[::-1] if turned else pair for pair in pairs), strict=True)
    reference = pa.table({"code": [str(number) for number in range(len(listed))], "name": listed})
    answers = Matcher.fit(reference, kind=kind).match(pa.table({"name": asked}))
    assert "auto" not in answers["decision"].to_pylist()
