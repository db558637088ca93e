"""Tables that no longer agree with each other."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month

__all__: list[str] = []


def _some_stays(month: Month, rng: np.random.Generator, share: float) -> set[str]:
    return {row[month.front.places["mdtrt_id"]] for row in month.front.some(rng, share)}


@corruption("部分住院的首页缺失", "front pages of some stays missing, their lines there", strength=0.05)
def _lines_without_stays(month: Month, rng: np.random.Generator, strength: float) -> int:
    gone = _some_stays(month, rng, strength)
    place = month.front.places["mdtrt_id"]
    return month.front.keep(lambda row: row[place] not in gone)


@corruption("部分住院的明细缺失", "fee lines of some stays missing", strength=0.05)
def _stays_without_lines(month: Month, rng: np.random.Generator, strength: float) -> int:
    gone = _some_stays(month, rng, strength)
    place = month.lines.places["mdtrt_id"]
    return month.lines.keep(lambda row: row[place] not in gone)


@corruption("随机一半明细缺失", "a random half of the lines missing", strength=0.5)
def _lines_half_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.keep(lambda row: rng.random() >= strength)


@corruption("百分之二的明细缺失", "two lines in a hundred missing", strength=0.02)
def _some_lines_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.keep(lambda row: rng.random() >= strength)


@corruption("明细归错住院", "fee lines under the wrong stay", strength=0.05)
def _lines_under_wrong_stay(month: Month, rng: np.random.Generator, strength: float) -> int:
    stays = month.front.get("mdtrt_id")
    rows = month.lines.some(rng, strength)
    return month.lines.change("mdtrt_id", lambda cell: stays[int(rng.integers(len(stays)))], rows)


@corruption("一类费用整体缺失", "one charge category missing")
def _category_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    place = month.lines.places["med_chrgitm_type"]
    drugs = "西药费" if "西药费" in month.lines.get("med_chrgitm_type") else "09"
    return month.lines.keep(lambda row: row[place] != drugs)


@corruption("其他诊断全部丢失", "all further diagnoses lost")
def _diagnosis_list_lost(month: Month, rng: np.random.Generator, strength: float) -> int:
    if "diagnosis" in month.sheets:
        place = month.sheets["diagnosis"].places["diag_srt"]
        return month.sheets["diagnosis"].keep(lambda row: row[place] == "1")
    names = [name for name in month.front.places if name.startswith("diag_") and not name.endswith(":0")]
    return sum(month.front.change(name, lambda cell: "") for name in names)


@corruption("手术记录丢失", "operations dropped")
def _operations_dropped(month: Month, rng: np.random.Generator, strength: float) -> int:
    if "operation" in month.sheets:
        return month.sheets["operation"].keep(lambda row: False)
    names = [name for name in month.front.places if name.startswith("oprn_") or name == "main_oprn_code"]
    return sum(month.front.change(name, lambda cell: "") for name in names)


@corruption("诊断文件的主诊断与首页不符", "first diagnoses unlike the front page", strength=0.2, long=True)
def _main_diagnosis_disagrees(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.sheets["diagnosis"]
    rows = sheet.some(rng, strength)
    cells = [row[sheet.places["diag_code"]] for row in rows]
    for row, cell in zip(rows, [cells[-1], *cells[:-1]], strict=True):
        row[sheet.places["diag_code"]] = cell
    return len(rows)


@corruption("医保目录与收费项目对应错位", "national codes moved against local ones", long=True)
def _item_map_slipped(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.lines
    cells = sheet.get("med_list_codg")
    for row, cell in zip(sheet.rows, [cells[-1], *cells[:-1]], strict=True):
        row[sheet.places["med_list_codg"]] = cell
    return len(sheet.rows)


@corruption("部分项目类别记错", "charge categories of some lines wrong", strength=0.05)
def _categories_wrong(month: Month, rng: np.random.Generator, strength: float) -> int:
    known = sorted(set(month.lines.get("med_chrgitm_type")))
    rows = month.lines.some(rng, strength)
    return month.lines.change("med_chrgitm_type", lambda cell: known[(known.index(cell) + 1) % len(known)], rows)
