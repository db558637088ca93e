"""Figure Q3: labelled mutations of dates, amounts and identifiers; a reader may refuse, but must not read them wrongly.

Every mutation is a text made from a known value, with a label: ``readable`` where one reading only is possible (other
notations, other widths of characters, signs of currency), ``unreadable`` where none or several are (ambiguous order,
lost digits, failing check characters, sums that do not hold). A change that gives another valid value with nothing in
the row to contradict it, e.g. one more day in a lone date, is no mutation here: no reader could know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import cn2an
import duckdb
import numpy as np
import pyarrow as pa

from headwater.bench.figures import Figure, Size
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, Batch, Loader, raw_columns
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import ROW, Delivery
from headwater.simulation.people import check_digit

__all__ = ["misreading_figure"]

_ROWS = {"ci": 30_000, "full": 1_000_000}
_SEED = 20261124
_DELIVERED_ON = "2026-06-30"
_BLOCK = 200_000
_FULL = str.maketrans("0123456789.-,:/", "０１２３４５６７８９．－，：／")
_KEY = bytes(range(32))

Rng = np.random.Generator
Make = Callable[[Any, Rng], str]


@dataclass(frozen=True)
class _Kind:
    """One mutation: the field it changes, whether the result can be read, and how it is made of the true value."""

    name: str
    field: str
    readable: bool
    make: Make


def _day(pattern: str) -> Make:
    return lambda value, rng: pattern.format(d=value, y=value.year % 100)


def _serial(value: Any, rng: Rng) -> str:
    return str((value - date(1899, 12, 30)).days)


def _amount(pattern: str) -> Make:
    return lambda value, rng: str(pattern.format(value))


def _picked(*texts: str) -> Make:
    return lambda value, rng: texts[rng.integers(len(texts))]


def _numeral(value: Any, rng: Rng) -> str:
    yuan, cents = divmod(int(value * 100), 100)
    jiao, fen = divmod(cents, 10)
    text: str = cn2an.an2cn(yuan, "up" if rng.integers(2) else "low") + "元"
    text += f"{cn2an.an2cn(jiao, 'up')}角" if jiao else "零" if fen else ""
    return text + (f"{cn2an.an2cn(fen, 'up')}分" if fen else "整")


def _lost_digit(value: Any, rng: Rng) -> str:
    text = str(value)
    place = int(rng.integers(len(text)))
    return text[:place] + text[place + 1 :]


def _wrong_digit(value: Any, rng: Rng) -> str:
    text = str(value)
    place = int(rng.integers(17))
    return text[:place] + str((int(text[place]) + int(rng.integers(1, 10))) % 10) + text[place + 1 :]


def _swapped(value: Any, rng: Rng) -> str:
    """Exchange two neighbours that differ; a number without such is damaged at its end."""
    text = str(value)
    places = [place for place in range(16) if text[place] != text[place + 1]]
    place = places[rng.integers(len(places))]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _off_by(cents: int) -> Make:
    def make(value: Any, rng: Rng) -> str:
        return str(value + Decimal(cents if rng.integers(2) else -cents) / 100)

    return make


def _short(value: Any, rng: Rng) -> str:
    text = str(value)
    return text[:6] + text[8:17]


_FEE = (
    _Kind("iso", "fee_ocur_time", True, _day("{d:%Y-%m-%d}")),
    _Kind("compact", "fee_ocur_time", True, _day("{d:%Y%m%d}")),
    _Kind("slashes", "fee_ocur_time", True, _day("{d.year}/{d.month}/{d.day} 00:00")),
    _Kind("dots", "fee_ocur_time", True, _day("{d.year}.{d.month}.{d.day}")),
    _Kind("chinese_date", "fee_ocur_time", True, _day("{d.year}年{d.month}月{d.day}日")),
    _Kind("serial", "fee_ocur_time", True, _serial),
    _Kind("full_width_date", "fee_ocur_time", True, lambda v, r: f"{v:%Y-%m-%d}".translate(_FULL)),
    _Kind("twelve_digits", "fee_ocur_time", True, _day("{d:%Y%m%d}0000")),
    _Kind("day_month_year", "fee_ocur_time", False, _day("{d:%d/%m/%Y}")),
    _Kind("month_day_year", "fee_ocur_time", False, _day("{d.month}-{d.day}-{d.year}")),
    _Kind("two_digit_year", "fee_ocur_time", False, _day("{y:02d}-{d:%m-%d}")),
    _Kind("ddmmyyyy", "fee_ocur_time", False, _day("{d:%d%m%Y}")),
    _Kind("mmddyyyy", "fee_ocur_time", False, _day("{d:%m%d%Y}")),
    _Kind("yymmdd", "fee_ocur_time", False, _day("{d:%y%m%d}")),
    _Kind("no_such_day", "fee_ocur_time", False, _day("{d.year}-02-30")),
    _Kind("month_13", "fee_ocur_time", False, _day("{d.year}13{d:%d}")),
    _Kind("mixed_marks", "fee_ocur_time", False, _day("{d.year}/{d.month}-{d.day}")),
    _Kind("date_to_come", "fee_ocur_time", False, _day("2{d:%m%d}-01-01")),
    _Kind("separators", "det_item_fee_sumamt", True, _amount("{:,.2f}")),
    _Kind("currency", "det_item_fee_sumamt", True, _amount("￥{:,.2f}")),
    _Kind("yuan", "det_item_fee_sumamt", True, _amount("{:.2f}元")),
    _Kind("more_zeros", "det_item_fee_sumamt", True, _amount("{:.4f}")),
    _Kind("full_width_amount", "det_item_fee_sumamt", True, lambda v, r: f"{v:,.2f}".translate(_FULL)),
    _Kind("numerals", "det_item_fee_sumamt", True, _numeral),
    _Kind("three_decimals", "det_item_fee_sumamt", False, _amount("{:.2f}5")),
    _Kind("decimal_comma", "det_item_fee_sumamt", False, lambda v, r: f"{v:.2f}".replace(".", ",")),
    _Kind("letter_o", "det_item_fee_sumamt", False, lambda v, r: f"{v:.2f}".replace(".", ".O", 1)),
    _Kind("exponent", "det_item_fee_sumamt", False, _amount("{:.3E}")),
    _Kind("one_cent_off", "det_item_fee_sumamt", False, _off_by(1)),
    _Kind("ten_yuan_off", "det_item_fee_sumamt", False, _off_by(1000)),
    _Kind("hundredfold", "det_item_fee_sumamt", False, lambda v, r: str(v * 100)),
    _Kind("words", "det_item_fee_sumamt", False, _picked("见收据", "NaN", "Infinity", "#REF!", "1e308", "壹佰")),
    _Kind("other_price", "pric", False, lambda v, r: str(v + Decimal(int(r.integers(1, 900))) / 10)),
)
_PERSON = (
    _Kind("lower_x", "certno", True, lambda v, r: str(v).lower()),
    _Kind("full_width_number", "certno", True, lambda v, r: str(v).translate(_FULL)),
    _Kind("spaces", "certno", True, lambda v, r: f" {str(v)[:6]} {str(v)[6:]} "),
    _Kind("fifteen_digits", "certno", True, _short),
    _Kind("lost_digit", "certno", False, _lost_digit),
    _Kind("wrong_digit", "certno", False, _wrong_digit),
    _Kind("neighbours_swapped", "certno", False, _swapped),
    _Kind("as_number", "certno", False, lambda v, r: f"{float(str(v)[:17]) * 10:.14E}".replace("E+0", "E+")),
    _Kind("other_birthday", "brdy", False, lambda v, r: f"{v + timedelta(days=int(r.integers(1, 60)))}"),
    _Kind("other_sex", "gend", False, lambda v, r: "2" if v == "1" else "1"),
    _Kind("older", "age", False, lambda v, r: str(int(str(v)) + int(r.integers(2, 40)))),
    _Kind("years", "age", True, lambda v, r: f"{v}岁"),
)


def misreading_figure(size: Size) -> Figure:
    """Read labelled mutations of fee lines and front pages through loading itself, and compare with the true values."""
    rows = _ROWS[size]
    rng = np.random.default_rng(_SEED)
    fees = _Trial("fee_line", _FEE, rows * 3 // 4, rng, _fee_row).run()
    people = _Trial("front_page", _PERSON, rows - rows * 3 // 4, rng, _stay_row).run()
    kinds = fees | people
    wrong = sum(found["wrong"] for found in kinds.values())
    readable = {name: found for name, found in kinds.items() if found["readable"]}
    refused, told = sum(f["refused"] for f in readable.values()), sum(f["n"] for f in readable.values())
    return Figure(
        value=wrong,
        unit="wrong values accepted",
        goal="0, and at most 0.1 % of the readable quarantined",
        holds=wrong == 0 and refused <= 0.001 * told,
        n=rows,
        note="labelled mutations (synthetic) through the product's own loading; see the module for what is no mutation",
        also={"false_quarantine": refused / told, "kinds": len(kinds), "by_kind": kinds},
    )


def _fee_row(rng: Rng, number: int) -> dict[str, Any]:
    count, price = int(rng.integers(1, 30)), Decimal(int(rng.integers(1, 900_000))) / 100
    return {
        "mdtrt_id": f"M{number}",
        "feedetl_sn": "1",
        "fee_ocur_time": date(2000, 1, 1) + timedelta(days=int(rng.integers(9_600))),
        "medins_list_codg": "A1",
        "medins_list_name": "药",
        "cnt": count,
        "pric": price,
        "det_item_fee_sumamt": price * count,
    }


def _stay_row(rng: Rng, number: int) -> dict[str, Any]:
    birth = date(1925, 1, 1) + timedelta(days=int(rng.integers(27_000)))
    sex = int(rng.integers(2))
    first = f"110105{birth:%Y%m%d}{int(rng.integers(500)) * 2 + sex:03d}"
    begin = date(2020, 1, 1) + timedelta(days=int(rng.integers(2_300)))
    return {
        "mdtrt_id": f"M{number}",
        "fixmedins_code": "H1",
        "certno": first + check_digit(first),
        "brdy": birth,
        "gend": "1" if sex else "2",
        "age": begin.year - birth.year - ((begin.month, begin.day) < (birth.month, birth.day)),
        "begntime": begin,
        "endtime": begin + timedelta(days=3),
        "dscg_maindiag_code": "J18.900",
        "medfee_sumamt": Decimal("100.00"),
    }


class _Trial:
    """Rows of one table, each with one mutated field."""

    def __init__(
        self,
        entity: str,
        kinds: tuple[_Kind, ...],
        rows: int,
        rng: Rng,
        make: Callable[[Rng, int], dict[str, Any]],
    ) -> None:
        self._entity = ENTITIES[entity]
        self._kinds = kinds
        self._rows = rows
        self._rng = rng
        self._make = make
        self._fields = list(make(np.random.default_rng(0), 0))

    def run(self) -> dict[str, dict[str, int]]:
        """Return, by kind, how many were read rightly, wrongly, or refused."""
        with duckdb.connect() as connection:
            connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw")
            tables = {self._entity.name: raw_columns(self._entity)}
            for name, columns in (tables | {"quarantine": QUARANTINE_COLUMNS, "cleaned": CLEANED_COLUMNS}).items():
                body = ", ".join(f'"{column}" {kind}' for column, kind in columns)
                connection.execute(f"CREATE TABLE lake.raw.{name} ({body})")
            rules = tuple((name, ColumnRule(column=name)) for name in self._fields)
            table = TableContract(self._entity, "*", "csv", "auto", None, 1, rules)
            found: dict[str, dict[str, int]] = {}
            for start in range(0, self._rows, _BLOCK):
                self._block(connection, table, start, min(_BLOCK, self._rows - start), found)
        return found

    def _block(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: TableContract,
        start: int,
        count: int,
        found: dict[str, dict[str, int]],
    ) -> None:
        texts: dict[str, list[str]] = {name: [] for name in self._fields}
        kinds, truths = [], []
        pseudonyms = Pseudonyms(_KEY)
        for number in range(start, start + count):
            row, kind = self._make(self._rng, number), self._kinds[number % len(self._kinds)]
            for name, value in row.items():
                texts[name].append(kind.make(value, self._rng) if name == kind.field else _plain(value))
            kinds.append(kind.name)
            truth = row[kind.field]
            truths.append(pseudonyms.token(str(truth)) if kind.field == "certno" else _plain(truth))
        columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
        numbers = pa.array(range(1, count + 1), pa.int64())
        delivery = Delivery(tuple(columns), iter(pa.table({**columns, ROW: numbers}).to_batches()))
        loader = Loader(
            connection,
            source_id="h1",
            table=table,
            constants={},
            pseudonyms=pseudonyms,
            delivered_on=_DELIVERED_ON,
        )
        loader.add(Batch(f"b{start}", "mutations"), delivery)
        loader.commit()
        connection.register("labels", pa.table({"row_no": numbers, "kind": kinds, "truth": truths}))
        for each in self._kinds:
            values = f"SELECT row_no, CAST({_shown(each.field)} AS VARCHAR) AS value FROM lake.raw.{self._entity.name}"
            counts = connection.execute(
                "SELECT count(*), count(*) FILTER (r.row_no IS NOT NULL AND r.value IS DISTINCT FROM l.truth), "
                "count(*) FILTER (r.row_no IS NULL), count(*) FILTER (r.row_no IS NOT NULL) "
                f"FROM labels l LEFT JOIN ({values} WHERE batch_id = $batch) r USING (row_no) WHERE l.kind = $kind",
                {"batch": f"b{start}", "kind": each.name},
            ).fetchone()
            assert counts is not None
            entry = found.setdefault(each.name, {"n": 0, "wrong": 0, "refused": 0, "readable": int(each.readable)})
            entry["n"] += counts[0]
            # What cannot be read rightly must not be read at all.
            entry["wrong"] += counts[1] if each.readable else counts[3]
            entry["refused"] += counts[2]
        connection.unregister("labels")


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return f"{value}"


def _shown(field: str) -> str:
    return f'CAST("{field}" AS DATE)' if field in ("fee_ocur_time", "brdy") else f'"{field}"'
