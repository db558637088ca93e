"""Stays land where the published rule says, told why."""

from decimal import Decimal

import pyarrow as pa
import pytest

from headwater.claims.grouping import REASONS, STATUSES, explain
from headwater.errors import Refusal


def _stays(*stays: tuple, **numbers: list) -> pa.Table:
    columns = {
        "diagnoses": pa.array([stay[0] for stay in stays], pa.list_(pa.string())),
        "operations": pa.array([stay[1] if len(stay) > 1 else [] for stay in stays], pa.list_(pa.string())),
    }
    return pa.table({**columns, **numbers})


def _one(plan, diagnoses, operations=(), **numbers):
    row = plan.group(_stays((diagnoses, list(operations)), **{k: [v] for k, v in numbers.items()})).to_pylist()[0]
    return row["drg"] or row["status"]


def _codes(plan, diagnoses, operations=(), **numbers):
    grouped = plan.group(_stays((diagnoses, list(operations)), **{k: [v] for k, v in numbers.items()}))
    return [(reason["code"], reason["detail"], reason["other"]) for reason in grouped["reasons"][0].as_py()]


@pytest.mark.parametrize(
    ("diagnoses", "operations", "numbers", "drg"),
    [
        # principal diagnosis, first operation
        (["I63.900"], ["01.2400"], {}, "BB15"),
        (["I63.900"], [], {}, "BR15"),
        (["S06.500"], ["01.2400"], {}, "BB15"),
        # MCC, CC, and what the principal diagnosis excludes
        (["I63.900", "J96.000"], [], {}, "BR11"),
        (["I63.900", "S22.300"], [], {}, "BR13"),
        (["I63.900", "I10.x00x002"], [], {}, "BR15"),
        (["I63.900", "I10.x00x002", "S22.300"], [], {}, "BR13"),
        (["I63.900", "I63.900"], [], {}, "BR15"),
        # an operation before any MDC; both operations in any order
        (["Q99"], ["37.5100"], {}, "AA19"),
        (["I63.900"], ["55.6100", "52.8000"], {}, "AC19"),
        (["I63.900"], ["52.8000", "99.2503", "55.6100"], {}, "AC19"),
        # an operation that is valid and belongs to nothing of the MDC
        (["I63.900"], ["60.5x02"], {}, "BQY"),
        (["I63.900"], ["99.2503", "60.5x02"], {}, "BR15"),
        # sex
        (["C61.x00"], ["60.5x02"], {"gend": "1"}, "MA19"),
        (["C61.x00"], [], {"gend": 1}, "MR19"),
        (["C61.x00"], [], {"gend": "男"}, "MR19"),
        (["C61.x00"], [], {"gend": "2"}, "ungroupable"),
        (["C61.x00"], [], {}, "ungroupable"),
        # newborns: years, days, grams
        (["P07.300"], [], {"age": 0, "age_days": 28, "weight": 1499}, "PS19"),
        (["P07.300"], [], {"age": 0.9, "age_days": 28, "weight": 1500}, "PS29"),
        (["J18.900", "P07.300"], [], {"age": 0, "age_days": 3, "weight": 900.0}, "PS19"),
        (["P07.300"], [], {"age": 0, "age_days": 29, "weight": 1400}, "PV19"),
        (["P07.300"], [], {"age": 0, "age_days": 3, "weight": 0}, "PV19"),
        (["P07.300"], [], {"age": "0", "age_days": "3", "weight": " ９００ "}, "PS19"),
        (["P07.300"], [], {"age": 1}, "ungroupable"),
        (["P07.300"], [], {"age": -0.5}, "ungroupable"),
        # several injuries: two areas, not two injuries of one
        (["S06.500", "S72.000"], ["01.2400"], {}, "ZB19"),
        (["S06.500", "S22.300"], [], {}, "ZZ19"),
        (["S06.500", "S06.500"], ["01.2400"], {}, "BB15"),
        (["I63.900", "S06.500", "S22.300"], [], {}, "BR13"),
        # marked operations
        (["C50.900"], ["40.2300", "85.5300"], {}, "JA19"),
        (["C50.900"], ["85.4300", "40.2300"], {}, "JR19"),
        (["C50.900", "S22.300"], [], {"age": 6}, "JR1D"),
        (["C50.900", "S22.300"], [], {"age": 7}, "JR19"),
        # days of stay that no DRG provides for
        (["Z51.103", "C50.900"], ["99.2503"], {"ipt_days": 7}, "RE12"),
        (["Z51.103", "C50.900"], ["99.2503"], {"ipt_days": 1}, "RE14"),
        (["Z51.103", "C50.900"], ["99.2503"], {"ipt_days": 14}, "ungroupable"),
        (["Z51.103", "C50.900"], ["99.2503"], {}, "ungroupable"),
        (["Z51.103"], ["99.2503"], {"ipt_days": 7}, "RU19"),
        # any diagnosis
        (["J96.000", "B20.001"], [], {}, "YR19"),
        # codes: mapped only if unknown, folded, dagger and asterisk
        (["I63.901"], ["01.2499"], {}, "BB15"),
        (["J18.900"], [], {"age": 40}, "ungroupable"),
        ([" i63.900\u3000"], [], {}, "BR15"),
        (["Ｉ６３．９００"], [], {}, "BR15"),
        (["I10.X00X002"], [], {}, "BZ19"),
        (["A17.000†G01＊"], [], {}, "BZ19"),
        (["a17.000 + g01*"], [], {}, "BZ19"),
        (["I63.900", None, "", "-", "J96.000"], [None, "", "01.2400"], {}, "BB11"),
        # nothing to group
        ([], ["37.5100"], {}, "invalid"),
        (None, ["37.5100"], {}, "invalid"),
        ([None, "I63.900"], [], {}, "invalid"),
        ([" ", "I63.900"], [], {}, "invalid"),
        (["Q99"], [], {}, "ungroupable"),
    ],
)
def test_lands(plan, diagnoses, operations, numbers, drg):
    assert _one(plan, diagnoses, operations, **numbers) == drg


