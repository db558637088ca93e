"""What is written into a workbook reads back as it was, and nothing in it is alive."""

import re
import tempfile
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from headwater.adapters import xlsx
from headwater.adapters.xlsx import Column, Sheet, write
from headwater.errors import Message

AT = datetime(2026, 1, 5, tzinfo=UTC)
COLUMNS = (
    Column(Message("文本", "Text"), 20),
    Column(Message("行数", "Rows"), 10, "count"),
    Column(Message("金额", "Money"), 14, "money"),
)
NASTY = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", '=HYPERLINK("x")', "{=1}", "http://x.y", "mailto:a@b"),
    *(
        "00123",
        "1e5",
        "TRUE",
        "110101199003078515",
        "2026-01-05",
        "_x0041_",
        "a\x01b",
        "a\r\nb",
        " a ",
        "<a>&\"'",
        "\u2028",
    ),
)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=40)
amounts = st.decimals(Decimal("-99999999999.99"), Decimal("99999999999.99"), places=2)
rows_of_cells = st.lists(
    st.tuples(st.one_of(words, st.sampled_from(NASTY)), st.integers(-(10**9), 10**9), amounts), max_size=12
)


def back(path: Path) -> list[list[object]]:
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)


def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def dead(path: Path) -> bool:
    """Tell whether a workbook has no formula, link, macro or tie to another file."""
    texts = parts(path)
    alive = re.compile(
        r"<(?:\w+:)?(?:f|hyperlink|oleObject|externalReference|ddeLink|dataValidation|definedName)[\s>/]"
    )
    named = [name for name in texts if re.search(r"external|vba|connection|query|calcChain", name, re.IGNORECASE)]
    outside = [name for name, text in texts.items() if 'TargetMode="External"' in text]
    return not named and not outside and not any(alive.search(text) for text in texts.values())


@settings(deadline=None, max_examples=60)
@given(rows_of_cells)
def test_what_is_written_reads_back(rows: list[tuple[str, int, Decimal]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xlsx"
        assert write(path, [Sheet("数据", COLUMNS, rows)], title="t", at=AT) == len(rows)
        found = back(path)
        assert dead(path)
    assert found[:2] == [["文本", "行数", "金额"], ["Text", "Rows", "Money"]]
    for (text, count, money), cells in zip(rows, found[2:], strict=True):
        assert cells[0] == text
        assert (cells[1], Decimal(f"{cells[2]:.2f}")) == (count, money)


@pytest.mark.parametrize("text", NASTY)
def test_a_text_is_never_a_number_a_formula_or_a_link(tmp_path: Path, text: str) -> None:
    write(tmp_path / "a.xlsx", [Sheet("s", COLUMNS[:1], [(text,)])], title="t", at=AT)
    assert back(tmp_path / "a.xlsx")[2] == [text]
    sheet = parts(tmp_path / "a.xlsx")["xl/worksheets/sheet1.xml"]
    assert re.findall(r'<c [^>]*\bt="(\w+)"', sheet) == ["inlineStr"] * 3
    assert dead(tmp_path / "a.xlsx")


def test_the_check_for_life_sees_a_formula_and_a_link(tmp_path: Path) -> None:
    for number, text in enumerate(("=1+1", "http://x.y")):
        book = xlsx.xlsxwriter.Workbook(str(tmp_path / f"{number}.xlsx"))
        book.add_worksheet("s").write(0, 0, text)
        book.close()
        assert not dead(tmp_path / f"{number}.xlsx")


def test_money_has_two_decimals_heads_stay_in_sight_and_columns_have_their_width(tmp_path: Path) -> None:
    note = Message("说明", "Note")
    write(tmp_path / "a.xlsx", [Sheet("s", COLUMNS, [("a", 1, Decimal("1234.5"))], [note])], title="t", at=AT)
    texts = parts(tmp_path / "a.xlsx")
    assert 'formatCode="#,##0.00"' in texts["xl/styles.xml"] or 'numFmtId="4"' in texts["xl/styles.xml"]
    sheet = texts["xl/worksheets/sheet1.xml"]
    assert 'ySplit="5"' in sheet
    assert 'state="frozen"' in sheet
    assert len(re.findall(r"<col [^>]*customWidth", sheet)) == 3
    assert back(tmp_path / "a.xlsx")[:5] == [
        ["说明", "", ""], ["Note", "", ""], ["", "", ""], ["文本", "行数", "金额"], ["Text", "Rows", "Money"],
    ]  # fmt: skip


def test_a_sheet_that_is_full_goes_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "_ROWS", 5)
    rows = [(str(n),) for n in range(7)]
    assert write(tmp_path / "a.xlsx", [Sheet("s", COLUMNS[:1], rows)], title="t", at=AT) == 7
    book = CalamineWorkbook.from_path(str(tmp_path / "a.xlsx"))
    assert book.sheet_names == ["s", "s 2", "s 3"]
    read = [row[0] for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python()[2:]]
    assert read == [str(n) for n in range(7)]


def test_what_xml_cannot_hold_is_shown_as_such(tmp_path: Path) -> None:
    write(tmp_path / "a.xlsx", [Sheet("s", COLUMNS[:1], [("a\ud800\uffffb",)])], title="t", at=AT)
    assert back(tmp_path / "a.xlsx")[2] == ["a\ufffd\ufffdb"]
