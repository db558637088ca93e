import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.claims.coding import Matcher, normalise, parse
from headwater.claims.coding.quantities import amounts, compare_strengths, measures
from headwater.claims.coding.reading import read
from headwater.claims.coding.states import State, compare_models, compare_paths, compare_words
from headwater.errors import Refusal

REFERENCE = pa.table(
    {
        "code": ["1", "2", "3", "4"],
        "name": ["阿莫西林胶囊", "阿奇霉素片", "阿司匹林肠溶片", "氯化钠注射液"],
        "spec": ["0.25g*24粒/盒", "0.25g*6片/盒", "100mg*30片/盒", "0.9%:100ml*1袋"],
    }
)
MATCHER = Matcher.fit(REFERENCE, kind="drug")


def with_surrogate(text: str) -> pa.Array:
    raw = text.encode("utf-8", "surrogatepass")
    sizes = np.array([0, len(raw)], dtype=np.int32).tobytes()
    return pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(sizes), pa.py_buffer(raw)])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=6),
    st.lists(st.text(max_size=20), min_size=6, max_size=6),
)
def test_any_text_gets_an_answer(names, specs):
    table = pa.table({"name": pa.array(names, pa.string()), "spec": pa.array(specs[: len(names)], pa.string())})
    answers = MATCHER.match(table)
    assert len(answers) == len(names)
    assert set(answers["decision"].to_pylist()) <= {"auto", "review", "none"}
    assert len(parse(table, "drug")) == len(names)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("\u0421\u0422平扫", "ct平扫"),
        ("\u039cRI增强", "mri增强"),
        ("干扰素α", "干扰素α"),
        ("\u0394F508突变", "δf508突变"),
        ("\u0411\u0421平扫", "\u0431\u0441平扫"),
        ("Ⅱ型糖尿病", "2型糖尿病"),
        ("II期", "2期"),
        ("心功能Ⅳ级", "心功能4级"),
        ("V型钢板", "v型钢板"),
        ("CII型", "cii型"),
    ],
)
def test_letters_that_look_latin_are_and_roman_types_are_numbers(written: str, plain: str):
    assert normalise([written], "diagnosis") == [plain]


@pytest.mark.parametrize(
    ("name", "reason"), [("amoxicillin capsules", "script"), ("Амоксициллин", "script"), ("胶", "short")]
)
def test_another_script_alone_is_none(name, reason):
    answer = MATCHER.match(pa.table({"name": [name, f"{name} 阿莫西林胶囊"]})).to_pylist()
    assert (answer[0]["decision"], answer[0]["reason"]) == ("none", reason)
    assert answer[1]["alternatives"][0]["code"] == "1"


def test_a_lone_surrogate_is_only_a_bad_name():
    answer = MATCHER.match(pa.table({"name": with_surrogate("阿\ud800莫西林")})).to_pylist()[0]
    assert answer["decision"] in ("auto", "review", "none")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_normal_texts_stay_as_they_are(texts):
    once = normalise(texts, "drug")
    assert len(once) == len(texts)
    assert normalise(once, "drug") == normalise(normalise(once, "drug"), "drug")


def test_one_spelling():
    assert normalise(["【甲】注射用頭孢曲松鈉　１ｇ×１支", "0.25g x 24粒", "a\u200bb\x00c"], "drug") == [
        "(甲)注射用头孢曲松钠 1g*1支",
        "0.25g*24粒",
        "ab c",
    ]


@pytest.mark.parametrize(
    ("left", "right", "state"),
    [
        ("0.25g", "250mg", State.EQUAL),
        ("0.9%:100ml", "0.9g:100ml", State.EQUAL),
        ("10%", "50g:500ml", State.NEAR),
        ("5mg/ml", "5mg:1ml", State.NEAR),
        ("100万单位", "1000000IU", State.EQUAL),
        ("0.25g", "0.5g", State.CONFLICT),
        ("0.25g", "0.25g:5ml", State.NEAR),
        ("0.25g:5ml", "0.25g:10ml", State.CONFLICT),
        ("100ml", "0.5g", State.CONFLICT),
        ("0.5g 0.25g", "0.25g", State.CONFLICT),
    ],
)
def test_strengths(left, right, state):
    one, two = (measures(normalise([text], "drug")[0]).strength for text in (left, right))
    assert compare_strengths(one, two) is state
    assert compare_strengths(two, one) is state


def test_a_strength_of_any_size_is_text_and_back():
    for text in ("1000g", "0.001μg", f"{'9' * 400}mg", "0mg:0ml", "万iu"):
        strength = measures(text).strength
        assert compare_strengths(strength, measures("1mg:1ml").strength) in State
        assert all(float(value) >= 0 for values in amounts(strength).values() for value in values)


def test_words_models_and_paths():
    assert compare_words("上腹", "上腹部") is State.NEAR
    assert compare_words("头颅", "胸部") is State.CONFLICT
    assert compare_models("20g", "安全型20g") is State.CONFLICT
    assert compare_models("抗反流型", "抗返流型") is State.NEAR
    assert compare_paths("注射剂", "注射剂/液") is State.NEAR
    assert compare_paths("注射剂/粉", "注射剂/液") is State.CONFLICT


def test_rows_are_read_once_each():
    table = pa.table({"name": ["a", "b", "a", None], "spec": ["x", None, "x", ""], "pack": ["1", "2", "1", None]})
    rows = read(table, ("spec",))
    assert len(rows) == 3
    assert [(rows.fields["name"][place], rows.fields["spec"][place]) for place in rows.place.tolist()] == [
        ("a", "x*1"),
        ("b", "2"),
        ("a", "x*1"),
        ("", ""),
    ]


def test_numbers_are_text_in_attributes_only():
    assert MATCHER.match(pa.table({"name": ["阿莫西林胶囊"], "spec": [float("nan")]}))["code"].to_pylist() == ["1"]
    with pytest.raises(Refusal, match="E-CODING-TABLE"):
        MATCHER.match(pa.table({"name": ["x"], "spec": [[1]]}))
    with pytest.raises(Refusal, match="E-CODING-TABLE"):
        MATCHER.match(pa.table([pa.array(["a"]), pa.array(["b"])], names=["name", "name"]))
