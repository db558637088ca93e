"""A month of one hospital as tables: front pages, diagnoses, operations, fee lines; and its catalogues once."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.simulation import people
from headwater.simulation.fee_lines import Lines, Payment
from headwater.simulation.hospitals import Hospital, Region
from headwater.simulation.layouts import DIAGNOSES, OPERATIONS, Layout, file_columns
from headwater.simulation.local import local_items
from headwater.simulation.reference import diseases, items, operations
from headwater.simulation.rendering import Grid, Values, render
from headwater.simulation.stays import Place, Stays

__all__ = ["CATALOGUES", "catalogue", "fee_lines", "front_pages", "listed", "settlements", "stay_numbers"]

Indices = npt.NDArray[np.int64]

CATALOGUES = {"drug": "drug", "consumable": "consumable", "service_item": "service"}
"""Canonical table → kind of item."""

_MINUTES = 1440
_SETTLED_AGAIN = 30
_CLERKS = 24
_DEPARTMENTS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUWXZ",
        (
            *(
                "感染科",
                "感染科",
                "肿瘤科",
                "血液内科",
                "内分泌科",
                "精神科",
                "神经内科",
                "眼科",
                "心血管内科",
                "呼吸内科",
            ),
            *("消化内科", "皮肤科", "骨科", "泌尿外科", "产科", "新生儿科", "小儿外科", "全科医学科", "骨科", "急诊科"),
            *("呼吸内科", "急诊科", "急诊科", "肿瘤科"),
        ),
        strict=True,
    )
)


def stay_numbers(place: Place) -> pa.Array:
    """Return the hospital's numbers of the block's stays; every one is unique within the hospital."""
    month = place.region.month(place.month)
    plain = (month.year * 100 + month.month) * 10**6 + place.first + 1 + np.arange(place.size)
    text = pc.cast(pa.array(plain), pa.string())
    style = place.hospital.layout.stays
    if style == "digits":
        return text
    if style == "zero":
        return pc.binary_join_element_wise("00", text, "")
    if style == "letter":
        return pc.binary_join_element_wise("ZY", text, "")
    return pc.binary_join_element_wise(place.hospital.code, text, "-")


def front_pages(place: Place, stays: Stays, payment: Payment) -> Grid:
    """Return the block's front pages, with slots for diagnoses and operations where the layout has them."""
    shape = place.hospital.layout
    return render(_front_values(place, stays, payment), file_columns(shape, "front_page"), shape)


def _front_values(place: Place, stays: Stays, payment: Payment) -> dict[str, pa.Array | Indices]:
    numbers = stay_numbers(place)
    code, name = _disease_texts()
    operation_code, operation_name = _operation_texts()
    departments = pa.array([_DEPARTMENTS[letter] for letter in diseases().letter])
    values: dict[str, pa.Array | Indices] = {
        "mdtrt_id": numbers,
        "setl_id": pc.binary_join_element_wise("S", numbers, ""),
        "fixmedins_code": _same(place.hospital.code, len(stays)),
        "psn_no": people.person_numbers(stays.person),
        "gend": _choice(np.where(stays.male, 0, 1), ("1", "2")),
        "age": stays.age,
        "brdy": stays.birth,
        "insutype": _choice(np.where(stays.employee, 0, 1), ("310", "390")),
        "med_type": _same("21", len(stays)),
        "begntime": stays.begin,
        "endtime": stays.end,
        "ipt_days": stays.days,
        "dscg_way": _choice(stays.way, ("", "1", "2", "3", "4", "5", "", "", "", "9")),
        "adm_way": _choice(np.where(stays.emergency, 0, np.where(stays.person % 23 == 0, 2, 1)), ("1", "2", "3")),
        "adm_dept_name": departments.take(pa.array(stays.disease)),
        "dscg_dept_name": departments.take(pa.array(stays.disease)),
        "dscg_maindiag_code": code.take(pa.array(stays.recorded)),
        "dscg_maindiag_name": name.take(pa.array(stays.recorded)),
        "main_oprn_code": _some(operation_code, stays.operations[:, 0]),
        "operation:0:name": _some(operation_name, stays.operations[:, 0]),
        "medfee_sumamt": payment.total,
        "fund_pay_sumamt": payment.fund,
        "psn_selfpay": payment.patient,
        "+name": people.names(stays.person),
        "certno": people.certificates(
            stays.person, city=place.hospital.number % 99, birth=stays.birth, male=stays.male
        ),
        "+phone": people.phones(stays.person),
        "+operator": _clerks(stays.person),
    }
    return values | _slot_values(stays)


