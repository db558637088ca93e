"""Expectations the library lacks on DuckDB; ``headwater.adapters.gx`` registers them by importing this module."""

import warnings
from typing import Any, ClassVar

import sqlalchemy as sa

from headwater.content.suites import GROUPS_NAMED

with warnings.catch_warnings():
    # The library imports a deprecated module of the standard library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from great_expectations.core.metric_domain_types import MetricDomainTypes
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
    from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
        column_condition_partial,
    )
    from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
        ColumnMapMetricProvider,
    )
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

__all__ = [
    "ExpectColumnValuesToMatchPattern",
    "ExpectColumnValuesToSatisfy",
    "ExpectDeliveriesToBeUsual",
    "ExpectGroupsToSatisfy",
]

_MOST_NAMED = 20


class _ColumnValuesMatchPattern(ColumnMapMetricProvider):
    condition_metric_name = "column_values.match_pattern"
    condition_value_keys = ("pattern",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, pattern: str, **_: Any) -> Any:  # noqa: N805
        return sa.func.regexp_matches(column, f"^(?:{pattern})$")


class ExpectColumnValuesToMatchPattern(ColumnMapExpectation):
    """Every value as a whole matches an RE2 pattern; absent values are not judged."""

    pattern: str
    map_metric: ClassVar[str | None] = "column_values.match_pattern"
    success_keys: ClassVar[tuple[str, ...]] = ("pattern", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "pattern")


class _ColumnValuesSatisfy(ColumnMapMetricProvider):
    condition_metric_name = "column_values.satisfy"
    condition_value_keys = ("condition",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, condition: str, **_: Any) -> Any:  # noqa: N805
        return sa.literal_column(f"({condition})", sa.Boolean())


class ExpectColumnValuesToSatisfy(ColumnMapExpectation):
    """Every row that has a value in ``column`` fulfils an SQL condition; an unknown outcome counts as met."""

    condition: str
    map_metric: ClassVar[str | None] = "column_values.satisfy"
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "condition")


class _TableGroups(TableMetricProvider):
    metric_name = "table.groups_satisfy"
    value_keys = ("groups", "condition")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        relation, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        names = [str(name) for name in metric_value_kwargs["groups"]]
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in names]
        met = sa.literal_column(f"({metric_value_kwargs['condition']})", sa.Boolean()).label("met")
        grouped = sa.select(*columns, met).select_from(relation).group_by(*columns).subquery()
        failed = sa.not_(grouped.c.met)
        count = sa.select(sa.func.count(), sa.func.count(sa.case((failed, 1)))).select_from(grouped)
        total, unexpected = execution_engine.execute_query(count).fetchone() or (0, 0)
        found: list[str] = []
        if unexpected and set(names) <= GROUPS_NAMED:
            keys = [grouped.c[name] for name in names]
            query = sa.select(*keys).where(failed).order_by(*keys).limit(_MOST_NAMED)
            found = [" · ".join(map(str, row)) for row in execution_engine.execute_query(query).fetchall()]
        return {"element_count": total, "unexpected_count": unexpected, "found": found}


class ExpectGroupsToSatisfy(BatchExpectation):
    """Every group of rows fulfils an SQL condition on aggregates, but for a share of ``1 - mostly`` of the groups.

    The result names up to 20 failing groups where all columns of the grouping are in `GROUPS_NAMED`.
    """

    groups: list[str]
    condition: str
    mostly: float = 1.0
    metric_dependencies = ("table.groups_satisfy",)
    success_keys: ClassVar[tuple[str, ...]] = ("groups", "condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("groups", "condition")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        judged = metrics["table.groups_satisfy"]
        total, unexpected = judged["element_count"], judged["unexpected_count"]
        share = 1.0 - unexpected / total if total else 1.0
        return {"success": share >= self.mostly, "result": judged}


class _TableDeliveries(TableMetricProvider):
    metric_name = "table.deliveries_usual"
    value_keys = ("entity", "level")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        relation, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        source: sa.ColumnClause[Any] = sa.column("source_id")
        met = sa.column("met", sa.Boolean())
        query = (
            sa.select(source, sa.func.count(), sa.func.count(sa.case((sa.not_(met), 1))))
            .select_from(relation)
            .where(sa.column("entity") == metric_value_kwargs["entity"])
            .where(sa.column("severity") == metric_value_kwargs["level"])
            .group_by(source)
            .order_by(source)
        )
        rows = execution_engine.execute_query(query).fetchall()
        return {
            "element_count": sum(row[1] for row in rows),
            "unexpected_count": sum(row[2] for row in rows),
            "sources": [tuple(row) for row in rows],
        }


class ExpectDeliveriesToBeUsual(BatchExpectation):
    """Every number of every delivery of an entity lies within its bounds, which DuckDB has joined to it already."""

    entity: str
    level: str
    metric_dependencies = ("table.deliveries_usual",)
    success_keys: ClassVar[tuple[str, ...]] = ("entity", "level")
    args_keys: ClassVar[tuple[str, ...]] = ("entity", "level")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        judged = metrics["table.deliveries_usual"]
        return {"success": judged["unexpected_count"] == 0, "result": judged}
