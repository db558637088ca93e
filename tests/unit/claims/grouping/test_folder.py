"""A plan is a folder: converted it is the same plan, and what is wrong with it is named."""

import csv
import json
import shutil

import pytest

from headwater.bench.grouping_cases import Cases, as_table
from headwater.bench.grouping_oracle import Oracle
from headwater.claims.grouping import convert, load_plan
from headwater.errors import Refusal


@pytest.fixture
def folder(published, tmp_path):
    convert(published, tmp_path / "plan")
    return tmp_path / "plan"


def _edit(folder, table, change):
    file = folder / f"{table}.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    rows = change(rows)
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _broken(published, tmp_path, **tables):
    """Return a copy of the published plan, some of its tables written anew."""
    broken = tmp_path / "broken"
    shutil.copytree(published, broken)
    for name, text in tables.items():
        (broken / name.replace("_dat", ".dat").replace("_json", ".json")).write_text(text, encoding="utf-8")
    return broken


def _refused(folder):
    with pytest.raises(Refusal) as refused:
        load_plan(folder)
    return refused.value


def test_a_converted_plan_is_the_same(plan, published, folder):
    converted = load_plan(folder)
    assert converted.version == plan.version
    stays = as_table(list(Cases(Oracle(published), 1).draw(300)))
    assert converted.group(stays).equals(plan.group(stays))


def test_a_long_rule_is_converted_and_loaded(published, tmp_path):
    rules = json.loads((published / "rules.json").read_text(encoding="utf-8"))
    rules["drg"]["BR11"] = [f"AGE_Y == {age}" for age in range(10_000)]
    broken = _broken(published, tmp_path, rules_json=json.dumps(rules))
    limit = csv.field_size_limit()
    convert(broken, tmp_path / "plan")
    assert load_plan(tmp_path / "plan").version == load_plan(broken).version
    assert csv.field_size_limit() == limit


def test_nothing_is_overwritten(published, folder):
    with pytest.raises(Refusal) as refused:
        convert(published, folder)
    assert refused.value.code == "E-PLAN-OUT"


def test_a_version_changes_with_a_rule_and_not_with_a_title(plan, folder):
    head = (folder / "plan.yml").read_text(encoding="utf-8")
    (folder / "plan.yml").write_text(head.replace("title: ''", "title: 另名"), encoding="utf-8")
    assert load_plan(folder).version == plan.version
    _edit(
        folder, "drg", lambda rows: [{**row, "rule": row["rule"].replace("AGE_Y <= 6", "AGE_Y <= 7")} for row in rows]
    )
    assert load_plan(folder).version != plan.version


def test_a_rule_that_cannot_be_read_is_named_with_its_place(folder):
    _edit(
        folder,
        "adrg",
        lambda rows: [{**row, "rule": "PDX on adrg_zd"} if row["code"] == "BR1" else row for row in rows],
    )
    refusal = _refused(folder)
    assert refusal.code == "E-PLAN-RULE"
    assert "BR1" in refusal.reason.en
    assert "character 5" in refusal.reason.en


@pytest.mark.parametrize("rule", ["PDX in nowhere", "'9' in ss_matched", "count(zd_matched) > 1"])
def test_a_list_that_is_not_there_is_refused(folder, rule):
    _edit(folder, "adrg", lambda rows: [{**row, "rule": rule} if row["code"] == "BR1" else row for row in rows])
    assert _refused(folder).code == "E-PLAN-RULE"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("adrg", lambda rows: [{**row, "mdc": "MDC?"} for row in rows]),
        ("drg", lambda rows: [{**row, "adrg": "X"} for row in rows]),
        ("drg", lambda rows: [*rows, rows[0]]),
        ("mdc", lambda rows: [*rows, rows[0]]),
        ("adrg", lambda rows: [*rows, {**rows[0], "code": "AZ9"}]),
    ],
)
def test_groups_that_hang_in_the_air_are_refused(folder, table, change):
    _edit(folder, table, change)
    assert _refused(folder).code == "E-PLAN-TABLE"


def test_nothing_lacking_changes_groups_silently(folder):
    for name in ("exclusions.csv", "complications.csv"):
        file = folder / name
        text = file.read_text(encoding="utf-8")
        file.unlink()
        assert _refused(folder).code == "E-PLAN-FILE"
        file.write_text(text.splitlines()[0] + "\n", encoding="utf-8")
        assert _refused(folder).code == "E-PLAN-TABLE"
        file.write_text(text, encoding="utf-8")
    load_plan(folder)


