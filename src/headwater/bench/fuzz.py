"""Figure Q2: rows of every kind of corruption through real landing, each of them accounted for, and every cent.

How many rows and how much money came is counted by other means than the product's: the standard library's CSV reader
over the written files, and the true amounts from which the rows were made.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size
from headwater.simulation.people import check_digit
from headwater.steps.land import LandReport, land

__all__ = ["fuzz_figure"]

_ROWS = {"ci": 20_000, "full": 1_000_000}
_FILE_ROWS = 25_000
_SEED = 20261124
_NOW = datetime(2026, 6, 30, tzinfo=UTC)
_HEADER = ("就诊号", "序号", "时间", "编码", "名称", "数量", "单价", "金额", "科室")
_FULL = str.maketrans("0123456789.-", "０１２３４５６７８９．－")
_CONTRACT = """
version: 2
sources:
  - name: fuzz
    config:
      meta:
        title: {{zh: 变异数据（合成）, en: Fuzzed data (synthetic)}}
        owner: bench
        origin: synthetic
        currency: CNY
        deliveries: fuzz
        hospital: {{code: FUZZ, level: "2", city: 江城, region: 楚源}}
    tables:
      - name: fee_line
        config:
          meta:
            files: "fees_*.csv"
            columns: {{mdtrt_id: {0}, feedetl_sn: {1}, fee_ocur_time: {2}, medins_list_codg: {3}, medins_list_name: {4},
                      cnt: {5}, pric: {6}, det_item_fee_sumamt: {7}, bilg_dept_name: {8}}}
"""

Rng = np.random.Generator
Row = list[str]
Fuzz = Callable[[Row, Rng], tuple[list[Row], int]]
"""A corruption: one row → the rows that are written, and how many of them have a readable amount."""


def _cell(place: int, *texts: str, readable: bool = True) -> Fuzz:
    """Put one of the texts into a cell, ``{}`` standing for what was there."""

    def fuzz(row: Row, rng: Rng) -> tuple[list[Row], int]:
        text = texts[int(rng.integers(len(texts)))]
        return [[*row[:place], text.replace("{}", row[place]), *row[place + 1 :]]], int(readable)

    return fuzz


def _swap(first: int, second: int, *, readable: bool = True) -> Fuzz:
    def fuzz(row: Row, rng: Rng) -> tuple[list[Row], int]:
        new = list(row)
        new[first], new[second] = new[second], new[first]
        return [new], int(readable)

    return fuzz


def _person(row: Row, rng: Rng) -> tuple[list[Row], int]:
    first = f"1101051980010{int(rng.integers(1000, 9999)):04d}"
    return [[*row[:4], f"张三{first}{check_digit(first)}", *row[5:]]], 1


def _garbage(row: Row, rng: Rng) -> tuple[list[Row], int]:
    place = int(rng.choice([0, 1, 2, 3, 4, 5, 6, 8]))
    letters = rng.integers(0x20, 0x9FFF, size=int(rng.integers(1, 40)))
    return [[*row[:place], "".join(map(chr, letters)), *row[place + 1 :]]], 1


_CORRUPTIONS: dict[str, Fuzz] = {
    "clean": lambda row, rng: ([row], 1),
    "blank_required": _cell(3, "", " ", "NULL", "无", "\\N"),
    "blank_optional": _cell(8, "", "-", "N/A", "　"),
    "spaces": _cell(4, "  {} ", "　{}", "{}\t", "\u00a0{}"),
    "invisible": _cell(0, "\u200b{}", "{}\ufeff", "\u202e{}"),
    "lost_letters": _cell(4, "{}\ufffd"),
    "control": _cell(3, "{}\x07", "\x1b[31m{}", "{}\x7f"),
    "look_alike": _cell(3, "А{}", "{}Ο"),
    "long_text": _cell(4, "药" * 4_000),
    "rare_characters": _cell(4, "𠮷{}", "{}😀", "{}㎎"),
    "markup": _cell(4, "<script>alert(1)</script>", "{{7*7}}", "=1+1", "@SUM(A1)", "'; DROP TABLE x; --"),
    "quoted_comma": _cell(4, "{},10mg", '{} "甲"'),
    "line_break": _cell(4, "{}\n(续)", "{}\r\n"),
    "scientific_code": _cell(0, "1.23457E+17"),
    "identity_number": _person,
    "garbage": _garbage,
    "impossible_date": _cell(2, "2026-02-30", "20261301", "2026/4/31", "0000-00-00"),
    "ambiguous_date": _cell(2, "01/02/2026", "1-2-26", "05.03.2026"),
    "date_to_come": _cell(2, "2205-01-01", "1025-03-05", "99999"),
    "other_dates": _cell(2, "2026/1/5", "２０２６－０１－０５", "46027", "2026年1月5日8时30分"),
    "no_quantity": _cell(5, "", "x", "1e5", "NaN", "二"),
    "zero_quantity": _cell(5, "0"),
    "negative_quantity": _cell(5, "-{}"),
    "no_price": _cell(6, "inf", "1.2.3", "#DIV/0!", "1,23"),
    "no_amount": _cell(7, "", "见收据", "1e308", "NaN", "12O.50", "12.345", readable=False),
    "other_amounts": _cell(7, "￥{}", "{}元", "{}00", " {} "),
    "negative_amount": _cell(7, "-{}", readable=False),
    "wide_amount": lambda row, rng: ([[*row[:7], row[7].translate(_FULL), row[8]]], 1),
    "duplicate": lambda row, rng: ([row, row], 2),
    "conflict": lambda row, rng: ([row, [*row[:8], f"{row[8]}二"]], 2),
    "swapped_columns": _swap(3, 4),
    "price_for_date": _swap(2, 6),
    "fewer_cells": lambda row, rng: ([row[:-1]], 0),
    "more_cells": lambda row, rng: ([[*row, "x"]], 0),
    "shifted": lambda row, rng: ([["", *row]], 0),
    "header_again": lambda row, rng: ([list(_HEADER)], 0),
    "total": lambda row, rng: ([["合计", "", "", "", "", "", "", row[7], ""]], 1),
    "blank_line": lambda row, rng: ([[], row], 1),
}
"""Corruptions by name. ``negative_amount`` is counted apart: its money is the negative of the row's."""