def test_levels_of_the_answer_belong_together(plan):
    grouped = plan.group(
        _stays((["I63.900"],), (["Z51.103", "C50.900"], ["99.2503"]), (["I63.900"], ["60.5x02"]), (["Q"],))
    )
    said = [tuple(row[name] for name in ("mdc", "adrg", "drg", "status")) for row in grouped.to_pylist()]
    assert said == [
        ("MDCB", "BR1", "BR15", "grouped"),
        ("MDCR", "RE1", None, "ungroupable"),
        ("MDCB", "BQY", "BQY", "unrelated"),
        (None, None, None, "ungroupable"),
    ]


def test_reasons_follow_the_walk(plan):
    assert _codes(plan, ["i63.901", "X9", "I10.x00x002", "S22.300", "J96.000"], ["37.5199", "99.2503"]) == [
        ("diagnosis_mapped", "i63.901", "I63.900"),
        ("diagnosis_unknown", "X9", None),
        ("operation_unknown", "37.5199", None),
        ("mdc", "MDCB", None),
        ("adrg", "BR1", "PDX in adrg_zd"),
        ("excluded", "I10.x00x002", "I63.900"),
        ("mcc", "J96.000", None),
        ("drg", "BR11", "MCC"),
    ]
    assert _codes(plan, ["C61.x00"], gend="2") == [
        ("fact_against", "MDCM", "SEX"),
        ("mdc_none", "C61.x00", None),
    ]
    assert _codes(plan, ["C61.x00"], gend="9")[0] == ("fact_missing", "MDCM", "SEX")
    assert _codes(plan, ["J18.900"], age=0.0, age_days=3, weight=3000)[:1] == [("mdc", "MDCP", None)]
    assert _codes(plan, ["J18.900"], age=3) == [
        ("fact_against", "MDCP", "AGE_Y"),
        ("mdc_left", "MDCB", None),
        ("mdc_none", "J18.900", None),
    ]
    assert _codes(plan, ["Z51.103", "C50.900"], ["99.2503"])[-1] == ("drg_none", "RE1", None)


def test_a_number_for_want_of_which_alone_a_group_was_closed_is_told(plan):
    def lacking(diagnoses, operations=(), **numbers):
        told = _codes(plan, diagnoses, operations, **numbers)
        return [(group, fact) for code, group, fact in told if code == "fact_missing"]

    weight, days = "BIRTH_WT_G", "AGE_DAYS"
    for missing in (None, 0, -1):
        assert lacking(["P07.300"], age=0, age_days=5, weight=missing) == [("PS1", weight), ("PS2", weight)]
    assert lacking(["P07.300"], age=0, weight=1400) == [("PS1", days)]
    assert lacking(["P07.300"], age=0) == [("PS1", weight), ("PS1", days), ("PS2", weight), ("PS2", days)]
    # Closed for another reason too, or taken before: nothing to tell.
    assert lacking(["P07.300"], age=0, age_days=29) == []
    assert lacking(["P07.300"], age=0, age_days=5, weight=1400) == []
    assert lacking(["J18.900"], age=0, age_days=5) == [("PS2", weight)]
    assert lacking(["I63.900"]) == []
    # The same of a DRG.
    assert lacking(["C50.900", "S22.300"]) == [("JR1D", "AGE_Y")]
    assert lacking(["C50.900"]) == []
    assert lacking(["Z51.103", "C50.900"], ["99.2503"]) == [("RE12", "LOS_DAYS"), ("RE14", "LOS_DAYS")]


