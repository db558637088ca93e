"""用 dbt 构建数据仓库 / Build the warehouse with dbt.

一次进程内的 dbt build：staging → intermediate → marts，DuckDB 计算，DuckLake 存放；集市的列契约被强制，
单元测试与数据测试一同运行。

One in-process dbt build: staging → intermediate → marts, computed by DuckDB over DuckLake; the marts' contracts are
enforced, unit tests and data tests run with it.

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: `lake.raw.*`, `lake.coding.*`, `lake.reference.*`

**Writes / 写入**: `lake.staging`, `lake.intermediate`, `lake.marts`; asset `lake_marts`

**If it fails / 如果失败**: the log names the model or test. A failed data test leaves the earlier marts in place;
mend the model or the delivery and trigger again. A clash of two builds ends one of them: the pool `warehouse` must
have exactly one slot.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import CODED, DEFAULTS, MARTS, WAREHOUSE_POOL, Tag, announce

PARAMS = {
    "full_refresh": Param(
        False,
        type="boolean",
        title="全量重建 / Full refresh",
        description="增量模型也从头重建。/ Rebuild incremental models from scratch too.",
    ),
}


@dag(
    dag_id="build_warehouse",
    dag_display_name="03 构建数据仓库 · Build warehouse",
    doc_md=__doc__,
    schedule=[CODED],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.WAREHOUSE],
    default_args=DEFAULTS,
)
def build_warehouse() -> None:
    """Build all layers in one task."""

    @task(task_display_name="dbt 构建 · dbt build", pool=WAREHOUSE_POOL, outlets=[MARTS], multiple_outputs=False)
    def build(params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.build import build

        return announce(build(Home.from_environment(), full_refresh=params["full_refresh"]))

    build()


build_warehouse()
