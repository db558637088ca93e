"""Build the marts: staging, intermediate and marts in one pass, with their tests."""

from collections import Counter
from dataclasses import dataclass

import duckdb

from headwater.adapters import assigned, coding, dbt, lake, raw, references
from headwater.adapters.home import Home

__all__ = ["MARTS", "VIEWS", "BuildReport", "build"]

MARTS = (
    *("dim_hospital", "dim_item", "fct_stay", "fct_fee_line", "fct_settlement", "fct_item_use", "fct_finding"),
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
)
"""Every mart that is a view; to count its rows would be to compute it."""

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
        # What hospitals call their items and what is known of them decides values, and neither is a mart.
        assigned.refresh(home, connection)
        stands = _stands(connection, digest := dbt.digest(home))
        if full_refresh or not stands:
            result = dbt.run(home, full_refresh=True)
        else:
            result = dbt.run(home, select=_REFRESH, exclude="resource_type:seed tag:anew")
        connection.execute(f"COMMENT ON TABLE {_BUILT} IS '{digest}'")
        rows = _rows(connection)
        snapshot_id = lake.snapshot(connection)
    return BuildReport(
        nodes=result.nodes,
        statuses=tuple(sorted(Counter(node.status for node in result.nodes).items())),
        rows=rows,
        seconds=result.seconds,
        snapshot_id=snapshot_id,
    )


def _rows(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, int], ...]:
    counts = " UNION ALL ".join(f"SELECT '{mart}', count(*) FROM lake.marts.{mart}" for mart in MARTS)
    found = dict(connection.execute(counts).fetchall())
    return tuple((mart, int(found[mart])) for mart in MARTS)


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
    return built is not None and built[0] == digest and {*MARTS, *VIEWS} <= present