def test_a_level_of_which_no_diagnosis_is_is_refused(folder):
    _edit(folder, "complications", lambda rows: [row for row in rows if row["level"] != "CC"])
    assert "CC, of which no diagnosis is" in _refused(folder).reason.en
    _edit(folder, "drg", lambda rows: [{**row, "rule": row["rule"].replace("CC", "MCC")} for row in rows])
    _edit(folder, "drg", lambda rows: [{**row, "rule": row["rule"].replace("MMCC", "MCC")} for row in rows])
    load_plan(folder)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("complications", "exclusion"),
        ("exclusions", "exclusion"),
        ("exclusions", "code"),
        ("diagnosis_map", "becomes"),
        ("lists", "code"),
    ],
)
def test_a_cell_without_which_a_row_says_nothing_is_refused(folder, table, column):
    _edit(folder, table, lambda rows: [rows[0], {**rows[1], column: ""}, *rows[2:]])
    refusal = _refused(folder)
    assert refusal.code == "E-PLAN-FILE"
    assert f"{table}.csv cannot be read: 3: {column} = ''" in refusal.reason.en


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("CC_dat", ""),
        ("MCC_dat", ""),
        ("CCE_dat", ""),
        ("CC_dat", "I10.x00x002\nS22.300 5\n"),
        ("CC_dat", "I10.x00x002 2\nI10.x00x002 5\n"),
        ("CC_dat", "I10.x00x002 2\nJ96.000 5\n"),
        ("CCE_dat", "J18.900\n"),
        ("ZD_MAP_dat", "I63.901\n"),
        ("CCE_dat", "J18.900 1\nI63.900 2\nI63.900 1\n"),
        ("rules_json", "[" * 200_000),
    ],
)
def test_published_tables_that_lack_something_or_say_it_twice_are_refused(published, tmp_path, table, text):
    assert _refused(_broken(published, tmp_path, **{table: text})).code in ("E-PLAN-FILE", "E-PLAN-TABLE")


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("JA1", "adrg_ss", ["85.5300", "85.4300", "85.5300"]),
        ("MDCZ", "mdc_zd", ["头颈部创伤", "S06.500", "胸部创伤", "S06.500"]),
        ("BR1", "entry", "ALWAYS"),
        ("BR1", "adrg_zd", "I63.900"),
    ],
)
def test_a_code_with_two_marks_and_a_rule_that_is_no_list_are_refused(published, tmp_path, group, name, value):
    rules = json.loads((published / "rules.json").read_text(encoding="utf-8"))
    changed = rules["mdc" if group.startswith("MDC") else "adrg"][group]
    (changed if name == "entry" else changed["lists"])[name] = value
    refusal = _refused(_broken(published, tmp_path, rules_json=json.dumps(rules)))
    assert refusal.code == "E-PLAN-FILE"
    assert "ValueError" in refusal.reason.en or "TypeError" in refusal.reason.en


def test_folders_are_named_by_text_too_and_nothing_is_written_that_cannot_be_loaded(published, tmp_path):
    convert(str(published), str(tmp_path / "plan"))
    assert load_plan(str(tmp_path / "plan")).version == load_plan(str(published)).version
    with pytest.raises(Refusal):
        convert(_broken(published, tmp_path, CC_dat=""), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_list_that_is_not_there_is_named_without_the_whole_rule(folder):
    rule = " or ".join(["PDX in adrg_zd"] * 2_000) + " or PDX in nowhere"
    _edit(folder, "adrg", lambda rows: [{**row, "rule": rule} if row["code"] == "BR1" else row for row in rows])
    refusal = _refused(folder)
    assert "nowhere" in refusal.reason.en
    assert len(refusal.reason.en) <= 200


@pytest.mark.parametrize("table", ["diagnoses", "operation_map", "lists", "complications"])
def test_what_is_said_twice_is_refused(folder, table):
    _edit(folder, table, lambda rows: [*rows, rows[-1]])
    refusal = _refused(folder)
    assert refusal.code == "E-PLAN-FILE"
    assert "2 × " in refusal.reason.en


@pytest.mark.parametrize("group", [{}, {"lists": 3}, {"lists": {}, "entry": None}, []])
def test_published_rules_of_another_shape_are_refused(published, tmp_path, group):
    broken = tmp_path / "broken"
    shutil.copytree(published, broken)
    rules = json.loads((broken / "rules.json").read_text(encoding="utf-8"))
    rules["adrg"]["BR1"] = group
    (broken / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    assert _refused(broken).code == "E-PLAN-FILE"


def test_files_that_cannot_be_read_are_named(folder, published, tmp_path):
    _edit(folder, "complications", lambda rows: [{**row, "level": "XCC"} for row in rows])
    assert _refused(folder).code == "E-PLAN-FILE"
    (folder / "complications.csv").write_bytes(b"\xff\xfe")
    assert "complications.csv" in _refused(folder).reason.en
    (folder / "complications.csv").unlink()
    assert _refused(folder).code == "E-PLAN-FILE"
    assert _refused(tmp_path / "nothing").code == "E-PLAN-FILE"
    broken = tmp_path / "broken"
    shutil.copytree(published, broken)
    (broken / "CC.dat").unlink()
    assert "CC.dat" in _refused(broken).reason.en
    (broken / "rules.json").write_text("{", encoding="utf-8")
    assert "rules.json" in _refused(broken).reason.en


def test_a_comma_that_is_not_quoted_moves_nothing_into_other_columns(folder):
    file = folder / "mdc.csv"
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([first, rest[0] + ",more", *rest[1:]]) + "\n", encoding="utf-8")
    refused = _refused(folder)
    assert (refused.code, "mdc.csv cannot be read: 2:" in refused.reason.en) == ("E-PLAN-FILE", True)
