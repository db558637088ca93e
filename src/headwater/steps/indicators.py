"""Define, preview and compute the indicators that a bureau defines without code."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import duckdb

from headwater.adapters import indicator_values, indicators, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.indicator_values import During
from headwater.adapters.indicators import Retirement, Stored
from headwater.claims.indicators import HOME, Catalogue, FormulaRefusal, Indicator, Months, check
from headwater.claims.signing import signed as by_whom
from headwater.content.fields import read_fields
from headwater.errors import Message, Refusal

__all__ = ["IndicatorReport", "Refused", "compute", "define", "history", "listed", "preview", "retire", "values"]

_VALUES = "lake.indicator.value"


@dataclass(frozen=True)
class Refused:
    """An indicator that could not be computed, and why."""

    name: str
    reason: Message


@dataclass(frozen=True)
class IndicatorReport:
    """What one computation did.

    Parameters
    ----------
    defined : indicators in force on the day
    computed : of these, those that have values; the others are ``refused``
    values, alerts : rows in the lake; an alert is a value beyond its threshold
    unknown : values that are unknown, for nothing is there to be divided by
    withheld : values of few stays, and of those that would give them away, which nobody is shown
    snapshot_id : the lake's snapshot that holds them
    """

    defined: int
    computed: int
    refused: tuple[Refused, ...]
    values: int
    unknown: int
    withheld: int
    alerts: int
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def define(home: Home, *defined: Indicator, by: str) -> list[Stored]:
    """Check definitions against the published fields and all other indicators, and store each as a version, or none.

    Parameters
    ----------
    defined : in any order; they may refer to each other

    Raises
    ------
    FormulaRefusal
        at the place of the fault, circular references included
    Refusal
        where two are of one name, or another indicator that refers to one of them would no longer hold
    """
    catalogue = read_fields(home.project)
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        indicators.lock(connection)
        known = _known(indicators.in_force(connection))
        after = {**known, **_named(defined)}
        for indicator in defined:
            check(indicator, catalogue, after)
        _refuse_breaking({one.name for one in defined}, catalogue, known, after)
        return [indicators.store(connection, one, by=by) for one in defined]


def retire(home: Home, name: str, *, signed: tuple[str, str]) -> Stored:
    """Say that an indicator is no more computed; every version stays in its history, and a new one brings it back.

    Parameters
    ----------
    signed : who retires it, and why

    Raises
    ------
    Refusal
        ``E-INDICATOR-NONE``, ``E-INDICATOR-WHO``, ``E-INDICATOR-RETIRED`` when it is retired already, or
        ``E-INDICATOR-DEPENDENT`` when another one refers to it
    """
    by, why = by_whom(signed, code="E-INDICATOR-WHO")
    catalogue = read_fields(home.project)
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        indicators.lock(connection)
        found = _versions(connection, name)[0]
        if found.retirement is not None:
            raise _retired(name, found.retirement)
        known = _known(indicators.in_force(connection))
        after = {other: one for other, one in known.items() if other != name}
        _refuse_breaking({name}, catalogue, known, after)
        indicators.retire(connection, found, by=by, why=why)
        return _versions(connection, name)[0]


def listed(home: Home, *, on: date = date.max) -> list[Stored]:
    """Return the newest version of each indicator that is not retired, by name."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return list(indicators.in_force(connection, on=on).values())


def history(home: Home, name: str) -> list[Stored]:
    """Return every version of an indicator, retired or not, the newest first.

    Raises
    ------
    Refusal
        ``E-INDICATOR-NONE``
    """
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return _versions(connection, name)


def values(home: Home, name: str, *, limit: int = 100) -> list[Mapping[str, object]]:
    """Return the newest cells that were computed last of an indicator, each with the version that computed it.

    Raises
    ------
    Refusal
        ``E-INDICATOR-NONE``
    """
    (newest, *_), catalogue = history(home, name), read_fields(home.project)
    with lake.connect(home, threads=1) as connection:
        indicator_values.create_tables(home, connection, catalogue)
        return indicator_values.of_indicator(connection, name, newest.indicator.grain, limit=limit, table=_VALUES)


def preview(home: Home, *defined: Indicator, months: int = 3, limit: int = 20) -> list[list[Mapping[str, object]]]:
    """Check definitions and return some cells of each over the newest months; nothing is stored.

    Parameters
    ----------
    limit : how many cells of each at most
    """
    catalogue = read_fields(home.project)
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        known = _known(indicators.in_force(connection))
    checked = [check(one, catalogue, {**known, **_named(defined)}) for one in defined]
    with lake.connect(home) as connection:
        _refuse_unbuilt(connection, catalogue)
        within = indicator_values.newest(connection, catalogue, months=months)
        parts = [During(checked, within)] if within else []
        indicator_values.compute(connection, parts, catalogue)
        return [indicator_values.of_indicator(connection, one.name, one.grain, limit=limit) for one in defined]


