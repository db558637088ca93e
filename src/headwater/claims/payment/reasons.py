"""Why a line is there: the closed list of reasons with their step, their account and their sentence in both languages.

Sentences name the operands of their lines in braces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headwater.errors import Message

__all__ = ["REASONS", "STEPS", "Account", "Reason"]

Account = Literal["payable", "self_pay", "fund"]
"""Which total a line belongs to. fund + self_pay = payable, for every stay."""


@dataclass(frozen=True)
class Reason:
    """One reason."""

    account: Account
    step: str
    told: Message


STEPS: Mapping[str, Message] = {
    "base": Message("病组基准", "package"),
    "by_cost": Message("按费用支付", "by cost"),
    "hospital": Message("医院系数", "hospital coefficient"),
    "common_disease": Message("常见病调整", "common disease"),
    "neutral": Message("预算平衡系数", "budget-neutral factor"),
    "repeated": Message("再次住院", "repeated stay"),
    "transfer": Message("转院", "transfer"),
    "death": Message("死亡", "death"),
    "low_outlier": Message("低倍率", "low outlier"),
    "high_outlier": Message("高倍率", "high outlier"),
    "consumables": Message("除外耗材", "consumables outside the package"),
    "floor": Message("基金不为负", "no negative fund payment"),
    "reviewed": Message("人工审核", "decided by a person"),
    "own_share": Message("先行自付", "own share of items"),
    "deductible": Message("起付线", "deductible"),
    "ratio": Message("按比例自付", "share beside the ratio"),
    "ceiling": Message("封顶线以上", "above the ceiling"),
    "patient": Message("个人负担", "paid by the patient"),
    "fund": Message("基金支付", "paid by the fund"),
}
"""The steps in which a payment is worked out, in order."""

_REPEATED = {
    "same_day_readmission": Message("当日再入院", "readmitted the same day"),
    "split_stay": Message("分解住院", "a split stay"),
    "readmission": Message("短期再入院", "readmitted soon"),
}
_CLASSES = {"jia": ("甲类", "class 甲"), "yi": ("乙类", "class 乙"), "bing": ("丙类", "class 丙")}


def _payable(step: str, zh: str, en: str) -> Reason:
    return Reason("payable", step, Message(zh, en))


def _patient(step: str, zh: str, en: str) -> Reason:
    return Reason("self_pay", step, Message(zh, en))


REASONS: Mapping[str, Reason] = {
    "weight_drg": _payable(
        "base", "病组 {drg} 权重 {weight} × 费率 {rate} 元", "weight {weight} of DRG {drg} × base rate {rate}"
    ),
    "weight_adrg": _payable(
        "base",
        "病组 {drg} 无单独权重，取 ADRG {adrg} 权重 {weight} × 费率 {rate} 元",
        "DRG {drg} has no weight of its own: weight {weight} of ADRG {adrg} × base rate {rate}",
    ),
    "common_rate": _payable(
        "base",
        "{disease}同病同价：病组 {drg} 权重 {weight} × 费率 {rate} 元",
        "{disease}, one price everywhere: weight {weight} of DRG {drg} × rate {rate}",
    ),
    "ungrouped": _payable(
        "by_cost",
        "未入组，按费用 {cost} 元的 {share} 支付",
        "not grouped: share {share} of the bill of {cost}",
    ),
    "unrelated": _payable(
        "by_cost",
        "手术与主要诊断无关（{drg}），按费用 {cost} 元的 {share} 支付",
        "the operation has nothing to do with the diagnosis ({drg}): share {share} of the bill of {cost}",
    ),
    "no_weight": _payable(
        "by_cost",
        "病组 {drg} 在本政策中无权重，按费用 {cost} 元的 {share} 支付",
        "the policy has no weight for DRG {drg}: share {share} of the bill of {cost}",
    ),
    "no_rate": _payable(
        "by_cost",
        "{hosp_lv} 级医院、险种 {insutype} 在本政策中无费率，按费用 {cost} 元的 {share} 支付",
        "the policy has no rate for level {hosp_lv} and insurance {insutype}: share {share} of the bill of {cost}",
    ),
    "hospital": _payable(
        "hospital", "{before} 元 × 医院系数 {coefficient} 的差额", "difference of {before} × coefficient {coefficient}"
    ),
    "common_factor": _payable(
        "common_disease",
        "{disease}：{before} 元 × {factor} 的差额",
        "{disease}: difference of {before} × {factor}",
    ),
    "neutral": _payable(
        "neutral",
        "{before} 元 × 预算平衡系数 {factor} 的差额",
        "difference of {before} × budget-neutral factor {factor}",
    ),
    **{
        f"{name}_merged": _payable(
            "repeated",
            f"{told.zh}（间隔 {{gap}} 天），与同院另一次住院合为一例，本次不另付 {{before}} 元",
            f"{told.en} ({{gap}} days between): one case with another stay there, {{before}} is not paid again",
        )
        for name, told in _REPEATED.items()
    },
    "carrying": _payable(
        "repeated",
        "同院 {stays} 次住院合为一例，由本次支付，合计费用 {cost} 元",
        "{stays} stays there are one case, paid with this one; their bills are {cost} together",
    ),
    "carried": _payable(
        "repeated",
        "合为一例的多次住院由另一次支付，本次不另付 {before} 元",
        "one case with a later stay there, which carries the payment: {before} is not paid again",
    ),
    **{
        f"{name}_reduced": _payable(
            "repeated",
            f"{told.zh}（间隔 {{gap}} 天），按 {{before}} 元的 {{share}} 支付的差额",
            f"{told.en} ({{gap}} days between): difference of {{before}} × {{share}}",
        )
        for name, told in _REPEATED.items()
    },
    "transfer_by_day": _payable(
        "transfer",
        "住院 {days} 天转院，病组平均 {mean_days} 天：{before} 元 ×（{days}+1）/ {mean_days} 的差额",
        "transferred after {days} days of the group's mean {mean_days}: "
        "difference of {before} × ({days}+1) / {mean_days}",
    ),
    "transfer_share": _payable(
        "transfer", "转院，按 {before} 元的 {share} 支付的差额", "transferred: difference of {before} × {share}"
    ),
    "death": _payable(
        "death",
        "入院 {days} 天内死亡，按费用 {cost} 元支付，替代 {before} 元",
        "died after {days} days: the bill of {cost} in place of {before}",
    ),
    "low_outlier": _payable(
        "low_outlier",
        "费用 {cost} 元低于下限 {trim} 元，按费用支付，替代 {before} 元",
        "the bill of {cost} is below the trim point {trim}: paid by cost in place of {before}",
    ),
    "high_outlier": _payable(
        "high_outlier",
        "费用 {cost} 元高于上限 {trim} 元，超出部分按 {share} 追加",
        "the bill of {cost} is above the trim point {trim}: share {share} of the excess",
    ),
    "consumables": _payable(
        "consumables",
        "除外耗材 {outside} 元按 {share} 支付",
        "share {share} of consumables of {outside} outside the package",
    ),
    "floor": _payable(
        "floor",
        "个人已负担 {self_pay} 元，多于应付 {before} 元，补足至个人负担数",
        "the patient pays {self_pay}, more than {before}: raised to it, the fund takes nothing back",
    ),
    "reviewed_special": _payable(
        "reviewed",
        "特例单议（{day} 决定 {number}，审核人 {by}）：按费用 {cost} 元的 {share} 支付，"
        "不低于个人已负担 {self_pay} 元，替代 {before} 元",
        "case by case (decision {number} of {day} by {by}): share {share} of the bill of {cost}, no less than the "
        "patient's {self_pay}, in place of {before}",
    ),
    "reviewed_reduce": _payable(
        "reviewed",
        "扣减（{day} 决定 {number}，审核人 {by}）：最多支付 {limit} 元，"
        "不低于个人已负担 {self_pay} 元，原为 {before} 元",
        "reduced (decision {number} of {day} by {by}): at most {limit}, no less than the patient's {self_pay}; "
        "it was {before}",
    ),
    "reviewed_return": _payable(
        "reviewed",
        "退回医院（{day} 决定 {number}，审核人 {by}）：更正前基金不支付，个人已负担 {self_pay} 元，原为 {before} 元",
        "returned to the hospital (decision {number} of {day} by {by}): the fund pays nothing until it is mended, "
        "the patient has paid {self_pay}; it was {before}",
    ),
    **{
        f"own_{name}": _patient(
            "own_share",
            f"{zh} {{amount}} 元，可纳入报销 {{eligible}} 的以外部分",
            f"of {{amount}} in {en} all beyond the eligible share {{eligible}}",
        )
        for name, (zh, en) in _CLASSES.items()
    },
    "own_unclassed": _patient(
        "own_share",
        "未分类费用 {amount} 元，可纳入报销 {eligible} 的以外部分",
        "of {amount} outside the item classes all beyond the eligible share {eligible}",
    ),
    "deductible": _patient(
        "deductible",
        "可报销费用 {eligible} 元中起付线 {deductible} 元以内",
        "of {eligible} eligible, the deductible of {deductible}",
    ),
    "deductible_of_stay": _patient(
        "deductible",
        "本年第 {stay_no} 次住院，可报销费用 {eligible} 元中起付线 {deductible} 元以内",
        "stay {stay_no} of the year: of {eligible} eligible, the deductible of {deductible}",
    ),
    "ratio": _patient(
        "ratio",
        "第 {tier} 段 {portion} 元，基金比例 {ratio} 以外部分",
        "of {portion} in tier {tier} all beyond the fund's ratio {ratio}",
    ),
    "ceiling": _patient(
        "ceiling", "应报销 {before} 元中超过封顶线 {ceiling} 元的部分", "of {before} all above the ceiling of {ceiling}"
    ),
    "not_covered": _patient(
        "patient",
        "险种 {insutype}、{hosp_lv} 级医院无报销比例，费用 {cost} 元全部自付",
        "no ratio for insurance {insutype} at level {hosp_lv}: the whole bill of {cost}",
    ),
    "as_billed": _patient(
        "patient",
        "费用 {cost} 元减去已结算基金 {fund_paid} 元",
        "the bill of {cost} less the fund's part as settled, {fund_paid}",
    ),
    "fund": Reason(
        "fund",
        "fund",
        Message("应付 {payable} 元 − 个人负担 {self_pay} 元", "payable {payable} − paid by the patient {self_pay}"),
    ),
}
