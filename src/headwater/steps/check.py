"""Check: every quality suite against one snapshot of the lake, kept in the lake and rendered for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from headwater.adapters import accounts, lake, migration, postgres, profile, quality, report, verification
from headwater.adapters.home import Home
from headwater.content.profiles import as_rules, read_profiles
from headwater.content.quality import Deviation, QualityReport, SuiteResult
from headwater.content.suites import STAGES, Stage, read_suites
from headwater.errors import Message, Refusal
from headwater.steps import returns

__all__ = ["check"]


def check(
    home: Home,
    *,
    stages: Sequence[str] = STAGES,
    run_id: str | None = None,
    now: datetime | None = None,
) -> QualityReport:
    """Check the lake, keep the verdicts in ``lake.quality.result``, write the report and what goes back to hospitals.

    Parameters
    ----------
    stages : which of ``raw``, ``staging``, ``marts``
    run_id : name of the run and of its folder under ``reports/quality``; time and snapshot when None. A run that is
        checked again under the same name replaces itself
    now : time of the check, with a time zone

    Returns
    -------
    The report. Its ``success`` is False when a rule of severity ``error`` failed: what follows must not run.
    """
    # Great Expectations takes two seconds to import, which only a check should pay.
    from headwater.adapters import gx

    at = now or datetime.now(UTC)
    suites = read_suites(home.project / "expectations", stages=_stages(stages))
    home.create()
    postgres.prepare(home)
    with lake.connect(home) as connection:
        with quality.frozen(connection) as (cursor, snapshot):
            name = run_id or f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-s{snapshot}"
            # Profiles first: a rule that cannot be computed takes temporary tables with it.
            usual = _profiled(home, cursor, at) if "raw" in stages else _Usual()
            deliveries = verification.verify(home, cursor, snapshot=snapshot) if "raw" in stages else None
            found = QualityReport(
                run_id=name,
                at=at,
                snapshot=snapshot,
                suites=(*usual.suites, *gx.validate(cursor, suites)),
                landing=quality.landing(home, cursor),
                refused=quality.refused(home),
                faults=quality.faults(cursor),
                accounts=accounts.accounts(home, cursor),
                histograms=quality.histograms(cursor, suites),
                origins=quality.origins(cursor),
                folder=f"quality/{report.folder_name(name)}",
                deviations=usual.deviations,
                migration=migration.compared(cursor, stages=stages, verified=deliveries.found if deliveries else ()),
                verified=deliveries.found if deliveries else (),
            )
        quality.save(home, connection, found)
        migration.save(home, connection, found)
        if deliveries is not None:
            verification.save(home, connection, deliveries, at=at)
        if usual.profiled is not None:
            profile.keep(home, connection, usual.profiled)
        returns.write(home, connection, at=at)
    report.write(home, found)
    return found


@dataclass(frozen=True)
class _Usual:
    """What the profiles of deliveries say."""

    profiled: profile.Profiled | None = None
    suites: tuple[SuiteResult, ...] = ()
    deviations: tuple[Deviation, ...] = ()


def _profiled(home: Home, cursor: duckdb.DuckDBPyConnection, at: datetime) -> _Usual:
    """Measure new deliveries and judge all that are not accepted yet against what is usual for their source."""
    from headwater.adapters import gx

    suites = read_profiles(home.profiles)
    measured = profile.measure(cursor, profile.sent(home), at=at)
    profile.bind(cursor, suites)
    return _Usual(
        profile.accept(cursor, measured),
        gx.validate_profiles(cursor, as_rules(suites)),
        profile.deviations(cursor),
    )


def _stages(names: Sequence[str]) -> tuple[Stage, ...]:
    unknown = sorted(set(names) - set(STAGES))
    if unknown or not names:
        raise Refusal(
            "E-UNKNOWN-STAGE",
            Message(f"没有阶段“{'、'.join(unknown)}”。", f"There is no stage {', '.join(unknown) or '(none given)'}."),
            Message(f"可用：{'、'.join(STAGES)}。", f"Known: {', '.join(STAGES)}."),
        )
    return tuple(stage for stage in STAGES if stage in names)
