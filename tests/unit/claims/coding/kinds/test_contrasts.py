"""Words that exclude each other: what looks like a slip of one letter is another thing."""

import pyarrow as pa
import pytest

from headwater.claims.coding import Matcher
from headwater.claims.coding.kinds.contrasts import compare_contrasts
from headwater.claims.coding.states import State

NAMES = [
    *("左心室前壁假性室壁瘤", "先天性股骨近端局灶性缺损", "眼前节非磁性异物滞留", "胰腺血管活性肠肽分泌过多"),
    *(
        "多发性骨髓瘤伴肾小管间质病（轻链κ型）",
        "二尖瓣球囊扩张手术后状态",
        "下肢深静脉瓣膜功能不全",
        "甲型流行性感冒性脑病",
    ),
    *("多发性大动脉炎伴肾动脉狭窄", "慢性药物性肝功能衰竭", "支气管扩张伴有咯血", "腹腔镜手术中转开腹状态"),
]
REFERENCE = pa.table({"code": [f"D{number:02}" for number in range(len(NAMES))], "name": NAMES})


@pytest.mark.parametrize(
    "name",
    [
        *("右心室前壁假性室壁瘤", "先天性股骨远端局灶性缺损", "眼前节磁性异物滞留", "胰腺血管活性肠肽分泌过少"),
        *(
            "多发性骨髓瘤伴肾小管间质病（轻链λ型）",
            "三尖瓣球囊扩张手术后状态",
            "下肢浅静脉瓣膜功能不全",
            "乙型流行性感冒性脑病",
        ),
        "无支气管扩张伴有咯血",
    ],
)
def test_the_opposite_is_never_automatic(name: str):
    matcher = Matcher.fit(REFERENCE, kind="diagnosis")
    (answer,) = matcher.match(pa.table({"name": [name]})).to_pylist()
    assert (answer["decision"], answer["reason"]) != ("auto", "sure"), answer


def test_slips_that_turn_nothing_round_stay_automatic():
    matcher = Matcher.fit(REFERENCE, kind="diagnosis")
    asked = ["左心室前壁假性室壁溜", "支气管扩张伴咯血", "甲型流行性感昌性脑病", "多发性大动脉炎伴肾动脉狭"]
    answers = matcher.match(pa.table({"name": asked}))
    assert answers["decision"].to_pylist() == ["auto"] * len(asked)
    assert answers["code"].to_pylist() == ["D00", "D10", "D07", "D08"]


@pytest.mark.parametrize(
    ("name", "reference", "state"),
    [
        *(("左肾", "右肾", State.CONFLICT), ("左肾", "肾", State.UNKNOWN), ("病毒性", "非病毒性", State.CONFLICT)),
        *(("腹腔镜下切除", "腹腔镜切除", State.UNKNOWN), ("急性", "亚急性", State.CONFLICT)),
        *(("iga型", "igg型", State.CONFLICT), ("billrot式", "billroth式", State.UNKNOWN)),
        *(("乙前甲后", "甲后乙前", State.UNKNOWN), ("脑梗，未特指", "脑梗", State.UNKNOWN)),
        *(("甲状旁腺", "甲状腺", State.CONFLICT), ("产前", "产后", State.CONFLICT)),
    ],
)
def test_what_is_a_conflict(name: str, reference: str, state: State):
    assert compare_contrasts("diagnosis")(name, reference) is state
