"""Columns and rows out of place: what exports and spreadsheets do to the shape of a file."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, Sheet, number

__all__: list[str] = []


def _swap(sheet: Sheet, one: str, other: str) -> int:
    a, b = sheet.places[one], sheet.places[other]
    for row in sheet.rows:
        row[a], row[b] = row[b], row[a]
    return len(sheet.rows)


@corruption("首页中入院与出院科室旁的基金与自付两列互换", "fund and patient columns exchanged")
def _swapped_payment_columns(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _swap(month.front, "fund_pay_sumamt", "psn_selfpay")


@corruption("数量与单价两列互换", "quantity and price columns exchanged")
def _swapped_quantity_and_price(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _swap(month.lines, "cnt", "pric")


@corruption("诊断编码与名称互换", "diagnosis code and name exchanged")
def _swapped_diagnosis_columns(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _swap(month.front, "dscg_maindiag_code", "dscg_maindiag_name")


@corruption("入院与出院时间两列互换", "admission and discharge columns exchanged")
def _swapped_times(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _swap(month.front, "begntime", "endtime")


@corruption("部分行自某列起右移一格", "some rows shifted by one column", strength=0.05)
def _shifted_columns(month: Month, rng: np.random.Generator, strength: float) -> int:
    rows = month.lines.some(rng, strength)
    place = month.lines.places["medins_list_name"]
    for row in rows:
        row[place:] = ["", *row[place:-1]]
    return len(rows)


@corruption("表头少一列", "a column left out of the header and the rows")
def _column_dropped(month: Month, rng: np.random.Generator, strength: float) -> int:
    place = month.front.places["dscg_way"]
    for row in (month.front.header, *month.front.rows):
        del row[place]
    return len(month.front.rows)


@corruption("列名被改写", "a column renamed")
def _column_renamed(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.lines.header[month.lines.places["cnt"]] = "NEW_NAME"
    return len(month.lines.rows)


@corruption("数据中重复出现表头", "the header repeated among the rows", strength=0.002)
def _header_repeated(month: Month, rng: np.random.Generator, strength: float) -> int:
    count = max(1, round(strength * len(month.lines.rows)))
    for place in sorted(rng.integers(1, len(month.lines.rows), count), reverse=True):
        month.lines.rows.insert(int(place), list(month.lines.header))
    return count


@corruption("末行是合计", "a row of totals at the end", strength=0.0)
def _totals_row(month: Month, rng: np.random.Generator, strength: float) -> int:
    place = month.front.places["medfee_sumamt"]
    total = np.nansum([number(row[place]) for row in month.front.rows])
    row = [""] * len(month.front.header)
    row[month.front.places["mdtrt_id"]], row[place] = "合计", f"{total:.2f}"
    month.front.rows.append(row)
    return 1


@corruption("各科小计行夹在数据中", "subtotal rows among the data", strength=0.01)
def _subtotal_rows(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.lines
    count = max(1, round(strength * len(sheet.rows)))
    for place in sorted(rng.integers(1, len(sheet.rows), count), reverse=True):
        row = list(sheet.rows[int(place) - 1])
        row[sheet.places["medins_list_name"]], row[sheet.places["feedetl_sn"]] = "小计", f"XJ{place}"
        for name in ("pric", "det_item_fee_sumamt"):
            row[sheet.places[name]] = "9999.00"
        row[sheet.places["cnt"]] = "1"
        sheet.rows.insert(int(place), row)
    return count


@corruption("混入测试数据", "test rows left in", strength=0.01)
def _test_rows(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.front
    count = max(2, round(strength * len(sheet.rows)))
    for place in range(count):
        row = list(sheet.rows[place])
        row[sheet.places["mdtrt_id"]] = f"TEST{place:04d}"
        row[sheet.places["dscg_maindiag_name"]], row[sheet.places["adm_dept_name"]] = "测试", "测试科室"
        row[sheet.places["dscg_maindiag_code"]] = "A00.000"
        sheet.rows.append(row)
    return count


@corruption("文件被截断在半行", "the file cut off in the middle of a row", strength=0.5)
def _file_truncated(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.lines.spoil.append(lambda content: content[: int(len(content) * strength)])
    return round(len(month.lines.rows) * (1 - strength))


@corruption("只有表头", "only a header")
def _file_without_rows(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.keep(lambda row: False)


@corruption("某列整列错位一行", "one column moved down by a row")
def _column_slipped(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.front
    for name in ("dscg_maindiag_code",):
        cells = sheet.get(name)
        for row, cell in zip(sheet.rows, [cells[-1], *cells[:-1]], strict=True):
            row[sheet.places[name]] = cell
    return len(sheet.rows)
