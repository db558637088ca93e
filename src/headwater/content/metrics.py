"""What is measured of every delivery: one metric a line, with its kind, its wording and why it is watched.

The kind says how far a metric may move before it is told: see :mod:`headwater.content.bounds`.
"""

from dataclasses import dataclass
from typing import Literal

from headwater.claims.canonical import ENTITIES, Entity
from headwater.errors import Message

__all__ = ["METRICS", "PAIRS", "Kind", "Metric", "columns", "title", "watched"]

Kind = Literal["share", "fault", "drift", "size", "amount", "level", "exact"]
"""How a metric varies when nothing is wrong.

share   a part of the rows: binomial, and a little more
fault   a part of the rows that should be none; only more of it is told
drift   a distance from what was delivered before; only more of it is told
size    a number of rows
amount  positive, varies by a factor
level   varies by a difference
exact   one value, or one of few
"""


@dataclass(frozen=True)
class Metric:
    """One number measured of each delivery.

    Parameters
    ----------
    stops : whether a value out of bounds is an error
    """

    name: str
    kind: Kind
    title: Message
    why: Message
    stops: bool = False


def _m(name: str, kind: Kind, title: tuple[str, str], why: tuple[str, str]) -> Metric:
    return Metric(name, kind, Message(*title), Message(*why))


def _e(name: str, kind: Kind, title: tuple[str, str], why: tuple[str, str]) -> Metric:
    return Metric(name, kind, Message(*title), Message(*why), stops=True)


_MOVED = (
    "分布移动多因列错位、单位或口径改变。",
    "A moved distribution mostly means a shifted column or a changed unit.",
)
_WRITTEN = ("写法改变多因重新导出或编码丢失位数。", "A changed spelling mostly means a new export or lost digits.")
_LINKED = ("各表须相互吻合，否则费用归错住院。", "Tables must agree with each other, or costs go to the wrong stay.")
_SUMS = ("金额关系不成立时，支付与统计都会出错。", "Where amounts do not add up, payment and statistics are wrong.")
_DATES = ("日期成批偏移会把住院归入错误的月份。", "Dates that moved together put stays into the wrong month.")
_WHO = ("人员编号改变后，再入院与个人累计无从计算。", "With changed person numbers readmissions cannot be followed.")
_NEW = ("大量从未出现的值多因编码体系或字典被更换。", "Many values never seen before mean a replaced code system.")
_VOLUME = ("数据量突变多因漏报、重报或导出条件改变。", "A sudden change of volume means rows missing or sent twice.")
_PLAUSIBLE = ("违背常识的记录成批出现，说明列被改写。", "Many records against common sense mean a rewritten column.")

