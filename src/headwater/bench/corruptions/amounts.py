"""Money: units, signs, separators, sums and prices."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month, numeric, times

__all__: list[str] = []

_FRONT = ("medfee_sumamt", "fund_pay_sumamt", "psn_selfpay")


def _front(month: Month, factor: str, rows: list[list[str]] | None = None) -> int:
    return max(month.front.change(name, times(factor), rows) for name in _FRONT)


def _lines(month: Month, factor: str, rows: list[list[str]] | None = None) -> int:
    return max(month.lines.change(name, times(factor), rows) for name in ("pric", "det_item_fee_sumamt"))


@corruption("首页金额放大百倍", "front-page amounts times 100")
def _totals_times_100(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _front(month, "100")


@corruption("百分之五的首页金额放大百倍", "five per cent of front-page amounts times 100", strength=0.05)
def _some_totals_times_100(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _front(month, "100", month.front.some(rng, strength))


@corruption("全部金额缩小百倍", "all amounts divided by 100")
def _amounts_over_100(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _front(month, "0.01") + _lines(month, "0.01")


@corruption("全部金额以角计", "all amounts times ten")
def _amounts_times_10(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _front(month, "10") + _lines(month, "10")


@corruption("部分明细金额放大百倍", "some line amounts times 100", strength=0.02)
def _some_lines_times_100(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("det_item_fee_sumamt", times("100"), month.lines.some(rng, strength))


@corruption("全部金额换成另一种货币", "another currency")
def _currency_changed(month: Month, rng: np.random.Generator, strength: float) -> int:
    return _front(month, "0.14") + _lines(month, "0.14")


@corruption("总费用变号", "totals with the sign flipped", strength=0.05)
def _totals_negative(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("medfee_sumamt", lambda cell: f"-{cell}", month.front.some(rng, strength))


@corruption("明细金额变号", "line amounts with the sign flipped", strength=0.05)
def _lines_negative(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("det_item_fee_sumamt", lambda cell: f"-{cell}", month.lines.some(rng, strength))


@corruption("小数点写成逗号", "decimal commas")
def _decimal_comma(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("det_item_fee_sumamt", lambda cell: cell.replace(".", ","))


@corruption("金额取整到元", "amounts rounded to whole units")
def _amounts_rounded(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("medfee_sumamt", numeric(lambda amount: f"{amount:.0f}.00"))


@corruption("总费用与明细之和不符", "totals unlike the sum of lines", strength=0.05)
def _sums_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("medfee_sumamt", times("1.10"), month.front.some(rng, strength))


@corruption("基金与自付之和不等于总额", "fund and patient do not add up", strength=0.05)
def _parts_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("fund_pay_sumamt", times("0.9"), month.front.some(rng, strength))


@corruption("单价整体上涨一成五", "prices 15 per cent higher")
def _prices_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    touched = _lines(month, "1.15")
    _front(month, "1.15")
    return touched


@corruption("部分项目单价被改", "prices of some lines changed", strength=0.05)
def _some_prices_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("pric", times("1.30"), month.lines.some(rng, strength))


@corruption("数量乘单价不等于金额", "quantity times price is not the amount", strength=0.05)
def _products_off(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("cnt", numeric(lambda count: str(int(count) + 1)), month.lines.some(rng, strength))


@corruption("基金支付全部为零", "nothing paid by the fund")
def _fund_zero(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.front.change("psn_selfpay", lambda cell: "0.00")
    sheet = month.front
    for row in sheet.rows:
        row[sheet.places["psn_selfpay"]] = row[sheet.places["medfee_sumamt"]]
    return sheet.change("fund_pay_sumamt", lambda cell: "0.00")


@corruption("自付比例以百分数计", "patient shares in per cent", long=True)
def _shares_in_percent(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("selfpay_prop", times("100"))


@corruption("全部自付比例为零", "patient shares all zero", long=True)
def _shares_zero(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("selfpay_prop", lambda cell: "0.00")
