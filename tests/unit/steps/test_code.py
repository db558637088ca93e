"""Coding on a real lake and register: what is asked, what stands, what is counted."""

from datetime import timedelta

from headwater.adapters import lake, matchers, postgres, reviews


def test_listed_and_billed_items_are_coded_once(bureau):
    bureau.deliver(
        "drug",
        {"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊", "spec": "0.25g*24粒", "pric": 12},
        {"medins_list_codg": "2", "medins_list_name": "阿奇霉素片", "spec": "0.25g*6片", "pric": 20},
    )
    bureau.bill(
        {"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊"},
        {"medins_list_codg": "9", "medins_list_name": "左氧氟沙星片 0.5g*6片", "med_list_codg": "X012"},
    )
    first = bureau.code()
    assert bureau.answers() == [("1", "auto", "X001"), ("2", "auto", "X003"), ("9", "auto", "X012")]
    (billed,) = bureau.items(medins_list_codg="9")
    assert (billed["is_listed"], billed["reported_code"], billed["evidence"]) == (False, "X012", "agrees")
    again = bureau.code()
    assert [kind.asked for kind in first.kinds] == [3, 0, 0, 0, 0]
    assert [kind.asked for kind in again.kinds] == [0, 0, 0, 0, 0]
    assert again.rows_counted == 0


def test_a_look():
    pass
