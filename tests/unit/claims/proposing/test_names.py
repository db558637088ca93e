"""What names of columns say."""

import pytest

from headwater.claims.canonical import ENTITIES
from headwater.claims.proposing.names import fold, initials, known_names, name_score, shown, table_rows, targets


@pytest.mark.parametrize(
    ("name", "entity", "field"),
    [
        ("medfee_sumamt", "front_page", "medfee_sumamt"),
        ("医疗费用总额", "front_page", "medfee_sumamt"),
        ("总费用（元）", "front_page", "medfee_sumamt"),
        ("ＴＯＴＡＬ charges", "front_page", "medfee_sumamt"),
        ("ADMITDT", "front_page", "begntime"),
        ("DischargeDate", "front_page", "endtime"),
        ("CSRQ", "front_page", "brdy"),
        ("LYFS", "front_page", "dscg_way"),
        ("QTZDBM", "diagnosis", "diag_code"),
        ("RegistrationNo.", "consumable", "regno"),
        ("Proc Desc", "service_item", "medins_list_name"),
    ],
)
def test_a_name_is_most_like_its_field(name: str, entity: str, field: str):
    scores = {target: name_score(name, entity, target) for target in targets(entity)}
    assert max(scores, key=lambda target: scores[target]) == field
    assert scores[field] >= 0.7


def test_names_of_nothing_known_are_like_nothing():
    assert max(name_score("xyzzy", "fee_line", target) for target in targets("fee_line")) < 0.4
    assert name_score("", "fee_line", "cnt") == 0.0


def test_near_names_score_less_than_exact_ones():
    assert name_score("出院日期", "front_page", "endtime") == 1.0
    assert 0.4 < name_score("出院结账日期", "front_page", "endtime") < 0.8


def test_initials_follow_the_order_of_gb2312():
    assert initials("住院费用明细") == "ZYFYMX"
    assert initials("耗材规格型号") == "HCGGXH"
    assert initials("é囍") == ""


def test_every_word_of_the_lists_belongs_to_a_canonical_field():
    fields = {field.name for entity in ENTITIES.values() for field in entity.fields}
    assert {row["field"] for row in table_rows("synonyms") if row["field"][0] != "+"} <= fields
    assert {row["field"] for row in table_rows("words")} <= fields
    assert {row["entity"] for row in table_rows("entities")} == set(ENTITIES)
    assert fold("结算ID") in known_names()


def test_every_field_has_a_spelling():
    for entity in ENTITIES.values():
        for field in entity.fields:
            assert name_score(field.name, entity.name, field.name) == 1.0
            assert name_score(field.zh, entity.name, field.name) == 1.0


def test_what_is_shown_holds_no_number_of_a_person():
    assert shown("a\n11010519491231002X b 13812345678") == "a *** b ***"
