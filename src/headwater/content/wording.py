"""Rules in words: what an expectation asks for, in Chinese and English, for people who do not know its type."""

from collections.abc import Callable, Mapping
from typing import Any

from headwater.content.quality import Outcome
from headwater.content.suites import UNITS, Expectation
from headwater.errors import Message

__all__ = ["counted", "demand"]

_Words = Callable[[Mapping[str, Any], Message], Message]


def demand(rule: Expectation | Outcome) -> Message:
    """Say what the rule asks for.

    >>> from headwater.content.suites import Expectation
    >>> arguments = '{"column": "age", "max_value": 120, "min_value": 0, "mostly": 0.99}'
    >>> rule = Expectation("expect_column_values_to_be_between", arguments, ("age",), "error", Message("", ""), "year")
    >>> demand(rule).en
    'each value 0 – 120 years, in at least 99 % of rows'
    """
    kwargs = rule.kwargs
    name = rule.type if isinstance(rule, Expectation) else rule.expectation
    unit = UNITS[rule.unit] if rule.unit else Message("", "")
    words = _WORDS[name](kwargs, unit) if name in _WORDS else Message(name, name)
    mostly = kwargs.get("mostly", 1)
    if mostly == 1:
        return words
    share = f"{100 * float(mostly):g} %"
    what = counted(name)
    return Message(f"{words.zh}；至少 {share} 的{what.zh}", f"{words.en}, in at least {share} of {what.en}")


def counted(type_: str) -> Message:
    """Say what a rule of this type counts."""
    if type_ == "expect_deliveries_to_be_usual":
        return Message("项指标", "numbers")
    return Message("组", "groups") if type_ == "expect_groups_to_satisfy" else Message("行", "rows")


def _range(kwargs: Mapping[str, Any], unit: Message) -> Message:
    low, high = (_scaled(kwargs.get(bound), unit) for bound in ("min_value", "max_value"))
    if low is not None and high is not None:
        span = Message(f"{_n(low)} – {_n(high)}", f"{_n(low)} – {_n(high)}")
    elif low is not None:
        span = Message(f"不低于 {_n(low)}", f"at least {_n(low)}")
    else:
        span = Message(f"不高于 {_n(high)}", f"at most {_n(high)}")
    said = Message("%", "%") if unit == UNITS["share"] else unit
    return Message(f"{span.zh} {said.zh}".strip(), f"{span.en} {said.en}".strip())


def _scaled(bound: Any, unit: Message) -> Any:
    return float(f"{100 * bound:.6g}") if bound is not None and unit == UNITS["share"] else bound


def _n(value: Any) -> str:
    if isinstance(value, str):
        return value.removesuffix("T00:00:00")
    return f"{value:,.15g}"


def _ranged(zh: str, en: str) -> _Words:
    def words(kwargs: Mapping[str, Any], unit: Message) -> Message:
        span = _range(kwargs, unit)
        return Message(f"{zh} {span.zh}", f"{en} {span.en}")

    return words


def _listed(zh: str, en: str) -> _Words:
    def words(kwargs: Mapping[str, Any], unit: Message) -> Message:
        values = [str(value) for value in kwargs["value_set"]]
        return Message(f"{zh} {'、'.join(values)}", f"{en} {', '.join(values)}")

    return words


def _quantiles(kwargs: Mapping[str, Any], unit: Message) -> Message:
    ranges = kwargs["quantile_ranges"]
    spans = [
        f"P{100 * quantile:g} {_n(low)} – {_n(high)}"
        for quantile, (low, high) in zip(ranges["quantiles"], ranges["value_ranges"], strict=True)
    ]
    return Message(f"分位数 {'，'.join(spans)} {unit.zh}", f"quantiles {', '.join(spans)} {unit.en}")


def _pattern(kwargs: Mapping[str, Any], unit: Message) -> Message:
    return Message(f"整个值符合 {kwargs['pattern']}", f"the whole value matches {kwargs['pattern']}")


def _condition(kwargs: Mapping[str, Any], unit: Message) -> Message:
    return Message(f"每行满足 {kwargs['condition']}", f"each row fulfils {kwargs['condition']}")


def _groups(kwargs: Mapping[str, Any], unit: Message) -> Message:
    by = kwargs["groups"]
    return Message(
        f"按 {'、'.join(by)} 分组，每组满足 {kwargs['condition']}",
        f"each group of {', '.join(by)} fulfils {kwargs['condition']}",
    )


def _pair(kwargs: Mapping[str, Any], unit: Message) -> Message:
    sign = "≥" if kwargs.get("or_equal") else ">"
    words = f"{kwargs['column_A']} {sign} {kwargs['column_B']}"
    return Message(words, words)


def _usual(kwargs: Mapping[str, Any], unit: Message) -> Message:
    return Message("每次送报的每项指标在常态界限内", "every number of every delivery within its usual bounds")


_WORDS: dict[str, _Words] = {
    "expect_column_mean_to_be_between": _ranged("均值", "mean"),
    "expect_column_median_to_be_between": _ranged("中位数", "median"),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair,
    "expect_column_proportion_of_non_null_values_to_be_between": _ranged("非空占比", "filled"),
    "expect_column_proportion_of_unique_values_to_be_between": _ranged("互异值占比", "distinct values"),
    "expect_column_quantile_values_to_be_between": _quantiles,
    "expect_column_stdev_to_be_between": _ranged("标准差", "standard deviation"),
    "expect_column_unique_value_count_to_be_between": _ranged("互异值个数", "distinct values"),
    "expect_column_value_lengths_to_be_between": _ranged("每个值的长度", "length of each value"),
    "expect_column_values_to_be_between": _ranged("每个值", "each value"),
    "expect_column_values_to_be_in_set": _listed("每个值属于", "each value one of"),
    "expect_column_values_to_match_pattern": _pattern,
    "expect_column_values_to_not_be_in_set": _listed("没有值属于", "no value one of"),
    "expect_column_values_to_satisfy": _condition,
    "expect_deliveries_to_be_usual": _usual,
    "expect_groups_to_satisfy": _groups,
    "expect_table_row_count_to_be_between": _ranged("行数", "number of rows"),
}
