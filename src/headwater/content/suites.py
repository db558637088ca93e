"""Quality suites: what deliveries, stagings and marts are expected to look like, as plain data in ``expectations/``.

A suite is one file ``<stage>__<entity>.json`` in the shape of Great Expectations. Its ``meta`` holds the titles,
whether the relation may be empty, and the distributions the report draws; the ``meta`` of an expectation says why it is
there.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from headwater.claims.canonical import ENTITIES
from headwater.errors import Message, Refusal

__all__ = [
    "GROUPS_NAMED",
    "IDENTIFIERS",
    "STAGES",
    "UNITS",
    "Distribution",
    "Expectation",
    "Severity",
    "Stage",
    "Suite",
    "parse_suite",
    "read_suites",
]

Stage = Literal["raw", "staging", "marts"]
Severity = Literal["error", "warning"]

STAGES: tuple[Stage, ...] = ("raw", "staging", "marts")
"""The stages of the warehouse in the order of the flow."""

_PREFIX = {"raw": "raw.", "staging": "staging.stg_claims__", "marts": "marts."}
_SEVERITIES: dict[str, Severity] = {"critical": "error", "warning": "warning"}

IDENTIFIERS: frozenset[str] = frozenset(
    {"mdtrt_id", "setl_id", "feedetl_sn", "stay_id"}
    | {field.name for entity in ENTITIES.values() for field in entity.fields if field.type == "person"}
)
"""Columns whose values name a person, a stay or a bill: they may be counted, never observed."""

GROUPS_NAMED: frozenset[str] = frozenset({"source_id", "region", "city", "discharge_month", "charge_month", "split"})
"""Columns by whose values a result may name the groups that fail; groups by any other column are only counted."""

UNITS: dict[str, Message] = {
    "year": Message("岁", "years"),
    "day": Message("天", "days"),
    "month": Message("个月", "months"),
    "money": Message("元（本币）", "currency units"),
    "log_money": Message("ln 元（本币）", "ln of the currency unit"),
    "share": Message("占比", "share"),
    "row": Message("行", "rows"),
    "character": Message("字符", "characters"),
    "count": Message("个", "items"),
    "bit": Message("比特", "bits"),
    "date": Message("日期", "date"),
}
"""Units a number of a suite can have."""

# Types whose result is the value of one row. A rule that counts the rows outside the same bounds says more, safely.
_REVEALING = re.compile(r"expect_column_(max|min|most_common_value)_")
# Types whose result is drawn from values; all others only say how many rows failed.
_OBSERVING = re.compile(r"_(median|quantile|distinct|kl_divergence|sum|mean|stdev)_")
_BOUNDS = ("min_value", "max_value", "quantile_ranges")
_SUITE_KEYS = {"name", "expectations", "meta"}
_SUITE_META = {"title_zh", "title_en", "may_be_empty", "distributions"}
_EXPECTATION_KEYS = {"type", "kwargs", "severity", "meta"}
_EXPECTATION_META = {"why_zh", "why_en", "unit"}
_DISTRIBUTION_KEYS = {"column", "title_zh", "title_en", "unit", "breaks", "labels"}


@dataclass(frozen=True)
class Expectation:
    """One rule of a suite.

    Parameters
    ----------
    type : Great Expectations type, snake case
    arguments : its ``kwargs`` as JSON with sorted keys
    columns : columns the rule names; empty for a rule on the whole relation
    severity : what a failure means: ``error`` stops the chain, ``warning`` does not
    why : the reason, for the reader of the report
    unit : key of `UNITS`, or None where the rule compares no numbers
    """

    type: str
    arguments: str
    columns: tuple[str, ...]
    severity: Severity
    why: Message
    unit: str | None

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments as Great Expectations takes them."""
        return cast(dict[str, Any], json.loads(self.arguments))


@dataclass(frozen=True)
class Distribution:
    """One small picture of a column in the report.

    Parameters
    ----------
    breaks : rising inner limits of the bars of a number, or empty
    labels : value → label of the bars of a code, or empty; other values are drawn as one bar
    """

    column: str
    title: Message
    unit: str
    breaks: tuple[float, ...]
    labels: tuple[tuple[str, Message], ...]


@dataclass(frozen=True)
class Suite:
    """All rules of one relation."""

    name: str
    stage: Stage
    entity: str
    relation: str
    title: Message
    may_be_empty: bool
    expectations: tuple[Expectation, ...]
    distributions: tuple[Distribution, ...]


def read_suites(folder: Path, *, stages: tuple[Stage, ...] = STAGES) -> tuple[Suite, ...]:
    """Read every suite of the given stages, in the order of the flow; a stage without suites is refused."""
    order = list(ENTITIES)
    found = [_read(file) for file in sorted(folder.glob("*.json"))]
    found.sort(key=lambda suite: order.index(suite.entity) if suite.entity in order else len(order))
    suites = tuple(suite for stage in stages for suite in found if suite.stage == stage)
    if {suite.stage for suite in suites} < set(stages):
        raise _wrong(str(folder), "at least one suite of each stage asked for", "所查的每个阶段至少一个规则集")
    return suites