def _slot_values(stays: Stays) -> dict[str, pa.Array | Indices]:
    code, name = _disease_texts()
    operation_code, operation_name = _operation_texts()
    values: dict[str, pa.Array | Indices] = {}
    for slot in range(1, DIAGNOSES):
        values[f"diagnosis:{slot}:code"] = _some(code, stays.others[:, slot - 1])
        values[f"diagnosis:{slot}:name"] = _some(name, stays.others[:, slot - 1])
    for slot in range(1, OPERATIONS):
        values[f"operation:{slot}:code"] = _some(operation_code, stays.operations[:, slot])
        values[f"operation:{slot}:name"] = _some(operation_name, stays.operations[:, slot])
    return values


@lru_cache(maxsize=1)
def _disease_texts() -> tuple[pa.Array, pa.Array]:
    return pa.array(diseases().code), pa.array(diseases().name)


@lru_cache(maxsize=1)
def _operation_texts() -> tuple[pa.Array, pa.Array]:
    return pa.array(operations().code), pa.array(operations().name)


def _same(text: str, count: int) -> pa.Array:
    return pa.repeat(text, count)


def _choice(place: Indices, codes: tuple[str, ...]) -> pa.Array:
    return pa.array(codes).take(pa.array(place))


def _some(texts: pa.Array, place: Indices) -> pa.Array:
    """Return texts at their places; an empty cell where the place is -1."""
    return pc.fill_null(texts.take(pa.array(place, mask=place < 0)), "")


def _clerks(serial: Indices) -> pa.Array:
    return people.names(np.arange(_CLERKS) * 104_729 + 11).take(pa.array(serial % _CLERKS))


def listed(place: Place, stays: Stays, table: str) -> Grid:
    """Return diagnoses or operations of the block, one row each, where they have a file of their own."""
    shape = place.hospital.layout
    if table == "diagnosis":
        codes = np.column_stack([stays.recorded, stays.others])
        texts, fields = _disease_texts(), ("diag_srt", "diag_code", "diag_name")
    else:
        codes = stays.operations
        texts, fields = _operation_texts(), ("oprn_srt", "oprn_oprt_code", "oprn_oprt_name")
    stay, slot = np.nonzero(codes >= 0)
    place_of = pa.array(codes[stay, slot])
    values: Values = {
        "mdtrt_id": stay_numbers(place).take(pa.array(stay)),
        fields[0]: slot + 1,
        fields[1]: texts[0].take(place_of),
        fields[2]: texts[1].take(place_of),
    }
    return render(values, file_columns(shape, table), shape)


def settlements(place: Place, stays: Stays, payment: Payment) -> Grid:
    """Return the block's settlements; one in a hundred is reversed and settled again, which leaves every sum."""
    shape = place.hospital.layout
    again = np.flatnonzero(stays.person % 101 == 0)
    stay = np.concatenate([np.arange(len(stays)), again, again])
    kind = np.repeat([0, 1, 2], [len(stays), len(again), len(again)])
    sign = np.where(kind == 1, -1, 1)
    first = stay_numbers(place).take(pa.array(stay))
    numbers = pc.binary_join_element_wise(first, _choice(kind, ("01", "02", "03")), "")
    values: Values = {
        "setl_id": numbers,
        "mdtrt_id": first,
        "fixmedins_code": _same(place.hospital.code, len(stay)),
        "psn_no": people.person_numbers(stays.person[stay]),
        "insutype": _choice(np.where(stays.employee[stay], 0, 1), ("310", "390")),
        "med_type": _same("21", len(stay)),
        "setl_time": stays.end[stay] + kind * _SETTLED_AGAIN,
        "medfee_sumamt": payment.total[stay] * sign,
        "fund_pay_sumamt": payment.fund[stay] * sign,
        "psn_selfpay": payment.patient[stay] * sign,
        "refd_setl_flag": _choice((kind == 1).astype(np.int64), ("0", "1")),
        "init_setl_id": pc.if_else(pa.array(kind == 1), pc.binary_join_element_wise(first, "01", ""), ""),
    }
    return render(values, file_columns(shape, "settlement"), shape)