def fuzz_figure(size: Size) -> Figure:
    """Land fuzzed rows in a home of their own; count rows and cents that nothing explains."""
    project = Home.from_environment().project
    root = Path(tempfile.mkdtemp(prefix="headwater-fuzz-"))
    home = Home(root=root, project=project).create()
    try:
        money = _write(home.deliveries, _ROWS[size])
        rows = sum(_count(file) for file in sorted((home.deliveries / "fuzz").iterdir()))
        report = land(home, deliveries=home.deliveries, sources=["fuzz"], now=_NOW)
        unnamed = _unnamed(home, report)
    finally:
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)
    return _figure(report, rows=rows, money=money, unnamed=unnamed)


def _figure(report: LandReport, *, rows: int, money: Decimal, unnamed: int) -> Figure:
    kinds = ("loaded", "quarantined", "duplicate")
    ended = {kind: int(report.total(f"rows_{kind}")) for kind in kinds}
    cents = {kind: report.total(f"money_{kind}") for kind in kinds}
    lost = abs(rows - sum(ended.values())) + unnamed
    difference = abs(money - sum(cents.values(), Decimal(0)))
    return Figure(
        value=lost,
        unit="rows unexplained",
        goal="0, and money to the fen",
        holds=lost == 0 and difference == 0 and not report.refused,
        n=rows,
        note=f"{len(_CORRUPTIONS)} corruptions, synthetic rows, real landing; rows counted by the csv module, money "
        "from the true amounts",
        also={
            "rows": ended,
            "money_in": str(money),
            "money": {kind: str(value) for kind, value in cents.items()},
            "money_unexplained": str(difference),
            "quarantined_without_reason": unnamed,
            "files_refused": len(report.refused),
        },
    )


def _write(inbox: Path, rows: int) -> Decimal:
    """Write files of fuzzed rows, every other one in GB18030; return the money in rows whose amount can be read."""
    (inbox / "contracts" / "fuzz").mkdir(parents=True)
    (inbox / "contracts" / "fuzz" / "_fuzz.yml").write_text(_CONTRACT.format(*_HEADER), encoding="utf-8")
    (inbox / "fuzz").mkdir()
    rng = np.random.default_rng(_SEED)
    money = Decimal(0)
    names = list(_CORRUPTIONS)
    for number in range(-(-rows // _FILE_ROWS)):
        encoding = "gb18030" if number % 2 else "utf-8-sig"
        with (inbox / "fuzz" / f"fees_{number:03d}.csv").open("w", encoding=encoding, newline="") as file:
            # An unescaped quote would be a fault of the file; every other byte is the rows' own.
            writer = csv.writer(file, lineterminator="\r\n" if number % 3 else "\n")
            writer.writerow(_HEADER)
            for line in range(min(_FILE_ROWS, rows - number * _FILE_ROWS)):
                name = names[(line + number) % len(names)]
                row, amount = _row(rng, f"M{number}X{line}")
                written, readable = _CORRUPTIONS[name](row, rng)
                money += -amount if name == "negative_amount" else amount * readable
                for each in written:
                    file.write("\n") if not each else writer.writerow(each)
    return money


def _row(rng: Rng, stay: str) -> tuple[Row, Decimal]:
    count, price = int(rng.integers(1, 30)), Decimal(int(rng.integers(1, 90_000))) / 100
    day = date(2025, 1, 1) + timedelta(days=int(rng.integers(500)))
    amount = count * price
    return [stay, "1", f"{day}", "A1", "阿司匹林", str(count), f"{price:.2f}", f"{amount:.2f}", "内科"], amount


def _count(file: Path) -> int:
    """Count the rows below the header, by the standard library."""
    encoding = "utf-8-sig" if int(file.stem[-3:]) % 2 == 0 else "gb18030"
    csv.field_size_limit(1 << 20)
    with file.open(encoding=encoding, newline="") as text:
        return sum(bool(row) for row in csv.reader(text)) - 1


def _unnamed(home: Home, report: LandReport) -> int:
    """Count quarantined rows without a reason on record."""
    with lake.connect(home) as connection:
        row = connection.execute("SELECT count(DISTINCT (batch_id, row_no)) FROM lake.raw.quarantine").fetchone()
    return abs(int(report.total("rows_quarantined")) - (row[0] if row else 0))
