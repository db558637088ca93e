from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher
from headwater.claims.coding.learning import calibrated, prior
from headwater.errors import Refusal

SERVICES = region_reference("service").slice(0, 60)


def test_a_code_may_have_several_names_and_the_answer_is_the_same():
    table = pa.table({"code": ["1", "1", "2"], "name": ["血细胞分析", "血液一般检查", "尿液分析"]})
    matcher = Matcher.fit(table, kind="service")
    answers = matcher.match(pa.table({"name": ["血液一般检查", "血细胞分析"]}))
    assert answers["code"].to_pylist() == ["1", "1"]
    assert answers["alternatives"][0][0]["name"].as_py() == "血液一般检查"


def test_rows_that_repeat_are_one():
    once, twice = (Matcher.fit(table, kind="service") for table in (SERVICES, pa.concat_tables([SERVICES, SERVICES])))
    names = pa.table({"name": ["CT平扫(头颅)", "CT平扫-头颅"]})
    assert twice.match(names)["code"].to_pylist() == once.match(names)["code"].to_pylist()
    assert set(twice.match(names)["decision"].to_pylist()) == {"auto"}


def test_labelled_names_are_further_spellings():
    labelled = pa.table({"name": ["三大常规之一", "不存在的项目"], "code": [SERVICES["code"][40].as_py(), "nobody"]})
    names = labelled.select(["name"])
    before, after = (
        Matcher.fit(SERVICES, given, kind="service").match(names).to_pylist() for given in (None, labelled)
    )
    assert before[0]["decision"] == "none"
    assert (after[0]["code"], after[0]["decision"]) == (SERVICES["code"][40].as_py(), "auto")
    assert after[1]["code"] != "nobody"
    assert after[0]["alternatives"][0]["code"] == after[0]["code"]


def test_labelled_names_that_disagree_are_left_to_a_person():
    codes = SERVICES["code"].to_pylist()
    labelled = pa.table({"name": ["三大常规之一"] * 2, "code": [codes[40], codes[41]]})
    answer = Matcher.fit(SERVICES, labelled, kind="service").match(labelled.select(["name"]))
    assert answer["decision"].to_pylist() == ["review"] * 2


def test_a_reference_of_one_row():
    matcher = Matcher.fit(pa.table({"code": ["1"], "name": ["阿莫西林胶囊"]}), kind="drug")
    answers = matcher.match(pa.table({"name": ["阿莫西林胶囊", "氯化钠注射液"]}))
    assert answers["decision"].to_pylist() == ["auto", "none"]


def test_a_version_tells_what_changed(tmp_path: Path):
    matcher = Matcher.fit(SERVICES, kind="service")
    assert matcher.version == Matcher.fit(SERVICES, kind="service").version
    assert matcher.version != Matcher.fit(SERVICES.slice(1), kind="service").version
    matcher.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"matcher.json", "entries.parquet", "codes.parquet"}


def test_what_is_no_matcher_is_not_loaded(tmp_path: Path):
    with pytest.raises(Refusal, match="E-CODING-SAVED"):
        Matcher.load(tmp_path)
    Matcher.fit(SERVICES.slice(0, 20), kind="service").save(tmp_path)
    (tmp_path / "matcher.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(Refusal, match="E-CODING-SAVED"):
        Matcher.load(tmp_path)


def test_an_unknown_kind_is_refused():
    with pytest.raises(Refusal, match="E-UNKNOWN-NAME"):
        Matcher.fit(SERVICES, kind="furniture")


def test_a_labelled_pair_told_a_thousand_times_does_not_outvote_the_reference():
    reference = pa.table({"code": ["1", "2"], "name": ["阿莫西林胶囊", "阿奇霉素片"]})
    labelled = pa.table({"name": ["阿莫西林胶囊"] * 1000, "code": ["2"] * 1000})
    for kind in ("drug", "consumable", "service", "diagnosis", "operation"):
        (answer,) = Matcher.fit(reference, labelled, kind=kind).match(pa.table({"name": ["阿莫西林胶囊"]})).to_pylist()
        assert answer["decision"] == "review", answer


def test_an_answer_in_conflict_never_reads_as_certain_however_right_its_lessons_were():
    chance = np.linspace(0.5, 1, 400)
    everyone = np.ones(400, dtype=np.bool_)
    model = calibrated(prior(["same"]), np.tile(chance, 2), np.tile(everyone, 2), np.append(everyone, ~everyone))
    assert model.calibrate(np.array([1.0]), np.array([False]))[0] > 0.99
    assert model.calibrate(np.array([1.0]), np.array([True]))[0] == 0.9


def test_a_name_that_contradicts_its_own_column_does_not_read_as_certain_either():
    names, specs = ["阿莫西林胶囊", "阿莫西林胶囊", "阿奇霉素片"], ["0.25g*24粒", "0.5g*24粒", "0.25g*6片"]
    table = pa.table({"code": ["0", "1", "2"], "name": names, "spec": specs})
    asked = pa.table({"name": ["阿奇霉素片 0.5g*6片"], "spec": ["0.25g*6片"]})
    (answer,) = Matcher.fit(table, kind="drug").match(asked).to_pylist()
    assert (answer["code"], answer["decision"], answer["reason"]) == ("2", "review", "torn")
    assert answer["confidence"] <= 0.9
