"""The stays to be priced, as columns of whole numbers: codes as places in lists, amounts in fen, days as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.money import Fen, fen_of
from headwater.errors import Message, Refusal

__all__ = ["AMOUNTS", "Cases", "Codes", "Mask", "read_cases"]

Mask = npt.NDArray[np.bool_]

_REQUIRED = ("stay_id", "hospital_id", "hosp_lv", "insutype", "drg", "medfee_sumamt")
_CODES = (
    *("hospital_id", "hosp_lv", "insutype", "psn_no", "drg", "adrg", "mdc", "status", "dscg_way"),
    "dscg_maindiag_code",
)
AMOUNTS = (
    *("medfee_sumamt", "fund_pay_sumamt", "jia_amount", "yi_amount", "bing_amount"),
    *("consumable_amount", "high_value_amount"),
)
"""Amounts that a policy can ask for; absent ones count as 0 and are told."""

_LARGEST = 10**13


@dataclass(frozen=True)
class Codes:
    """A column of codes: ``names[places[i]]`` is the code of row i, place -1 an empty cell."""

    places: npt.NDArray[np.int64]
    names: list[str]

    def among(self, codes: frozenset[str]) -> Mask:
        """Return which rows hold one of the codes."""
        return self.where([name in codes for name in self.names])

    def beginning(self, beginnings: tuple[str, ...]) -> Mask:
        """Return which rows hold a code that begins so."""
        return self.where([name.startswith(beginnings) for name in self.names])

    def where(self, flags: list[bool]) -> Mask:
        """Return a flag of each name for each row; empty cells have none."""
        return np.asarray([*flags, False], dtype=np.bool_)[self.places]

    def valued(self, values: list[int], empty: int) -> Fen:
        """Return a value of each name for each row."""
        return np.asarray([*values, empty], dtype=np.int64)[self.places]

    def name(self, row: int) -> str:
        """Return a row's code, empty where it has none."""
        return self.names[self.places[row]] if self.places[row] >= 0 else ""


@dataclass(frozen=True)
class Cases:
    """Stays to be priced, n rows in the order of the table.

    Parameters
    ----------
    stay_id : as given
    codes : the columns of codes by name
    amounts : the columns of amounts by name, fen
    costed : whether a stay's total is known
    days : length of stay in days, -1 where unknown
    begin, end : days since 1970, None where the table has no such column
    dated : whether both are known
    missing : columns that the table does not have
    """

    stay_id: pa.ChunkedArray
    codes: Mapping[str, Codes]
    amounts: Mapping[str, Fen]
    costed: Mask
    days: Fen
    begin: Fen
    end: Fen
    dated: Mask
    missing: tuple[str, ...]

    @property
    def cost(self) -> Fen:
        """What was billed, fen."""
        return self.amounts["medfee_sumamt"]

    def part(self, name: str) -> Fen:
        """Return an amount as far as it can be part of the bill, fen: never negative, and no more than a known bill."""
        amount = np.maximum(self.amounts[name], 0)
        return np.where(self.costed, np.minimum(amount, np.maximum(self.cost, 0)), amount)

    def __len__(self) -> int:
        return len(self.stay_id)


def read_cases(stays: pa.Table, plan_drgs: pa.Table | None) -> Cases:
    """Return the columns of a table of stays; ADRG and MDC come from the plan where the table has none.

    Raises
    ------
    Refusal
        ``E-PAYMENT-COLUMN`` when a required column is absent, or holds what cannot be priced
    """
    for name in _REQUIRED:
        if name not in stays.column_names:
            raise _wrong(name, "present", "有此列")
    amounts, known = {}, {}
    for name in AMOUNTS:
        column = stays[name] if name in stays.column_names else pa.chunked_array([pa.nulls(len(stays))])
        amounts[name], known[name] = fen_of(column, name)
        if len(stays) and int(np.abs(amounts[name]).max()) > _LARGEST:
            raise _wrong(name, f"at most {_LARGEST} fen", f"不超过 {_LARGEST} 分")
    codes = {name: _codes(stays, name) for name in _CODES}
    for name in ("adrg", "mdc"):
        if name not in stays.column_names and plan_drgs is not None:
            codes[name] = _of_plan(codes["drg"], plan_drgs, name)
    begin, begun = _dates(stays, "begntime")
    end, ended = _dates(stays, "endtime")
    return Cases(
        stay_id=stays["stay_id"],
        codes=codes,
        amounts=amounts,
        costed=known["medfee_sumamt"],
        days=_whole(stays, "stay_days"),
        begin=begin,
        end=end,
        dated=begun & ended,
        missing=tuple(name for name in (*_CODES, *AMOUNTS) if name not in stays.column_names),
    )


def _codes(stays: pa.Table, name: str) -> Codes:
    if name not in stays.column_names or pa.types.is_null(stays[name].type) or not len(stays):
        return Codes(np.full(len(stays), -1, np.int64), [])
    column = stays[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        raise _wrong(name, "text, as codes keep their leading zeros", "文本，编码须保留前导零")
    encoded = pc.dictionary_encode(column.combine_chunks())
    places = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Codes(places, encoded.dictionary.to_pylist())


def _of_plan(drg: Codes, plan_drgs: pa.Table, name: str) -> Codes:
    known = dict(zip(plan_drgs["code"].to_pylist(), plan_drgs[name].to_pylist(), strict=True))
    names = sorted({value for value in map(known.get, drg.names) if value is not None})
    places = {value: place for place, value in enumerate(names)}
    return Codes(drg.valued([places.get(known.get(code) or "", -1) for code in drg.names], -1), names)


def _dates(stays: pa.Table, name: str) -> tuple[Fen, Mask]:
    if name not in stays.column_names or pa.types.is_null(stays[name].type):
        return np.zeros(len(stays), np.int64), np.zeros(len(stays), np.bool_)
    column = stays[name]
    if not pa.types.is_temporal(column.type):
        raise _wrong(name, "a date or timestamp", "日期或时间")
    if not pa.types.is_date32(column.type):
        # Truncated, not rounded: the time of day plays no part in any rule.
        column = column.cast(pa.date32(), safe=False)
    known = column.is_valid().combine_chunks().to_numpy(zero_copy_only=False)
    return pc.fill_null(column.cast(pa.int32()), 0).to_numpy().astype(np.int64), np.asarray(known, dtype=np.bool_)


def _whole(stays: pa.Table, name: str) -> Fen:
    if name not in stays.column_names or pa.types.is_null(stays[name].type):
        return np.full(len(stays), -1, np.int64)
    if not pa.types.is_integer(stays[name].type):
        raise _wrong(name, "a whole number", "整数")
    return np.asarray(pc.fill_null(stays[name].cast(pa.int64()), -1).to_numpy(), dtype=np.int64)


def _wrong(name: str, must_en: str, must_zh: str) -> Refusal:
    return Refusal(
        "E-PAYMENT-COLUMN",
        Message(f"待付费的住院表之列 {name} 有误。", f"Column {name} of the stays to be priced is wrong."),
        Message(f"应为：{must_zh}。", f"It must be {must_en}."),
    )
