"""Who is missing: parts of the month that never arrived, consistently in all tables or in one."""

from collections import Counter

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, number

__all__: list[str] = []


def _stays(month: Month) -> list[str]:
    return month.front.get("mdtrt_id")


def _without(month: Month, field: str, value: str) -> int:
    cells = month.front.get(field)
    return month.drop_stays({stay for stay, cell in zip(_stays(month), cells, strict=True) if cell == value})


@corruption("后半个月的住院缺失", "the second half of the stays missing", strength=0.5)
def _stays_tail_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    stays = _stays(month)
    return month.drop_stays(set(stays[len(stays) // 2 :]))


@corruption("前半个月的住院缺失", "the first half of the stays missing", strength=0.5)
def _stays_head_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    stays = _stays(month)
    return month.drop_stays(set(stays[: len(stays) // 2]))


@corruption("随机一半住院缺失", "a random half of the stays missing", strength=0.5)
def _stays_half_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    stays = np.array(_stays(month))
    return month.drop_stays(set(rng.permutation(stays)[: len(stays) // 2]))


@corruption("最大的科室缺失", "the largest department missing")
def _department_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    largest = Counter(month.front.get("adm_dept_name")).most_common(1)[0][0]
    return _without(month, "adm_dept_name", largest)


@corruption("一个险种缺失", "one insurance type missing")
def _insurance_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _without(month, "insutype", Counter(month.front.get("insutype")).most_common(2)[1][0])


@corruption("某几天出院的住院缺失", "three days of discharges missing")
def _days_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    days = [cell[:10] if "-" in cell else cell[:8] for cell in month.front.get("endtime")]
    known = [name for name, _ in Counter(days).most_common(3)]
    return month.drop_stays({stay for stay, name in zip(_stays(month), days, strict=True) if name in known})


@corruption("女性住院缺失", "women missing")
def _women_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    women = "女" if "女" in month.front.get("gend") else "2"
    return _without(month, "gend", women)


@corruption("急诊住院缺失", "emergencies missing")
def _emergencies_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _without(month, "adm_way", "急诊" if "急诊" in month.front.get("adm_way") else "1")


@corruption("死亡病例缺失", "everybody discharged alive and long stays missing")
def _dear_stays_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    totals = np.nan_to_num(np.array([number(cell) for cell in month.front.get("medfee_sumamt")]))
    limit = np.quantile(totals, 0.75)
    return month.drop_stays({stay for stay, total in zip(_stays(month), totals, strict=True) if total > limit})


@corruption("主诊断半数改为同一编码", "half of the main diagnoses replaced by one", strength=0.5)
def _diagnosis_replaced(month: Month, rng: np.random.Generator, strength: float) -> int:
    code, name = month.front.get("dscg_maindiag_code")[0], month.front.get("dscg_maindiag_name")[0]
    rows = month.front.some(rng, strength)
    month.front.change("dscg_maindiag_name", lambda cell: name, rows)
    return month.front.change("dscg_maindiag_code", lambda cell: code, rows)


@corruption("老年患者比例大增", "only patients above fifty")
def _young_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    ages = month.front.get("age")
    young = {stay for stay, age in zip(_stays(month), ages, strict=True) if age.isdigit() and int(age) < 50}
    return month.drop_stays(young)