def compute(home: Home, *, on: date) -> IndicatorReport:
    """Compute every indicator in force on a day over the marts; values and alerts of before are replaced.

    Each month is computed by the version that was in force on its first day; what has no month in its grain, by the
    newest. An indicator that no longer fits the published fields, or cannot be computed, is refused by name; the
    others are computed.
    """
    started = time.perf_counter()
    catalogue = read_fields(home.project)
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        defined, by_month = indicators.in_force(connection, on=on), indicators.periods(connection, on=on)
    parts, refused = _parts(defined, by_month, catalogue)
    with lake.connect(home) as lake_connection:
        _refuse_unbuilt(lake_connection, catalogue)
        indicator_values.create_tables(home, lake_connection, catalogue)
        values, failed = indicator_values.compute(lake_connection, parts, catalogue)
        alerts = indicator_values.replace(lake_connection, [one for part in parts for one in part.checked])
        row = lake_connection.execute(
            f"SELECT count(*) FILTER (withheld IS NULL), count(withheld) FROM {_VALUES} WHERE value IS NULL"
        ).fetchone()
        snapshot_id = lake.snapshot(lake_connection)
    refused |= {one.name: Refused(one.name, Message(one.message, one.message)) for one in failed}
    unknown, withheld = row or (0, 0)
    return IndicatorReport(
        defined=len(defined),
        computed=len(defined) - len(refused),
        refused=tuple(refused.values()),
        values=values,
        unknown=unknown,
        withheld=withheld,
        alerts=alerts,
        seconds=time.perf_counter() - started,
        snapshot_id=snapshot_id,
    )


def _parts(
    defined: Mapping[str, Stored], by_month: Sequence[tuple[Months, Mapping[str, Stored]]], catalogue: Catalogue
) -> tuple[list[During], dict[str, Refused]]:
    """Return what is computed over which months, and what cannot be."""
    wanted = [((None, None), _known(defined), False), *((months, _known(held), True) for months, held in by_month)]
    parts, refused = [], dict[str, Refused]()
    for months, known, has_month in wanted:
        checked = []
        for indicator in known.values():
            if ("discharge_month" in indicator.grain) != has_month:
                continue
            try:
                checked.append(check(indicator, catalogue, known))
            except Refusal as refusal:
                refused[indicator.name] = Refused(indicator.name, refusal.told)
        parts.append(During(checked, months))
    return parts, refused


def _known(stored: Mapping[str, Stored]) -> dict[str, Indicator]:
    return {name: one.indicator for name, one in stored.items()}


def _named(defined: Sequence[Indicator]) -> dict[str, Indicator]:
    """Return definitions by name; each may stand once."""
    names = [one.name for one in defined]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refusal(
            "E-INDICATOR-TWICE",
            Message(f"指标“{twice}”定义了两次。", f"The indicator {twice} is defined twice."),
            Message("每个名称只保留一个定义。", "Keep one definition of each name."),
        )
    return dict(zip(names, defined, strict=True))


def _versions(connection: postgres.Connection, name: str) -> list[Stored]:
    found = indicators.versions(connection, name)
    if not found:
        raise Refusal(
            "E-INDICATOR-NONE",
            Message(f"没有指标“{name}”。", f"There is no indicator {name}."),
            Message("用 headwater indicator list 查看已有指标。", "See headwater indicator list."),
        )
    return found


def _retired(name: str, said: Retirement) -> Refusal:
    return Refusal(
        "E-INDICATOR-RETIRED",
        Message(
            f"指标“{name}”已由 {said.retired_by} 停用：{said.why}。",
            f"Indicator {name} was retired by {said.retired_by} already: {said.why}.",
        ),
        Message("如需恢复，重新定义即可。", "Define it again to bring it back."),
    )


def _refuse_breaking(
    changed: Collection[str], catalogue: Catalogue, known: Mapping[str, Indicator], after: Mapping[str, Indicator]
) -> None:
    """Refuse a change under which another indicator, which refers to what changes, would no longer hold."""
    for other in known.values():
        if other.name in changed:
            continue
        try:
            references = check(other, catalogue, known).references
        except Refusal:
            continue
        if not references:
            continue
        try:
            check(other, catalogue, after)
        except FormulaRefusal as refusal:
            named = ", ".join(sorted(changed))
            raise Refusal(
                "E-INDICATOR-DEPENDENT",
                Message(
                    f"指标 {other.name} 引用了 {named}，改后不再成立：{refusal.reason.zh}",
                    f"Indicator {other.name} refers to {named} and would no longer hold: {refusal.reason.en}",
                ),
                Message("先改引用它的指标，或另起名称。", "Change that indicator first, or use another name."),
            ) from refusal


def _refuse_unbuilt(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    relation = catalogue.tables[HOME].relation.rpartition(".")[2]
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_catalog = 'lake' AND table_schema = 'marts' "
        "AND table_name = $1",
        [relation],
    ).fetchone()
    if not found or not found[0]:
        raise Refusal(
            "E-INDICATOR-UNBUILT",
            Message("数据集市尚未构建。", "The marts have not been built yet."),
            Message("先运行 headwater build。", "Run headwater build first."),
        )
