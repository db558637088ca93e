"""What a grouping says: the closed lists of statuses and reasons, in Chinese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from headwater.errors import Message

__all__ = ["REASONS", "REASON_TYPE", "STATUSES", "Reason"]

STATUSES: Mapping[str, Message] = MappingProxyType(
    {
        "grouped": Message("入组", "grouped"),
        "unrelated": Message("手术与主要诊断无关组（歧义组）", "operation unrelated to the principal diagnosis"),
        "ungroupable": Message("未入组", "ungroupable"),
        "invalid": Message("数据不足，无法分组", "invalid: no principal diagnosis"),
    }
)
"""What can become of a stay; only the first two have a DRG."""

REASON_TYPE = pa.struct([(name, pa.string()) for name in ("step", "code", "detail", "other")])
"""One reason: the step at which it was met, its code, what it speaks of and what beside it."""


@dataclass(frozen=True)
class Reason:
    """One kind of reason: the step it belongs to and its sentence, which may name ``{detail}`` and ``{other}``."""

    step: str
    words: Message


def _reason(step: str, zh: str, en: str) -> Reason:
    return Reason(step, Message(zh, en))


REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "principal_missing": _reason("codes", "主要诊断为空，不能分组", "there is no principal diagnosis"),
        "diagnosis_respelled": _reason(
            "codes", "诊断“{detail}”按 {other} 读取", "diagnosis “{detail}” is read as {other}"
        ),
        "diagnosis_mapped": _reason(
            "codes", "诊断 {detail} 按方案对照为 {other}", "the plan maps diagnosis {detail} to {other}"
        ),
        "diagnosis_unknown": _reason(
            "codes",
            "诊断“{detail}”不在方案的编码表中，不参与分组",
            "the plan does not know diagnosis “{detail}”, it counts for nothing",
        ),
        "operation_respelled": _reason(
            "codes", "手术操作“{detail}”按 {other} 读取", "operation “{detail}” is read as {other}"
        ),
        "operation_mapped": _reason(
            "codes", "手术操作 {detail} 按方案对照为 {other}", "the plan maps operation {detail} to {other}"
        ),
        "operation_unknown": _reason(
            "codes",
            "手术操作“{detail}”不在方案的编码表中，不参与分组",
            "the plan does not know operation “{detail}”, it counts for nothing",
        ),
        "fact_missing": _reason(
            "fact", "{detail} 需要 {other}，该病例缺少此项", "{detail} asks for {other}, which this stay lacks"
        ),
        "fact_against": _reason(
            "fact", "{detail} 对 {other} 的要求不符", "{detail} would admit the stay but for its {other}"
        ),
        "mdc_left": _reason(
            "mdc", "符合 {detail}，但不符合其任何 ADRG", "{detail} admits the stay, none of its ADRGs does"
        ),
        "mdc_none": _reason(
            "mdc", "主要诊断 {detail} 不符合任何 MDC 的入组条件", "no MDC admits principal diagnosis {detail}"
        ),
        "mdc": _reason("mdc", "符合 {detail} 入组条件", "{detail} admits the stay"),
        "adrg": _reason("adrg", "符合 {detail} 入组条件：{other}", "{detail} admits the stay: {other}"),
        "mcc": _reason("complication", "诊断 {detail} 是 MCC", "diagnosis {detail} is an MCC"),
        "cc": _reason("complication", "诊断 {detail} 是 CC", "diagnosis {detail} is a CC"),
        "excluded": _reason(
            "complication",
            "诊断 {detail} 属于 MCC 或 CC，但被主要诊断 {other} 排除",
            "diagnosis {detail} is a CC or MCC, but excluded by {other}",
        ),
        "drg": _reason("drg", "入 {detail} 组：{other}", "grouped to {detail}: {other}"),
        "drg_none": _reason(
            "drg", "符合 {detail}，但不符合其任何 DRG", "{detail} admits the stay, none of its DRGs does"
        ),
    }
)
"""Every reason by its code."""