@lru_cache(maxsize=8)
def _item_texts(region: Region, hospital: Hospital) -> Mapping[str, pa.Array]:
    local, table = local_items(region, hospital), items()
    return {
        "medins_list_codg": pa.array(local.code),
        "medins_list_name": pa.array(local.name),
        "med_list_codg": pa.array(local.national),
        "med_chrgitm_type": pa.array([item.category for item in table]),
        "chrgitm_lv": pa.array([item.level for item in table]),
    }


def fee_lines(place: Place, stays: Stays, lines: Lines) -> Grid:
    """Return the block's fee lines."""
    shape = place.hospital.layout
    local, table = local_items(place.region, place.hospital), items()
    item = pa.array(lines.item.astype(np.int32))
    stay = pa.array(lines.stay.astype(np.int32))
    texts = _item_texts(place.region, place.hospital)
    departments = pa.array([_DEPARTMENTS[letter] for letter in diseases().letter])
    values: dict[str, pa.Array | Indices] = {
        field: pa.DictionaryArray.from_arrays(item, texts[field]) for field in texts
    }
    values |= {
        "mdtrt_id": pa.DictionaryArray.from_arrays(stay, stay_numbers(place)),
        "feedetl_sn": _line_numbers(place, lines),
        "fee_ocur_time": lines.minute,
        "cnt": lines.count,
        "pric": local.price_fen[lines.item],
        "det_item_fee_sumamt": lines.amount_fen,
        "selfpay_prop": np.array([item.share for item in table])[lines.item],
        "bilg_dept_name": departments.take(pa.array(stays.disease[lines.stay])),
        "+name": pa.DictionaryArray.from_arrays(stay, people.names(stays.person)),
        "+operator": _clerks(lines.stay * 7 + lines.rank),
    }
    return render(values, file_columns(shape, "fee_line"), shape)


def _line_numbers(place: Place, lines: Lines) -> pa.Array:
    month = place.region.month(place.month)
    stay = (month.year * 100 + month.month) * 10**6 + place.first + 1 + lines.stay
    return pc.cast(pa.array(stay * 1000 + lines.rank), pa.string())


def catalogue(region: Region, hospital: Hospital, table: str) -> Grid:
    """Return the hospital's drug, consumable or service list."""
    local, shape = local_items(region, hospital), hospital.layout
    places = [n for n, item in enumerate(items()) if item.kind == CATALOGUES[table] and local.carried[n]]
    chosen = [items()[n] for n in places]
    licence = pa.array([item.licence for item in chosen])
    values: Values = {
        "fixmedins_code": _same(hospital.code, len(places)),
        "medins_list_codg": pa.array([local.code[n] for n in places]),
        "medins_list_name": pa.array([local.name[n] for n in places]),
        "spec": pa.array([local.spec[n] for n in places]),
        "dosform_name": pa.array([item.form for item in chosen]),
        "material": pa.array([item.material for item in chosen]),
        "prodentp_name": pa.array([item.maker for item in chosen]),
        "aprvno": licence,
        "regno": licence,
        "unit": pa.array([item.unit for item in chosen]),
        "pric": local.price_fen[places],
        "+stock": _shelves(shape, len(places)),
    }
    return render(values, file_columns(shape, table), shape)


def _shelves(shape: Layout, count: int) -> pa.Array:
    return pa.array([f"{'ABCDEF'[(n + shape.number) % 6]}-{n // 12 + 1:02d}-{n % 12 + 1:02d}" for n in range(count)])
