"""Dates: exchanged parts, shifts, wrong centuries, impossible orders."""

from datetime import datetime, timedelta

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, day

__all__: list[str] = []


def _exchanged(moment: datetime) -> datetime:
    return moment.replace(month=moment.day, day=moment.month) if moment.day <= 12 else moment


def _all(month: Month, change: object) -> int:
    touched = 0
    for name in ("begntime", "endtime"):
        touched = month.front.change(name, change)  # type: ignore[arg-type]
    return touched + month.lines.change("fee_ocur_time", change)  # type: ignore[arg-type]


@corruption("日与月互换", "day and month exchanged")
def _day_and_month_swapped(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _all(month, day(_exchanged))


@corruption("全部日期提前一个月", "all dates a month early")
def _dates_a_month_early(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _all(month, day(lambda moment: moment - timedelta(days=30)))


@corruption("全部日期提前一年", "all dates a year early")
def _dates_a_year_early(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _all(month, day(lambda moment: moment - timedelta(days=365)))


@corruption("部分日期提前一年", "a tenth of the stays a year early", strength=0.1)
def _some_dates_a_year_early(month: Month, rng: np.random.Generator, strength: float) -> int:
    rows = month.front.some(rng, strength)
    for name in ("begntime", "endtime"):
        touched = month.front.change(name, day(lambda moment: moment - timedelta(days=365)), rows)
    return touched


@corruption("世纪写错", "the wrong century in birth dates", long=True)
def _wrong_century(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("brdy", lambda cell: f"18{cell[2:]}" if cell.startswith("19") else cell)


@corruption("住院年份写成 1925", "the wrong century in times of stay")
def _stays_a_century_early(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _all(month, day(lambda moment: moment.replace(year=moment.year - 100, day=min(moment.day, 28))))


@corruption("出院早于入院", "discharge before admission", strength=0.05)
def _discharge_first(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet, rows = month.front, month.front.some(rng, strength)
    for row in rows:
        a, b = sheet.places["begntime"], sheet.places["endtime"]
        row[a], row[b] = row[b], row[a]
    return len(rows)


@corruption("全部出院日期为月末", "all discharges on one day")
def _discharges_on_one_day(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("endtime", day(lambda moment: moment.replace(year=2025, month=12, day=31)))


@corruption("费用时间全为出院之后", "charges after the discharge")
def _charges_late(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change(
        "fee_ocur_time", day(lambda moment: moment + timedelta(days=45)), month.lines.some(rng, 0.3)
    )


@corruption("钟点丢失", "the time of day lost")
def _clocks_lost(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("begntime", day(lambda moment: moment.replace(hour=0, minute=0, second=0)))


@corruption("住院天数加倍", "days of stay doubled", strength=1.0, long=True)
def _days_doubled(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("ipt_days", lambda cell: str(2 * int(cell)))


@corruption("同一人住院重叠", "stays of one person overlap", strength=0.05)
def _stays_overlap(month: Month, rng: np.random.Generator, strength: float) -> int:
    sheet, rows = month.front, month.front.some(rng, strength)
    place = sheet.places["psn_no"]
    for first, second in zip(rows[::2], rows[1::2], strict=False):
        second[place] = first[place]
        for name in ("begntime", "endtime"):
            second[sheet.places[name]] = first[sheet.places[name]]
    return len(rows)


@corruption("日期成表格序号", "dates as serial numbers of a spreadsheet")
def _dates_as_serials(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("endtime", lambda cell: "12/2025")
