"""构建分组与支付的集市和指标 / Build the marts and indicators that stand on groups and payments.

先在同级医院之间比较、查找极端病例并排队待审；再用 dbt 构建带 `grouped` 标签的集市（分组、支付、CMI、
时间与费用消耗指数、低风险死亡、支付盈亏、同级比较、极端病例等），最后计算自定义指标。
随后的质量检查判断全部集市，通过后读者一次性切换到同一快照：指标与其所依据的数据总是一致。

Hospitals are compared with their peers, extreme stays found and queued for review; dbt builds the marts tagged
`grouped` (groups, payments, CMI, consumption indices, low-risk deaths, comparison …), and user-defined indicators are
computed.
The check of quality that follows judges all marts, and readers move to that one snapshot: indicators and what they
stand on always agree.

**Owner / 负责**: headwater · 支付组

**Reads / 读取**: `lake.grouping.stay`, `lake.payment.*`, `lake.marts.*`, `ops.indicator`

**Writes / 写入**: `lake.marts.*` tagged `grouped`, `lake.grouping.{comparison,difference,cell,extreme}`, the review
queue, `lake.indicator.{value,alert}`; asset `lake_indicators`

**If it fails / 如果失败**: the log names the model, test or indicator. A failed test leaves readers at the snapshot
before; mend the model or the definition and trigger again. The pool `warehouse` must have exactly one slot.
"""

from datetime import UTC, datetime

from airflow.sdk import dag, task

from headwater.adapters.airflow import DEFAULTS, INDICATORS, PRICED, WAREHOUSE_POOL, Tag, announce


@dag(
    dag_id="publish_indicators",
    dag_display_name="06 发布指标 · Publish indicators",
    doc_md=__doc__,
    schedule=[PRICED],
    catchup=False,
    max_active_runs=1,
    tags=[Tag.HEADWATER, Tag.INDICATORS],
    default_args=DEFAULTS,
)
def publish_indicators() -> None:
    """Compare and find, build the grouped marts, then compute what users defined."""

    @task(task_display_name="同级医院比较 · Compare hospitals", multiple_outputs=False)
    def compare() -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.compare import compare

        return announce(compare(Home.from_environment()))

    @task(task_display_name="查找极端病例 · Find extreme stays", multiple_outputs=False)
    def find(compared: dict) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.extremes import find

        return announce(find(Home.from_environment()))

    @task(task_display_name="dbt 构建 · dbt build", pool=WAREHOUSE_POOL, multiple_outputs=False)
    def build(found: dict) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.build import build_grouped

        return announce(build_grouped(Home.from_environment()))

    @task(task_display_name="自定义指标 · User-defined", outlets=[INDICATORS], multiple_outputs=False)
    def compute(built: dict) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.indicators import compute

        return announce(compute(Home.from_environment(), on=datetime.now(UTC).date()))

    compute(build(find(compare())))


publish_indicators()
