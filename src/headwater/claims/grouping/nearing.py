"""The nearest other groups of a stay and the least that would have to differ; every proposal is grouped to be sure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa

from headwater.claims.grouping.compiling import Compiled
from headwater.claims.grouping.facts import COLUMNS, Coded, read_stays
from headwater.claims.grouping.plan import Plan
from headwater.claims.grouping.solving import Edit, Stay, Target, applied, ways
from headwater.errors import Message

__all__ = ["EDIT_TYPE", "as_stays", "near", "stays_of", "targets"]

EDIT_TYPE = pa.struct([(name, pa.string()) for name in ("column", "action", "value")])
"""One change: the column of the stay, what is done (principal, first, add, remove, set) and the code or number."""

_TRIES = 2
_MOST_EDITS = 5
_COLUMNS = tuple(COLUMNS.values())
_WORDS: Mapping[tuple[str, str], Message] = {
    ("diagnoses", "principal"): Message("主要诊断改为 {value}", "the principal diagnosis were {value}"),
    ("diagnoses", "add"): Message("增加次要诊断 {value}", "there were a secondary diagnosis {value}"),
    ("diagnoses", "remove"): Message("没有次要诊断 {value}", "there were no secondary diagnosis {value}"),
    ("operations", "first"): Message("主要手术为 {value}", "the first operation were {value}"),
    ("operations", "add"): Message("增加手术操作 {value}", "there were an operation {value}"),
    ("operations", "remove"): Message("没有手术操作 {value}", "there were no operation {value}"),
    ("gend", "set"): Message("性别为 {value}（1 男 2 女）", "the sex were {value} (1 male, 2 female)"),
    ("age", "set"): Message("年龄为 {value} 岁", "the age were {value} years"),
    ("age_days", "set"): Message("年龄为 {value} 天", "the age were {value} days"),
    ("weight", "set"): Message("出生体重为 {value} 克", "the weight were {value} g"),
    ("ipt_days", "set"): Message("住院 {value} 天", "the stay were of {value} days"),
    ("dscg_way", "set"): Message("离院方式为 {value}", "the way of discharge were {value}"),
}


def near(plan: Plan, stays: pa.Table, *, most: int = 3) -> pa.Table:
    """Ask of every stay what would have to differ to land in another group.

    Parameters
    ----------
    plan : under which
    stays : as for ``Plan.group``
    most : how many groups are named for each stay, those first that need the fewest changes

    Returns
    -------
    pyarrow.Table
        ``row`` of the stay, ``mdc``, ``adrg``, ``drg``, ``edits``, their sentence in ``zh`` and ``en``, and the changed
        stay in the columns of ``stays``: grouped, it lands in ``drg``, and with any of its edits left out it does not.
        A stay without a row is one for which no such change was found.
    """
    compiled = plan.compiled
    now = plan.group(stays)
    known = stays_of(stays, compiled)
    proposals = [
        (row, edits) for row, stay in enumerate(known) for edits in _proposed(compiled, stay, now["mdc"][row].as_py())
    ]
    landed = _landed(plan, known, proposals)
    best: dict[int, dict[str, tuple[Edit, ...]]] = {}
    for (row, edits), drg in zip(proposals, landed, strict=True):
        if drg and drg != now["drg"][row].as_py():
            found = best.setdefault(row, {})
            found[drg] = min(found.get(drg, edits), edits, key=len)
    chosen, order = [], {target.drg.code: place for place, target in enumerate(targets(compiled))}
    for row, found in best.items():
        own = now["drg"][row].as_py() or now["adrg"][row].as_py() or ""
        # Fewest changes first, then groups of the same ADRG, then changes of a number before changes of a code, then
        # the groups that stand nearest in the plan.
        far = {
            drg: (len(edits), drg[:3] != own[:3], max(map(_weight, edits)), abs(order[drg] - order.get(own, 0)))
            for drg, edits in found.items()
        }
        chosen += [(row, drg, found[drg]) for drg in sorted(found, key=far.__getitem__)[:most]]
    return _table(plan, known, [(row, drg, _least(plan, known[row], drg, edits)) for row, drg, edits in chosen])


def _weight(edit: Edit) -> int:
    """Return how far a change reaches: a number, a secondary diagnosis, an operation, the principal diagnosis."""
    if edit.action in ("set", "principal"):
        return 0 if edit.action == "set" else 3
    return 1 if edit.column == "diagnoses" else 2


def stays_of(table: pa.Table, plan: Compiled) -> list[Stay]:
    """Return the stays of a table one by one, codes as the plan writes them where it knows them."""
    read = read_stays(table, plan.diagnoses, plan.operations)
    diagnoses = _texts(read.diagnoses, plan.diagnoses.names)
    operations = _texts(read.operations, plan.operations.names)
    numbers = {COLUMNS[fact]: values.tolist() for fact, values in read.numbers.items()}
    return [
        Stay(diagnoses[row], operations[row], {name: _known(values[row]) for name, values in numbers.items()})
        for row in range(len(read))
    ]


def _known(value: float) -> float | None:
    return None if value != value else value


def _texts(coded: Coded, names: Sequence[str]) -> list[tuple[str, ...]]:
    texts = [
        names[code] or text
        for code, text in zip(coded.spelled.codes.tolist(), coded.spelled.texts.to_pylist(), strict=True)
    ]
    offsets, places = coded.offsets.tolist(), coded.text.tolist()
    # A stay without a principal diagnosis keeps its place empty: what follows stays secondary.
    heads = [("",) if headless else () for headless in coded.headless.tolist()]
    return [
        (*head, *(texts[place] for place in places[start:stop]))
        for head, start, stop in zip(heads, offsets, offsets[1:], strict=False)
    ]


def targets(plan: Compiled) -> Iterator[Target]:
    """Return every DRG with every way to it, in order."""
    for mdc in plan.mdcs:
        for adrg in mdc.adrgs:
            for drg in adrg.drgs:
                yield Target(mdc, adrg, drg)


def _proposed(plan: Compiled, stay: Stay, mdc: str | None) -> Iterator[tuple[Edit, ...]]:
    """Propose changes towards the groups of the stay's MDC, or of any MDC that could admit it."""
    seen: set[tuple[Edit, ...]] = set()
    done = tuple(Edit("operations", "remove", code) for code in dict.fromkeys(stay.operations))
    letting_go = dict.fromkeys(((), done[:1], done))
    if stay.diagnoses[:1] == ("",):
        yield from ((Edit("diagnoses", "principal", code),) for code in dict.fromkeys(stay.diagnoses[1:]))
        return
    for target in _near_targets(plan, stay, mdc):
        for gone in letting_go:
            for edits in ways(plan, target, applied(stay, gone), _TRIES):
                proposal = (*gone, *edits)
                if 0 < len(proposal) <= _MOST_EDITS and proposal not in seen:
                    seen.add(proposal)
                    yield proposal


