import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher, parse

REFERENCE = region_reference("drug")
MATCHER = Matcher.fit(REFERENCE, kind="drug")
ROWS = REFERENCE.drop_columns(["code"]).to_pylist()
FORMS = ("片", "胶囊", "注射液", "颗粒", "缓释片", "口服液", "乳膏", "丸", "糖浆", "注射用粉针")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("★(甲)注射用頭孢曲松鈉 １ｇ", {"text": "头孢曲松", "salt": "钠", "form": "注射剂/粉", "mg": 1000.0}),
        (
            "硝苯地平片(缓释) 20mg×30片/盒",
            {"text": "硝苯地平", "form": "缓释片", "mg": 20.0, "pieces": 30.0, "piece": "片"},
        ),
        (
            "阿莫西林胶囊剂(0.25gx24粒/盒)(霁和药业有限公司)",
            {"form": "胶囊", "maker": "霁和", "mg": 250.0, "pieces": 24.0},
        ),
        ("低分子肝素钠针 0.4ml:4250IU", {"iu": 4250.0, "ml": 0.4, "form": "注射剂", "salt": "钠"}),
        ("青霉素钠粉针 80万单位", {"iu": 800_000.0, "form": "注射剂/粉"}),
        ("氯化钠注射液 0.9%:100ml*1袋", {"text": "氯化钠", "salt": None, "mg": 900.0, "ml": 100.0}),
        ("盐酸氨溴索口服溶液 0.6g:100ml", {"text": "氨溴索", "salt": "盐酸", "mg": 600.0, "form": "口服溶液"}),
        ("维生素B12片", {"text": "维生素b12", "form": "片", "pieces": None}),
        ("阿司匹林肠溶片 100mg*10片*3板/盒", {"mg": 100.0, "pieces": 30.0}),
        ("左甲状腺素钠片 50ug*100片", {"mg": 0.05, "pieces": 100.0}),
        ("三七活骨贴膏 8cm×10cm*6贴/盒", {"text": "三七活骨", "pieces": 6.0, "strength": "mm=80+100"}),
        ("羟乙基淀粉针 6%:500ml", {"form": "注射剂", "text": "羟乙基淀粉"}),
        ("硝酸甘油片 0.5mg", {"text": "硝酸甘油", "salt": None}),
        ("阿莫西林胶囊 国药准字H20001234", {"licence": "国药准字h20001234"}),
    ],
)
def test_a_name_is_read(name, expected):
    found = parse(pa.table({"name": [name]}), "drug").to_pylist()[0]
    assert {key: found[key] for key in expected} == expected


def test_columns_and_their_english_aliases_are_read():
    table = pa.table(
        {"name": ["阿莫西林"], "strength": ["250 mg"], "pack": ["24粒/盒"], "form": ["胶囊剂"], "maker": ["霁和药业"]}
    )
    found = parse(table, "drug").to_pylist()[0]
    assert (found["mg"], found["pieces"], found["form"], found["maker"]) == (250.0, 24.0, "胶囊", "霁和")


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("阿莫西林胶囊", "250mg×24粒"),
        ("阿莫西林胶囊", "0.25克*24粒/盒"),
        ("阿莫西林胶囊", "0.25g×12粒×2板/盒"),
        ("(甲)阿莫西林胶囊 250毫克*24粒", ""),
    ],
)
def test_the_same_strength_and_pack_in_other_words(name, spec):
    own = next(row for row in ROWS if row["name"] == "阿莫西林胶囊")
    answer = MATCHER.match(
        pa.table({"name": [name], "spec": [spec], "prodentp_name": [own["prodentp_name"]]})
    ).to_pylist()[0]
    assert (answer["decision"], answer["alternatives"][0]["name"]) == ("auto", "阿莫西林胶囊")


