"""Like items have one identifier, unlike ones never."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headwater.claims.likeness import ATTRIBUTES, KINDS, like_ids

TEXTS = st.text(alphabet="aB1 (（　*药甲", max_size=6)


def items(*rows: dict[str, str | None]) -> pa.Table:
    names = sorted({name for row in rows for name in row})
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def folded(text: str) -> str:
    wide = {"（": "(", "\u3000": " "}
    return "".join(wide.get(letter, letter) for letter in text).lower().replace(" ", "")


@given(one=TEXTS, two=TEXTS, spec=TEXTS)
def test_widths_cases_and_blanks_do_not_count_and_everything_else_does(one, two, spec):
    row = {"source_id": "h1", "medins_list_codg": "1", "spec": spec}
    first, second = like_ids(
        items({**row, "medins_list_name": one}, {**row, "source_id": "h2", "medins_list_name": two}), kind="drug"
    )
    assert (first == second) == (folded(one) == folded(two) != "")


def test_an_attribute_makes_another_item_and_a_missing_one_is_empty():
    row = {"source_id": "h1", "medins_list_codg": "1", "medins_list_name": "a"}
    for kind in KINDS:
        for name in ATTRIBUTES[kind]:
            plain, blank, other = like_ids(items(row, {**row, name: ""}, {**row, name: "x"}), kind=kind)
            assert plain == blank != other
    found = {kind: like_ids(items(row), kind=kind)[0] for kind in KINDS}
    assert len(set(found.values())) == len(KINDS)


def test_the_delivered_code_of_a_diagnosis_is_part_of_what_was_said():
    rows = [{"source_id": "h1", "medins_list_codg": code, "medins_list_name": "肺炎"} for code in "AB"]
    assert len(set(like_ids(items(*rows), kind="diagnosis"))) == 2
    assert len(set(like_ids(items(*rows), kind="drug"))) == 1


def test_an_identifier_is_the_same_in_years_to_come():
    """Decisions are found again by it."""
    row = {"source_id": "h1", "medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊", "spec": "0.25g*24粒"}
    assert like_ids(items(row), kind="drug") == ["8ef2e68adf41bd67873e"]
