"""Whole files: sent twice, sent for the wrong month, not sent."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month

__all__: list[str] = []


def _suffixed(file: str, suffix: str) -> str:
    stem, _, ending = file.partition(".")
    return f"{stem}{suffix}.{ending}"


@corruption("同一文件换名重报", "a file sent again under another name")
def _file_duplicated(month: Month, rng: np.random.Generator, strength: float) -> int:
    copy = month.lines.copy(_suffixed(month.lines.file, "_1"))
    month.more.append(copy)
    return len(copy.rows)


@corruption("把上月数据当作本月报送", "last month sent as this month")
def _last_month_again(month: Month, rng: np.random.Generator, strength: float) -> int:
    for name in ("front_page", "fee_line"):
        month.sheets[name].rows = [list(row) for row in month.before[name].rows]
    return len(month.front.rows)


@corruption("上月数据换新住院号报送", "last month sent under new stay numbers")
def _last_month_renumbered(month: Month, rng: np.random.Generator, strength: float) -> int:
    for name in ("front_page", "fee_line", "diagnosis", "operation"):
        if name in month.sheets:
            sheet = month.sheets[name]
            sheet.rows = [list(row) for row in month.before[name].rows]
            sheet.change("mdtrt_id", lambda cell: f"{cell}7")
    return len(month.front.rows)


@corruption("混入上月的部分行", "a fifth of last month's rows sent again", strength=0.2)
def _last_month_mixed_in(month: Month, rng: np.random.Generator, strength: float) -> int:
    rows = [list(row) for row in month.before["fee_line"].some(rng, strength)]
    month.lines.rows += rows
    return len(rows)


@corruption("明细文件未报", "the file of fee lines not sent")
def _lines_not_sent(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.sent.discard("fee_line")
    return len(month.lines.rows)


@corruption("另一家医院的文件放错目录", "another hospital's file in the folder", long=True)
def _file_of_another(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.front.change("mdtrt_id", lambda cell: f"77{cell}")
    month.lines.change("mdtrt_id", lambda cell: f"77{cell}")
    month.lines.change("medins_list_codg", lambda cell: f"K{cell}")
    month.front.change("psn_no", lambda cell: f"5{cell}")
    return month.front.change("fixmedins_code", lambda cell: "H0177")
