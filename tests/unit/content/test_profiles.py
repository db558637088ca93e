"""Suites of what is usual are read as they were written, shown as a difference, and refused when wrong."""

import json
from pathlib import Path

import pytest

from headwater.content.bounds import Bound
from headwater.content.profiles import as_rules, changes, difference, read_profiles, suites, text, write
from headwater.errors import Refusal

BOUNDS = {
    ("s1", "front_page", "", "rows"): Bound(100.0, 300.0),
    ("s1", "front_page", "age", "mean"): Bound(40.123456, 60.0),
    ("s1", "fee_line", "medins_list_codg+pric", "unseen_share"): Bound(None, 0.01),
    ("s2", "front_page", "", "fee_gap"): Bound(None, 0.02),
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = suites(BOUNDS)
    write(tmp_path, made)
    assert read_profiles(tmp_path) == made
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "s1__fee_line.json",
        "s1__front_page.json",
        "s2__front_page.json",
    ]
    assert difference(tmp_path, made) == ""
    assert changes(made, made) == ()


def test_every_rule_has_words_in_both_languages_and_stands_on_a_line_of_its_own() -> None:
    for suite in suites(BOUNDS):
        rules = json.loads(text(suite))["expectations"]
        assert len(rules) == len(suite.rules) == text(suite).count('"expect_')
        for rule in rules:
            assert all(rule["meta"][f"{name}_{language}"] for name in ("title", "why") for language in ("zh", "en"))


def test_a_change_is_shown_old_and_new(tmp_path: Path) -> None:
    write(tmp_path, suites(BOUNDS))
    moved = suites({**BOUNDS, ("s1", "front_page", "", "rows"): Bound(150.0, 300.0)})
    (change,) = changes(read_profiles(tmp_path), moved)
    assert (change.metric, change.old, change.new) == ("rows", Bound(100.0, 300.0), Bound(150.0, 300.0))
    lines = difference(tmp_path, moved).splitlines()
    assert [line[0] for line in lines if '"rows"' in line] == ["-", "+"]


def test_one_rule_an_entity_and_severity() -> None:
    rules = [(suite.name, rule.severity) for suite in as_rules(suites(BOUNDS)) for rule in suite.expectations]
    assert rules == [
        ("profile__front_page", "error"),
        ("profile__front_page", "warning"),
        ("profile__fee_line", "warning"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"rows"', '"lines"'),
        ('"age"', '"colour"'),
        ('"min_value": 100.0', '"min_value": 900.0'),
        ('"critical"', '"fatal"'),
        ('"min_value": 100.0', '"least": 100.0'),
        ("s1__front_page", "s9__front_page"),
    ],
)
def test_a_wrong_suite_is_refused_by_name(tmp_path: Path, old: str, new: str) -> None:
    write(tmp_path, suites(BOUNDS))
    file = tmp_path / "s1__front_page.json"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(Refusal, match=r"s1__front_page\.json") as refused:
        read_profiles(tmp_path)
    assert refused.value.code == "E-PROFILE-SUITE"


def test_no_folder_is_no_suite(tmp_path: Path) -> None:
    assert read_profiles(tmp_path / "none") == ()
