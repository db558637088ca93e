import pyarrow as pa

from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher

REFERENCE = region_reference("diagnosis")
MATCHER = Matcher.fit(REFERENCE, kind="diagnosis")


def test_names_in_traditional_characters_and_full_width_are_the_same():
    wide = [
        name.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}) for name in REFERENCE["name"].to_pylist()
    ]
    answers = MATCHER.match(pa.table({"name": wide}))
    assert answers["code"].to_pylist() == REFERENCE["code"].to_pylist()


def test_a_name_of_one_character_is_known_only_where_the_reference_has_it():
    found = MATCHER.match(pa.table({"name": ["痔", "癌"]})).to_pylist()
    assert [answer["decision"] for answer in found] == ["auto", "none"]
    assert found[1]["reason"] == "short"