def parse_suite(data: Mapping[str, Any], *, name: str) -> Suite:
    """Validate one suite; anything unknown, missing or contradictory is refused.

    Parameters
    ----------
    data : the parsed JSON
    name : ``<stage>__<entity>``, the stem of its file
    """
    stage, _, entity = name.partition("__")
    if stage not in STAGES or not entity:
        raise _wrong(name, f"to be named <{'|'.join(STAGES)}>__<entity>", "文件名为 <阶段>__<实体>.json")
    _only(data, _SUITE_KEYS, name)
    if data.get("name") != name:
        raise _wrong(f"{name}.name", f"{name!r}", f"“{name}”")
    meta = _mapping(data.get("meta"), f"{name}.meta")
    _only(meta, _SUITE_META, f"{name}.meta")
    rules = data.get("expectations")
    if not isinstance(rules, list) or not rules:
        raise _wrong(f"{name}.expectations", "a list with at least one rule", "至少一条规则的列表")
    expectations = tuple(_expectation(rule, f"{name}.expectations[{i}]") for i, rule in enumerate(rules))
    if len({(rule.type, rule.arguments) for rule in expectations}) < len(expectations):
        raise _wrong(f"{name}.expectations", "rules that differ from each other", "互不相同的规则")
    return Suite(
        name=name,
        stage=cast(Stage, stage),
        entity=entity,
        relation=f"{_PREFIX[stage]}{entity}",
        title=_words(meta, "title", f"{name}.meta"),
        may_be_empty=bool(meta.get("may_be_empty", False)),
        expectations=expectations,
        distributions=tuple(_distribution(d, f"{name}.distributions") for d in meta.get("distributions", [])),
    )


def _read(file: Path) -> Suite:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _wrong(f"{file.name}: {error}", "JSON", "JSON") from error
    return parse_suite(_mapping(data, file.name), name=file.stem)


def _expectation(rule: Any, where: str) -> Expectation:
    rule = _mapping(rule, where)
    _only(rule, _EXPECTATION_KEYS, where)
    meta = _mapping(rule.get("meta"), f"{where}.meta")
    _only(meta, _EXPECTATION_META, f"{where}.meta")
    kwargs = _mapping(rule.get("kwargs"), f"{where}.kwargs")
    type_ = str(rule.get("type", ""))
    columns = _columns(kwargs)
    if _REVEALING.match(type_):
        raise _wrong(
            f"{where}.type", "a rule that counts, not one that shows a row's value", "计数的规则，而非取某一行的值"
        )
    if IDENTIFIERS & set(columns) and _OBSERVING.search(type_):
        raise _wrong(
            f"{where}.type", "a rule that only counts, as it names an identifier", "仅计数的规则（涉及标识字段）"
        )
    severity = rule.get("severity")
    if severity not in _SEVERITIES:
        raise _wrong(f"{where}.severity", f"one of {', '.join(_SEVERITIES)}", f"{'、'.join(_SEVERITIES)} 之一")
    unit = meta.get("unit")
    if unit not in (UNITS if any(kwargs.get(bound) is not None for bound in _BOUNDS) else {None, *UNITS}):
        raise _wrong(f"{where}.meta.unit", f"one of {', '.join(UNITS)}", f"{'、'.join(UNITS)} 之一")
    arguments = json.dumps(kwargs, ensure_ascii=False, sort_keys=True)
    why = _words(meta, "why", f"{where}.meta")
    return Expectation(type_, arguments, columns, _SEVERITIES[severity], why, unit)


def _columns(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return tuple(str(name) for name in [*named, *kwargs.get("column_list", []), *kwargs.get("groups", [])])


def _distribution(entry: Any, where: str) -> Distribution:
    entry = _mapping(entry, where)
    _only(entry, _DISTRIBUTION_KEYS, where)
    column = str(entry.get("column", ""))
    where = f"{where}.{column}"
    if not column or column in IDENTIFIERS:
        raise _wrong(where, "a column that is not an identifier", "非标识字段")
    breaks = tuple(float(limit) for limit in entry.get("breaks", []))
    labels = tuple((str(value), _label(words, where)) for value, words in dict(entry.get("labels", {})).items())
    if bool(breaks) == bool(labels) or any(a >= b for a, b in zip(breaks, breaks[1:], strict=False)):
        raise _wrong(where, "either rising breaks or labels", "递增的分组界限或标签，二者恰有其一")
    unit = str(entry.get("unit", ""))
    if unit not in UNITS:
        raise _wrong(f"{where}.unit", f"one of {', '.join(UNITS)}", f"{'、'.join(UNITS)} 之一")
    return Distribution(column, _words(entry, "title", where), unit, breaks, labels)


def _label(words: Any, where: str) -> Message:
    if not isinstance(words, list) or len(words) != 2:
        raise _wrong(f"{where}.labels", "pairs [zh, en]", "[中文, 英文] 对")
    return Message(str(words[0]), str(words[1]))


def _words(entry: Mapping[str, Any], key: str, where: str) -> Message:
    words = [entry.get(f"{key}_{language}") for language in ("zh", "en")]
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise _wrong(f"{where}.{key}_zh/{key}_en", "text in both languages", "中英文说明")
    return Message(str(words[0]), str(words[1]))


def _mapping(entry: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise _wrong(where, "a mapping", "映射")
    return entry


def _only(entry: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for key in sorted(set(entry) - allowed):
        raise _wrong(f"{where}.{key}", f"one of {', '.join(sorted(allowed))}", f"{'、'.join(sorted(allowed))} 之一")


def _wrong(where: str, must_en: str, must_zh: str) -> Refusal:
    return Refusal(
        "E-SUITE",
        Message(f"质量规则集有误：{where}。", f"The quality suite is wrong at {where}."),
        Message(f"应为：{must_zh}。", f"Expected {must_en}."),
    )
