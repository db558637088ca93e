"""The sections of a policy file, each read into its value; see docs/payment.md for what they mean."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import yaml

from headwater.claims.payment.money import UNIT
from headwater.claims.payment.policy import (
    Benefit,
    Budget,
    Case,
    Common,
    Death,
    High,
    Outside,
    Repeated,
    Same,
    Tier,
    Transfer,
    Weight,
)
from headwater.claims.payment.tree import Entry

__all__ = [
    "CLASSES",
    "factor",
    "read_benefits",
    "read_budget",
    "read_case",
    "read_coefficients",
    "read_common",
    "read_death",
    "read_high",
    "read_outside",
    "read_rates",
    "read_repeated",
    "read_transfer",
    "read_weights",
    "share",
]

CLASSES = ("jia", "yi", "bing")
"""Item classes 甲, 乙 and 丙."""

_WEIGHT_KEYS = ("mean_days", "low", "high")
_REPEATED = ("same_day_readmission", "split_stay", "readmission")
_EXPECTED = ("payable", "fund", "self_pay")
_YUAN = 10**11


def factor(entry: Entry, *, high: int = 1000) -> int:
    """Return a factor with at most six decimals in millionths."""
    return entry.number(6, high=high)


def share(entry: Entry) -> int:
    """Return a factor from 0 to 1 in millionths."""
    return factor(entry, high=1)


def _amount(entry: Entry) -> int:
    """Return an amount of money, at most 10¹¹ of the currency, in fen."""
    return entry.number(2, high=_YUAN)


def read_weights(entry: Entry, folder: Path | None) -> tuple[dict[str, Weight], dict[str, Weight]]:
    """Return weights by DRG and by ADRG, from the file itself and from a csv beside it."""
    found = entry.fields(optional=("file", "drg", "adrg"))
    drgs: dict[str, Weight] = {}
    adrgs: dict[str, Weight] = {}
    if "file" in found:
        _read_csv(found["file"], folder, drgs, adrgs)
    for key, weights in (("drg", drgs), ("adrg", adrgs)):
        for code, value in found[key].items() if key in found else ():
            weights[code] = _weight(value)
    if not drgs and not adrgs:
        raise entry.wrong("at least one weight", "至少一个权重")
    return drgs, adrgs


def _weight(entry: Entry) -> Weight:
    if isinstance(entry.node, yaml.ScalarNode):
        return Weight(_positive(entry))
    found = entry.fields("weight", optional=_WEIGHT_KEYS)
    return Weight(
        weight=_positive(found["weight"]),
        mean_days=factor(found["mean_days"]) if "mean_days" in found else None,
        low=_amount(found["low"]) if "low" in found else None,
        high=_amount(found["high"]) if "high" in found else None,
    )


def _read_csv(entry: Entry, folder: Path | None, drgs: dict[str, Weight], adrgs: dict[str, Weight]) -> None:
    """Read ``level,code,weight,mean_days,low,high``; a line that cannot be read is refused with its number."""
    name = entry.text()
    if folder is None or "/" in name or not (folder / name).is_file():
        raise entry.wrong("the name of a csv file beside the policy", "与政策文件同目录的 csv 文件名")
    header, rows = _table(entry, folder / name)
    keys = header[3:]
    if header[:3] != ["level", "code", "weight"] or not set(keys) <= set(_WEIGHT_KEYS) or len(set(keys)) < len(keys):
        raise entry.wrong(f"a csv with level,code,weight,{','.join(_WEIGHT_KEYS)}", "表头如左所列的 csv")
    for line, row in rows:
        cells = {key: _cell(value, name, line, key) for key, value in zip(header, row, strict=False) if value}
        if not {"level", "code", "weight"} <= set(cells) or len(row) > len(header):
            raise _cell(",".join(row), name, line, "").wrong(
                f"a row of {', '.join(header)}", f"含 {'、'.join(header)} 的一行"
            )
        weights = drgs if cells["level"].one_of("drg", "adrg") == "drg" else adrgs
        if cells["code"].text() in weights:
            raise cells["code"].wrong("a code that stands once", "只出现一次的编码")
        weights[cells["code"].text()] = Weight(
            weight=_positive(cells["weight"]),
            mean_days=factor(cells["mean_days"]) if "mean_days" in cells else None,
            low=_amount(cells["low"]) if "low" in cells else None,
            high=_amount(cells["high"]) if "high" in cells else None,
        )


def _table(entry: Entry, file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header of a csv, and its rows with the line on which each ends."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.reader(opened)
            return next(rows, []), [(rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise entry.wrong("the name of a csv in UTF-8", "UTF-8 编码的 csv 文件名") from error


def _cell(value: str, file: str, line: int, path: str) -> Entry:
    mark = yaml.Mark(file, 0, line - 1, 0, None, 0)
    return Entry(yaml.ScalarNode("tag:yaml.org,2002:str", value, mark), file, path)


def _positive(entry: Entry) -> int:
    value = factor(entry)
    if value == 0:
        raise entry.wrong("above zero", "大于零")
    return value


def read_rates(entry: Entry) -> dict[tuple[str, str], int]:
    """Return base rates by hospital level and insurance type."""
    rates: dict[tuple[str, str], int] = {}
    for rate in entry.entries():
        found = rate.fields("hosp_lv", "insutype", "amount")
        key = (found["hosp_lv"].text(), found["insutype"].text())
        if key in rates:
            raise rate.wrong("a level and insurance type that stand once", "只出现一次的级别与险种")
        rates[key] = _amount(found["amount"])
    return rates


def read_coefficients(entry: Entry) -> dict[str, int]:
    """Return coefficients by hospital."""
    return {hospital: factor(value, high=10) for hospital, value in entry.items()}


def read_common(entry: Entry) -> tuple[Common, ...]:
    """Return the common diseases that are paid otherwise; the first that fits a stay holds."""
    return tuple(map(_common, entry.entries()))


def _common(entry: Entry) -> Common:
    sets = ("drgs", "adrgs", "diagnoses", "hosp_lv", "insutype")
    found = entry.fields("name", optional=(*sets, "rate", "factor"))
    if not {"drgs", "adrgs", "diagnoses"} & set(found) or not {"rate", "factor"} & set(found):
        raise entry.wrong(
            "a mapping with drgs, adrgs or diagnoses, and with rate or factor",
            "含 drgs、adrgs 或 diagnoses 之一，且含 rate 或 factor 的映射",
        )
    drgs, adrgs, diagnoses, levels, insured = (found[key].texts() if key in found else () for key in sets)
    return Common(
        name=found["name"].text(),
        drgs=frozenset(drgs),
        adrgs=frozenset(adrgs),
        diagnoses=diagnoses,
        hosp_lv=frozenset(levels),
        insutype=frozenset(insured),
        rate=_amount(found["rate"]) if "rate" in found else None,
        factor=factor(found["factor"], high=10) if "factor" in found else UNIT,
    )


def read_high(entry: Entry) -> High:
    """Return the rule of high outliers."""
    found = entry.fields("share", "tiers")
    tiers: list[tuple[int | None, int]] = []
    for tier in found["tiers"].entries():
        keys = tier.fields("above", optional=("weight_below",))
        below = factor(keys["weight_below"]) if "weight_below" in keys else None
        if factor(keys["above"], high=100) < UNIT:
            raise keys["above"].wrong("at least 1", "不小于 1")
        tiers.append((below, factor(keys["above"], high=100)))
    _ascending(found["tiers"], [below for below, _ in tiers])
    return High(share(found["share"]), tuple(tiers))


def read_death(entry: Entry) -> Death:
    """Return the rule of deaths."""
    found = entry.fields("within_days", "pay")
    pay = cast(Literal["cost", "package"], found["pay"].one_of("cost", "package"))
    return Death(found["within_days"].number(0, high=100_000), pay)


def read_transfer(entry: Entry) -> Transfer:
    """Return the rule of transfers."""
    found = entry.fields("ways", "pay")
    by_day = found["pay"].text() == "by_day"
    return Transfer(frozenset(found["ways"].texts()), None if by_day else share(found["pay"]))


def read_repeated(entry: Entry) -> tuple[Repeated, ...]:
    """Return the rules of further stays, in the order in which they are tried."""
    return tuple(map(_repeated, entry.entries()))


def _repeated(entry: Entry) -> Repeated:
    found = entry.fields("name", "within_days", "same", "pay", optional=("spared",))
    once = found["pay"].text() == "once"
    return Repeated(
        name=found["name"].one_of(*_REPEATED),
        within_days=found["within_days"].number(0, high=366),
        same=cast(Same, found["same"].one_of("any", "mdc", "adrg", "drg")),
        share=None if once else share(found["pay"]),
        spared=frozenset(found["spared"].texts() if "spared" in found else ()),
    )


def read_outside(entry: Entry) -> Outside:
    """Return which consumables are paid outside the package."""
    found = entry.fields("outside", "share", optional=("adrgs",))
    which = found["outside"].one_of("high_value_amount", "consumable_amount")
    return Outside(
        amount=cast(Literal["high_value_amount", "consumable_amount"], which),
        share=share(found["share"]),
        adrgs=frozenset(found["adrgs"].texts() if "adrgs" in found else ()),
    )


def read_benefits(entry: Entry) -> dict[tuple[str, str], Benefit]:
    """Return ratios of reimbursement by insurance type and hospital level."""
    benefits: dict[tuple[str, str], Benefit] = {}
    for ratio in entry.entries():
        found = ratio.fields(
            "insutype", "hosp_lv", "eligible", "deductible", "tiers", optional=("ceiling", "ceiling_per")
        )
        key = (found["insutype"].text(), found["hosp_lv"].text())
        if key in benefits:
            raise ratio.wrong("an insurance type and level that stand once", "只出现一次的险种与级别")
        eligible = found["eligible"].fields(*CLASSES)
        first, *further = _deductibles(found["deductible"])
        benefits[key] = Benefit(
            eligible={name: share(eligible[name]) for name in CLASSES},
            deductible=first,
            tiers=_tiers(found["tiers"]),
            ceiling=_amount(found["ceiling"]) if "ceiling" in found else None,
            yearly="ceiling_per" in found and found["ceiling_per"].one_of("year", "stay") == "year",
            further=tuple(further),
        )
    return benefits


def _deductibles(entry: Entry) -> list[int]:
    """Return one deductible for all stays, or those of a year's first, second and further stays."""
    found = entry.each()
    if not found:
        raise entry.wrong("an amount, or a list of at least one", "一个金额，或至少含一个金额的列表")
    return [_amount(one) for one in found]


