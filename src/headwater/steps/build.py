"""Build the marts: staging, intermediate and marts in one pass, with their tests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from headwater.adapters import (
    assigned,
    coding,
    compared,
    dbt,
    extremes,
    grouped,
    knowledge,
    lake,
    priced,
    raw,
    references,
)
from headwater.adapters.home import Home

__all__ = ["GROUPED_MARTS", "MARTS", "VIEWS", "BuildReport", "build", "build_grouped"]

MARTS = (
    *("dim_hospital", "dim_item", "fct_stay", "fct_fee_line", "fct_settlement", "fct_item_use", "fct_finding"),
    "fct_item_price",
    *("fct_special_use", "fct_readmission", "ind_hospital_month", "ind_special_drug", "ind_high_value"),
    *("ind_payer_mix", "ind_formulary_coverage"),
    *(
        "ind_disease_spectrum",
        "ind_drug_use",
        "ind_consumable_use",
        "ind_item_price",
        "ind_coding_quality",
        "feat_stay_cost",
    ),
)
"""Every mart that is a table, in the order of the flow."""

VIEWS = (
    *("ind_spectrum_rank", "view_front_page", "view_fee_line", "ind_drug_share", "ind_consumable_share"),
    *("ind_average_stay", "ind_average_cost", "ind_fund_share", "ind_selfpay_share", "ind_readmission"),
    *("ind_antibiotic_rate", "ind_antibiotic_intensity", "ind_high_value_price", "ind_formulary_drug"),
    "fct_source_value",
)
"""Every mart that is a view; to count its rows would be to compute it."""

GROUPED_MARTS = (
    *("fct_stay_group", "fct_payment", "ind_group_coverage", "ind_case_mix", "ind_time_consumption"),
    *("ind_cost_consumption", "ind_low_risk_mortality", "ind_payment_balance", "ind_budget_use"),
    *("ind_special_payment", "ind_outlier_stay", "ind_common_disease"),
    *("ind_comparison", "ind_extreme_stay", "ind_pool_use", "ind_hospital_drg", "ind_cost_difference"),
    "ind_price_difference",
)
"""Every mart that stands on groups and payments: built after them, in this order of the flow."""

_GROUPED = "tag:grouped"
_BUILT = "lake.intermediate.int_raw__built"
# Views and seeds stand as long as the project does; tables and what is said about them are refreshed in every build.
# Tests tagged `anew` follow from the models' own words (a case, a join on a tested key) and test a changed project.
_REFRESH = "config.materialized:table config.materialized:incremental tag:named test_type:data"


@dataclass(frozen=True)
class BuildReport:
    """What one build did.

    Parameters
    ----------
    nodes : every model, seed and test with its status and wall time
    statuses : status and the number of nodes that ended so
    rows : mart and its number of rows after the build
    seconds : wall time of the transformations
    snapshot_id : the lake's snapshot that holds the result
    """

    nodes: tuple[dbt.NodeResult, ...]
    statuses: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, int], ...]
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no node by name."""
        return {
            "seconds": round(self.seconds, 3),
            "snapshot_id": self.snapshot_id,
            "statuses": dict(self.statuses),
            "rows": dict(self.rows),
        }


def build(home: Home, *, full_refresh: bool = False) -> BuildReport:
    """Transform what has landed into the marts; a failing model or test is refused by name.

    Parameters
    ----------
    full_refresh : build everything anew; otherwise only the stays, months and persons of which raw changed are
        replaced, unless the project itself has changed or something of it is missing
    """
    with lake.connect(home) as connection:
        # Before anything has landed or been coded these tables are made empty, and so are the marts.
        raw.create_tables(home, connection)
        coding.create_tables(home, connection)
        references.create_tables(home, connection)
        for adapter in (grouped, priced, compared, extremes):
            adapter.create_tables(home, connection)
        knowledge.prepare(home, connection)
        # What hospitals call their items and what is known of them decides values, and neither is a mart.
        assigned.refresh(home, connection)
        stands = _stands(connection, digest := dbt.digest(home))
        if full_refresh or not stands:
            # What stands on groups is made too, so that all marts can be checked; its tests wait for the groups.
            result = dbt.run(home, exclude=f"{_GROUPED},resource_type:test", full_refresh=True)
        else:
            result = dbt.run(home, select=_REFRESH, exclude=f"resource_type:seed tag:anew {_GROUPED}")
        connection.execute(f"COMMENT ON TABLE {_BUILT} IS '{digest}'")
        return _report(connection, result, MARTS)


def build_grouped(home: Home) -> BuildReport:
    """Build the marts and indicators that stand on groups and payments, with their tests, from what was last priced."""
    with lake.connect(home) as connection:
        for adapter in (grouped, priced, compared, extremes):
            adapter.create_tables(home, connection)
        result = dbt.run(home, select=_GROUPED)
        return _report(connection, result, GROUPED_MARTS)


def _report(connection: duckdb.DuckDBPyConnection, result: dbt.DbtResult, marts: Sequence[str]) -> BuildReport:
    counts = " UNION ALL ".join(f"SELECT '{mart}', count(*) FROM lake.marts.{mart}" for mart in marts)
    found = dict(connection.execute(counts).fetchall())
    return BuildReport(
        nodes=result.nodes,
        statuses=tuple(sorted(Counter(node.status for node in result.nodes).items())),
        rows=tuple((mart, int(found[mart])) for mart in marts),
        seconds=result.seconds,
        snapshot_id=lake.snapshot(connection),
    )


def _stands(connection: duckdb.DuckDBPyConnection, digest: str) -> bool:
    """Tell whether the last build succeeded, of this very project, and everything it made is still there."""
    built = connection.execute(
        "SELECT comment FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = 'int_raw__built'"
    ).fetchone()
    present = {
        row[0]
        for row in connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'lake' AND table_schema = 'marts'"
        ).fetchall()
    }
    return built is not None and built[0] == digest and {*MARTS, *VIEWS, *GROUPED_MARTS} <= present
