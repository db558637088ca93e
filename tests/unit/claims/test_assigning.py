"""Prices were divided by hand; references and items are a handful of rows."""

from decimal import Decimal

import pyarrow as pa
import pytest

from headwater.claims.assigning import BASES, REASONS, SCHEMA, Known, assign, class_path, per_unit
from headwater.claims.references import KINDS, refer

DRUGS = refer(
    KINDS["drug"],
    {
        "code": ["XJ01CA1", "XN02AA1", "XA10AB1", "XB05BB1", "ZA01"],
        "name": ["阿莫西林胶囊", "吗啡注射液", "胰岛素注射液", "氯化钠注射液", "颗粒"],
        "spec": ["0.25g*24粒", None, None, None, None],
        "ddd": ["1.5", "0.1", "40", None, "10"],
        "ddd_unit": ["g", "g", "U", None, "ml"],
        "antibiotic_grade": ["非限制", None, None, None, None],
        "control": [None, "麻醉", None, None, None],
        "is_essential": ["是", "是", "否", None, None],
        "is_central": ["1", "0", None, None, None],
        "is_high_value": [None, "否", None, None, None],
    },
    name="drug",
).table
CLASSES = refer(
    KINDS["drug_class"],
    {"code": ["XJ", "XJ01", "XJ01CA", "XN"], "name": ["抗感染", "抗菌药", "广谱青霉素", "神经"]},
    name="class",
).table
LIMITS = refer(
    KINDS["threshold"],
    {
        "code": ["drug", "consumable"],
        "name": ["高值"] * 2,
        "amount": ["500", "1000"],
        "currency": ["CNY", "CNY"],
    },
    name="threshold",
).table


def _one(kind: str = "drug", reference: pa.Table | None = DRUGS, **item: object) -> dict[str, object]:
    given = {"unit": "盒", "pric": Decimal("8.6"), "currency": "CNY", **item}
    if given["pric"] is not None:
        given["pric"] = Decimal(str(given["pric"]))
    types = {"pric": pa.decimal128(18, 6)}
    table = pa.table({name: pa.array([value], types.get(name, pa.string())) for name, value in given.items()})
    assigned = assign(table, Known(kind, reference, CLASSES, LIMITS))
    assert assigned.schema == SCHEMA
    (row,) = assigned.to_pylist()
    return row


@pytest.mark.parametrize(
    ("item", "piece", "amount", "dose"),
    [
        # 8.60 / 24; 8.60 / 6 g; 8.60 / 4 doses
        ({"code": "XJ01CA1", "spec": "0.25g*24粒/盒"}, "0.358333", "1.433333", "2.150000"),
        # The same sold by the capsule: 0.36; 0.36 / 0.25 g; 0.36 / (0.25 / 1.5)
        ({"code": "XJ01CA1", "spec": "0.25g*24粒/盒", "unit": "粒", "pric": "0.36"}, "0.36", "1.44", "2.16"),
        # 4.90; 4.90 / 0.01 g; a dose is ten of them
        ({"code": "XN02AA1", "spec": "1ml:10mg", "unit": "支", "pric": "4.9"}, "4.9", "490", "49"),
        # 72; 72 / 0.03; 72 / 7.5
        ({"code": "XA10AB1", "spec": "3ml:300单位", "unit": "支", "pric": "72"}, "72", "2400", "9.6"),
        # 5.00; 5 / 400; no dose
        ({"code": "XB05BB1", "spec": "400万单位", "unit": "支", "pric": "5"}, "5", "0.0125", None),
        # 29 / 10; 29 / 100 ml; 29 / 10 doses
        ({"code": "ZA01", "spec": "10ml*10支/盒", "pric": "29"}, "2.9", "0.29", "2.9"),
    ],
)
def test_prices_per_comparable_unit(item: dict[str, object], piece: str, amount: str, dose: str | None):
    row = _one(**item)
    assert row["price_per_piece"] == Decimal(piece)
    assert row["price_per_amount"] == Decimal(amount)
    assert row["price_per_ddd"] == (None if dose is None else Decimal(dose))
    assert BASES[str(row["amount_basis"])][0] == row["amount_unit"]


