"""Suites of a source's usual profile: one file ``<source>__<entity>.json`` each, in the shape of Great Expectations.

They are proposed from accepted history, reviewed as a difference, and kept with the installation: a region's habits are
its own, unlike the rules in the project's ``expectations/``.
"""

import difflib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.claims.canonical import ENTITIES
from headwater.content.bounds import Bound, Key
from headwater.content.metrics import METRICS, title
from headwater.content.suites import Expectation, Severity, Suite
from headwater.errors import Message, Refusal

__all__ = [
    "Change",
    "ProfileRule",
    "ProfileSuite",
    "as_rules",
    "changes",
    "difference",
    "read_profiles",
    "suites",
    "text",
    "write",
]

TYPE = "expect_delivery_metric_to_be_between"
_SEVERITIES: dict[str, Severity] = {"critical": "error", "warning": "warning"}


@dataclass(frozen=True)
class ProfileRule:
    """One number of a delivery and the bounds it usually keeps.

    Parameters
    ----------
    column : delivered column, two of them joined by ``+``, or empty for the delivery as a whole
    """

    column: str
    metric: str
    bound: Bound
    severity: Severity


@dataclass(frozen=True)
class ProfileSuite:
    """What is usual in one table of one source."""

    source_id: str
    entity: str
    rules: tuple[ProfileRule, ...]

    @property
    def name(self) -> str:
        """Stem of its file."""
        return f"{self.source_id}__{self.entity}"


@dataclass(frozen=True)
class Change:
    """One bound that a proposal would change; None where there was or will be no rule."""

    suite: str
    column: str
    metric: str
    old: Bound | None
    new: Bound | None


def suites(bounds: Mapping[Key, Bound]) -> tuple[ProfileSuite, ...]:
    """Arrange bounds as suites; bounds are rounded outward to four digits."""
    rules: dict[tuple[str, str], list[ProfileRule]] = defaultdict(list)
    for (source, entity, column, metric), bound in sorted(bounds.items()):
        severity: Severity = "error" if METRICS[metric].stops else "warning"
        rules[source, entity].append(ProfileRule(column, metric, _rounded(bound), severity))
    return tuple(ProfileSuite(source, entity, tuple(listed)) for (source, entity), listed in sorted(rules.items()))


def _rounded(bound: Bound) -> Bound:
    low, high = (None if limit is None else float(f"{limit:.5g}") for limit in (bound.low, bound.high))
    return Bound(low, high)


def text(suite: ProfileSuite) -> str:
    """Return a suite as the text of its file: one rule a line, so that a difference reads by rule."""
    lines = [json.dumps(_written(suite.entity, rule), ensure_ascii=False) for rule in suite.rules]
    words = ENTITIES[suite.entity]
    meta = {
        "title_zh": f"{suite.source_id} {words.zh}（送报画像）",
        "title_en": f"{suite.source_id} {words.en}: usual profile",
    }
    head = f'{{\n  "name": "{suite.name}",\n  "meta": {json.dumps(meta, ensure_ascii=False)},\n  "expectations": [\n'
    return head + ",\n".join(f"    {line}" for line in lines) + "\n  ]\n}\n"


def _written(entity: str, rule: ProfileRule) -> dict[str, object]:
    said, why = title(entity, rule.column, rule.metric), METRICS[rule.metric].why
    limits = {"min_value": rule.bound.low, "max_value": rule.bound.high}
    return {
        "type": TYPE,
        "kwargs": {
            "column": rule.column,
            "metric": rule.metric,
            **{name: limit for name, limit in limits.items() if limit is not None},
        },
        "severity": "critical" if rule.severity == "error" else "warning",
        "meta": {"title_zh": said.zh, "title_en": said.en, "why_zh": why.zh, "why_en": why.en},
    }


def read_profiles(folder: Path) -> tuple[ProfileSuite, ...]:
    """Read every suite of a folder; none when it does not exist.

    Raises
    ------
    Refusal
        ``E-PROFILE-SUITE`` naming the file and the place
    """
    return tuple(_read(file) for file in sorted(folder.glob("*__*.json")))


