"""Which codes a new version changes, against an oracle that compares row by row."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headwater.claims.likeness import ATTRIBUTES, KINDS
from headwater.claims.reopening import changed_codes, is_touched

CELLS = st.sampled_from(["", "a", "b"]) | st.none()
ROWS = st.dictionaries(
    st.sampled_from("ABCDE"), st.fixed_dictionaries({"name": CELLS, "spec": CELLS, "regno": CELLS, "price": CELLS})
)


def table(rows: dict[str, dict[str, str | None]]) -> pa.Table:
    names = ("name", "spec", "regno", "price")
    columns = {name: pa.array([row[name] for row in rows.values()], pa.string()) for name in names}
    return pa.table({"code": pa.array(list(rows), pa.string()), **columns})


@given(before=ROWS, after=ROWS, kind=st.sampled_from(KINDS), answer=st.sets(st.sampled_from("ABCDE")))
def test_exactly_what_rests_on_a_changed_or_vanished_code_is_touched(before, after, kind, answer):
    changed = changed_codes(table(before), table(after), kind=kind)
    said = [name for name in ("name", "spec", "regno") if name == "name" or name in ATTRIBUTES[kind]]

    def differs(code: str) -> bool:
        if code not in after:
            return True
        return any((before[code][name] or "") != (after[code][name] or "") for name in said)

    assert changed == {code for code in before if differs(code)}
    assert is_touched([None, *answer], changed=changed) == any(differs(code) for code in answer if code in before)


def test_a_price_or_a_new_code_touches_nothing_and_an_unknown_version_everything_it_has():
    one = {"A": {"name": "a", "spec": "s", "regno": None, "price": "1"}}
    dearer = {"A": {**one["A"], "price": "2"}, "B": one["A"]}
    assert changed_codes(table(one), table(dearer), kind="drug") == frozenset()
    assert changed_codes(table(one), table({}), kind="drug") == {"A"}
    assert changed_codes(table(one), table({"A": {**one["A"], "spec": "t"}}), kind="drug") == {"A"}
    # The size of a service is nobody's.
    assert changed_codes(table(one), table({"A": {**one["A"], "spec": "t"}}), kind="service") == frozenset()


def test_a_code_that_stands_twice_says_both():
    twice = pa.table({"code": ["A", "A"], "name": ["a", "b"]})
    assert changed_codes(twice, pa.table({"code": ["A", "A"], "name": ["b", "a"]}), kind="drug") == frozenset()
    assert changed_codes(twice, pa.table({"code": ["A"], "name": ["a"]}), kind="drug") == {"A"}