@settings(max_examples=150, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    amount=st.decimals(min_value="0.001", max_value=9999, places=3),
    unit=st.sampled_from(["g", "mg", "μg", "ml", "IU", "万单位", "%"]),
    where=st.sampled_from(["spec", "name", "both"]),
)
def test_a_strength_of_no_reference_is_never_automatic(row, amount, unit, where):
    # Seven more in the fourth decimal is a strength that the region does not have.
    _, _, pack = row["spec"].partition("*")
    text = f"{amount}7{unit}*{pack}"
    name = f"{row['name']} {text}" if where in ("name", "both") else row["name"]
    spec = text if where in ("spec", "both") else row["spec"]
    answer = MATCHER.match(pa.table({key: [value] for key, value in {**row, "name": name, "spec": spec}.items()}))
    assert answer["decision"][0].as_py() != "auto"


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(ROWS), pieces=st.integers(101, 199), where=st.sampled_from(["spec", "name"]))
def test_a_pack_of_no_reference_is_never_automatic(row, pieces, where):
    strength, _, pack = row["spec"].partition("*")
    text = f"{strength}*{pieces}{pack.lstrip('0123456789')}"
    changed = {**row, "spec": text} if where == "spec" else {**row, "name": f"{row['name']}({text})"}
    assert MATCHER.match(pa.Table.from_pylist([changed]))["decision"][0].as_py() != "auto"


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(ROWS), form=st.sampled_from(FORMS), where=st.sampled_from(["column", "name", "both"]))
def test_another_form_is_never_automatic(row, form, where):
    base = row["name"].removeprefix("注射用").removesuffix(row["dosform_name"])
    if form == row["dosform_name"] or base == row["name"] != f"注射用{base}" and where != "column":
        return
    changed = dict(row)
    if where in ("column", "both"):
        changed["dosform_name"] = form
    if where in ("name", "both"):
        changed["name"] = f"注射用{base}" if form == "注射用粉针" else base + form
    answer = MATCHER.match(pa.Table.from_pylist([changed])).to_pylist()[0]
    codes = {code: ROWS[place]["dosform_name"] for place, code in enumerate(REFERENCE["code"].to_pylist())}
    # Where the region sells it in that form too, with all else equal, that is what is meant.
    assert answer["decision"] != "auto" or codes[answer["code"]] == form


@pytest.mark.parametrize("name", ["氨苄西林胶囊", "阿莫西林克拉维酸钾胶囊", "复方阿莫西林胶囊"])
def test_another_drug_is_never_automatic_even_under_the_same_approval_number(name):
    own = next(row for row in ROWS if row["name"] == "阿莫西林胶囊")
    assert MATCHER.match(pa.Table.from_pylist([{**own, "name": name}]))["decision"].to_pylist() == ["review"]


def test_a_name_that_contradicts_its_column_is_torn():
    own = next(row for row in ROWS if row["name"] == "阿莫西林胶囊")
    answer = MATCHER.match(pa.Table.from_pylist([{**own, "name": "阿莫西林胶囊 0.5g"}])).to_pylist()[0]
    assert (answer["decision"], answer["reason"]) == ("review", "torn")


def test_two_makers_are_told_apart_only_by_what_is_said():
    pairs = {}
    for place, row in enumerate(ROWS):
        pairs.setdefault((row["name"], row["spec"]), []).append(place)
    one, two = next(places for places in pairs.values() if len(places) == 2)
    bare = MATCHER.match(pa.Table.from_pylist([{"name": ROWS[one]["name"], "spec": ROWS[one]["spec"]}])).to_pylist()[0]
    codes = REFERENCE["code"].to_pylist()
    assert (bare["decision"], bare["reason"]) == ("review", "tie")
    assert {other["code"] for other in bare["alternatives"][:2]} == {codes[one], codes[two]}
    for place in (one, two):
        for field in ("prodentp_name", "aprvno"):
            asked = {name: ROWS[place][name] for name in ("name", "spec", field)}
            answer = MATCHER.match(pa.Table.from_pylist([asked])).to_pylist()[0]
            assert (answer["code"], answer["decision"]) == (codes[place], "auto")