def test_prices_are_decimal_and_halves_go_up():
    assert per_unit(Decimal("0.0000005"), Decimal(1)) == Decimal("0.000001")
    assert per_unit(Decimal(1), Decimal(3)) == Decimal("0.333333")
    assert per_unit(Decimal(2), Decimal(3)) == Decimal("0.666667")
    assert per_unit(None, Decimal(1)) is None
    assert per_unit(Decimal(1), None) is None
    assert per_unit(Decimal(1), Decimal(0)) is None
    assert per_unit(Decimal(10) ** 11, Decimal("0.000001")) is None


def test_the_reference_says_what_a_code_is():
    row = _one(code="XJ01CA1", spec="0.25g*24粒/盒")
    assert [level["name"] for level in row["class_path"]] == ["抗感染", "抗菌药", "广谱青霉素"]
    assert row["class_names"] == "抗感染 > 抗菌药 > 广谱青霉素"
    assert (row["antibiotic_grade"], row["control"]) == ("unrestricted", None)
    assert (row["is_essential"], row["is_central"]) == (True, True)
    assert _one(code="XN02AA1")["control"] == "narcotic"


def test_where_the_hospital_gives_no_specification_that_of_the_code_holds():
    assert _one(code="XJ01CA1")["pieces"] == 24
    assert _one(code="XJ01CA1", spec="0.25g*12粒/盒")["pieces"] == 12


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"code": None, "spec": "0.25g*24粒/盒"}, "no_code"),
        ({"code": "XX", "spec": "0.25g*24粒/盒"}, "no_reference"),
        ({"code": "XB05BB1", "spec": "0.25g*24粒/盒"}, "no_ddd"),
        ({"code": "ZA01", "spec": "0.25g*24粒/盒"}, "other_ddd"),
        ({"code": "XN02AA1", "spec": "?"}, "unread"),
    ],
)
def test_an_unknown_dose_has_a_reason(item: dict[str, object], reason: str):
    row = _one(**item)
    assert (row["ddd"], row["price_per_ddd"], row["ddd_reason"]) == (None, None, reason)
    assert reason in REASONS
    assert REASONS[reason].zh != REASONS[reason].en


def test_what_is_unknown_stays_null():
    row = _one(reference=None, code=None, spec="0.25g*24粒/盒", pric=None)
    assert row["pieces"] == 24
    assert row["unit_reason"] == "no_price"
    told = ("price_per_piece", "class_path", "is_high_value", "antibiotic_grade", "is_essential", "is_central")
    assert [row[name] for name in told] == [None] * len(told)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"code": "XN02AA1", "pric": "900"}, (False, "reference")),
        ({"code": "XJ01CA1", "pric": "500"}, (True, "price")),
        ({"code": "XJ01CA1", "pric": "499.999999"}, (False, "price")),
        ({"code": "XJ01CA1", "pric": "900", "currency": "BRL"}, (None, None)),
        ({"code": None, "pric": "900"}, (True, "price")),
        ({"code": None, "pric": None}, (None, None)),
    ],
)
def test_high_value_is_told_by_the_reference_or_by_the_price(item: dict[str, object], told: tuple[object, object]):
    row = _one(**item)
    assert (row["is_high_value"], row["high_value_by"]) == told


def test_a_consumable_has_a_price_a_piece_and_no_dose():
    row = _one("consumable", None, code="C0404", spec="2.5×18mm", unit="个", pric="1060")
    assert (row["price_per_piece"], row["price_per_amount"], row["price_per_ddd"]) == (Decimal(1060), None, None)
    assert (row["is_high_value"], row["ddd_reason"]) == (True, None)


def test_items_keep_their_order_and_columns_may_be_missing():
    assigned = assign(pa.table({"unit": ["支", None, "片"]}), Known("service"))
    assert assigned["piece"].to_pylist() == ["支", None, "片"]
    assert assign(pa.table({"unit": pa.array([], pa.string())}), Known("drug", DRUGS)).num_rows == 0


def test_a_class_is_a_prefix():
    assert class_path("", {"X": "x"}) == []
    assert [level["code"] for level in class_path("XJ01CA1", {"XJ01": "b", "XJ": "a", "XJ01C9": "c"})] == ["XJ", "XJ01"]