def test_every_reason_and_status_is_told_in_both_languages(plan):
    stays = _stays((["i63.901", "X9", "J96.000"], ["37.5199"]), ([],), (["C61.x00"],), (["I63.900"], ["60.5x02"]))
    told = explain(plan, plan.group(stays))
    assert told["zh"][0].as_py()[-2:] == ["入 BR11 组 组：MCC", "入组"]
    assert told["en"][2].as_py() == [
        "MDCM asks for sex, which this stay lacks",
        "no MDC admits principal diagnosis C61.x00 前列腺恶性肿瘤",
        "ungroupable",
    ]
    # Rules in words, whatever the list is called.
    assert "符合 BR1 入组条件：主要诊断 属于 adrg_zd" in told["zh"][0].as_py()
    assert "BR1 admits the stay: principal diagnosis in adrg_zd" in told["en"][0].as_py()
    for words in (*(reason.words for reason in REASONS.values()), *STATUSES.values()):
        assert words.zh.format(detail="a", other="b")
        assert words.en.format(detail="a", other="b").isascii() or "“" in words.en


def test_more_stays_than_one_batch_keep_their_order(plan):
    cases = [(["I63.900"], []), (["C50.900"], []), ([], []), (["I63.900", "J96.000"], [])]
    count = 70_001
    grouped = plan.group(_stays(*cases).take(pa.array([at % 4 for at in range(count)])))
    assert len(grouped) == count
    assert grouped["drg"].to_pylist() == [("BR15", "JR19", None, "BR11")[at % 4] for at in range(count)]
    assert grouped["reasons"][count - 1].as_py() == grouped["reasons"][0].as_py()


def test_a_table_that_is_none_is_refused(plan):
    good = _stays((["I63.900"],))
    for wrong in (good.drop_columns(["operations"]), good.set_column(0, "diagnoses", pa.array(["x"])), "x"):
        with pytest.raises(Refusal) as refused:
            plan.group(wrong)
        assert refused.value.code == "E-GROUP-TABLE"
    with pytest.raises(Refusal, match="age"):
        plan.group(good.append_column("age", pa.array([[1]])))


def test_what_is_wrong_with_a_table_is_told(plan):
    good = _stays((["I63.900"],), gend=["1"])
    with pytest.raises(Refusal, match="has no column operations; it has diagnoses, gend"):
        plan.group(good.drop_columns(["operations"]))
    with pytest.raises(Refusal, match="2 columns named gend"):
        plan.group(good.append_column("gend", pa.array(["2"])))
    with pytest.raises(Refusal, match="from_pandas"):
        plan.group({"diagnoses": [["I63.900"]]})
    doubled = good.append_column("note", pa.array(["a"])).append_column("note", pa.array(["b"]))
    assert plan.group(doubled)["status"].to_pylist() == ["grouped"]


@pytest.mark.parametrize(
    "ages",
    [
        pa.array([6, 2**60, None], pa.int64()),
        pa.array([6, 2**64 - 1, None], pa.uint64()),
        pa.array([6, 7, None], pa.int32()).dictionary_encode(),
        pa.array([6.0, 7.5, None], pa.float64()).dictionary_encode(),
        pa.array(["6", "7", None]).dictionary_encode(),
        pa.array([Decimal("6.00"), Decimal("7.25"), None], pa.decimal128(18, 2)),
        pa.array([Decimal("6.00"), Decimal("1e30"), None], pa.decimal128(38, 2)),
    ],
    ids=lambda ages: str(ages.type),
)
def test_numbers_of_every_type_are_read_alike(plan, ages):
    stay = (["C50.900", "S22.300"], [])
    for column in (ages, pa.chunked_array([ages.slice(0, 1), ages.slice(1)])):
        assert plan.group(_stays(stay, stay, stay, age=column))["drg"].to_pylist() == ["JR1D", "JR19", "JR19"]


def test_what_is_no_grouping_is_not_explained(plan):
    grouped = plan.group(_stays((["I63.900"],)))
    strange = pa.array([[{"step": "mdc", "code": "x", "detail": None, "other": None}]], grouped["reasons"].type)
    for wrong in (
        grouped.drop_columns(["reasons"]),
        grouped.set_column(3, "status", pa.array(["fine"])),
        grouped.set_column(3, "status", pa.array([["grouped"]])),
        grouped.set_column(4, "reasons", pa.array(["mdc"])),
        grouped.set_column(4, "reasons", pa.array([[{"code": "mdc"}]])),
        grouped.set_column(4, "reasons", strange),
        _stays((["I63.900"],)),
        None,
    ):
        with pytest.raises(Refusal) as refused:
            explain(plan, wrong)
        assert refused.value.code == "E-GROUP-TABLE"


def test_groups_are_listed_with_their_names(plan):
    assert plan.drgs.column_names == ["code", "name", "adrg", "mdc"]
    assert {
        "code": "BQY",
        "name": "神经系统，手术与主要诊断无关",
        "adrg": "BQY",
        "mdc": "MDCB",
    } in plan.drgs.to_pylist()
