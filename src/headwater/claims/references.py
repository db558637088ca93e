"""References: what a bureau knows of items and codes, as tables that hold from a day on.

A reference is delivered whole: its digest is its version, and it changes only by a new one. Rows that say the same
twice are counted once; one code with two meanings is refused, as nobody could say which of them holds.
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

import pyarrow as pa

from headwater.errors import Message, Refusal

__all__ = ["ITEM_KINDS", "KINDS", "Column", "Kind", "Read", "digest", "refer"]

ColumnType = Literal["code", "text", "amount", "flag", "antibiotic", "control"]
"""How a cell is read; an empty one is unknown.

code        full-width characters folded, upper case, leading zeros kept
text        trimmed
amount      DECIMAL(18,6), above zero
flag        BOOLEAN: 1, 0, 是, 否, true, false, yes, no
antibiotic  grade of an antibiotic: unrestricted, restricted or special, also as 非限制、限制、特殊(使用级)
control     narcotic, psychotropic_1, psychotropic_2, toxic or radioactive, also as 麻醉、精一、精二、毒性、放射
"""

_TYPES: Mapping[ColumnType, pa.DataType] = {
    "code": pa.string(),
    "text": pa.string(),
    "amount": pa.decimal128(18, 6),
    "flag": pa.bool_(),
    "antibiotic": pa.string(),
    "control": pa.string(),
}
_BLANK = {"", "NULL", "-", "--", "无", "N/A", "\\N"}
_FLAGS = {"1": True, "0": False, "是": True, "否": False, "TRUE": True, "FALSE": False, "YES": True, "NO": False}
_ANTIBIOTIC = {"非限制": "unrestricted", "限制": "restricted", "特殊": "special"}
_CONTROL = {
    **{"麻醉": "narcotic", "麻": "narcotic", "毒性": "toxic", "毒": "toxic", "医疗用毒性": "toxic"},
    **{"精一": "psychotropic_1", "第一类精神": "psychotropic_1", "放射": "radioactive", "放射性": "radioactive"},
    **{"精二": "psychotropic_2", "第二类精神": "psychotropic_2"},
}
_SHOWN = 3


@dataclass(frozen=True)
class Column:
    """One column of a reference."""

    name: str
    type: ColumnType
    zh: str
    en: str

    @property
    def is_required(self) -> bool:
        """Whether every row must have it."""
        return self.name in ("code", "name")


@dataclass(frozen=True)
class Kind:
    """One kind of reference; its ``code`` names a row."""

    name: str
    zh: str
    en: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """Its columns as Arrow types."""
        return pa.schema([(column.name, _TYPES[column.type]) for column in self.columns])


_NAMED = (Column("code", "code", "编码", "code"), Column("name", "text", "名称", "name"))
_UNIT = Column("unit", "text", "计价单位", "what a price is for")
_CLASS = Column(
    "class_code", "code", "类目编码，留空则按编码的前缀归类", "class; where empty the code's own prefixes tell"
)
_CENTRAL = Column("is_central", "flag", "集中带量采购", "procured centrally")
_HIGH = Column("is_high_value", "flag", "高值", "of high value, whatever its price")
_MADE = (Column("spec", "text", "规格", "strength and pack, or model"), _UNIT)
_MAKER = Column("prodentp_name", "text", "生产企业", "maker")
_DRUG = (
    *_NAMED,
    *_MADE,
    Column("dosform_name", "text", "剂型", "dosage form"),
    _MAKER,
    Column("aprvno", "code", "批准文号", "approval number"),
    _CLASS,
    Column("ddd", "amount", "限定日剂量", "defined daily dose"),
    Column("ddd_unit", "text", "限定日剂量的单位", "unit of the defined daily dose: g, mg, ug, ml, IU …"),
    Column("antibiotic_grade", "antibiotic", "抗菌药物分级", "grade of an antibiotic; empty: it is none"),
    Column("control", "control", "特殊管理", "narcotic, psychotropic, toxic or radioactive; empty: none of these"),
    Column("is_essential", "flag", "国家基本药物", "on the list of essential drugs"),
    _CENTRAL,
    _HIGH,
)
_CONSUMABLE = (
    *_NAMED,
    *_MADE,
    Column("material", "text", "材质", "material"),
    _MAKER,
    Column("regno", "code", "注册证编号", "registration number"),
    _CLASS,
    _CENTRAL,
    _HIGH,
)
_THRESHOLD = (
    *_NAMED,
    Column("amount", "amount", "单价达到此数即为高值", "from this price on an item is of high value"),
    Column("currency", "code", "币种", "ISO 4217 code of the amount"),
)
_ITEMS = (
    Kind("drug", "药品", "drugs", _DRUG),
    Kind("consumable", "耗材", "consumables", _CONSUMABLE),
    Kind("service", "医疗服务项目", "services", (*_NAMED, _UNIT, _CLASS)),
    Kind("diagnosis", "疾病诊断", "diagnoses", _NAMED),
    Kind("operation", "手术操作", "operations", _NAMED),
)

ITEM_KINDS = tuple(kind.name for kind in _ITEMS)
"""What a local name can be coded as."""

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *_ITEMS,
        *(Kind(f"{kind.name}_class", f"{kind.zh}类目", f"classes of {kind.en}", _NAMED) for kind in _ITEMS),
        Kind("threshold", "高值界限", "prices from which an item is of high value", _THRESHOLD),
    )
}
"""Every kind of reference by name. A class is a prefix of the codes that belong to it."""


@dataclass(frozen=True, eq=False)
class Read:
    """A reference as it was read.

    Parameters
    ----------
    table : the columns of its kind, sorted by code, each code once
    version : digest of the table
    rows_in, rows_repeated : rows of the file, and those among them that say the same again; in = loaded + repeated
    """

    kind: Kind
    table: pa.Table
    version: str
    rows_in: int
    rows_repeated: int


def refer(kind: Kind, columns: Mapping[str, Sequence[str | None]], *, name: str, joined: bool = False) -> Read:
    """Read the cells of one file as a reference.

    Parameters
    ----------
    columns : column of the kind → its cells, all of one length; a column left out is unknown in every row
    name : of the file, for messages
    joined : several names of one code are one name, ``a、b``; otherwise they are refused

    Raises
    ------
    Refusal
        ``E-REFERENCE-COLUMN`` without code or name, ``E-REFERENCE-EMPTY``, ``E-REFERENCE-VALUE`` for a cell that
        cannot be read, ``E-REFERENCE-TWICE`` for a code with two meanings
    """
    missing = [column.name for column in kind.columns if column.is_required and column.name not in columns]
    if missing:
        raise _refused(
            "COLUMN",
            Message(f"参考表 {name} 缺少列 {'、'.join(missing)}。", f"Reference {name} lacks {', '.join(missing)}."),
            Message("补上这些列，或声明其布局。", "Add these columns or declare the file's layout."),
        )
    read = {column.name: _cells(column, columns.get(column.name), name=name) for column in kind.columns}
    rows_in = len(columns["code"])
    if not rows_in:
        raise _refused(
            "EMPTY",
            Message(f"参考表 {name} 没有任何行。", f"Reference {name} has no row."),
            Message("检查文件；要停用参考表请交付新版本。", "Check the file; a reference ends by a new version only."),
        )
    rows = _distinct(kind, read, rows_in, joined=joined, name=name)
    arrays = [pa.array(rows[column.name], _TYPES[column.type]) for column in kind.columns]
    table = pa.table(arrays, schema=kind.schema)
    return Read(kind, table, digest(kind.name, table), rows_in, rows_in - len(table))


def digest(kind: str, table: pa.Table) -> str:
    """Return what names this content: the same rows give the same 16 hex digits, whatever their order or file."""
    summed = hashlib.sha256(kind.encode())
    for row in sorted(table.to_pylist(), key=lambda row: str(row["code"])):
        # Cells without a value do not count, so that a column that is added to a kind leaves versions as they are.
        known = {column: str(cell) for column, cell in row.items() if cell is not None}
        summed.update(json.dumps(known, ensure_ascii=False, sort_keys=True).encode())
    return summed.hexdigest()[:16]


def _cells(column: Column, cells: Sequence[str | None] | None, *, name: str) -> list[object]:
    """Read one column; the cells that cannot be read are named with their rows."""
    if cells is None:
        return []
    read: list[object] = []
    wrong: list[str] = []
    for number, cell in enumerate(cells, start=1):
        text = "" if cell is None else cell.strip(" \t\r\n\u3000\u00a0\ufeff")
        blank = text.upper() in _BLANK
        try:
            read.append(None if blank else _READERS[column.type](text))
        except (KeyError, InvalidOperation, ValueError):
            wrong.append(f"{number}: {text[:20]!r}")
        if blank and column.is_required:
            wrong.append(f"{number}: ''")
    if wrong:
        places = "; ".join(wrong[:_SHOWN]) + (" …" if len(wrong) > _SHOWN else "")
        raise _refused(
            "VALUE",
            Message(
                f"参考表 {name} 的列 {column.name}（{column.zh}）有 {len(wrong)} 个值无法读取，行号与值：{places}。",
                f"Reference {name}: {len(wrong)} of the cells of {column.name} ({column.en}) cannot be read, by row: "
                f"{places}.",
            ),
            Message(
                "改正这些行后重新交付，任何一行都不会被略过。", "Mend these rows and send it again; none is left out."
            ),
        )
    return read


def _amount(text: str) -> Decimal:
    amount = Decimal(unicodedata.normalize("NFKC", text).replace(",", ""))
    if not amount.is_finite() or amount <= 0 or amount >= 10**12:
        raise ValueError(text)
    if amount != amount.quantize(Decimal("0.000001")):
        raise ValueError(text)
    return amount


def _word(words: Mapping[str, str]) -> Callable[[str], str]:
    known = {**words, **{value: value for value in words.values()}}
    return lambda text: known[text.lower().removesuffix("药品").removesuffix("使用级").removesuffix("级")]


_READERS: Mapping[ColumnType, Callable[[str], object]] = {
    "code": lambda text: unicodedata.normalize("NFKC", text).strip().upper(),
    "text": lambda text: text,
    "amount": _amount,
    "flag": lambda text: _FLAGS[unicodedata.normalize("NFKC", text).upper()],
    "antibiotic": _word(_ANTIBIOTIC),
    "control": _word(_CONTROL),
}


def _distinct(
    kind: Kind, read: Mapping[str, list[object]], count: int, *, joined: bool, name: str
) -> dict[str, list[object]]:
    """Return the columns with every code once, sorted by it."""
    names = [column.name for column in kind.columns]
    place_of = names.index("name")
    kept: dict[str, list[object]] = {}
    twice: dict[str, None] = {}
    for place in range(count):
        row = [read[column][place] if read[column] else None for column in names]
        code = str(row[names.index("code")])
        earlier = kept.setdefault(code, row)
        if _folded(earlier) == _folded(row):
            continue
        others = [cell for column, cell in enumerate(row) if column != place_of]
        if not joined or others != [cell for column, cell in enumerate(earlier) if column != place_of]:
            twice[code] = None
        elif row[place_of] not in str(earlier[place_of]).split("、"):
            earlier[place_of] = f"{earlier[place_of]}、{row[place_of]}"
    if twice:
        shown = ", ".join(list(twice)[:_SHOWN]) + (" …" if len(twice) > _SHOWN else "")
        raise _refused(
            "TWICE",
            Message(
                f"参考表 {name} 中 {len(twice)} 个编码有互相矛盾的行：{shown}。",
                f"Rows of reference {name} contradict each other, for {len(twice)} of its codes: {shown}.",
            ),
            Message("每个编码只留一行。", "Leave one row a code."),
        )
    ordered = [kept[code] for code in sorted(kept)]
    return {column: [row[place] for row in ordered] for place, column in enumerate(names)}


def _folded(row: Sequence[object]) -> list[object]:
    # Ⅰ and I, or a bracket of either width, are one letter to whoever typed them.
    return [unicodedata.normalize("NFKC", cell) if isinstance(cell, str) else cell for cell in row]


def _refused(fault: str, reason: Message, remedy: Message) -> Refusal:
    return Refusal(f"E-REFERENCE-{fault}", reason, remedy)
