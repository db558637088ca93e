"""Variations of clinical names, and how answers to them are counted."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from headwater.bench.coding_icd import icd_figure, questions, read_list, score
from headwater.bench.coding_variants import VARIATIONS, vary
from headwater.claims.coding import Matcher

_TEXT = """
急性阑尾炎伴腹膜炎 慢性阻塞性肺疾病伴感染 肺恶性肿瘤 动脉粥样硬化，未特指的
胃溃疡（穿孔） 双侧腹股沟疝 先天性心脏病，其他的 高血压性肾脏病伴肾衰竭
Ⅱ型糖尿病性视网膜病变 颈椎间盘突出 股骨颈骨折[开放性] 腰椎管狭窄
单侧甲状腺结节 继发性甲状旁腺功能亢进 腹腔镜下胆囊切除术 经皮冠状动脉支架置入术
肾移植术后感染 结膜炎和角膜炎
"""
_NAMES = _TEXT.split()


def _reference() -> pa.Table:
    return pa.table({"code": [f"A{n:02}" for n in range(len(_NAMES))], "name": _NAMES})


@pytest.mark.parametrize(
    ("kind", "name", "written"),
    [
        ("abbreviated", "动脉粥样硬化，未特指的", "动脉硬化"),
        ("abbreviated", "单核细胞白血病，其他和未特指的", "单核细胞白血病，其他"),
        ("reordered", "急性阑尾炎", "阑尾炎（急性）"),
        ("reordered", "心脏病，其他的", "其他的，心脏病"),
        ("traditional", "脓肿", "膿腫"),
        ("plain", "骨折", "骨折"),
    ],
)
def test_a_kind_writes_as_its_name_says(kind: str, name: str, written: str):
    assert vary(kind, name, Random(1)) == written


def test_a_slip_spares_what_would_say_something_else():
    for seed in range(200):
        # Two slips may undo each other, and then nothing is asked.
        written = vary("typos", "左侧第二趾骨不完全骨折", Random(seed)) or "左侧第二趾骨不完全骨折"
        assert [char for char in written if char in "左二不"] == list("左二不")


def test_names_that_a_kind_cannot_change_are_not_asked():
    assert vary("abbreviated", "骨折", Random(1)) is None
    assert vary("reordered", "骨折", Random(1)) is None


def test_questions_are_the_same_every_time_and_know_codes_of_one_name():
    table = pa.concat_tables([_reference(), pa.table({"code": ["B1"], "name": ["肺恶性肿瘤"]})])
    asked = questions(table, 5)
    assert asked == questions(table, 5)
    assert {question.variation for question in asked} == set(VARIATIONS)
    both = [q for q in questions(table, 19) if q.name == "肺恶性肿瘤"]
    assert all(question.codes >= {"A02", "B1"} for question in both)
    assert both


def test_the_matcher_answers_variations_and_a_wrong_list_does_not():
    asked = questions(_reference(), 8)
    kinds = tuple(VARIATIONS)
    right = score(Matcher.fit(_reference(), kind="diagnosis"), asked)
    turned = pa.table({"code": _reference()["code"], "name": [*_NAMES[1:], _NAMES[0]]})
    wrong = score(Matcher.fit(turned, kind="diagnosis"), asked)
    assert right.share(right.first, kinds) > 0.9
    assert wrong.share(wrong.first, kinds) < 0.1
    assert sum(right.asked.values()) == len(asked)


def test_foreign_names_within_chinese_ones_have_codes():
    table = pa.table({"code": ["D1", *_reference()["code"].to_pylist()], "name": ["Danon病", *_NAMES]})
    assert Matcher.fit(table, kind="diagnosis").match(pa.table({"name": ["Danon病"]}))["code"].to_pylist() == ["D1"]


def test_lists_are_read_and_missing_ones_are_told(tmp_path: Path):
    plan = tmp_path / "chs_drg_11"
    plan.mkdir()
    (plan / "ZD_INFO.dat").write_text("\ufeffA00.0 霍乱 弧菌\nA01.0 \n", encoding="utf-8")
    assert read_list(tmp_path, "ZD").to_pylist() == [{"code": "A00.0", "name": "霍乱 弧菌"}]
    assert icd_figure("ci", tmp_path).value is None
    assert icd_figure("ci", None).value is None
