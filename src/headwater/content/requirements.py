"""What sources require, read from ``dbt_project/requirements/<name>.yml``, and which requirement a release meets."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import cast

from headwater.claims.payment.tree import Document, Entry, read_tree
from headwater.content.kept import Kept
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS
from headwater.security.events import KINDS
from headwater.security.requirement import SHOWN, VIEWERS, Caps, Requirement, Shown, Viewer
from headwater.types import SourceId

__all__ = ["read_requirement", "read_requirements", "requirement_for"]

_DOCUMENT = Document("E-REQUIREMENT", Message("来源要求", "requirement"), "docs/ledger.md")
_NAME = ("a name of a-z, 0-9 and _", "由 a-z、0-9、_ 组成的名称")
_DELTA = ("a probability above 0 and below 0.001, such as 1e-6", "大于 0 小于 0.001 的概率，如 1e-6")
_MECHANISMS = tuple(sorted({*KINDS, *PROTECTIONS} - {"composed", "repeated", "non_private"}))
_MOST_EPSILON = 1000
_DECIMALS = 6


def read_requirement(path: Path) -> Requirement:
    """Return the requirement of a file, which is named as it is.

    Raises
    ------
    Refusal
        ``E-REQUIREMENT`` with file, line and path of the first thing that is wrong
    """
    return _kept(path)


def read_requirements(folder: Path) -> tuple[Requirement, ...]:
    """Return all requirements of a folder, by name; no folder is no requirement.

    Raises
    ------
    Refusal
        ``E-REQUIREMENT-TWICE`` when two say something of one source and group, or of one source and purpose
    """
    found = tuple(read_requirement(file) for file in sorted(folder.glob("*.y*ml")))
    for one, other in combinations(found, 2):
        meet = one.sources is None or other.sources is None or one.sources & other.sources
        both = {one.patients} & {other.patients} or set(one.purposes) & set(other.purposes)
        if meet and both:
            raise _twice(one, other, ", ".join(sorted(both)))
    return found


def requirement_for(requirements: Sequence[Requirement], source: SourceId, purpose: str) -> Requirement:
    """Return the one that a source has for a purpose; none is refused: what nobody allowed is not allowed."""
    for one in requirements:
        if one.covers(source) and purpose in one.purposes:
            return one
    raise Refusal(
        "E-REQUIREMENT-NONE",
        Message(
            f"来源“{source}”没有允许用途“{purpose}”的要求。",
            f"Source {source} has no requirement that allows the purpose {purpose!r}.",
        ),
        Message(
            "请在 dbt_project/requirements/ 中写明，格式见 docs/ledger.md。",
            "State one in dbt_project/requirements/; docs/ledger.md shows how.",
        ),
    )


def _read(path: Path) -> Requirement:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            "E-REQUIREMENT",
            Message(f"来源要求 {path} 无法读取。", f"The requirement {path} cannot be read."),
            Message("应为 UTF-8 编码的文件。", "It must be a file in UTF-8."),
        ) from error
    root = read_tree(text, file=path.name, document=_DOCUMENT)
    found = root.fields(
        *("requirement", "title", "patients", "sees", "delta", "epsilon", "purposes", "mechanisms"),
        optional=("sources", "notes"),
    )
    name = found["requirement"].matching("[a-z][a-z0-9_]*", *_NAME)
    if path.name != f"{name}.yml":
        raise found["requirement"].wrong(f"the name of its file, {path.stem}.yml", f"与文件名一致：{path.stem}.yml")
    caps = _caps(found["epsilon"], None)
    return Requirement(
        name=name,
        title=found["title"].message(),
        sources=frozenset(found["sources"].texts()) if "sources" in found else None,
        patients=found["patients"].matching("[a-z][a-z0-9_]*", *_NAME),
        sees=_sees(found["sees"]),
        delta=_delta(found["delta"]),
        caps=caps,
        purposes=_purposes(found["purposes"], caps),
        mechanisms=_mechanisms(found["mechanisms"]),
    )


_kept = Kept(_read, lambda path: (path,))


def _sees(entry: Entry) -> dict[Shown, Viewer]:
    found = entry.fields(*SHOWN)
    return {shown: cast(Viewer, found[shown].one_of(*VIEWERS)) for shown in SHOWN}


def _delta(entry: Entry) -> float:
    text = entry.matching(r"[0-9](?:\.[0-9]{1,6})?e-[0-9]{1,2}|0\.[0-9]{1,15}", *_DELTA)
    if not 0 < float(text) < 1e-3:
        raise entry.wrong(*_DELTA)
    return float(text)


def _caps(entry: Entry, within: Caps | None) -> Caps:
    found = entry.fields("release", "month", "lifetime")
    caps = Caps(*(_epsilon(found[name]) for name in ("release", "month", "lifetime")))
    for name, less in (("month", "release"), ("lifetime", "month")):
        if getattr(caps, name) < getattr(caps, less):
            raise found[name].wrong(f"at least as much as {less}", f"不小于 {less}")
    for name, entry in found.items() if within else ():
        most = getattr(within, name)
        if getattr(caps, name) > most:
            raise entry.wrong(f"at most {most:g}, as for all purposes", f"不超过总额 {most:g}")
    return caps


def _epsilon(entry: Entry) -> float:
    value = entry.number(_DECIMALS, high=_MOST_EPSILON)
    if value == 0:
        raise entry.wrong("above 0", "大于 0 的数")
    return float(value / 10**_DECIMALS)


def _purposes(entry: Entry, caps: Caps) -> dict[str, Caps]:
    found = dict(entry.items())
    if not found:
        raise entry.wrong("a mapping with at least one purpose", "至少一个用途的映射")
    return {name: _caps(own, caps) for name, own in found.items()}


def _mechanisms(entry: Entry) -> frozenset[str]:
    entry.texts()
    return frozenset(one.one_of(*_MECHANISMS) for one in entry.entries())


def _twice(one: Requirement, other: Requirement, what: str) -> Refusal:
    return Refusal(
        "E-REQUIREMENT-TWICE",
        Message(
            f"要求 {one.name} 与 {other.name} 对同一来源都规定了“{what}”。",
            f"The requirements {one.name} and {other.name} both speak of {what} of one source.",
        ),
        Message("合并二者，或分开其来源。", "Make them one, or part their sources."),
    )
