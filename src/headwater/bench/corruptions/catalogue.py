"""Price lists sent again with something wrong."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, times

__all__: list[str] = []


@corruption("药品目录价格放大十倍", "drug list prices times ten")
def _drug_prices_times_10(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("drug")
    return month.sheets["drug"].change("pric", times("10"))


@corruption("部分药品价格有误", "a tenth of drug prices wrong", strength=0.1)
def _some_drug_prices_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("drug")
    return month.sheets["drug"].change("pric", times("1.5"), month.sheets["drug"].some(rng, strength))


@corruption("药品计价单位被更换", "drug units changed")
def _drug_units_changed(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("drug")
    return month.sheets["drug"].change("unit", lambda cell: "箱")


@corruption("药品名称与编码错位一行", "drug names moved by a row")
def _drug_names_slipped(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("drug")
    sheet = month.sheets["drug"]
    cells = sheet.get("medins_list_name")
    for row, cell in zip(sheet.rows, [cells[-1], *cells[:-1]], strict=True):
        row[sheet.places["medins_list_name"]] = cell
    return len(sheet.rows)


@corruption("耗材目录少一半", "half of the consumable list missing", strength=0.5)
def _consumables_halved(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("consumable")
    sheet = month.sheets["consumable"]
    kept = len(sheet.rows) // 2
    sheet.rows = sheet.rows[:kept]
    return kept


@corruption("耗材注册证号为空", "registration numbers of consumables empty")
def _registrations_empty(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("consumable")
    return month.sheets["consumable"].change("regno", lambda cell: "")


@corruption("服务项目价格缩小百倍", "service prices divided by 100")
def _service_prices_over_100(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("service_item")
    return month.sheets["service_item"].change("pric", times("0.01"))


@corruption("服务项目编码换了一套", "service codes replaced")
def _service_codes_replaced(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.add("service_item")
    return month.sheets["service_item"].change("medins_list_codg", lambda cell: f"N{cell}")
