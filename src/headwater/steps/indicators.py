"""Define, preview and compute the indicators that a bureau defines without code."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date

import duckdb

from headwater.adapters import indicator_values, indicators, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.indicators import Stored
from headwater.claims.indicators import HOME, Catalogue, Checked, FormulaRefusal, Indicator, check
from headwater.content.fields import read_fields
from headwater.errors import Message, Refusal

__all__ = ["IndicatorReport", "Refused", "compute", "define", "history", "listed", "preview"]


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
    snapshot_id : the lake's snapshot that holds them
    """

    defined: int
    computed: int
    refused: tuple[Refused, ...]
    values: int
    unknown: int
    alerts: int
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def define(home: Home, indicator: Indicator, *, by: str) -> Stored:
    """Check a definition against the published fields and all other indicators, and store it as a version.

    Raises
    ------
    FormulaRefusal
        at the place of the fault, circular references included
    Refusal
        where another indicator that refers to this one would no longer hold
    """
    catalogue = read_fields(home.project)
    with postgres.connect(home) as connection:
        indicators.lock(connection)
        known = {name: one.indicator for name, one in indicators.in_force(connection).items()}
        check(indicator, catalogue, known)
        _refuse_breaking(indicator, catalogue, known)
        return indicators.store(connection, indicator, by=by)


def listed(home: Home, *, on: date = date.max) -> list[Stored]:
    """Return the newest version of each indicator, by name."""
    with postgres.connect(home) as connection:
        return list(indicators.in_force(connection, on=on).values())


def history(home: Home, name: str) -> list[Stored]:
    """Return every version of an indicator, the newest first."""
    with postgres.connect(home) as connection:
        found = indicators.versions(connection, name)
    if not found:
        raise Refusal(
            "E-INDICATOR-NONE",
            Message(f"没有指标“{name}”。", f"There is no indicator {name}."),
            Message("用 headwater indicator list 查看已有指标。", "See headwater indicator list."),
        )
    return found


def preview(home: Home, indicator: Indicator, *, months: int = 3, limit: int = 20) -> list[Mapping[str, object]]:
    """Check a definition and return some values of the newest months; nothing is stored.

    Parameters
    ----------
    limit : how many cells at most
    """
    catalogue = read_fields(home.project)
    with postgres.connect(home) as connection:
        known = {name: one.indicator for name, one in indicators.in_force(connection).items()}
    checked = check(indicator, catalogue, known)
    with lake.connect(home) as connection:
        _refuse_unbuilt(connection, catalogue)
        return indicator_values.preview(connection, checked, catalogue, months=months, limit=limit)


def compute(home: Home, *, on: date) -> IndicatorReport:
    """Compute every indicator in force on a day over the marts; values and alerts of before are replaced.

    An indicator that no longer fits the published fields, or cannot be computed, is refused by name; the others are
    computed.
    """
    started = time.perf_counter()
    catalogue = read_fields(home.project)
    with postgres.connect(home) as connection:
        known = {name: one.indicator for name, one in indicators.in_force(connection, on=on).items()}
    checked, refused = _checked(known, catalogue)
    with lake.connect(home) as lake_connection:
        _refuse_unbuilt(lake_connection, catalogue)
        indicator_values.create_tables(home, lake_connection, catalogue)
        values, failed = indicator_values.compute(lake_connection, checked, catalogue)
        alerts = indicator_values.replace(lake_connection, checked)
        row = lake_connection.execute("SELECT count(*) FROM lake.indicator.value WHERE value IS NULL").fetchone()
        snapshot_id = lake.snapshot(lake_connection)
    refused += [Refused(one.name, Message(one.message, one.message)) for one in failed]
    return IndicatorReport(
        defined=len(known),
        computed=len(known) - len(refused),
        refused=tuple(refused),
        values=values,
        unknown=int(row[0]) if row else 0,
        alerts=alerts,
        seconds=time.perf_counter() - started,
        snapshot_id=snapshot_id,
    )


def _checked(known: Mapping[str, Indicator], catalogue: Catalogue) -> tuple[list[Checked], list[Refused]]:
    checked, refused = [], []
    for indicator in known.values():
        try:
            checked.append(check(indicator, catalogue, known))
        except Refusal as refusal:
            refused.append(Refused(indicator.name, refusal.told))
    return checked, refused


def _refuse_breaking(indicator: Indicator, catalogue: Catalogue, known: Mapping[str, Indicator]) -> None:
    """Refuse a definition under which another one, which refers to it, would no longer hold."""
    after = {**known, indicator.name: indicator}
    for other in known.values():
        if other.name == indicator.name:
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
            raise Refusal(
                "E-INDICATOR-DEPENDENT",
                Message(
                    f"指标 {other.name} 引用了 {indicator.name}，改后不再成立：{refusal.reason.zh}",
                    f"Indicator {other.name} refers to {indicator.name} and would no longer hold: {refusal.reason.en}",
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
