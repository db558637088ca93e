"""How a hospital writes its files: format, encoding, names and order of columns, dates, money, words."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from headwater.simulation.reference import rows

__all__ = ["DIAGNOSES", "OPERATIONS", "Column", "Layout", "file_columns", "layout", "slot_columns", "words"]

DIAGNOSES = 8
"""Most diagnoses of a stay, the main one included."""

OPERATIONS = 4
"""Most operations of a stay, the main one included."""

_WORDS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "insurance": ({"310": "职工医保", "390": "居民医保"}, {"310": "城镇职工", "390": "城乡居民"}),
    "way": (
        {"1": "医嘱离院", "2": "医嘱转院", "3": "转社区", "4": "非医嘱离院", "5": "死亡", "9": "其他"},
        {"1": "治愈出院", "2": "转院", "3": "转社区卫生机构", "4": "自动出院", "5": "死亡", "9": "其他"},
    ),
    "entry": (
        {"1": "急诊", "2": "门诊", "3": "其他医疗机构转入", "9": "其他"},
        {"1": "急诊", "2": "门诊", "3": "转入", "9": "其他"},
    ),
    "category": (
        dict(
            zip(
                ("01", "02", "03", "04", "05", "06", "07", "08", "09", "11", "12", "14"),
                (
                    "床位费",
                    "诊察费",
                    "检查费",
                    "化验费",
                    "治疗费",
                    "手术费",
                    "护理费",
                    "卫生材料费",
                    "西药费",
                    "中成药费",
                    "一般诊疗费",
                    "其他费",
                ),
                strict=True,
            )
        ),
        dict(
            zip(
                ("01", "02", "03", "04", "05", "06", "07", "08", "09", "11", "12", "14"),
                ("床位", "诊查", "检查", "检验", "治疗", "手术", "护理", "材料", "西药", "中成药", "诊疗", "其它"),
                strict=True,
            )
        ),
    ),
    "class": ({"01": "甲", "02": "乙", "03": "丙"}, {"01": "甲类", "02": "乙类", "03": "自费"}),
}
_SEXES: Mapping[str, Mapping[str, str]] = {"男女": {"1": "男", "2": "女"}, "MF": {"1": "M", "2": "F"}, "12": {}}
Format = Literal["csv", "csv.gz", "tsv", "xlsx", "parquet"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]
Vocabulary = Literal["national", "zh", "vendor", "english"]
Money = Literal["plain", "thousands", "fen", "sign"]
Sex = Literal["男女", "MF", "12"]
Codes = Literal["digits", "letter", "dashed"]
Stays = Literal["digits", "zero", "letter", "dashed"]

_FORMATS: tuple[Format, ...] = ("csv", "csv", "csv", "csv.gz", "tsv", "parquet")
_ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-8-sig", "gb18030")
_VOCABULARIES: tuple[Vocabulary, ...] = ("national", "zh", "vendor", "english")
_MONEY: tuple[Money, ...] = ("plain", "thousands", "fen", "sign")
_SEX: tuple[Sex, ...] = ("男女", "MF", "12")
_CODES: tuple[Codes, ...] = ("digits", "letter", "dashed")
_STAYS: tuple[Stays, ...] = ("digits", "zero", "letter", "dashed")
_DATES = (
    ("%Y-%m-%d", " %H:%M:%S"),
    ("%Y%m%d", "%H%M%S"),
    ("%Y/%-m/%-d", " %H:%M"),
    ("%d/%m/%Y", " %H:%M"),
    ("%Y年%-m月%-d日", ""),
)
_OPTIONAL = ("setl_id", "brdy", "med_type", "ipt_days", "med_list_codg", "selfpay_prop", "bilg_dept_name")
_EXTRAS = ("+name", "certno", "+phone", "+operator", "+stock")


@dataclass(frozen=True)
class Layout:
    """One hospital's habits.

    Parameters
    ----------
    number : 1-based number of the hospital; it also fixes the order of columns
    vocabulary : national field names, Chinese names, a vendor's initials, or English names
    alias : which of the vocabulary's spellings
    header_row : rows before it are titles
    day, clock : strftime patterns; ``serial`` counts days as spreadsheets do; an empty clock leaves bare dates
    money : plain, thousands separators, whole fen, or with a currency sign
    sex : 男女, MF or 12 (national codes)
    worded : other coded values are words instead of national codes
    long : diagnoses and operations in files of their own instead of slots of the front page
    quoted : every text cell of a CSV stands in quotation marks
    codes : local item codes: digits with leading zeros, a letter and digits, or dashed
    stays : stay numbers: digits, zero (leading zeros), letter or dashed
    omitted : optional fields and extra columns that this hospital does not deliver
    """

    number: int
    format: Format = "csv"
    encoding: Encoding = "utf-8"
    vocabulary: Vocabulary = "national"
    alias: int = 0
    header_row: int = 1
    day: str = "%Y-%m-%d"
    clock: str = " %H:%M:%S"
    money: Money = "plain"
    sex: Sex = "12"
    worded: bool = False
    long: bool = False
    quoted: bool = False
    codes: Codes = "letter"
    stays: Stays = "digits"
    omitted: tuple[str, ...] = ()

    @property
    def delimited(self) -> bool:
        """Whether rows are lines of text."""
        return self.format in ("csv", "csv.gz", "tsv")

    @property
    def delimiter(self) -> str:
        """Separator of the cells of a line."""
        return "\t" if self.format == "tsv" else ","


@dataclass(frozen=True)
class Column:
    """One delivered column: the field it holds (``+…`` for what no canonical field reads), its kind and its name."""

    field: str
    kind: str
    name: str


_DEFAULT = (
    Layout(1, encoding="utf-8-sig", vocabulary="zh", sex="男女", worded=True, quoted=True, stays="letter"),
    Layout(2, encoding="gb18030", day="%Y%m%d", clock="%H%M%S", long=True, stays="digits", codes="digits"),
    Layout(
        3, format="tsv", vocabulary="vendor", day="%Y/%-m/%-d", clock=" %H:%M", money="thousands", sex="MF",
        stays="zero", codes="dashed", omitted=("setl_id", "med_type", "+phone", "med_list_codg"),
    ),
    Layout(
        4, format="xlsx", vocabulary="zh", alias=1, header_row=3, day="serial", clock="serial", sex="男女", worded=True,
        stays="letter", omitted=("setl_id", "certno", "med_list_codg"),
    ),
    Layout(
        5, vocabulary="english", day="%d/%m/%Y", clock=" %H:%M", money="fen", sex="MF", quoted=True, stays="dashed",
        omitted=("med_type", "+phone"),
    ),
    Layout(
        6, encoding="gb18030", vocabulary="zh", alias=1, day="%Y年%-m月%-d日", clock="", money="thousands", quoted=True,
        worded=True, codes="digits", stays="zero", omitted=("brdy", "med_list_codg"),
    ),
    Layout(
        7, vocabulary="national", day="%Y%m%d", clock="", sex="12", stays="letter",
        omitted=("ipt_days", "selfpay_prop", "+phone"),
    ),
    Layout(
        8, encoding="utf-8-sig", vocabulary="vendor", alias=1, day="%Y-%m-%d", clock=" %H:%M", money="sign", sex="男女",
        worded=True, codes="dashed", stays="digits", omitted=("setl_id", "+phone", "med_list_codg"),
    ),
    Layout(
        9, format="tsv", encoding="gb18030", vocabulary="zh", alias=1, sex="男女", worded=True, codes="digits",
        stays="dashed", omitted=("selfpay_prop", "+operator", "med_list_codg"),
    ),
    Layout(10, format="parquet", vocabulary="national", long=True, stays="digits", omitted=("+phone", "+operator")),
    Layout(
        11, format="csv.gz", vocabulary="english", alias=1, day="%Y/%-m/%-d", clock=" %H:%M:%S", sex="12",
        stays="letter", codes="letter", omitted=("brdy", "certno"),
    ),
    Layout(
        12, encoding="gb18030", vocabulary="vendor", header_row=2, day="%Y-%m-%d", clock=" %H:%M:%S", sex="男女",
        worded=True, codes="digits", stays="zero", omitted=("med_type", "bilg_dept_name", "med_list_codg"),
    ),
)  # fmt: skip


@cache
def layout(number: int) -> Layout:
    """Return the layout of the hospital with this 1-based number: twelve are fixed, further ones are drawn by it."""
    return _DEFAULT[number - 1] if number <= len(_DEFAULT) else _drawn(number)


def _drawn(number: int) -> Layout:
    rng = np.random.default_rng(number)
    day, clock = _DATES[rng.integers(len(_DATES))]
    form = _FORMATS[rng.integers(len(_FORMATS))]
    money = _MONEY[rng.integers(len(_MONEY))]
    if form == "parquet":
        # Its columns have types: there is no way of writing dates or amounts to choose.
        (day, clock), money = _DATES[0], "plain"
    return Layout(
        number,
        format=form,
        encoding=_ENCODINGS[rng.integers(len(_ENCODINGS))],
        vocabulary=_VOCABULARIES[rng.integers(len(_VOCABULARIES))],
        alias=int(rng.integers(2)),
        header_row=1 if form == "parquet" else int(rng.integers(1, 3)),
        day=day,
        clock=clock,
        money=money,
        sex=_SEX[rng.integers(len(_SEX))],
        worded=bool(rng.random() < 0.5),
        long=bool(rng.random() < 0.3),
        # Thousands separators are commas, so such amounts need quotation marks.
        quoted=bool(rng.random() < 0.4) or money == "thousands",
        codes=_CODES[rng.integers(len(_CODES))],
        stays=_STAYS[rng.integers(len(_STAYS))],
        omitted=tuple(name for name in (*_OPTIONAL, *_EXTRAS) if rng.random() < 0.3),
    )


@cache
def file_columns(shape: Layout, table: str) -> tuple[Column, ...]:
    """Return the columns of one kind of file in delivered order; slots of diagnoses and operations come last."""
    columns = [
        Column(row["field"], row["kind"], _spelled(shape, row))
        for row in rows("columns")
        if row["entity"] == table and _delivered(shape, row)
    ]
    order = np.random.default_rng((shape.number, len(table))).permutation(len(columns))
    # National extracts keep the order of the interface; everybody else has an order of their own.
    ordered = columns if shape.vocabulary == "national" else [columns[place] for place in order]
    if table != "front_page" or shape.long:
        return tuple(ordered)
    slots = (*slot_columns(shape, "diagnosis")[1:], *slot_columns(shape, "operation")[1:])
    return (*ordered, slot_columns(shape, "operation")[0][1], *(column for slot in slots for column in slot))


def _delivered(shape: Layout, row: Mapping[str, str]) -> bool:
    # A settlement without its number would be none, whatever front pages leave out.
    if row["field"] in shape.omitted and row["entity"] != "settlement":
        return False
    # The hospital's code is a constant of its contract except where the national extract carries it.
    return row["field"] != "fixmedins_code" or shape.vocabulary == "national"


def _spelled(shape: Layout, row: Mapping[str, str]) -> str:
    if shape.vocabulary == "national":
        return row["field"].removeprefix("+")
    return row[shape.vocabulary].split("|")[shape.alias]


@cache
def slot_columns(shape: Layout, table: str) -> tuple[tuple[Column, Column], ...]:
    """Return code and name columns of every slot of a wide front page; the first holds the main one."""
    code, name = ("diag_code", "diag_name") if table == "diagnosis" else ("oprn_oprt_code", "oprn_oprt_name")
    first = _main_columns(shape, table)
    patterns = {
        "national": (f"{code}_{{}}", f"{name}_{{}}"),
        "zh": ("其他诊断编码{}", "其他诊断名称{}") if table == "diagnosis" else ("其他手术编码{}", "其他手术名称{}"),
        "vendor": ("QTZDBM{}", "QTZDMC{}") if table == "diagnosis" else ("QTSSBM{}", "QTSSMC{}"),
        "english": ("DIAG{}_CODE", "DIAG{}_NAME") if table == "diagnosis" else ("OPER{}_CODE", "OPER{}_NAME"),
    }[shape.vocabulary]
    count = DIAGNOSES if table == "diagnosis" else OPERATIONS
    others = [
        (
            Column(f"{table}:{slot}:code", "code", patterns[0].format(slot)),
            Column(f"{table}:{slot}:name", "text", patterns[1].format(slot)),
        )
        for slot in range(1, count)
    ]
    return (first, *others)


def _main_columns(shape: Layout, table: str) -> tuple[Column, Column]:
    table_rows = {row["field"]: row for row in rows("columns") if row["entity"] == "front_page"}
    if table == "diagnosis":
        code, name = table_rows["dscg_maindiag_code"], table_rows["dscg_maindiag_name"]
        return Column(code["field"], "code", _spelled(shape, code)), Column(
            name["field"], "text", _spelled(shape, name)
        )
    code = table_rows["main_oprn_code"]
    spelled = {"national": "main_oprn_name", "zh": "主要手术名称", "vendor": "ZYSSMC", "english": "MAIN_OPER_NAME"}
    return Column(code["field"], "code", _spelled(shape, code)), Column(
        "operation:0:name", "text", spelled[shape.vocabulary]
    )


def words(shape: Layout, kind: str) -> Mapping[str, str]:
    """Return national code → delivered word of one kind of value; empty where the codes themselves are delivered."""
    if kind == "sex":
        return _SEXES[shape.sex]
    if kind in _WORDS and shape.worded:
        return _WORDS[kind][shape.alias]
    return {}
