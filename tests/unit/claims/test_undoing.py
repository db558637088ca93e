"""A cleaned value must say what its text says, whatever the record of its cleaning tells."""

import duckdb
import pytest

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule
from headwater.claims.rereading import prepare
from headwater.claims.undoing import MACROS, keeps


@pytest.mark.parametrize(
    ("entity", "field", "rule", "text", "value", "kept"),
    [
        ("fee_line", "pric", ColumnRule(), " ￥1,234.50元", "1234.5::DECIMAL(18,6)", True),
        ("fee_line", "pric", ColumnRule(), "1,234.50", "12.345::DECIMAL(18,6)", False),
        ("fee_line", "det_item_fee_sumamt", ColumnRule(), "1.2万", "12000::DECIMAL(18,2)", True),
        ("fee_line", "det_item_fee_sumamt", ColumnRule(), "1.2万", "1.2::DECIMAL(18,2)", False),
        ("fee_line", "det_item_fee_sumamt", ColumnRule(scale="0.01"), "１２３４", "12.34::DECIMAL(18,2)", True),
        ("front_page", "age", ColumnRule(), "35岁", "35", True),
        ("front_page", "age", ColumnRule(), "35岁", "53", False),
        ("front_page", "begntime", ColumnRule(), "2026年1月5日 8时30分", "TIMESTAMP '2026-01-05 08:30:00'", True),
        ("front_page", "begntime", ColumnRule(), "2026/1/5", "TIMESTAMP '2026-05-01'", False),
        ("front_page", "begntime", ColumnRule(), "46027.5", "TIMESTAMP '2026-01-05 12:00:00'", True),
        ("front_page", "brdy", ColumnRule(format="%d/%m/%Y"), "０５/01/1990", "DATE '1990-01-05'", True),
        ("front_page", "brdy", ColumnRule(format="%d/%m/%Y"), "05/01/1990", "DATE '1990-05-01'", False),
        ("front_page", "mdtrt_id", ColumnRule(), " ｍ\u200b1", "'M1'", True),
        ("front_page", "mdtrt_id", ColumnRule(), "m1", "'M2'", False),
        ("front_page", "mdtrt_id", ColumnRule(width=4), "7", "'0007'", True),
        ("front_page", "gend", ColumnRule(values=(("男", "1"),)), " 男 ", "'1'", True),
        ("front_page", "gend", ColumnRule(values=(("男", "1"),)), " 男 ", "'2'", False),
    ],
)
def test_a_value_says_what_its_text_says(
    entity: str, field: str, rule: ColumnRule, text: str, value: str, kept: bool
) -> None:
    with duckdb.connect() as connection:
        prepare(connection)
        for macro in MACROS:
            connection.execute(f"CREATE TEMP MACRO {macro}")
        condition = keeps(ENTITIES[entity].field(field), rule, text="t", value="v")
        found = connection.execute(
            f"SELECT coalesce({condition}, false) FROM (SELECT $text AS t, {value} AS v)", {"text": text}
        ).fetchone()
    assert found == (kept,)