def _near_targets(plan: Compiled, stay: Stay, mdc: str | None) -> Iterator[Target]:
    if mdc is not None:
        yield from (target for target in targets(plan) if target.mdc.code == mdc)
        return
    principal = stay.diagnoses[0] if stay.diagnoses else ""
    firsts = [(target, next(ways(plan, target, stay, 1), None)) for target in targets(plan)]
    for letters in (3, 1):
        # Of a stay that no MDC admits, only groups are asked that its diagnosis or the codes most like it could enter.
        like = [target for target, first in firsts if first is not None and _is_like(first, principal, letters)]
        if like:
            yield from like
            return


def _is_like(edits: Sequence[Edit], principal: str, letters: int) -> bool:
    return all(edit.action != "principal" or edit.value[:letters] == principal[:letters] for edit in edits)


def _landed(plan: Plan, known: Sequence[Stay], proposals: Sequence[tuple[int, tuple[Edit, ...]]]) -> list[str | None]:
    changed = [applied(known[row], edits) for row, edits in proposals]
    return list(plan.group(as_stays(changed))["drg"].to_pylist())


def _least(plan: Plan, stay: Stay, drg: str, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Return the fewest of the edits that suffice."""
    parts = [part for count in range(1, len(edits)) for part in combinations(edits, count)]
    landed = _landed(plan, [stay], [(0, part) for part in parts])
    return next((part for part, into in zip(parts, landed, strict=True) if into == drg), edits)


def as_stays(stays: Sequence[Stay]) -> pa.Table:
    """Return stays as a table that ``Plan.group`` takes."""
    columns: dict[str, Any] = {
        name: pa.array([list(getattr(stay, name)) for stay in stays], pa.list_(pa.string()))
        for name in ("diagnoses", "operations")
    }
    for name in _COLUMNS:
        columns[name] = pa.array([stay.numbers.get(name) for stay in stays], pa.float64())
    return pa.table(columns)


def _table(plan: Plan, known: Sequence[Stay], found: Sequence[tuple[int, str, tuple[Edit, ...]]]) -> pa.Table:
    changed = as_stays([applied(known[row], edits) for row, _, edits in found])
    grouped = plan.group(changed)
    told = [_told(plan.names, edits) for _, _, edits in found]
    edits = [[vars(edit) for edit in edits] for _, _, edits in found]
    columns = {
        "row": pa.array([row for row, _, _ in found], pa.int64()),
        **{name: grouped[name] for name in ("mdc", "adrg", "drg")},
        "edits": pa.array(edits, pa.list_(EDIT_TYPE)),
        "zh": pa.array([message.zh for message in told], pa.string()),
        "en": pa.array([message.en for message in told], pa.string()),
    }
    return pa.table({**columns, **{name: changed[name] for name in changed.column_names}})


def _told(names: Mapping[str, str], edits: Sequence[Edit]) -> Message:
    said = [
        _WORDS[edit.column, edit.action].format(value=" ".join(filter(None, (edit.value, names.get(edit.value)))))
        for edit in edits
    ]
    return Message("如果" + "，且".join(m.zh for m in said), "if " + " and ".join(m.en for m in said))