def _read(file: Path) -> ProfileSuite:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        source, _, entity = file.stem.rpartition("__")
        if entity not in ENTITIES or data["name"] != file.stem:
            raise ValueError("name")
        return ProfileSuite(source, entity, tuple(_rule(rule, entity) for rule in data["expectations"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refusal(
            "E-PROFILE-SUITE",
            Message(f"画像规则集 {file.name} 有误：{error}。", f"The profile suite {file.name} is wrong: {error}."),
            Message("修正它，或用 headwater expect propose 重新生成。", "Mend it, or propose it again."),
        ) from error


def _rule(rule: Mapping[str, object], entity: str) -> ProfileRule:
    kwargs = rule["kwargs"]
    if rule["type"] != TYPE or not isinstance(kwargs, Mapping) or set(kwargs) - _KWARGS:
        raise ValueError(f"type or kwargs of {rule}")
    column, metric = str(kwargs["column"]), str(kwargs["metric"])
    fields = {field.name for field in ENTITIES[entity].fields}
    if metric not in METRICS or (column and set(column.split("+")) - fields):
        raise ValueError(f"{column} {metric}")
    low, high = (None if kwargs.get(name) is None else float(kwargs[name]) for name in ("min_value", "max_value"))
    if low is None and high is None or low is not None and high is not None and low > high:
        raise ValueError(f"bounds of {column} {metric}")
    return ProfileRule(column, metric, Bound(low, high), _SEVERITIES[str(rule["severity"])])


_KWARGS = {"column", "metric", "min_value", "max_value"}


def changes(old: Sequence[ProfileSuite], new: Sequence[ProfileSuite]) -> tuple[Change, ...]:
    """Return every bound that differs; suites that are not proposed anew stay as they are."""
    found = []
    before = {suite.name: suite for suite in old}
    for suite in new:
        was = {(r.column, r.metric): r.bound for r in before[suite.name].rules} if suite.name in before else {}
        will = {(r.column, r.metric): r.bound for r in suite.rules}
        for key in sorted(set(was) | set(will)):
            if was.get(key) != will.get(key):
                found.append(Change(suite.name, *key, was.get(key), will.get(key)))
    return tuple(found)


def difference(folder: Path, new: Sequence[ProfileSuite]) -> str:
    """Return the unified difference between the files of a folder and what would be written."""
    lines: list[str] = []
    for suite in new:
        file = folder / f"{suite.name}.json"
        was = file.read_text(encoding="utf-8") if file.is_file() else ""
        lines += difflib.unified_diff(
            was.splitlines(True), text(suite).splitlines(True), f"old/{file.name}", f"new/{file.name}", n=0
        )
    return "".join(lines)


def write(folder: Path, new: Sequence[ProfileSuite]) -> None:
    """Write suites, each file at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for suite in new:
        part = folder / f".{suite.name}.part"
        part.write_text(text(suite), encoding="utf-8")
        part.replace(folder / f"{suite.name}.json")


def as_rules(proposed: Sequence[ProfileSuite]) -> tuple[Suite, ...]:
    """Return one suite an entity, with one rule a severity: that every delivery's numbers lie within their bounds."""
    present = {(suite.entity, rule.severity) for suite in proposed for rule in suite.rules}
    found = []
    for name in (name for name in ENTITIES if any(entity == name for entity, _ in present)):
        words = ENTITIES[name]
        rules = tuple(
            Expectation(
                "expect_deliveries_to_be_usual",
                json.dumps({"entity": name, "level": severity}, sort_keys=True),
                (),
                severity,
                _WHY,
                None,
            )
            for severity in _LEVELS
            if (name, severity) in present
        )
        title_ = Message(f"{words.zh}（送报画像）", f"Usual profile of deliveries: {words.en}")
        found.append(Suite(f"profile__{name}", "raw", name, "quality.profile", title_, True, rules, ()))
    return tuple(found)


_LEVELS: tuple[Severity, ...] = ("error", "warning")
_WHY = Message(
    "与该来源以往的送报相比，数量、构成、写法与表间关系应保持常态。",
    "Volume, mix, spelling and the ties between tables should stay as this source's deliveries have been.",
)
