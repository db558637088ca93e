import pytest

from headwater.simulation.layouts import file_columns, layout, slot_columns, words
from headwater.simulation.reference import rows

TABLES = ("front_page", "diagnosis", "operation", "fee_line", "drug", "consumable", "service_item")


@pytest.mark.parametrize("number", range(1, 80))
def test_no_file_has_a_column_twice(number: int) -> None:
    for table in TABLES:
        names = [column.name for column in file_columns(layout(number), table)]
        assert len(set(names)) == len(names)
        assert all(name and "," not in name and "\t" not in name for name in names)


@pytest.mark.parametrize("number", range(1, 80))
def test_thousands_separators_never_break_a_line(number: int) -> None:
    shape = layout(number)
    if shape.format in ("csv", "csv.gz") and shape.money == "thousands":
        assert shape.quoted
    if shape.format == "parquet":
        assert (shape.day, shape.clock, shape.money, shape.header_row) == ("%Y-%m-%d", " %H:%M:%S", "plain", 1)


def test_the_twelve_differ_in_everything_that_layouts_differ_in() -> None:
    shapes = [layout(number) for number in range(1, 13)]
    assert {shape.format for shape in shapes} == {"csv", "csv.gz", "tsv", "xlsx", "parquet"}
    assert {shape.encoding for shape in shapes} == {"utf-8", "utf-8-sig", "gb18030"}
    assert {shape.money for shape in shapes} == {"plain", "thousands", "fen", "sign"}
    assert {shape.sex for shape in shapes} == {"男女", "MF", "12"}
    assert {shape.stays for shape in shapes} == {"digits", "zero", "letter", "dashed"}
    assert len({(shape.day, shape.clock) for shape in shapes}) >= 7
    assert sum(shape.long for shape in shapes) == 2
    assert {shape.header_row for shape in shapes} == {1, 2, 3}
    assert sum(shape.format == "xlsx" for shape in shapes) == 1
    headers = {tuple(column.name for column in file_columns(shape, "fee_line")) for shape in shapes}
    assert len(headers) == 12


def test_wide_pages_have_a_slot_for_every_diagnosis_and_operation() -> None:
    wide, long = layout(1), layout(2)
    assert len(slot_columns(wide, "diagnosis")) == 8
    assert len(slot_columns(wide, "operation")) == 4
    front = file_columns(wide, "front_page")
    assert all(column in front for slot in slot_columns(wide, "diagnosis") for column in slot)
    assert not any(":" in column.field for column in file_columns(long, "front_page"))


def test_no_two_words_mean_the_same_value() -> None:
    for number in range(1, 40):
        for kind in {row["kind"] for row in rows("columns")}:
            known = words(layout(number), kind)
            assert len(set(known.values())) == len(known)
