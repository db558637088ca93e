"""Shipped requirements are whole, and what is wrong in one is told with its place."""

from pathlib import Path

import pytest

from headwater.content.requirements import read_requirement, read_requirements, requirement_for
from headwater.errors import Refusal

FOLDER = Path(__file__).resolve().parents[2] / "dbt_project" / "requirements"
TEXT = (FOLDER / "clinical_care.yml").read_text(encoding="utf-8")


def refused(tmp_path: Path, text: str, name: str = "clinical_care.yml") -> Refusal:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(Refusal) as refusal:
        read_requirement(tmp_path / name)
    assert refusal.value.code == "E-REQUIREMENT"
    return refusal.value


def test_the_two_scenarios_differ_in_who_sees_what() -> None:
    clinical, insurance = read_requirements(FOLDER)
    assert (clinical.name, insurance.name) == ("clinical_care", "insurance_accounting")
    assert clinical.sees == {"statistic": "nobody", "sum": "tier", "noisy": "region"}
    assert set(insurance.sees.values()) == {"region"}
    assert "clear" not in clinical.mechanisms
    assert clinical.caps.lifetime < insurance.caps.lifetime
    assert clinical.delta < insurance.delta


def test_the_requirement_of_a_purpose_is_found_and_no_other_is_guessed() -> None:
    known = read_requirements(FOLDER)
    assert requirement_for(known, "H0101", "valuation").patients == "insured_stays"
    assert requirement_for(known, "H0101", "diagnosis").patients == "treated_patients"
    with pytest.raises(Refusal) as refusal:
        requirement_for(known, "H0101", "advertising")
    assert refusal.value.code == "E-REQUIREMENT-NONE"


@pytest.mark.parametrize(
    ("old", "new", "line", "must"),
    [
        ("delta: 1e-7", "delta: 0.5", 10, "0.001"),
        ("delta: 1e-7", "delta: 0", 10, "0.001"),
        ("statistic: nobody", "statistic: everybody", 7, "nobody, tier, region"),
        ("month: 1,", "month: 0,", 11, "above 0"),
        ("{release: 0.5, month: 1,", "{release: 2, month: 1,", 11, "as much as release"),
        ("lifetime: 6", "lifetime: 0.7", 11, "as much as month"),
        ("diagnosis: {release: 0.5, month: 0.6", "diagnosis: {release: 0.5, month: 1.6", 13, "as for all purposes"),
        ("[masked, gaussian,", "[masked, magic,", 15, "gaussian"),
        ("[masked, gaussian,", "[masked, masked,", 15, "different"),
        ("patients: treated_patients", "patients: Treated!", 5, "a-z"),
        ("requirement: clinical_care", "requirement: other", 3, "clinical_care.yml"),
        ("sees:", "seas:", 7, "a known key"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, must: str) -> None:
    assert old in TEXT
    refusal = refused(tmp_path, TEXT.replace(old, new, 1))
    assert f"clinical_care.yml:{line}" in refusal.reason.en, refusal.reason.en
    assert f"clinical_care.yml:{line}" in refusal.reason.zh
    assert "来源要求" in refusal.reason.zh
    assert must in refusal.remedy.en


def test_no_yaml_and_no_file_are_refused(tmp_path: Path) -> None:
    assert "docs/ledger.md" in refused(tmp_path, "requirement: [").remedy.en
    with pytest.raises(Refusal):
        read_requirement(tmp_path / "none.yml")


def test_two_that_speak_of_one_source_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text(TEXT.replace("clinical_care", "one"), encoding="utf-8")
    other = TEXT.replace("clinical_care", "other")
    (tmp_path / "other.yml").write_text(other, encoding="utf-8")
    with pytest.raises(Refusal) as refusal:
        read_requirements(tmp_path)
    assert refusal.value.code == "E-REQUIREMENT-TWICE"
    apart = [
        text + f"sources: [{name}]\n" for text, name in ((TEXT.replace("clinical_care", "one"), "a"), (other, "b"))
    ]
    for text, name in zip(apart, ("one.yml", "other.yml"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert [one.sources for one in read_requirements(tmp_path)] == [{"a"}, {"b"}]


def test_an_edited_file_is_read_again_and_has_another_version(tmp_path: Path) -> None:
    file = tmp_path / "clinical_care.yml"
    file.write_text(TEXT, encoding="utf-8")
    before = read_requirement(file).version
    file.write_text(TEXT.replace("临床诊疗}", "诊疗}").replace("zh: 临床诊疗", "zh: 诊疗"), encoding="utf-8")
    assert read_requirement(file).version == before
    file.write_text(TEXT.replace("lifetime: 6", "lifetime: 5"), encoding="utf-8")
    assert read_requirement(file).version != before
