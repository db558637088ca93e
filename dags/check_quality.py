"""检查数据质量 / Check the quality of the data.

在 raw、staging、marts 上运行 Great Expectations 期望集（在 DuckDB 内计算），结果存入湖，并渲染中英文离线报告，
报告不含原始标识。

Runs the Great Expectations suites on raw, staging and marts, pushed down into DuckDB; keeps the results in the lake
and renders the report in Chinese and English, offline and without raw identifiers.

检查通过后发布所检查的快照：监管台的读者一次性切换到它；未通过则读者仍看上一次发布的数据。

What passed is published: readers of the console move at once to the snapshot that was checked; after a failed check
they go on seeing the one before.

**[质量报告](/headwater/quality?lang=zh-CN) · [Quality report](/headwater/quality?lang=en)**

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: `lake.raw.*`, `lake.staging.*`, `lake.marts.*`, suites in `expectations/`

**Writes / 写入**: `lake.quality.result`, `<HEADWATER_HOME>/reports`, `ops.publication`; asset `quality_verdict`

**If it fails / 如果失败**: a rule of severity `error` is unmet, and what follows does not run on such data: the
report names the rule, the source and the reason. Mend the delivery or the model and start again at ingest_deliveries;
rules of severity `warn` stop nothing. `E-PUBLISH-STALE` means that marts were built anew meanwhile: their own run of
this DAG follows.
"""

from airflow.sdk import dag, task

from headwater.adapters.airflow import (
    DEFAULTS,
    INDICATORS,
    QUALITY,
    QualityLinkEn,
    QualityLinkZh,
    Tag,
    announce,
    must_pass,
)


@dag(
    dag_id="check_quality",
    dag_display_name="07 检查数据质量 · Check quality",
    doc_md=__doc__,
    schedule=[INDICATORS],
    catchup=False,
    max_active_runs=1,
    tags=[Tag.HEADWATER, Tag.QUALITY],
    default_args=DEFAULTS,
)
def check_quality() -> None:
    """Run every suite in one task and link its report; then publish."""

    # No retry: the same data would fail the same rules again.
    @task(task_display_name="运行期望集 · Run suites", retries=0, multiple_outputs=False)
    def check(run_id: str | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.check import check

        return must_pass(announce(check(Home.from_environment(), run_id=run_id)))

    @task(task_display_name="发布 · Publish", outlets=[QUALITY], multiple_outputs=False)
    def publish(verdict: dict, run_id: str | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.publish import publish

        return announce(publish(Home.from_environment(), by=f"check_quality {run_id}"))

    checked = check()
    checked.operator.operator_extra_links = (QualityLinkZh(), QualityLinkEn())
    publish(checked)


check_quality()
