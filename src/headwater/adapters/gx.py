"""Great Expectations, computed inside DuckDB: one snapshot of the lake, no data frame, no value of a row in a result.

Written against 1.24.1, which on DuckDB closes its connection before it fetches, drops expectations it does not know
with a log line, and takes an empty suite for a success. All three are mended here.
"""

import logging
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import sqlalchemy as sa
from duckdb_sqlalchemy import ConnectionWrapper
from sqlalchemy.pool import StaticPool

from headwater.content.quality import Outcome, SourceShare, SuiteResult
from headwater.content.suites import Expectation, Suite
from headwater.errors import Message, Refusal

os.environ["GX_ANALYTICS_ENABLED"] = "False"
# At its default level the library prints a line a metric, and every import and table draws a bar.
logging.getLogger("great_expectations").setLevel(logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    from great_expectations.core.batch import Batch
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.validator.validator import Validator

    # Defining a class registers its type with the library.
    from headwater.adapters import gx_expectations as _own  # noqa: F401

__all__ = ["build", "validate", "validate_profiles"]

# Zero samples: the library asks the database for no unexpected value at all.
_RUNTIME = {
    "catch_exceptions": True,
    "result_format": {
        "result_format": "SUMMARY",
        "partial_unexpected_count": 0,
        "include_unexpected_rows": False,
        "return_unexpected_index_query": False,
    },
}
_SOURCES_ASKED = 200


class _Held(ConnectionWrapper):
    """A connection whose transaction belongs to the check: who runs a query neither ends it nor closes it."""

    def begin(self) -> None:
        """Leave the open transaction alone."""

    def commit(self) -> None:
        """Leave the open transaction alone."""

    def rollback(self) -> None:
        """Leave the open transaction alone."""

    def close(self) -> None:
        """Leave the connection open."""


class _Engine(SqlAlchemyExecutionEngine):
    """Runs queries on the held connection and keeps their rows."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        engine = sa.create_engine("duckdb://", creator=lambda: _Held(cursor), poolclass=StaticPool)
        super().__init__(engine=engine, create_temp_table=False)

    def execute_query(self, query: Any) -> Any:
        """Run a query and freeze its rows; after a failure the transaction starts anew, as DuckDB demands."""
        with self.get_connection() as connection:
            try:
                return connection.execute(query).freeze()()
            except sa.exc.DBAPIError:
                self._cursor.execute("ROLLBACK")
                self._cursor.execute("BEGIN")
                raise


def build(suite: Suite) -> gx.ExpectationSuite:
    """Make the library's suite and make sure that every rule written is a rule kept.

    Raises
    ------
    Refusal
        ``E-SUITE-EMPTY`` without rules, ``E-SUITE-DROPPED`` when the library does not know or take one of them
    """
    if not suite.expectations:
        raise Refusal(
            "E-SUITE-EMPTY",
            Message(f"规则集 {suite.name} 没有规则。", f"The suite {suite.name} has no rule."),
            Message("至少写入一条规则。", "Write at least one."),
        )
    written = [
        {"type": rule.type, "kwargs": rule.kwargs, "meta": {"index": index}}
        for index, rule in enumerate(suite.expectations)
    ]
    try:
        built = gx.ExpectationSuite(name=suite.name, expectations=written)
    except (ValueError, GreatExpectationsError) as error:
        raise _dropped(suite, str(error)) from error
    kept = {_index(expectation) for expectation in built.expectations}
    if len(built.expectations) != len(written) or kept != set(range(len(written))):
        lost = [rule["type"] for index, rule in enumerate(written) if index not in kept]
        raise _dropped(suite, ", ".join(map(str, lost)))
    return built


def validate(cursor: duckdb.DuckDBPyConnection, suites: Sequence[Suite]) -> tuple[SuiteResult, ...]:
    """Check every suite against one snapshot of the lake.

    Parameters
    ----------
    cursor : a cursor of :func:`headwater.adapters.quality.frozen`, inside its transaction
    suites : what to check; all of them are built before the first is run

    Raises
    ------
    Refusal
        ``E-QUALITY-RELATION`` when a relation does not exist, and the refusals of :func:`build`
    """
    built = [build(suite) for suite in suites]
    check = _Check(cursor, _Engine(cursor), _context())
    return tuple(check.suite(suite, rules) for suite, rules in zip(suites, built, strict=True))


def validate_profiles(cursor: duckdb.DuckDBPyConnection, suites: Sequence[Suite]) -> tuple[SuiteResult, ...]:
    """Check the numbers of deliveries against the bounds that were joined to them in ``hw_verdict``.

    Parameters
    ----------
    cursor : as for :func:`validate`, with the verdicts of :func:`headwater.adapters.profile.bind`
    suites : of :func:`headwater.content.profiles.as_rules`
    """
    check = _Check(cursor, _Engine(cursor), _context())
    return tuple(check.profile(suite, build(suite)) for suite in suites)


def _context() -> Any:
    """Return a context in memory: no folder of documentation, no bars, nothing sent home."""
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


class _Check:
    """Runs suites through one engine."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, engine: _Engine, context: Any) -> None:
        self._cursor = cursor
        self._engine = engine
        self._context = context

    def suite(self, suite: Suite, rules: gx.ExpectationSuite) -> SuiteResult:
        """Judge one relation as a whole and, where a rule fails, source by source."""
        rows = self._rows(suite)
        outcomes: tuple[Outcome, ...] = ()
        if rows or not suite.may_be_empty:
            table = suite.relation.partition(".")
            found = self._run(
                [rule.configuration for rule in rules.expectations], {"schema_name": table[0], "table_name": table[2]}
            )
            outcomes = tuple(_outcome(suite, rule, found[i]) for i, rule in enumerate(suite.expectations))
            outcomes = self._attributed(suite, rules, outcomes)
        return SuiteResult(suite.name, suite.stage, suite.relation, suite.title, rows, outcomes)

    def profile(self, suite: Suite, rules: gx.ExpectationSuite) -> SuiteResult:
        """Judge the deliveries of one entity; one query tells the sources apart."""
        asked = [rule.configuration for rule in rules.expectations]
        found = self._run(asked, {"schema_name": "temp", "table_name": "hw_verdict"})
        outcomes = []
        for index, rule in enumerate(suite.expectations):
            rows = (found[index].result or {}).get("sources", [])
            shares = [SourceShare(name, not failed, judged, failed, None) for name, judged, failed in rows]
            outcome = _outcome(suite, rule, found[index])
            outcomes.append(outcome if outcome.success else replace(outcome, by_source=_worst_first(shares)))
        judged = sum(outcome.element_count or 0 for outcome in outcomes)
        return SuiteResult(suite.name, suite.stage, suite.relation, suite.title, judged, tuple(outcomes))

    def _rows(self, suite: Suite) -> int:
        try:
            row = self._cursor.execute(f"SELECT count(*) FROM lake.{suite.relation}").fetchone()
        except duckdb.CatalogException as error:
            raise Refusal(
                "E-QUALITY-RELATION",
                Message(f"湖中没有 {suite.relation}。", f"The lake has no {suite.relation}."),
                Message(
                    "先运行 headwater land 与 headwater build。",
                    "Run headwater land and headwater build before the check.",
                ),
            ) from error
        return int(row[0]) if row else 0

    def _run(self, configurations: list[Any], relation: dict[str, Any]) -> dict[int, Any]:
        data: Any = SqlAlchemyBatchData(execution_engine=self._engine, create_temp_table=False, **relation)
        validator = Validator(execution_engine=self._engine, batches=[Batch(data=data)], data_context=self._context)
        results: list[Any] = validator.graph_validate(configurations=configurations, runtime_configuration=_RUNTIME)
        found = {_index(result.expectation_config): result for result in results}
        if len(results) != len(configurations) or len(found) != len(results):
            raise RuntimeError(f"{len(results)} results for {len(configurations)} rules")
        return found

    def _attributed(
        self, suite: Suite, rules: gx.ExpectationSuite, outcomes: tuple[Outcome, ...]
    ) -> tuple[Outcome, ...]:
        """Ask each source about the rules that failed on the whole."""
        failed = [index for index, outcome in enumerate(outcomes) if _is_attributable(outcome)]
        shares: dict[int, list[SourceShare]] = {index: [] for index in failed}
        schema, _, table = suite.relation.partition(".")
        for name in self._sources(suite) if failed else ():
            rows = sa.select(sa.text("*")).select_from(sa.table(table, schema=schema))
            rows = rows.where(sa.column("source_id") == name)
            asked = [rule.configuration for rule in rules.expectations if _index(rule) in shares]
            # The library reads the columns of a table it is told the name of, but not those of a bare selection.
            told = {"source_schema_name": schema, "source_table_name": sa.quoted_name(table, quote=True)}
            for index, result in self._run(asked, {"selectable": rows, **told}).items():
                shares[index].append(_share(name, result))
        return tuple(
            replace(outcome, by_source=_worst_first(shares.get(index, []))) for index, outcome in enumerate(outcomes)
        )

    def _sources(self, suite: Suite) -> list[str]:
        columns = {row[0] for row in self._cursor.execute(f"DESCRIBE lake.{suite.relation}").fetchall()}
        if "source_id" not in columns:
            return []
        query = f"SELECT DISTINCT source_id FROM lake.{suite.relation} ORDER BY 1 LIMIT {_SOURCES_ASKED}"
        return [str(row[0]) for row in self._cursor.execute(query).fetchall()]


def _index(rule: Any) -> int:
    """Return the place of a rule in its suite, which the library carries along."""
    return int(rule.meta["index"])


def _outcome(suite: Suite, rule: Expectation, result: Any) -> Outcome:
    found = result.result or {}
    return Outcome(
        suite=suite.name,
        stage=suite.stage,
        relation=suite.relation,
        expectation=rule.type,
        column=", ".join(rule.columns),
        arguments=rule.arguments,
        unit=rule.unit,
        severity=rule.severity,
        why=rule.why,
        success=bool(result.success),
        observed=_observed(found),
        element_count=_judged(found),
        unexpected_count=_count(found.get("unexpected_count")),
        error=_error(result),
    )


def _share(source_id: str, result: Any) -> SourceShare:
    found = result.result or {}
    return SourceShare(
        source_id=source_id,
        success=bool(result.success),
        element_count=_judged(found),
        unexpected_count=_count(found.get("unexpected_count")),
        observed=_observed(found),
    )


def _is_attributable(outcome: Outcome) -> bool:
    names_its_sources = outcome.expectation == "expect_groups_to_satisfy" and outcome.observed is not None
    return not outcome.success and outcome.error is None and not names_its_sources


def _worst_first(shares: list[SourceShare]) -> tuple[SourceShare, ...]:
    def badness(share: SourceShare) -> tuple[bool, float]:
        judged = share.element_count or 0
        return share.success, -(share.unexpected_count or 0) / judged if judged else 0.0

    return tuple(sorted(shares, key=badness))


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _judged(found: dict[str, Any]) -> int | None:
    """Rows that were judged: absent values are not, unless their absence is what the rule is about."""
    total = _count(found.get("element_count"))
    return None if total is None else total - int(found.get("missing_count") or 0)


def _observed(found: dict[str, Any]) -> str | None:
    """Write an aggregate as text; words from the data (a code typed into the wrong column, say) are only counted."""
    value = found.get("observed_value")
    if isinstance(value, dict) and "quantiles" in value:
        pairs = zip(value["quantiles"], value["values"], strict=True)
        return " · ".join(f"P{100 * quantile:g} {_number(amount)}" for quantile, amount in pairs)
    if isinstance(value, list | dict):
        return f"{len(value)} distinct"
    if "found" in found:
        return "; ".join(found["found"]) or None
    return None if value is None else _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "–"
    if isinstance(value, int | float | Decimal):
        return f"{float(value):.6g}" if abs(float(value)) < 1e6 else f"{float(value):.0f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "1 distinct"


def _error(result: Any) -> str | None:
    """Name what went wrong without quoting it: a message of the database may hold the value of a row."""
    information = result.exception_info or {}
    entries = [information] if "raised_exception" in information else list(information.values())
    raised = [str(entry["exception_traceback"]) for entry in entries if entry.get("raised_exception")]
    if not raised:
        return None
    names = re.findall(r"^(?:[A-Za-z_]+\.)*([A-Za-z_]*(?:Error|Exception))\b", raised[0], flags=re.MULTILINE)
    return str(names[0]) if names else "error"


def _dropped(suite: Suite, what: str) -> Refusal:
    return Refusal(
        "E-SUITE-DROPPED",
        Message(
            f"规则集 {suite.name} 中有规则不被 Great Expectations 接受：{what}。",
            f"Great Expectations does not take these rules of the suite {suite.name}: {what}.",
        ),
        Message("核对规则类型与参数的拼写。", "Check the spelling of their types and arguments."),
    )
