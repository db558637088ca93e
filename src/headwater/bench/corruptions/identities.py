"""Who and where: persons, stays and hospitals named wrongly."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, numeric

__all__: list[str] = []


@corruption("人员编号全部相同", "all person numbers equal")
def _persons_all_equal(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("psn_no", lambda cell: "42000000000000")


@corruption("人员编号换了一套", "person numbers replaced by another set")
def _persons_rekeyed(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("psn_no", lambda cell: f"9{cell[::-1]}")


@corruption("人员编号为空", "a fifth of person numbers empty", strength=0.2)
def _persons_missing(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("psn_no", lambda cell: "", month.front.some(rng, strength))


@corruption("医院编码是另一家医院的", "the code of another hospital", long=True)
def _hospital_of_another(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("fixmedins_code", lambda cell: "H0199")


@corruption("部分行的医院编码是另一家医院的", "the code of another hospital in some rows", strength=0.05, long=True)
def _hospital_of_another_in_some(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("fixmedins_code", lambda cell: "H0199", month.front.some(rng, strength))


@corruption("住院号换了写法", "stay numbers written otherwise, in front pages alone")
def _stays_renumbered(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("mdtrt_id", lambda cell: f"X{cell}")


@corruption("住院号成科学计数法", "stay numbers in scientific notation", long=True)
def _stays_in_scientific(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("mdtrt_id", numeric(lambda code: f"{code:.5E}"))


@corruption("整行复制并换新流水号", "rows doubled under new numbers", strength=0.1)
def _lines_doubled(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet = month.lines
    added = [list(row) for row in sheet.some(rng, strength)]
    for row in added:
        row[sheet.places["feedetl_sn"]] += "9"
    sheet.rows += added
    return len(added)


@corruption("住院复制并换新住院号", "stays doubled under new numbers", strength=0.1)
def _stays_doubled(month: Month, rng: np.random.Generator, strength: float) -> int:
    chosen = {row[month.front.places["mdtrt_id"]] for row in month.front.some(rng, strength)}
    added = 0
    for name in ("front_page", "diagnosis", "operation", "fee_line"):
        if name in month.sheets:
            sheet = month.sheets[name]
            place = sheet.places["mdtrt_id"]
            more = [[*row[:place], f"{row[place]}8", *row[place + 1 :]] for row in sheet.rows if row[place] in chosen]
            sheet.rows += more
            added += len(more)
    return added


@corruption("结算号全部相同", "all settlement numbers equal")
def _settlements_all_equal(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("setl_id", lambda cell: "S1")