_ALL = (
    _e("rows", "size", ("行数", "rows"), _VOLUME),
    _e("quarantine_share", "fault", ("隔离行占比", "share of quarantined rows"), _WRITTEN),
    _e("duplicate_share", "fault", ("重复行占比", "share of duplicate rows"), _VOLUME),
    _e("months_on", "exact", ("距上次送报的月数", "months since the delivery before"), _DATES),
    _m("days_missing", "level", ("当月无记录的天数", "days of the month without a row"), _VOLUME),
    _e("repeated_share", "fault", ("内容重复行占比", "share of rows that repeat another's content"), _VOLUME),
    _e("null_share", "share", ("空值占比", "share of empty cells"), _MOVED),
    _m("distinct", "amount", ("互异值个数", "distinct values"), _MOVED),
    _m("distinct_share", "share", ("互异值占比", "share of distinct values"), _WHO),
    _m("top_share", "share", ("最常见值占比", "share of the most frequent value"), _MOVED),
    _m("unseen_share", "fault", ("未曾出现的值占比", "share of values never seen before"), _NEW),
    _m("mix_distance", "drift", ("与以往构成的距离", "distance from the mix so far"), _MOVED),
    _m("absent_share", "drift", ("以往取值缺席的占比", "share of the mix so far that is absent"), _MOVED),
    _m("length_share", "share", ("最常见长度占比", "share of the most frequent length"), _WRITTEN),
    _m("length_mean", "amount", ("平均长度", "mean length"), _WRITTEN),
    _m("digits_share", "share", ("纯数字占比", "share of values of digits alone"), _WRITTEN),
    _m("wide_share", "share", ("含汉字占比", "share of values beyond ASCII"), _WRITTEN),
    _e("garbled_share", "fault", ("疑似乱码占比", "share of values that look garbled"), _WRITTEN),
    _e("identity_share", "fault", ("含身份证形数字占比", "share of values shaped like an identity number"), _WHO),
    *(_m(f"p{q}", "amount", (f"P{q}", f"P{q}"), _MOVED) for q in ("01", "25", "50", "75", "99")),
    _m("mean", "amount", ("均值", "mean"), _MOVED),
    _m("negative_share", "share", ("负数占比", "share of negative values"), _SUMS),
    _m("zero_share", "share", ("零占比", "share of zeros"), _SUMS),
    _m("whole_share", "share", ("整数占比", "share of whole numbers"), _MOVED),
    _m("midnight_share", "share", ("零点整占比", "share of times at midnight"), _DATES),
    _m("month_share", "share", ("主要月份占比", "share of rows in the main month"), _DATES),
    _m("late_days_share", "share", ("12 日以后占比", "share of days after the 12th"), _DATES),
    _m("weekend_share", "share", ("周末占比", "share of weekends"), _DATES),
    _m("span_days", "amount", ("日期跨度", "span of days"), _DATES),
    _m("year_p50", "level", ("年份中位数", "median year"), _DATES),
    _m("fund_share", "level", ("基金支付占比", "share paid by the fund"), _SUMS),
    _e("parts_gap", "fault", ("基金与个人不合总额占比", "share where the parts do not add up"), _SUMS),
    _m("amount_per_day", "amount", ("日均费用中位数", "median cost a day"), _MOVED),
    _m("age_gap", "fault", ("年龄与出生日期不符占比", "share where age and birth differ"), _PLAUSIBLE),
    _m("days_gap", "fault", ("住院天数与起止时间不符占比", "share where days and times differ"), _PLAUSIBLE),
    _e("sex_gap", "fault", ("诊断与性别不符占比", "share of diagnoses that the sex cannot have"), _PLAUSIBLE),
    _m("overlap_share", "fault", ("同一人住院重叠占比", "share of stays that overlap another one"), _PLAUSIBLE),
    _m("male_share", "share", ("男性占比", "share of men"), _MOVED),
    _m("person_gap", "fault", ("一证多号占比", "share of identity numbers with several persons"), _WHO),
    _m("returning_share", "share", ("以往出现过的人员占比", "share of persons seen before"), _WHO),
    _e("with_lines_share", "share", ("有费用明细的住院占比", "share of stays with fee lines"), _LINKED),
    _m("lines_per_stay", "amount", ("每次住院明细行数", "fee lines a stay"), _LINKED),
    _e("fee_gap", "fault", ("明细之和不等于总费用的占比", "share where fee lines do not add up"), _SUMS),
    _e("fee_ratio", "level", ("明细之和与总费用之比", "sum of fee lines over total cost"), _SUMS),
    _m("diagnoses_per_stay", "amount", ("每次住院诊断数", "diagnoses a stay"), _LINKED),
    _m("operations_per_stay", "amount", ("每次住院手术数", "operations a stay"), _LINKED),
    _m("main_diagnosis_gap", "fault", ("首诊断不符占比", "share where the first diagnosis is another"), _LINKED),
    _m("main_operation_gap", "fault", ("首手术不符占比", "share where the first operation is another"), _LINKED),
    _e("settled_gap", "fault", ("结算之和不等于总费用的占比", "share where settlements do not add up"), _SUMS),
    _e("amount_gap", "fault", ("数量乘单价不合金额占比", "share where the product is not the amount"), _SUMS),
    _e("orphan_share", "fault", ("没有住院的行占比", "share of rows without a stay"), _LINKED),
    _m("outside_share", "fault", ("住院期间以外的费用占比", "share of charges outside the stay"), _DATES),
    _m("list_gap", "fault", ("与目录价不符占比", "share of prices unlike the price list"), _SUMS),
    _m("listed_share", "share", ("在目录内的占比", "share of items on the list"), _LINKED),
    _m("billed_price_gap", "fault", ("与收费单价不符的目录项占比", "share of list prices unlike those billed"), _SUMS),
    _m("billed_name_gap", "fault", ("与收费名称不符的目录项占比", "share of list names unlike those billed"), _WRITTEN),
    _m("billed_share", "level", ("收费过的目录项占比", "share of the list that was billed"), _LINKED),
    _e("origin_gap", "fault", ("无对应原结算的退费占比", "share of reversals without what they reverse"), _LINKED),
    _e("sign_gap", "fault", ("正负与退费标志不符占比", "share where sign and reversal flag disagree"), _SUMS),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by its name."""

PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "front_page": (("dscg_maindiag_code", "dscg_maindiag_name"), ("fixmedins_code", "adm_dept_name")),
    "diagnosis": (("diag_code", "diag_name"),),
    "operation": (("oprn_oprt_code", "oprn_oprt_name"),),
    "fee_line": (
        ("medins_list_codg", "medins_list_name"),
        ("medins_list_codg", "med_list_codg"),
        ("medins_list_codg", "med_chrgitm_type"),
        ("medins_list_codg", "chrgitm_lv"),
        ("medins_list_codg", "selfpay_prop"),
        ("medins_list_codg", "pric"),
    ),
}
"""Columns whose values belong together: a pair never seen before is told though both of its values are known."""

_NAMING = {"mdtrt_id", "setl_id", "init_setl_id", "feedetl_sn"}


def watched(entity: Entity) -> tuple[str, ...]:
    """Return the columns whose values are counted (as hashes): codes and words that name neither persons nor bills."""
    return tuple(f.name for f in entity.fields if f.type in ("code", "text") and f.name not in _NAMING)


def columns(entity: Entity) -> tuple[str, ...]:
    """Return everything whose values are counted: columns, and pairs written ``first+second``."""
    return watched(entity) + tuple("+".join(pair) for pair in PAIRS.get(entity.name, ()))


def title(entity: str, column: str, metric: str) -> Message:
    """Say what was measured, e.g. ``total cost: P50``."""
    words = METRICS[metric].title
    known = {field.name: field for field in ENTITIES[entity].fields}
    parts = [known[name] for name in column.split("+") if name in known]
    if not parts:
        return words
    zh, en = (" + ".join(getattr(part, language) for part in parts) for language in ("zh", "en"))
    return Message(f"{zh}：{words.zh}", f"{en.split(';')[0].split(':')[0]}: {words.en}")