def _tiers(entry: Entry) -> tuple[Tier, ...]:
    tiers = []
    for tier in entry.entries():
        found = tier.fields("ratio", optional=("up_to",))
        tiers.append(Tier(_amount(found["up_to"]) if "up_to" in found else None, share(found["ratio"])))
    _ascending(entry, [tier.up_to for tier in tiers])
    return tuple(tiers)


def read_budget(entry: Entry) -> Budget:
    """Return global budgets."""
    found = entry.fields("hospitals", "prepaid_share", optional=("surplus", "excess", "pools"))
    surplus = _bands(found["surplus"], "down_to", "keep") if "surplus" in found else ()
    excess = _bands(found["excess"], "up_to", "pay") if "excess" in found else ()
    return Budget(
        hospitals={hospital: _amount(value) for hospital, value in found["hospitals"].items()},
        prepaid=share(found["prepaid_share"]),
        surplus=surplus,
        excess=excess,
        pools={insured: _amount(value) for insured, value in found["pools"].items()} if "pools" in found else {},
    )


def _bands(entry: Entry, bound: str, part: str) -> tuple[tuple[int | None, int], ...]:
    bands = []
    for band in entry.entries():
        found = band.fields(part, optional=(bound,))
        bands.append((factor(found[bound], high=10) if bound in found else None, share(found[part])))
    bounds = [value for value, _ in bands]
    turned = [None if value is None else 10 * UNIT - value for value in bounds] if bound == "down_to" else bounds
    _ascending(entry, turned)
    return tuple(bands)


