"""Policies are loaded from files, wholly checked before any stay is priced."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from headwater.claims.payment import sections
from headwater.claims.payment.money import UNIT, shown
from headwater.claims.payment.policy import Policy, Weight
from headwater.claims.payment.tree import Entry, read_tree
from headwater.errors import Message, Refusal

__all__ = ["parse_policy", "read_alone", "read_policy"]

_REQUIRED = ("policy", "title", "plan", "valid_from", "weights", "rates", "by_cost", "reimbursement", "tests")
_OPTIONAL = (
    *(
        "valid_to",
        "notes",
        "regions",
        "currency",
        "hospital_coefficients",
        "neutral_factor",
        "common_diseases",
        "low_outlier",
    ),
    *("high_outlier", "death", "transfer", "repeated_stays", "consumables", "budget"),
)


def read_policy(path: Path) -> Policy:
    """Return the policy of a file whose weights may lie in a csv beside it; its tests are not yet run.

    Raises
    ------
    Refusal
        ``E-POLICY`` with file, line and path of the first thing that is wrong
    """
    return parse_policy(_text(path), file=path.name, folder=path.parent)


def read_alone(path: Path) -> str:
    """Return the text of a policy file that stands alone: a csv of weights beside it is written into it.

    Everything else stays as it was written, comments too; what the policy pays, and so its version, is the same.

    Raises
    ------
    Refusal
        ``E-POLICY`` as for :func:`read_policy`
    """
    text = _text(path)
    root = read_tree(text, file=path.name)
    weights = dict(root.items()).get("weights")
    if weights is None or "file" not in dict(weights.items()):
        return text
    if not _is_block(root.node):
        raise root.wrong("a mapping with a key a line", "每键一行的映射")
    drgs, adrgs = sections.read_weights(weights, path.parent)
    lines: list[str] = []
    for level, found in (("drg", drgs), ("adrg", adrgs)):
        lines += [f"  {level}:", *(f"    {_code(code)}: {_weight(found[code])}" for code in sorted(found))] * bool(
            found
        )
    first, last = weights.node.start_mark, _end(weights.node)
    alone = text[: first.index].rstrip() + "\n" + "\n".join(lines) + text[last.index :]
    if parse_policy(alone, file=path.name).version != read_policy(path).version:
        raise weights.wrong("a mapping that can be replaced by its weights", "可以用权重替换的映射")
    return alone


def parse_policy(text: str, *, file: str, folder: Path | None = None) -> Policy:
    """Return the policy that a text states; ``folder`` is where its csv of weights lies."""
    root = read_tree(text, file=file)
    found = root.fields(*_REQUIRED, optional=_OPTIONAL)
    policy = _with_rules(_core(found, folder), found)
    if policy.valid_to is not None and policy.valid_to < policy.valid_from:
        raise found["valid_to"].wrong("not before valid_from", "不早于 valid_from")
    if not policy.tests:
        raise found["tests"].wrong("a list with at least one test", "至少一个测试的列表")
    return replace(policy, version=_version(policy), content=root.plain())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            "E-POLICY",
            Message(f"付费政策 {path} 无法读取。", f"The payment policy {path} cannot be read."),
            Message("应为 UTF-8 编码的文件。", "It must be a file in UTF-8."),
        ) from error


def _end(node: yaml.Node) -> yaml.Mark:
    """Return where a mapping's own text ends: YAML counts what follows a block as part of it, comments too."""
    return _end(node.value[-1][1]) if _is_block(node) else node.end_mark


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and not node.flow_style


def _code(code: str) -> str:
    return code if code.isalnum() else json.dumps(code, ensure_ascii=False)


def _weight(weight: Weight) -> str:
    stated = {
        "weight": shown(weight.weight, 6),
        "mean_days": None if weight.mean_days is None else shown(weight.mean_days, 6),
        "low": None if weight.low is None else shown(weight.low, 2),
        "high": None if weight.high is None else shown(weight.high, 2),
    }
    found = [f"{key}: {value}" for key, value in stated.items() if value is not None]
    return stated["weight"] or "" if len(found) == 1 else f"{{{', '.join(found)}}}"


def _core(found: dict[str, Entry], folder: Path | None) -> Policy:
    drgs, adrgs = sections.read_weights(found["weights"], folder)
    paid = found["reimbursement"].fields("unclassed", "negative_fund", optional=("ratios", "as_billed"))
    if ("ratios" in paid) == ("as_billed" in paid):
        raise found["reimbursement"].wrong(
            "a mapping with either ratios or as_billed: true", "恰含 ratios 与 as_billed: true 二者之一的映射"
        )
    if "as_billed" in paid:
        paid["as_billed"].one_of("true")
    return Policy(
        name=found["policy"].text(),
        title=found["title"].message(),
        plan=found["plan"].text(),
        valid_from=found["valid_from"].day(),
        valid_to=found["valid_to"].day() if "valid_to" in found else None,
        weights=drgs,
        adrg_weights=adrgs,
        rates=sections.read_rates(found["rates"]),
        coefficients={},
        neutral=UNIT,
        common=(),
        low=None,
        high=None,
        death=None,
        transfer=None,
        repeated=(),
        outside=None,
        by_cost=sections.share(found["by_cost"]),
        unclassed=paid["unclassed"].one_of(*sections.CLASSES),
        benefits=sections.read_benefits(paid["ratios"]) if "ratios" in paid else None,
        floored=paid["negative_fund"].one_of("zero", "kept") == "zero",
        budget=None,
        tests=tuple(map(sections.read_case, found["tests"].entries())),
    )


def _with_rules(policy: Policy, found: dict[str, Entry]) -> Policy:
    """Return the policy with the rules that the file states; what it does not state does not happen."""
    readers = {
        "hospital_coefficients": ("coefficients", sections.read_coefficients),
        "neutral_factor": ("neutral", lambda entry: sections.factor(entry, high=10)),
        "common_diseases": ("common", sections.read_common),
        "low_outlier": ("low", lambda entry: sections.share(entry.fields("below")["below"])),
        "high_outlier": ("high", sections.read_high),
        "death": ("death", sections.read_death),
        "transfer": ("transfer", sections.read_transfer),
        "repeated_stays": ("repeated", sections.read_repeated),
        "consumables": ("outside", sections.read_outside),
        "budget": ("budget", sections.read_budget),
        "regions": ("regions", lambda entry: entry.texts()),
        "currency": (
            "currency",
            lambda entry: entry.matching("[A-Z]{3}", "an ISO 4217 code such as CNY", "ISO 4217 币种代码，如 CNY"),
        ),
    }
    stated: dict[str, Any] = {name: read(found[key]) for key, (name, read) in readers.items() if key in found}
    return replace(policy, **stated)


def _version(policy: Policy) -> str:
    """Return the digest of what is paid: neither titles nor notes, tests, order or the spelling of numbers count."""
    said = {key: _canonical(value) for key, value in asdict(policy).items()}
    for key in ("title", "tests", "content", "version"):
        said.pop(key)
    text = json.dumps(said, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_SINCE = ("further",)
"""Fields younger than policies in force: where they say nothing, they do not count, and the version stays."""


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        said = {key: one for key, one in value.items() if key not in _SINCE or one}
        pairs = [("/".join(key) if isinstance(key, tuple) else str(key), _canonical(one)) for key, one in said.items()]
        return dict(sorted(pairs))
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