def _ascending(entry: Entry, bounds: list[int | None]) -> None:
    """Refuse bounds that do not move on, and a last one that is not open."""
    closed = [bound for bound in bounds[:-1] if bound is not None]
    moves = all(one < other for one, other in zip(closed, closed[1:], strict=False))
    if not bounds or bounds[-1] is not None or len(closed) < len(bounds) - 1 or not moves:
        raise entry.wrong("tiers in order, the last one without bound", "按次序排列的分段，末段不写界限")


def read_case(entry: Entry) -> Case:
    """Return a test of the policy."""
    found = entry.fields("name", "stays")
    stays: list[Mapping[str, str]] = []
    expected: list[Mapping[str, int]] = []
    for stay in found["stays"].entries():
        keys = dict(stay.items())
        if "pays" not in keys:
            raise stay.wrong("a stay with its payment: pays", "含应付金额 pays 的住院")
        pays = dict(keys.pop("pays").items())
        for key, value in pays.items():
            if key not in _EXPECTED:
                raise value.wrong(f"one of {', '.join(_EXPECTED)}", f"{'、'.join(_EXPECTED)} 之一")
        stays.append({key: value.text() for key, value in keys.items()})
        expected.append({key: value.number(2, low=-_YUAN, high=_YUAN) for key, value in pays.items()})
    return Case(found["name"].text(), entry.where, tuple(stays), tuple(expected), entry.at)
